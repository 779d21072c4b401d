"""The command line: help that teaches, and one clear message for every mistake before anything is made."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.configurations import CONFIGS, ROOT, sdgnn
from typer.main import get_command

from sdgnn.analysis.observers import NAMES, RUN
from sdgnn.cli.app import app
from sdgnn.cli.config.commands import OBSERVERS
from sdgnn.cli.config.index import COMMANDS as CONFIG_OF
from sdgnn.dynamics import open_trajectory

OTHERS = ("doctor", "export", "init", "model info", "model diff")
"""Commands that take no configuration."""
COMMANDS = (*CONFIG_OF, *OTHERS)


def test_help_lists_the_commands() -> None:
    """In the frame of the commands alone; what is said above names some of them too."""
    result = sdgnn("--help")
    assert result.exit_code == 0
    _, _, listed = result.output.partition("Commands")
    assert set(re.findall(r"^\W*([a-z]+) {2,}[A-Z]", listed, re.MULTILINE)) == {c.partition(" ")[0] for c in COMMANDS}


PLACES = {
    "train": lambda path: {"data": [path]},
    "simulate": lambda path: {"field": {"model": path}},
    "analyze": lambda path: {"trajectory": path},
}
"""Where a path that stands in place of a configuration belongs."""


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_each_command_can_be_run(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and keys of every example in the help are there; "..." stands for those of the example before."""
    monkeypatch.chdir(ROOT)
    node = get_command(app)
    for part in command.split():
        node = node.commands[part]
    assert node.help is not None and node.help.split("\n")[0] in " ".join(
        sdgnn(*command.split(), "--help").output.split()
    )
    examples = re.findall(rf"^ *sdgnn {command}\b(.*?)(?: {{2,}}.*)?$", node.help, re.MULTILINE)
    assert examples
    if command in OTHERS:  # of results, which are made first, or tested by themselves
        return
    config = None
    for example in examples:
        words = [word for word in shlex.split(example) if not word.startswith("--")]
        if words[:1] == ["results/triangular/model"]:  # a model and labels in place of a file
            continue
        if command == "demo" and words[:1] != ["configs/demo.yaml"]:
            words.insert(0, "configs/demo.yaml")
        if words[0] != "...":
            config = words[0]
        assert config is not None
        if config.endswith(".yaml"):
            CONFIG_OF[command].read(config, words[1:])
        else:
            CONFIG_OF[command].parse(PLACES[command](config), words[1:], source=config)


@pytest.mark.parametrize("command", ["generate", "simulate", "nonsense"])
def test_missing_file_or_command_is_the_users_fault(folder: Path, command: str) -> None:
    result = sdgnn(command, "labls.yaml")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_missing_file_is_named_with_the_nearest(folder: Path) -> None:
    result = sdgnn("generate", "labls.yaml")
    assert result.exit_code == 2
    assert "no file labls.yaml; did you mean labels.yaml?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "labels.yaml", "electrons.kt=1"], ["unknown key electrons.kt", "electrons.kT"]),
        (["generate", "labels.yaml", "electrons.filling=1.5"], ["electrons.filling = 1.5"]),
        (["generate", "labels.yaml", "protocols.0.protocol=randm"], ["did you mean 'random'"]),
        (
            ["generate", "labels.yaml", "protocols.0.sates=3"],
            ["unknown key protocols.0.sates; did you mean protocols.0.states?"],
        ),
        (["generate", "labels.yaml", "lattice.size=[3]"], ["size [3] of a triangular lattice"]),
        (["simulate", "quench.yaml", "observe.chiralty=3"], ["unknown observer chiralty", "did you mean 'chirality'?"]),
        (["simulate", "quench.yaml", "field.heisenberg=null"], ["no field"]),
        (
            ["simulate", "quench.yaml", "initial.state=tetrahedral", "initial.options.charility=1"],
            ["mean 'chirality'?"],
        ),
        (["simulate", "quench.yaml", "initial.state=neel"], ["Neel", "bipartite"]),
        (["analyze", "quench.yaml"], ["unknown key lattice", "trajectory is missing"]),
    ],
)
def test_mistakes_are_explained_and_leave_nothing_behind(folder: Path, arguments: list[str], words: list[str]) -> None:
    result = sdgnn(*arguments)
    assert result.exit_code == 2
    for word in words:
        assert word in " ".join(result.stderr.split())
    assert sorted(p.name for p in folder.iterdir()) == ["labels.yaml", "quench.yaml"]


MISTAKES = """
import sys
from sdgnn.cli.app import app
for command in sys.argv[2:]:
    assert app([*command.split(), sys.argv[1]], standalone_mode=False) == 2
print([name for name in ("torch", "h5py", "zarr", "xarray", "numba", "distributed") if name in sys.modules])
"""


def test_mistakes_are_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    """Python, pydantic and numpy take a third of a second, torch alone two; each command refuses the unknown key."""
    (tmp_path / "some.yaml").write_text("typo: 1\n")
    words = [sys.executable, "-c", MISTAKES, str(tmp_path / "some.yaml"), *CONFIG_OF]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.count("unknown key typo") == len(CONFIG_OF), done.stderr + done.stdout
    assert done.stdout == "[]\n", done.stdout


def test_names_of_observers_are_those_of_the_code() -> None:
    assert (*NAMES, *RUN) == OBSERVERS


def test_models_and_labels_are_named_without_a_file(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    keys = ["network={cutoff: 2, moments: 9, hidden: 4}", "training.epochs=1", "validation=1/3", "output=trained"]
    result = sdgnn("train", "labels/labels.h5", *keys)
    assert result.exit_code == 0, result.output
    result = sdgnn("simulate", "trained", "lattice.size=[6,6]", "steps=3", "integrator.dt=0.1", "output=run")
    assert result.exit_code == 0, result.output
    assert open_trajectory(folder / "run").attrs["lattice"]
    for words, told in (
        (["train", "output=x"], "allowed: CONFIG.yaml or LABELS..."),
        (["simulate", "trained", "other", "steps=3"], "allowed: CONFIG.yaml or MODEL"),
        (["simulate", "trained", "lattice.size=[6,6]"], "steps is missing"),
        (["simulate", "nowhere", "lattice.size=[6,6]", "steps=3"], "no model at nowhere"),
        (["train", "nowhere.h5"], "nowhere.h5"),
    ):
        result = sdgnn(*words)
        assert result.exit_code == 2 and told in " ".join(result.stderr.split()), result.output


def test_keys_are_documented() -> None:
    result = sdgnn("simulate", "--keys")
    assert result.exit_code == 0
    assert "integrator.damping: number or list of number, default 0.1\n    Gilbert damping alpha" in result.output
    assert "field.dmi.kind: bloch | neel | out-of-plane, default bloch" in result.output


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: str(p.relative_to(CONFIGS)))
def test_shipped_configurations_are_valid(path: Path) -> None:
    """Each says at its head which command takes it."""
    said = re.search(rf"^#     sdgnn (\D*?) {re.escape(str(path.relative_to(ROOT)))}", path.read_text(), re.MULTILINE)
    assert said
    CONFIG_OF[said[1]].read(path)


def test_starts_within_three_seconds() -> None:
    """The processor time of ``sdgnn --help``, which does not depend on what else the machine is doing."""
    before = os.times()
    subprocess.run([sys.executable, "-m", "sdgnn", "--help"], check=True, capture_output=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 3
