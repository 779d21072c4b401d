"""Labels that are no gradients: two energies learn what one cannot, and nothing more where there is nothing more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import sdgnn
from sdgnn import Lattice, spins
from sdgnn.cli.app import app
from sdgnn.data import LabelSet, write
from sdgnn.fields import DampingLike, Field, Heisenberg
from sdgnn.nn import EquivariantSettings, Settings, create
from sdgnn.nn.baselines.two_energies import TwoEnergies
from sdgnn.nn.potentials import Potentials
from sdgnn.nn.settings import TwoEnergiesSettings
from sdgnn.train import TrainSettings, fit, judge, torque_part
from sdgnn.train.objective import Objective, Scales

ONE, TWO = EquivariantSettings(layers=1, channels=2), TwoEnergiesSettings(layers=1, channels=2)


def driven(lattice: Lattice) -> Field:
    """Precession in one Heisenberg model, driven away from the order of another."""
    return Heisenberg(lattice, [-0.10]) + DampingLike(Heisenberg(lattice, [0.08]), strength=-1.0)


def labels(field: Field, states: int, seed: int) -> LabelSet:
    """Random states without energies."""
    random = spins.random(field.lattice, states, seed)
    return LabelSet(field.lattice, random, field(random).field)


def trained(settings: Settings, field: Field, folder: Path) -> sdgnn.nn.Model:
    model = create(settings, field.lattice, seed=1)
    model.torques_cancel = False  # on purpose: one energy, too, is judged on labels that no energy has
    sets = [labels(field, 20, seed=0)], [labels(field, 2, seed=50)]
    return fit(model, *sets, TrainSettings(epochs=5, ema=0.9, longitudinal_weight=0.0), folder)


def test_two_energies_learn_what_one_cannot(tmp_path: Path) -> None:
    """One energy, even under time reversal, has no torque that is even: it leaves at least that part."""
    small, large = Lattice.triangular(6, 6), Lattice.triangular(8, 8)
    test = labels(driven(large), 4, seed=90)
    even = torque_part((test.field + driven(large)(-test.spins).field) / 2, test.spins)
    left = float(even.square().sum() / torque_part(test.field, test.spins).square().sum())
    one = judge(trained(ONE, driven(small), tmp_path / "one").on(large), test)
    two = judge(trained(TWO, driven(small), tmp_path / "two").on(large), test)
    assert 0.3 < left < 0.6
    assert one.torque_r2 < 1 - left + 1e-6
    assert two.torque_r2 > 0.95


@pytest.mark.slow
def test_without_work_around_paths_the_second_energy_stays_out(tmp_path: Path) -> None:
    """Positive control: a Heisenberg model is learned as well as one energy does (test_kinds.py)."""
    small, large = Lattice.triangular(6, 6), Lattice.triangular(8, 8)
    test = labels(Heisenberg(large, [-0.10]), 4, seed=90)
    model = trained(TWO, Heisenberg(small, [-0.10]), tmp_path)
    assert judge(model.on(large), test).torque_r2 > 0.95
    assert isinstance(model, TwoEnergies)
    second = torch.linalg.cross(test.spins, model.on(large).parts[1](test.spins).field.double())
    assert float(second.norm() / torque_part(test.field, test.spins).norm()) < 0.1


class Pair(nn.Module):
    """Site energies tanh(w . (mean S_i . S_j, its square)) v over neighbours: smooth, not linear in the weights."""

    def __init__(self, lattice: Lattice, seed: int) -> None:
        super().__init__()
        self._target = torch.from_numpy(lattice.bonds(1).target.reshape(lattice.n_sites, -1))
        generator = torch.Generator().manual_seed(seed)
        shapes = [(2, 8), (8, 1)]
        self.weights = nn.ParameterList(
            torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes
        )

    def forward(self, states: Tensor) -> Tensor:
        cosine = (states[:, :, None] * states[:, self._target]).sum(-1).mean(-1)
        return (torch.tanh(torch.stack([cosine, cosine**2], dim=-1) @ self.weights[0]) @ self.weights[1])[..., 0]


@pytest.mark.parametrize("energy_weight", [0.0, 0.1])
def test_gradient_equals_double_backward(energy_weight: float) -> None:
    """float64: truncation and rounding of 4e-11 (see test_objective.py), times factors of order 10."""
    lattice = Lattice.triangular(4, 6)
    given = labels(driven(lattice), 3, seed=0)
    given = replace(given, energy=Heisenberg(lattice, [1.0])(given.spins).energy)
    first, second = Pair(lattice, seed=1), Pair(lattice, seed=2)
    objective = Objective(Scales.of([given]), torque=1.0, longitudinal=0.1, energy=energy_weight)
    shift = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    weights = [*first.parameters(), *second.parameters()]

    at = given.spins.clone().requires_grad_()
    a, b = first(at).sum(-1), second(at).sum(-1)
    g = [-torch.autograd.grad(energy.sum(), at, create_graph=True)[0] for energy in (a, b)]
    field = g[0] + torch.linalg.cross(given.spins, g[1])
    wanted = torch.autograd.grad(objective.loss(given.spins, field, a, shift, given.field, given.energy), weights)

    potentials = Potentials((first, second))
    loss, found_field = objective(potentials, given.spins, shift, given.field, given.energy)
    found = torch.autograd.grad(loss, weights)
    torch.testing.assert_close(found_field, field.detach(), rtol=1e-13, atol=1e-13)
    for part in (slice(0, 2), slice(2, 4)):
        x, y = (torch.cat([w.flatten() for w in gradients[part]]) for gradients in (found, wanted))
        assert float((x - y).norm() / y.norm()) < 1e-9
        assert float(y.norm()) > 1e-3


def test_train_evaluate_and_simulate_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(labels(driven(Lattice.triangular(4, 4)), 8, seed=0), "labels.h5")
    Path("train.yaml").write_text(
        "data: [labels.h5]\nnetwork: {kind: two-energies, layers: 1, channels: 2}\n"
        "training: {epochs: 2}\noutput: model\n"
    )
    Path("run.yaml").write_text(
        "lattice: {type: triangular, size: [6, 6]}\nfield: {model: model}\nintegrator: {dt: 0.1, damping: 0.1}\n"
        "steps: 4\nobserve: {spins: 2, energy: 2}\noutput: run\n"
    )
    for command in (["train", "train.yaml"], ["evaluate", "model", "labels.h5", "--json", "errors.json"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    result = CliRunner().invoke(app, ["simulate", "run.yaml"])
    assert result.exit_code == 0, result.output
    errors = json.loads(Path("errors.json").read_text())
    assert errors["energy_rmse"] is None and errors["torque_r2"] > 0
    assert isinstance(sdgnn.load("model"), TwoEnergies)
