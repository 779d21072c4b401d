"""Training end to end: it learns, resumes exactly, stops early, refuses mistakes and leaves a complete folder."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.labels import OFFSET, electron_labels, heisenberg_labels
from helpers.small_networks import ELECTRONS, SMALL, small_baseline, small_network

import sdgnn
from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import LabelsWarning, UserError
from sdgnn.data import LabelSet, Origin
from sdgnn.fields import Heisenberg
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, Network
from sdgnn.train import TrainSettings, judge
from sdgnn.train.binding import bind, with_electrons
from sdgnn.train.checkpoint import read
from sdgnn.train.loop import fit

TRAINING = [electron_labels((4, 4), 10, 0), electron_labels((4, 6), 5, 1)]
VALIDATION = [electron_labels((6, 6), 4, 2)]
HEISENBERG = {
    "training": [heisenberg_labels((4, 4), 10, 0), heisenberg_labels((4, 6), 5, 1)],
    "validation": [heisenberg_labels((6, 6), 4, 2)],
}
"""Labels that do not say electrons, for models that learn from spins alone."""
SHORT = TrainSettings(epochs=4, batch=4, learning_rate=1e-2)


def train(folder: Path, settings: TrainSettings = SHORT, resume: bool = False, **changed: Any) -> sdgnn.nn.Model:
    """A fresh small network trained into ``folder``."""
    parts = {"network": small_network(), "training": TRAINING, "validation": VALIDATION, **changed}
    return fit(**parts, settings=settings, folder=folder, resume=resume)


def assert_same_run(a: Path, b: Path) -> None:
    """Weights, average, moments of the optimizer, scores and metrics are equal, bit for bit."""
    first, second = (read(folder / "checkpoints" / "last.safetensors") for folder in (a, b))
    for _, header in (first, second):
        del header["seconds"]
    assert_same(first, second)
    models = [sdgnn.load(folder / "model.safetensors").state_dict() for folder in (a, b)]
    assert_same(*models)
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (a, b)]
    for m in metrics:
        del m["run"]["seconds"]
    assert metrics[0] == metrics[1]


def assert_same(a: Any, b: Any, where: str = "") -> None:
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{k}]")
    else:
        assert a == b, where


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(folder)
    return folder


def test_learns_a_heisenberg_model_and_transfers(tmp_path):
    """Trained on 16 and 24 sites; on 36 sites the torque R^2 passes 0.99 and the labels' constant is in the energy."""
    settings = TrainSettings(epochs=20, batch=3, learning_rate=3e-2, energy_weight=0.1)
    network = train(tmp_path, settings, network=small_baseline(), **HEISENBERG)
    (labels,) = HEISENBERG["validation"]
    metrics = judge(network.on(labels.lattice), labels)
    assert metrics.torque_r2 > 0.99
    assert abs(metrics.energy_shift) < 1e-3 * abs(OFFSET)
    report = json.loads((tmp_path / "metrics.json").read_text())
    row = next(r for r in report["validation"][0]["rows"] if r["field"] == "network")
    assert row["torque_r2"] == pytest.approx(metrics.torque_r2, abs=1e-6)
    assert {r["field"] for r in report["validation"][0]["rows"]} == {
        "network", "Heisenberg, 1 shell", "Heisenberg, 5 shells"
    }  # fmt: skip


def exact_labels(size: int, states: int, seed: int) -> LabelSet:
    lattice = Lattice.triangular(size, size)
    random = spins.random(lattice, states, seed)
    model = SDModel(lattice, exchange=3.0)
    result = ExactField(model, kT=0.3, filling=0.25, twists=(2, 2))(random)
    origin = Origin(hamiltonian=model.to_dict(), kT=0.3, filling=0.25)
    return LabelSet(lattice, random, result.field, result.energy, origin=origin)


MODELS = {
    "network": small_network,
    "equivariant": lambda: EquivariantNetwork(
        EquivariantSettings(layers=1, channels=4, bond_functions=4), Lattice.triangular(4, 4)
    ),
}


@pytest.mark.parametrize("kind", ["network", pytest.param("equivariant", marks=pytest.mark.slow)])
def test_beats_every_heisenberg_model_on_electrons(kind, tmp_path):
    """Exact electrons on 6x6, judged on 8x8: small models leave less than a third of the error power of five shells."""
    settings = TrainSettings(epochs=8, learning_rate=2e-2)
    labels = {"training": [exact_labels(6, 60, 0)], "validation": [exact_labels(8, 4, 1)]}
    train(tmp_path, settings, network=MODELS[kind](), **labels)
    rows = json.loads((tmp_path / "metrics.json").read_text())["validation"][0]["rows"]
    r2 = {row["field"]: row["torque_r2"] for row in rows}
    assert r2["Heisenberg, 1 shell"] < r2["Heisenberg, 5 shells"] < 0.8
    assert 1 - r2["network"] < (1 - r2["Heisenberg, 5 shells"]) / 3


