"""The documentation site: Markdown pages by MyST, the API reference from docstrings, notebooks as pages (make docs)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

import sdgnn

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent
TUTORIALS = HERE / "tutorials"
"""Where notebooks become pages; written anew by every build, not kept in the repository."""

project = "sdgnn"
author = "the authors of sdgnn"
version = release = sdgnn.__version__
html_title = "sdgnn"
html_theme = "furo"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.apidoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

apidoc_modules = [
    {
        "path": "../sdgnn",
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    }
]
autodoc_default_options = {"ignore-module-all": True}  # names of a package are described where they are defined
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of other packages have their own markup
python_use_unqualified_type_names = True
suppress_warnings = ["ref.python"]  # one name in several modules, such as the key kind of many sections

LITERAL = re.compile(r"(``.+?``|:[a-z]+:`.+?`)")


def plain(app: Sphinx, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are text for people: bars, stars and trailing underscores in formulas are no markup."""
    for k, line in enumerate(lines):
        parts = LITERAL.split(line)
        for n in range(0, len(parts), 2):
            parts[n] = re.sub(r"([|*]|_(?!\w))", r"\\\1", parts[n])
        lines[k] = "".join(parts)


def notebooks(app: Sphinx) -> None:
    """Notebooks as Markdown pages, their code shown as it stands."""
    TUTORIALS.mkdir(exist_ok=True)
    for path in sorted((HERE.parent / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = [c.source if c.cell_type == "markdown" else f"```python\n{c.source}\n```" for c in cells]
        link = f"[The notebook itself](../../notebooks/{path.name})."
        page = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.md)", "\n\n".join([*text, link]))
        page = page.replace("](../docs/", "](../")
        (TUTORIALS / f"{path.stem}.md").write_text(page + "\n")


def setup(app: Sphinx) -> None:
    """Hooks of this site."""
    app.connect("autodoc-process-docstring", plain)
    app.connect("config-inited", lambda app, config: notebooks(app))
