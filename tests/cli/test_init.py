"""Examples that travel with the package: written into an empty folder, every command that is named takes its file."""

from __future__ import annotations

import filecmp
import shlex
from pathlib import Path

import pytest
from helpers.configurations import CONFIGS, sdgnn

from sdgnn.cli.config.examples import EXAMPLES
from sdgnn.cli.config.index import COMMANDS
from sdgnn.common.provenance import versions
from sdgnn.common.version import VERSION


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_examples_are_those_of_the_repository(empty: Path) -> None:
    assert set(EXAMPLES) == {path.stem for path in CONFIGS.iterdir()}
    for words in (["init"], ["init", "--list"], ["init", "triangular", "--list"]):
        result = sdgnn(*words)
        assert result.exit_code == 0
        assert [line.split()[0] for line in result.stdout.splitlines()] == list(EXAMPLES)
    assert not list(empty.iterdir())


@pytest.mark.parametrize("name", EXAMPLES)
def test_commands_of_an_example_take_what_was_written(name: str, empty: Path) -> None:
    result = sdgnn("init", name)
    assert result.exit_code == 0, result.output
    written = Path(result.stdout.splitlines()[-1])
    files = {path.relative_to("configs") for path in (written.rglob("*.yaml") if written.is_dir() else [written])}
    assert files == {
        path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml") if name in path.relative_to(CONFIGS).parts[0]
    }
    for file in files:
        assert filecmp.cmp(Path("configs") / file, CONFIGS / file, shallow=False)
    said = [shlex.split(line) for line in result.stderr.splitlines() if line.startswith("  sdgnn ")]
    for _, *words in said:
        where = next(k for k, word in enumerate(words) if word.endswith(".yaml"))
        COMMANDS[" ".join(words[:where])].read(words[where], [word for word in words[where + 1 :] if "=" in word])
    named = {Path(word).relative_to("configs") for words in said for word in words if word.endswith(".yaml")}
    assert named == files
    assert [path.name for path in empty.iterdir()] == ["configs"] and len(list(Path("configs").iterdir())) == 1


def test_nothing_is_replaced(empty: Path) -> None:
    for name in ("demo", "protocols"):
        assert sdgnn("init", name).exit_code == 0
    Path("configs/demo.yaml").write_text("mine")
    Path("configs/protocols/anneal.yaml").write_text("mine")
    Path("configs/arrested").symlink_to("nowhere")
    for name in ("demo", "protocols", "arrested"):
        result = sdgnn("init", name)
        assert result.exit_code == 2 and "is here already" in result.stderr
    assert Path("configs/demo.yaml").read_text() == Path("configs/protocols/anneal.yaml").read_text() == "mine"
    assert not Path("nowhere").exists()


def test_mistakes_are_explained(empty: Path) -> None:
    result = sdgnn("init", "triangle")
    assert result.exit_code == 2 and "did you mean 'triangular'?" in result.stderr
    Path("configs").write_text("in the way")
    for name in ("demo", "triangular"):
        result = sdgnn("init", name)
        assert result.exit_code == 2 and "could not be written" in result.stderr, result.output
    assert [path.name for path in empty.iterdir()] == ["configs"]


def test_files_that_are_not_here_yet_say_what_writes_them(empty: Path) -> None:
    result = sdgnn("generate", "configs/triangular/labels.yaml")
    assert result.exit_code == 2 and "`sdgnn init triangular` writes it" in result.stderr
    assert "`sdgnn init demo` writes it" in sdgnn("demo", "configs/demo.yaml", "seed=1").stderr
    assert "sdgnn init" not in sdgnn("generate", "configs/triangular/labls.yaml").stderr


def test_the_demo_needs_no_file(empty: Path) -> None:
    """Its settings are read, and the misspelled key refused beside theirs."""
    result = sdgnn("demo", "trainning.epochs=1")
    assert result.exit_code == 2 and "unknown key trainning; did you mean training?" in result.stderr


def test_version(empty: Path) -> None:
    result = sdgnn("--version")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"sdgnn {VERSION}" and f"torch {versions(['torch'])['torch']}" in lines
