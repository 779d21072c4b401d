"""``sdgnn learn`` and ``sdgnn simulate --guard`` from the command line: reports, exit statuses, mistakes, resuming."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from helpers.configurations import sdgnn as command

import sdgnn
from sdgnn.cli.app import UNKNOWN_STATES
from sdgnn.common.rounding import with_error
from sdgnn.data import read
from sdgnn.dynamics import open_trajectory
from sdgnn.nn import EquivariantNetwork, EquivariantSettings
from sdgnn.nn.committee import Committee

LEARN = """
lattice: {type: triangular, size: [4, 4]}
electrons: {kT: 0.3, filling: 0.25}
protocols:
  - {protocol: random, states: 6}
network: {cutoff: 2, moments: 9, hidden: 4}
training: {epochs: 1}
exploration: {integrator: {dt: 1.0, damping: 0.5}, steps: 8, every: 4, replicas: 2}
learning: {members: 2, picks: 2, window: 4, fresh: 2, rounds: 1}
workers: 0
output: learned
"""

GUARDED = """
lattice: {type: triangular, size: [8, 8]}
field: {model: learned/committee}
integrator: {dt: 0.5, damping: 0.3}
steps: 8
observe: {spins: 4, torque_error: 4}
guard: {limit: 1.0e-9, every: 4}
output: run
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a learned committee."""
    path = tmp_path_factory.mktemp("learn")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        (path / "learn.yaml").write_text(LEARN)
        (path / "guarded.yaml").write_text(GUARDED)
        result = command("learn", "learn.yaml")
        assert result.exit_code == 0, result.output
        assert result.stdout.splitlines()[-1] == "learned"
    return path


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_a_learned_folder_has_committee_numbers_and_report(here: Path) -> None:
    assert isinstance(sdgnn.load("learned/committee"), Committee)
    numbers = json.loads(Path("learned/rounds.json").read_text())
    assert len(numbers["rounds"]) == 1
    report = Path("learned/report.html").read_text()
    errors = numbers["rounds"][0]["errors"]
    r2 = with_error(errors["torque_r2"], errors["torque_r2_error"], ".4f")
    assert r2 in report[: report.index("<img")], "the answer"
    for words in ("Errors by round", "Predicted against true error", "Where the picked states come from"):
        assert words in report


def test_a_finished_learning_goes_on_with_a_larger_budget(here: Path) -> None:
    result = command("learn", "learn.yaml", "learning.rounds=2", "--resume")
    assert result.exit_code == 0, result.output
    numbers = json.loads(Path("learned/rounds.json").read_text())
    assert [one["training_states"] for one in numbers["rounds"]] == [5, 7]
    assert Path("learned/report.html").read_text().count("data:image/png;base64,") == 3
    committee = sdgnn.load("learned/committee")
    assert isinstance(committee, Committee)
    assert committee.provenance["round"] == 1


def test_learn_explains_mistakes(here: Path) -> None:
    for arguments, words in (
        (["learning.picsk=3"], "did you mean learning.picks?"),
        (["learning.members=1"], "learning.members = 1"),
        (["exploration.every=9"], "every <= steps"),
        (["exploration.integrator.damping=[0.1,0.2]"], "one number for all runs"),
        (["exploration.lattice.size=[2,2]", "output=other"], "at most as many"),
        (["learning.members=3", "--resume"], "settings.members 2 and 3"),
        ([], "already holds"),
    ):
        result = command("learn", "learn.yaml", *arguments)
        assert result.exit_code == 2, result.output
        assert words in " ".join(result.stderr.split())


def test_a_guard_stops_with_its_own_status_and_the_run_goes_on_when_told(here: Path) -> None:
    result = command("simulate", "guarded.yaml", "output=stopped")
    assert result.exit_code == UNKNOWN_STATES == 3
    words = " ".join(result.stderr.split())
    for part in ("has left what the committee knows", "are saved", "sdgnn learn", "guard.then=label", "guard.share"):
        assert part in words
    assert "Traceback" not in result.output
    assert Path("stopped/checkpoint.npz").exists()
    result = command("simulate", "guarded.yaml", "output=stopped", "guard.share=1", "--resume")
    assert result.exit_code == 0, result.output
    result = command("simulate", "guarded.yaml", "output=free", "guard=null")
    assert result.exit_code == 0, result.output
    stopped, free = (open_trajectory(name)["spins"] for name in ("stopped", "free"))
    assert stopped.identical(free)


def test_a_guard_labels_pieces_exactly(here: Path) -> None:
    result = command("simulate", "guarded.yaml", "output=labelled", "guard.then=label", "guard.size=[4,4]")
    assert result.exit_code == 0, result.output
    labels = read("labelled/unknown.h5")
    assert labels.lattice.shape == (4, 4)
    assert labels.origin.kT == 0.3
    exact = sdgnn.ExactField(sdgnn.SDModel(labels.lattice, exchange=3.0), kT=0.3, filling=0.25)
    assert (exact(labels.spins).field - labels.field).abs().max() < 1e-9


def test_the_option_alone_takes_the_defaults(here: Path) -> None:
    result = command("simulate", "guarded.yaml", "output=option", "guard=null", "--guard")
    assert result.exit_code in (0, 3)
    guard = yaml.safe_load(Path("option/config.yaml").read_text())["guard"]
    assert guard["then"] == "stop" and guard["share"] == 0.05


def test_what_cannot_be_guarded_is_explained_and_leaves_nothing(here: Path) -> None:
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), sdgnn.Lattice.triangular(4, 4)).save("single")
    for arguments, words in (
        (["field.model=single"], "a field with one committee"),
        (["guard.share=2"], "guard.share = 2"),
        (["guard.then=label", "lattice.size=[40,40]"], "guard.size"),
        (["guard.then=labels"], "guard.then = 'labels'"),
        (["guard.then=label", "guard.size=[9,9]"], "at most as many"),
    ):
        result = command("simulate", "guarded.yaml", "output=nothing", *arguments)
        assert result.exit_code == 2, result.output
        assert words in " ".join(result.stderr.split())
        assert not Path("nothing/run.json").exists()


def test_other_commands_take_a_committee(here: Path) -> None:
    result = command("evaluate", "learned/committee", "learned/labels.h5", "--json", "errors.json")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("errors.json").read_text())["torque_rmse"] > 0
