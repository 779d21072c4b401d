"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def test_the_python_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    examples = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(examples) == README.count("```python")
    scope: dict = {}
    for example in examples:
        exec(compile(example, "README.md", "exec"), scope)
    printed = capsys.readouterr().out
    assert "torch.Size([2, 144, 3])" in printed
    assert "replica" in printed
    assert scope["run"].spins.shape == (2, 144, 3)
    assert scope["field"].lattice.n_sites == 96 * 96


def test_every_file_it_names_exists() -> None:
    named = re.findall(r"\]\(((?!http)[^)]+)\)", README) + re.findall(r"configs/\S+?\.yaml", README)
    missing = sorted({name for name in named if not (ROOT / name).exists()})
    assert named
    assert not missing


def test_its_commands_exist() -> None:
    from sdgnn.cli.config.index import COMMANDS

    for command in re.findall(r"^\$ sdgnn (\w+)", README, re.MULTILINE):
        assert command in COMMANDS
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\S+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
