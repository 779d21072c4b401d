"""Docstrings on the site: text for people, whose formulas are no markup, and links to the names that users import."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sphinx.util.nodes import make_refnode

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

LITERAL = re.compile(r"(``.+?``|:[a-z]+:`.+?`)")
LIST = re.compile(r"\s*([-*+]|\d+\.) ")


def plain(app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Indented formulas and code stand as they are; elsewhere bars, stars and trailing underscores are no markup."""
    if len(lines) > 2 and lines[0].endswith("::") and lines[2].strip() and lines[2][0] != " ":
        end = next((k for k in range(2, len(lines)) if not lines[k].strip()), len(lines))
        lines[2:end] = [f"    {line}" for line in lines[2:end]]  # the margin of a docstring that is code after one line
    shown: list[str] = []
    literal: int | None = None  # indentation of the text around a literal block
    before = ""  # the last line that is not blank
    for line in lines:
        if line.strip():
            indent = len(line) - len(line.lstrip())
            if literal is not None and indent <= literal:
                literal = None
            if literal is None:
                outer = len(before) - len(before.lstrip())
                if before.endswith("::") and indent > outer:
                    literal = outer
                elif before and shown[-1] == "" and indent > outer and not LIST.match(before):
                    shown += ["::" if outer == 0 else " " * outer + "::", ""]
                    literal = outer
            before = line
        shown.append(line if literal is not None else escaped(line))
    lines[:] = shown


def escaped(line: str) -> str:
    """The line without markup but literals and roles."""
    parts = LITERAL.split(line)
    for n in range(0, len(parts), 2):
        parts[n] = re.sub(r"([|*]|_(?!\w))", r"\\\1", parts[n])
    return "".join(parts)


def by_public_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Node | None:
    """A reference by the module where a name is defined leads to the entry of that name where users import it."""
    if node.get("refdomain") != "py":
        return None
    entries = env.get_domain("py").objects
    parts = node["reftarget"].lstrip(".").split(".")
    for length in (2, 1):  # a member of a class, or a name of a module
        ending = ".".join(parts[-length:])
        found = [name for name, entry in entries.items() if f".{name}".endswith(f".{ending}") and not entry.aliased]
        if len(parts) >= length and len(found) == 1:
            entry = entries[found[0]]
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, ending)
    return None
