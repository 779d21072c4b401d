"""What the README and the tour of the tutorials show works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sdgnn.cli.app import app
from sdgnn.cli.config.index import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
TOUR = (ROOT / "docs" / "tutorials.md").read_text()


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter than it stands; its last line sets exact energies beside those of the field that drove the spins."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    scope: dict = {}
    for given, used in {"steps=400": "steps=3", "(24, 24)": "(12, 12)"}.items():
        assert given in example
        example = example.replace(given, used)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), scope)
    assert Path("quench.png").read_bytes().startswith(b"\x89PNG")
    assert scope["run"].spins.shape == (2, 144, 3)
    difference = scope["exact"].energy - scope["field"](scope["run"].spins).energy
    assert difference.abs().max() / 144 < 0.01  # t per site; the band is 9 wide


def test_a_reader_knows_in_a_minute() -> None:
    assert len(README.splitlines()) <= 120
    for part in ("for you, if", "not for you, if", "pip install sdgnn", "make demo", "make test", "CITATION.cff"):
        assert part in README


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"\]\(((?!http)[^)]+)\)", README) + re.findall(r"configs/\S+?\.yaml", README + TOUR)
    missing = sorted({name for name in named if not (ROOT / name).exists()})
    assert named
    assert not missing


def test_its_commands_exist() -> None:
    (stages,) = re.findall(r"^    sdgnn (\w+(?: \| \w+)+)$", README, re.MULTILINE)
    named = stages.split(" | ") + re.findall(r"(?:`|^\$ )sdgnn ((?:benchmark )?\w+)", README + TOUR, re.MULTILINE)
    known = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands} | set(COMMANDS)
    assert not set(named) - known
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\S+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_tutorials_are_all_named() -> None:
    named = set(re.findall(r"^tutorials/(\w+)$", TOUR, re.MULTILINE))
    assert named == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert named <= set(re.findall(r"notebooks/(\w+)\.ipynb", TOUR))
