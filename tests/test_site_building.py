"""What builds the site's own pages: docstrings as text, copies of notebooks, tables of keys, the copy of MathJax."""

from __future__ import annotations

import importlib
import shutil
import time
from pathlib import Path
from types import ModuleType

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("sphinx")

DOCS = Path(__file__).resolve().parents[1] / "docs"


@pytest.fixture
def building(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The package ``docs/building`` with its modules."""
    monkeypatch.syspath_prepend(str(DOCS))
    for name in ("docstrings", "keys", "mathjax", "tutorials"):
        importlib.import_module(f"building.{name}")
    return importlib.import_module("building")


def shown(building: ModuleType, text: str) -> str:
    """A docstring as Sphinx gets it."""
    lines = text.splitlines()
    building.docstrings.plain(None, "class", "name", None, None, lines)
    return "\n".join(lines)


def test_formulas_in_docstrings_stand_as_they_are(building: ModuleType) -> None:
    found = shown(building, "E = |S|.\n\nSteps\n\n    S* = S_ + a * b\n\nmean |x|")
    assert found == "E = \\|S\\|.\n\nSteps\n\n::\n\n    S* = S_ + a * b\n\nmean \\|x\\|"
    assert shown(building, "Like::\n\n    a * b") == "Like::\n\n    a * b"  # already a literal block
    assert shown(building, "Like::\n\na * b") == "Like::\n\n    a * b"  # the margin of one line and code
    assert shown(building, "- one\n\n    two * three") == "- one\n\n    two \\* three"  # text of a list
    assert shown(building, "``a*b`` * :class:`X_` ") == "``a*b`` \\* :class:`X_` "


def test_notebooks_are_copied_where_they_changed(building: ModuleType, tmp_path: Path) -> None:
    docs, source = tmp_path / "docs", tmp_path / "notebooks"
    (docs / "tutorials" / "results").mkdir(parents=True)
    (source / "stored").mkdir(parents=True)
    cells = [
        nbformat.v4.new_markdown_cell("[how](../docs/truncated.md)", id="a"),
        nbformat.v4.new_code_cell("1", id="b"),
    ]
    for name in ("one", "gone"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), source / f"{name}.ipynb")
    building.tutorials.write(docs, execute=False)
    assert (docs / "tutorials" / "results").is_dir()  # nothing runs: what runs may have written stays
    copy = nbformat.read(docs / "tutorials" / "one.ipynb", as_version=4)
    assert copy.cells[0].source == "[how](../truncated.md)" and "download" in copy.cells[-1].source
    before = (docs / "tutorials" / "one.ipynb").stat().st_mtime_ns
    time.sleep(0.02)
    (source / "gone.ipynb").unlink()
    building.tutorials.write(docs, execute=True)
    assert (docs / "tutorials" / "one.ipynb").stat().st_mtime_ns == before  # so that Sphinx reads no page anew
    assert not (docs / "tutorials" / "gone.ipynb").exists() and not (docs / "tutorials" / "results").exists()


def test_links_to_notebooks_lead_to_their_pages(building: ModuleType) -> None:
    for page, given, wanted in (
        ("electrons", "[a](../notebooks/08_x.ipynb)", "[a](tutorials/08_x.ipynb)"),
        ("reference/plots", "[a](../../notebooks/08_x.ipynb)", "[a](../tutorials/08_x.ipynb)"),
    ):
        text = [given]
        building.tutorials.to_pages(None, page, text)
        assert text == [wanted]


def test_every_command_has_its_page_of_keys(building: ModuleType, tmp_path: Path) -> None:
    from sdgnn.cli.config.index import COMMANDS
    from sdgnn.cli.config.reference import keys

    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "of-old.md").write_text("")
    building.keys.write(tmp_path)
    assert {path.stem for path in (tmp_path / "keys").iterdir()} == {name.replace(" ", "-") for name in COMMANDS}
    page = (tmp_path / "keys" / "simulate.md").read_text()
    rows = [row for row in page.splitlines() if row.startswith("| `")]
    assert len(rows) == len(list(keys(COMMANDS["simulate"])))
    assert r"results/simulate-\<date>" in page  # no tag of HTML


def test_mathjax_is_left_to_the_network_where_there_is_no_npm(
    building: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert building.mathjax.local_copy(tmp_path) is None
    assert "no copy of MathJax" in capsys.readouterr().out
    script = tmp_path / "_build" / "static" / "mathjax" / "tex-svg-full.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    assert building.mathjax.local_copy(tmp_path) == "mathjax/tex-svg-full.js"