def test_same_settings_give_the_same_run(uninterrupted, tmp_path):
    train(tmp_path)
    assert_same_run(uninterrupted, tmp_path)


def test_another_seed_gives_another_run(uninterrupted, tmp_path):
    """Positive control of the comparison."""
    train(tmp_path, SHORT.model_copy(update={"seed": 1}))
    with pytest.raises(AssertionError):
        assert_same_run(uninterrupted, tmp_path)


def test_stopped_by_time(tmp_path):
    """The time limit ends the run after its first epoch; with another limit it goes on."""
    train(tmp_path, SHORT.model_copy(update={"minutes": 1e-6}))
    assert json.loads((tmp_path / "metrics.json").read_text())["run"]["epochs"] == 1
    train(tmp_path, SHORT.model_copy(update={"minutes": 10.0}), resume=True)
    assert json.loads((tmp_path / "metrics.json").read_text())["run"]["epochs"] == 4


class Stop(Exception):
    """Raised in the middle of training."""


def breaking_network(steps: int) -> sdgnn.nn.Network:
    """A network whose backward pass raises Stop after ``steps`` steps."""
    network, done = small_network(), iter(range(steps))

    def count(gradient: torch.Tensor) -> None:
        if next(done, None) is None:
            raise Stop

    network.readout.outward.register_hook(count)
    return network


@pytest.mark.parametrize("breaks", [(0,), (5,), (9, 6, 1, 5), (19,)], ids=str)
def test_broken_off_anywhere_and_resumed_equals_uninterrupted(uninterrupted, tmp_path, breaks):
    """Five steps an epoch, four epochs; broken off so many steps after each start, then left to end."""
    for steps in breaks:
        with pytest.raises(Stop):
            train(tmp_path, resume=True, network=breaking_network(steps))
    train(tmp_path, resume=True)
    assert_same_run(uninterrupted, tmp_path)


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(uninterrupted, tmp_path):
    """SIGKILL after each checkpoint of the first three epochs."""
    program = f"from pathlib import Path; from train.test_loop import train;train(Path({str(tmp_path)!r}), resume=True)"
    last = tmp_path / "checkpoints" / "last.safetensors"
    kills = 0
    for _ in range(3):
        before = last.stat().st_mtime_ns if last.exists() else None
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )  # fmt: skip
        while process.poll() is None and (not last.exists() or last.stat().st_mtime_ns == before):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills > 0
    train(tmp_path, resume=True)
    assert_same_run(uninterrupted, tmp_path)


def test_resuming_a_finished_run_changes_nothing(uninterrupted, tmp_path):
    train(tmp_path)
    train(tmp_path, resume=True)
    assert_same_run(uninterrupted, tmp_path)


def test_early_stop(tmp_path):
    """A learning rate that moves no weight: it stops after 1 + patience validations, none better than before."""
    settings = SHORT.model_copy(update={"epochs": 50, "learning_rate": 1e-30, "weight_decay": 0.0, "patience": 3})
    before = small_network().state_dict()
    network = train(tmp_path, settings)
    run = json.loads((tmp_path / "metrics.json").read_text())["run"]
    assert (run["epochs"], run["best_epoch"]) == (4, 0)
    after = network.state_dict()
    weights = [name for name, _ in network.named_parameters() if name != "constant"]
    assert all(torch.allclose(before[name], after[name]) for name in weights)


def test_best_weights_are_kept(tmp_path):
    """Learning rate far too high: the last validation is worse than the best, and the best is what is returned."""
    settings = TrainSettings(epochs=6, learning_rate=0.3, warmup=0.9, clip=100.0)
    network = train(tmp_path, settings)
    run = json.loads((tmp_path / "metrics.json").read_text())["run"]
    found = judge(network.on(VALIDATION[0].lattice), VALIDATION[0]).torque_r2
    assert found == pytest.approx(run["best_validation_torque_r2"], abs=1e-5)


