"""Notebooks of the repository as pages: copies that the build runs, with links that hold on the site."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

if TYPE_CHECKING:
    from sphinx.application import Sphinx


def write(docs: Path, execute: bool) -> None:
    """Copies of all notebooks in ``docs/tutorials``, rewritten where they changed, and what they read beside them."""
    source, target = docs.parent / "notebooks", docs / "tutorials"
    target.mkdir(exist_ok=True)
    if execute:  # runs of changed cells must not go on from old files
        shutil.rmtree(target / "results", ignore_errors=True)
    shutil.copytree(source / "stored", target / "stored", dirs_exist_ok=True)
    notebooks = {path.name: with_links(path) for path in sorted(source.glob("*.ipynb"))}
    for path in [*target.glob("*.ipynb"), *target.glob("*.md")]:
        if path.name not in notebooks:
            path.unlink()
    for name, text in notebooks.items():
        if not (target / name).is_file() or (target / name).read_text() != text:
            (target / name).write_text(text)


def with_links(path: Path) -> str:
    """A notebook whose links to pages hold on the site, with a last cell that gives the file away."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../docs/", "](../")
    last = nbformat.v4.new_markdown_cell(
        f"{{download}}`This page as a notebook <../../notebooks/{path.name}>`", id="file"
    )
    notebook.cells.append(last)
    return nbformat.writes(notebook)


def to_pages(app: Sphinx, page: str, source: list[str]) -> None:
    """Links of a page to notebooks of the repository lead to their pages, where they are shown with their figures."""
    up = "../" * page.count("/")
    source[0] = re.sub(r"\]\((?:\.\./)+notebooks/(\w+\.ipynb)\)", rf"]({up}tutorials/\1)", source[0])
