"""Learning from its own dynamics lowers the error there, ends when it should, and survives interruption anywhere."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.small_networks import SMALL

import sdgnn
from sdgnn import ExactField, Heun, Lattice, SDModel
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, NoisyOrder, read
from sdgnn.dynamics import open_trajectory
from sdgnn.fields import Heisenberg
from sdgnn.nn import EquivariantSettings
from sdgnn.nn.committee import Committee
from sdgnn.train import TrainSettings, judge
from sdgnn.train.acquisition import Acquisition
from sdgnn.train.active_learning import Learned, LearnSettings, _reason_to_stop, learn

LATTICE = Lattice.triangular(6, 6)
EXACT = ExactField(SDModel(LATTICE, exchange=3.0), kT=0.3, filling=0.25)
ACQUISITION = Acquisition(
    LATTICE, sdgnn.spins.random, Heun(dt=1.0, damping=0.5, kT=0.003), steps=20, every=5, replicas=4
)
SETTINGS = LearnSettings(members=2, picks=6, window=10, fresh=4, rounds=2)


def run(folder: Path, settings: LearnSettings = SETTINGS, **changed: Any) -> Learned:
    """Learning from nearly ordered states alone, on a quench from random ones."""
    parts: dict[str, Any] = {
        "exact": EXACT, "protocols": [NoisyOrder("tetrahedral", (0.1,), 8)], "exploration": ACQUISITION,
        "network": SMALL,
        "training": TrainSettings(epochs=3, learning_rate=2e-2), "validation": 0.25, "workers": 0,
    }  # fmt: skip
    return learn(settings=settings, folder=folder, **parts | changed)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[Path, Learned]:
    folder = tmp_path_factory.mktemp("learned")
    return folder, run(folder)


def numbers(folder: Path) -> dict[str, Any]:
    """rounds.json without wall times."""
    content = json.loads((folder / "rounds.json").read_text())
    for one in content["rounds"]:
        del one["seconds"]
    return content


def assert_same(a: Path, b: Path) -> None:
    """Numbers, labels, runs and weights are equal bit for bit."""
    assert numbers(a) == numbers(b)
    sets = sorted(str(path.relative_to(a)) for path in a.rglob("*.h5"))
    assert sets == sorted(str(path.relative_to(b)) for path in b.rglob("*.h5"))
    for name in sets:
        assert read(a / name).content_hash == read(b / name).content_hash, name
    for name in ("round-00/explore", "round-00/judge", "round-01/judge"):
        assert open_trajectory(a / name).identical(open_trajectory(b / name)), name
    first, second = (sdgnn.load(folder / "committee") for folder in (a, b))
    assert isinstance(first, Committee) and isinstance(second, Committee)
    assert first.calibration == second.calibration
    weights = second.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in first.state_dict().items())


def test_the_error_on_its_own_quench_falls(uninterrupted: tuple[Path, Learned]) -> None:
    _, learned = uninterrupted
    first, last = (one["errors"] for one in learned.rounds)
    assert last["torque_rmse"] < 0.8 * first["torque_rmse"]
    assert last["torque_r2"] > first["torque_r2"]
    assert learned.reason == "budget of 2 round(s) used"


def test_the_numbers_are_those_of_the_files(uninterrupted: tuple[Path, Learned]) -> None:
    """Errors are recomputed from the saved committee and labels; labels from the exact field."""
    folder, learned = uninterrupted
    committee = sdgnn.load(folder / "round-01/committee")
    assert isinstance(committee, Committee)
    fresh = read(folder / "round-01/fresh.h5")
    found = judge(committee.on(LATTICE), fresh)
    assert found.torque_rmse == pytest.approx(learned.rounds[1]["errors"]["torque_rmse"], rel=1e-6)
    assert torch.allclose(EXACT(fresh.spins).field, fresh.field, atol=1e-9)
    known = LabelSet.concatenate([read(folder / name) for name in ("labels.h5", "round-00/picked.h5")])
    for labels in (fresh, known):
        torch.testing.assert_close(labels.mu, EXACT(labels.spins).mu, rtol=0, atol=1e-9)
    assert {row["field"] for row in learned.rounds[1]["comparison"]} == {
        "committee", "Heisenberg, 1 shell", "Heisenberg, 5 shells"
    }  # fmt: skip
    assert [one["training_states"] for one in learned.rounds] == [6, 6 + 6]
    assert [one["validation_states"] for one in learned.rounds] == [2, 2 + 4]
    assert learned.committee.provenance["physics"]["kT"] == 0.3
    assert torch.equal(learned.committee.on(LATTICE)(fresh.spins).field, committee.on(LATTICE)(fresh.spins).field)


def test_the_picks_are_the_least_known_states_of_the_runs(uninterrupted: tuple[Path, Learned]) -> None:
    folder, learned = uninterrupted
    picks = learned.rounds[0]["picks"]
    runs = open_trajectory(folder / "round-00/explore")
    level = (runs["torque_error"].values.astype(float) ** 2).mean(-1) ** 0.5
    assert picks[0]["predicted"] == pytest.approx(level.max(), rel=1e-6)
    for number, one in enumerate(picks):
        for other in picks[:number]:
            assert one["replica"] != other["replica"] or abs(one["step"] - other["step"]) >= 10
    labels = read(folder / "round-00/picked.h5")
    k = runs["step"].values.tolist().index(picks[0]["step"])
    assert torch.allclose(labels.spins[0], torch.from_numpy(runs["spins"].values[k, picks[0]["replica"]]), atol=1e-6)


class Stop(Exception):
    """Raised between two stages."""


def test_broken_off_before_every_stage_and_resumed_equals_uninterrupted(
    uninterrupted: tuple[Path, Learned], tmp_path: Path
) -> None:
    seen: set[str] = set()

    def say(text: str) -> None:
        if text not in seen:
            seen.add(text)
            raise Stop

    broken = 0
    while True:
        try:
            run(tmp_path, say=say, resume=True)
            break
        except Stop:
            broken += 1
    assert broken == 11
    assert_same(uninterrupted[0], tmp_path)


STAGES = [
    "labels.parts/settings.json", "round-00/members/0/checkpoints/last.safetensors", "round-00/members/0/metrics.json",
    "round-00/committee/member-0.safetensors", "round-00/judge/checkpoint.npz", "round-00/fresh.h5",
    "round-00/explore/checkpoint.npz", "round-00/picked.h5", "round-01/members/1/settings.json", "round-01/judged.json",
]  # fmt: skip
"""Files at whose first appearance the process is killed."""


@pytest.mark.slow
def test_killed_in_every_stage_and_resumed_equals_uninterrupted(
    uninterrupted: tuple[Path, Learned], tmp_path: Path
) -> None:
    program = f"from pathlib import Path; from train.test_learn import run; run(Path({str(tmp_path)!r}), resume=True)"
    kills = 0
    for name in STAGES:
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        while process.poll() is None and not (tmp_path / name).exists():
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= len(STAGES) - 1
    run(tmp_path, resume=True)
    assert_same(uninterrupted[0], tmp_path)


def test_another_seed_gives_another_outcome(uninterrupted: tuple[Path, Learned], tmp_path: Path) -> None:
    """Positive control of the comparison, and a finished learning goes on with a larger budget."""
    run(tmp_path, SETTINGS.model_copy(update={"rounds": 1}), seed=1)
    assert json.loads((tmp_path / "rounds.json").read_text())["reason"] == "budget of 1 round(s) used"
    learned = run(tmp_path, SETTINGS.model_copy(update={"target_r2": -1e9}), seed=1, resume=True)
    assert learned.reason.startswith("target met: torque R^2")
    with pytest.raises(AssertionError):
        assert_same(uninterrupted[0], tmp_path)


def test_a_used_folder_is_refused_and_changes_are_named(uninterrupted: tuple[Path, Learned]) -> None:
    folder, _ = uninterrupted
    with pytest.raises(UserError, match="already holds a learning"):
        run(folder)
    with pytest.raises(UserError, match=r"settings\.members 2 and 3"):
        run(folder, SETTINGS.model_copy(update={"members": 3}), resume=True)
    longer = Acquisition(LATTICE, sdgnn.spins.random, ACQUISITION.integrator, 25, 5, 4)
    with pytest.raises(UserError, match=r"exploration\.steps 20 and 25"):
        run(folder, exploration=longer, resume=True)


def test_what_cannot_be_labelled_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    small = Acquisition(Lattice.triangular(4, 4), sdgnn.spins.random, ACQUISITION.integrator, 20, 5, 4)
    with pytest.raises(UserError, match="at most as many"):
        run(tmp_path / "a", exploration=small)
    with pytest.raises(UserError, match="an ExactField"):
        run(tmp_path / "b", exact=Heisenberg(LATTICE, [1.0]))
    assert list(tmp_path.iterdir()) == []


def rounds(*seconds: float, r2: float = 0.5, rmse: float = 0.1) -> list[dict[str, Any]]:
    return [{"seconds": s, "errors": {"torque_r2": r2, "torque_rmse": rmse}} for s in seconds]


@pytest.mark.parametrize(
    ("settings", "done", "labels", "reason"),
    [
        ({"rounds": 9}, rounds(1.0), 10, None),
        ({"rounds": 2}, rounds(1.0, 1.0), 10, "budget of 2 round"),
        ({"rounds": 9, "labels": 23}, rounds(1.0), 10, "10 labels used"),
        ({"rounds": 9, "labels": 24}, rounds(1.0), 10, None),
        ({"rounds": 9, "minutes": 2.0}, rounds(30.0, 50.0), 10, "minutes used"),
        ({"rounds": 9, "minutes": 2.5}, rounds(30.0, 50.0), 10, None),
        ({"rounds": 9, "target_r2": 0.4}, rounds(1.0), 10, "target met: torque R"),
        ({"rounds": 9, "target_r2": 0.6, "target_rmse": 0.2}, rounds(1.0), 10, "target met: torque RMSE"),
        ({"rounds": 1, "target_r2": 0.6, "target_rmse": 0.05}, rounds(1.0), 10, "budget"),
    ],
    ids=str,
)  # fmt: skip
def test_it_ends_at_the_target_or_when_a_budget_does(
    settings: dict, done: list, labels: int, reason: str | None
) -> None:
    found = _reason_to_stop(done, labels, LearnSettings(picks=8, fresh=6, **settings))
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    "wrong", [{"members": 1}, {"picks": 0}, {"fresh": 1}, {"rounds": 0}, {"target_r2": 1.0}, {"minuts": 3}], ids=str
)
def test_settings_are_validated(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LearnSettings(**wrong)


@pytest.mark.parametrize("name", list(LearnSettings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert len(LearnSettings.model_fields[name].description or "") > 10


def test_larger_lattices_are_labelled_in_pieces(tmp_path: Path) -> None:
    """The dynamics runs on 8x8, labels and fresh states live on 6x6; with members that start from nothing."""
    larger = Lattice.triangular(8, 8)
    exploration = Acquisition(larger, sdgnn.spins.random, ACQUISITION.integrator, 10, 5, 2)
    settings = LearnSettings(members=2, picks=3, window=5, fresh=2, rounds=2)
    small = EquivariantSettings(layers=1, channels=2)
    learned = run(tmp_path, settings, exploration=exploration, network=small, training=TrainSettings(epochs=1))
    assert open_trajectory(tmp_path / "round-00/explore").sizes["site"] == 64
    labels = read(tmp_path / "round-00/picked.h5")
    assert labels.lattice.shape == (6, 6)
    assert torch.allclose(EXACT(labels.spins).field, labels.field, atol=1e-9)
    assert learned.rounds[1]["training_states"] == 9