def test_folder_is_complete(uninterrupted):
    settings = json.loads((uninterrupted / "settings.json").read_text())
    assert settings["settings"]["batch"] == 4
    assert settings["training"] == [labels.content_hash for labels in TRAINING]
    assert settings["provenance"]["libraries"]["torch"] == torch.__version__.split("+")[0] or (
        settings["provenance"]["libraries"]["torch"] == torch.__version__
    )
    network = sdgnn.load(uninterrupted / "model.safetensors")
    assert judge(network.on(VALIDATION[0].lattice), VALIDATION[0]).torque_r2 == pytest.approx(
        json.loads((uninterrupted / "metrics.json").read_text())["run"]["best_validation_torque_r2"], abs=1e-6
    )


def test_tensorboard_has_the_physics(uninterrupted):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(uninterrupted / "tensorboard"))
    events.Reload()
    names = set(events.Tags()["scalars"])
    assert {
        "train/torque_r2",
        "validation/torque_r2",
        "validation/torque_rmse",
        "validation/energy_rmse_shifted",
    } <= names
    assert len(events.Scalars("validation/torque_r2")) == 4


def test_says_nothing_of_its_own(tmp_path, capfd, recwarn):
    train(tmp_path, SHORT.model_copy(update={"epochs": 1}))
    out, err = capfd.readouterr()
    assert out == err == ""
    assert {w.category for w in recwarn} <= {LabelsWarning}


def test_progress_bar_shows_steps_and_quality(tmp_path, capfd):
    train(tmp_path, SHORT.model_copy(update={"epochs": 1}), progress=True)
    out, said = capfd.readouterr()
    assert out == "", "standard output is for results"
    assert "5/5" in said
    assert "torque R²" in said


def test_curves_that_cannot_be_written_are_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.raises(UserError, match=r"could not be written: file exists; free space and go on with resume"):
        train(tmp_path, SHORT.model_copy(update={"epochs": 1}))


def test_labels_without_energy_train_too(tmp_path):
    bare = [replace(labels, energy=None) for labels in TRAINING]
    train(tmp_path, SHORT.model_copy(update={"epochs": 1}), training=bare)
    assert json.loads((tmp_path / "metrics.json").read_text())["training"][0]["energy_rmse"] is None


def test_double_precision(tmp_path):
    network = train(tmp_path, SHORT.model_copy(update={"epochs": 1, "dtype": "float64"}))
    assert math.isfinite(judge(network.on(VALIDATION[0].lattice), VALIDATION[0]).torque_r2)


def test_mistakes_are_refused_before_anything_is_written(tmp_path):
    square = Lattice.square(4, 4)
    states = spins.random(square, 2, seed=0)
    wrong = LabelSet(square, states, Heisenberg(square, [1.0])(states).field)
    up = torch.tensor([0.0, 0, 1], dtype=torch.float64).expand(1, 16, 3)
    still = LabelSet(TRAINING[0].lattice, up, up)
    for changed in (
        {"training": []}, {"validation": []}, {"training": [TRAINING[0][:0]]}, {"training": [wrong]},
        {"validation": [wrong]}, {"training": [still]}, {"validation": [still]},
    ):  # fmt: skip
        with pytest.raises(UserError):
            train(tmp_path, **changed)
    assert list(tmp_path.iterdir()) == []


def test_a_used_folder_is_refused(uninterrupted):
    with pytest.raises(UserError, match="already holds a training"):
        train(uninterrupted)
    with pytest.raises(UserError, match="epochs 4 and 5"):
        train(uninterrupted, SHORT.model_copy(update={"epochs": 5}), resume=True)
    larger = Network(SMALL.model_copy(update={"hidden": 5, "electrons": ELECTRONS}), Lattice.triangular(4, 4))
    with pytest.raises(UserError, match="hidden 4 and 5"):
        train(uninterrupted, network=larger, resume=True)
    with pytest.raises(UserError, match="other training"):
        train(uninterrupted, training=[TRAINING[0][:5], TRAINING[1]], resume=True)


def test_a_network_learns_what_the_plain_walk_lacks(tmp_path):
    """Fresh states of a larger lattice: training halves the squared error, at least, and it has seen all label sets."""
    sets, labels = [exact_labels(6, 12, 0), exact_labels(8, 3, 2)], exact_labels(8, 4, 1)
    settings = TrainSettings(epochs=12, batch=3, learning_rate=1e-2)
    network = train(tmp_path, settings, training=sets, validation=[labels])
    before, after = (judge(one.on(labels.lattice), labels) for one in (small_network(), network))
    assert 1 - after.torque_r2 < 0.5 * (1 - before.torque_r2)
    fields = [bind(network, part) for part in sets]
    rows = [
        network.readout.chosen(field.electrons.local_moments(part.spins.float())).flatten(0, 1)
        for field, part in zip(fields, sets, strict=True)
    ]
    torch.testing.assert_close(network.readout.mean, torch.cat(rows).mean(0), rtol=0, atol=1e-5)
    assert all(float(field.gate(part.spins).mean()) > 0.9 for field, part in zip(fields, sets, strict=True))


