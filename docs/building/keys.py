"""A page for the keys of every command's configuration, from the docstrings that also explain its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdgnn.cli.config.index import COMMANDS
from sdgnn.cli.config.reference import keys


def write(docs: Path) -> None:
    """``docs/keys/COMMAND.md`` for every command, rewritten where the text changed."""
    target = docs / "keys"
    target.mkdir(exist_ok=True)
    pages = {f"{command.replace(' ', '-')}.md": page(command) for command in COMMANDS}
    for path in target.glob("*.md"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        if not (target / name).is_file() or (target / name).read_text() != text:
            (target / name).write_text(text)


def page(command: str) -> str:
    """The keys of a command: a table of single ones, then a table for each section."""
    settings = COMMANDS[command]
    rows: dict[str, list[tuple[str, str, str, str]]] = {}
    for row in keys(settings):
        rows.setdefault(row[0].partition(".")[0], []).append(row)
    single = [found[0] for found in rows.values() if len(found) == 1]
    sections = {f"Section {name}": found for name, found in rows.items() if len(found) > 1}
    parts = [
        f"# Keys of sdgnn {command}\n\n{(settings.__doc__ or '').strip()}\n",
        f"`sdgnn {command} --keys` shows the same. Any key can be set on the command line too: `key=value`.\n",
    ]
    for title, found in {"Single keys": single, **sections}.items():
        if found:
            parts.append("\n".join([f"## {title}\n", *table(found), ""]))
    return "\n".join(parts)


def table(rows: list[tuple[str, str, str, str]]) -> Iterator[str]:
    """Lines of a Markdown table of keys."""
    yield from ("| key | type | meaning |", "|---|---|---|")
    for path, kind, default, text in rows:
        cells = (f"`{path}`", f"{kind}{default}", text)
        yield "| " + " | ".join(re.sub(r"([|<])", r"\\\1", cell) for cell in cells) + " |"