def test_labels_of_several_hamiltonians_are_learned_together(tmp_path):
    """Each set with the electrons that it says; one network is better than the plain walk on both."""
    sets = [electron_labels((4, 6), 12, 0), electron_labels((4, 4), 12, 1, exchange=6.0, kT=0.2, filling=0.4)]
    test = [electron_labels((4, 6), 4, 5), electron_labels((4, 4), 4, 6, exchange=6.0, kT=0.2, filling=0.4)]
    network = Network(with_electrons(SMALL, sets), sets[0].lattice)
    assert network.settings.electrons is None, "they differ"
    plain = [judge(bind(network, labels), labels).torque_r2 for labels in test]
    train(
        tmp_path, TrainSettings(epochs=8, batch=3, learning_rate=1e-3), network=network, training=sets, validation=test
    )
    for labels, before in zip(test, plain, strict=True):
        field = bind(network, labels)
        assert field.electrons.model.to_dict() == labels.origin.hamiltonian
        assert (field.electrons.kT, field.electrons.filling) == (labels.origin.kT, labels.origin.filling)
        assert judge(field, labels).torque_r2 > before
    physics = sdgnn.load(tmp_path).provenance["training"]["physics"]["electrons"]
    assert [one["hamiltonian"]["exchange"] for one in physics] == [3.0, 6.0]
    with pytest.raises(UserError, match="any electrons"):
        network.on(sets[0].lattice)


def test_electrons_come_from_the_labels_or_are_asked_for():
    one, other = electron_labels((4, 4), 1, 0), electron_labels((4, 6), 1, 0)
    assert with_electrons(SMALL, [one, other]).electrons == ELECTRONS
    given = SMALL.model_copy(update={"electrons": ELECTRONS.model_copy(update={"kT": 0.1})})
    assert with_electrons(given, [one]) == given
    bare = replace(one, origin=Origin())
    assert with_electrons(given, [bare]) == given
    with pytest.raises(UserError, match=r"do not say their electrons; .*network\.electrons.*network\.kind=equivariant"):
        with_electrons(SMALL, [one, bare])
    equivariant = EquivariantSettings(layers=1)
    assert with_electrons(equivariant, [bare]) == equivariant
    assert bind(small_network(), bare).electrons.kT == 0.3, "without electrons in the labels, those of the network"


def test_baselines_refuse_labels_of_several_hamiltonians(tmp_path):
    origin = Origin(hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.1, filling=0.25)
    validation = HEISENBERG["validation"]
    first, second = (replace(validation[0], origin=replace(origin, kT=kT)) for kT in (0.1, 0.2))
    with pytest.raises(UserError, match=r"kT 0\.1 and 0\.2"):
        train(tmp_path, network=small_baseline(), training=[first], validation=[second])
    short = SHORT.model_copy(update={"epochs": 1})
    train(tmp_path, short, network=small_baseline(), training=[first], validation=validation)
    network = sdgnn.load(tmp_path / "model.safetensors")
    assert network.provenance["training"]["physics"] == {
        "hamiltonian": {"hopping": [1.0], "exchange": 3.0}, "kT": 0.1, "filling": 0.25, "mu": None
    }  # fmt: skip
    assert network.provenance["training"]["training"] == [first.content_hash]
    assert network.provenance["metrics"]["validation"][0]["rows"][0]["field"] == "network"


def test_divergence_is_named(tmp_path):
    """Weights that are not finite give a loss that is not, which ends the run with advice."""
    network = small_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(math.nan)
    with pytest.raises(UserError, match=r"loss .* at step 0.*learning_rate"):
        train(tmp_path, network=network)


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"batch": 0}, {"learning_rate": -1.0}, {"ema": 1.0}, {"clip": math.nan}, {"epoch": 3}],
)
def test_settings_are_validated(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainSettings(**wrong)


@pytest.mark.parametrize("name", list(TrainSettings.model_fields))
def test_every_setting_is_described(name):
    assert len(TrainSettings.model_fields[name].description or "") > 10
