"""The loss equals its definition, and its gradient without double backward equals the one with it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers.labels import heisenberg_labels, rotation
from helpers.networks import randomise
from helpers.small_networks import small_baseline, small_network
from torch import Tensor, nn

from sdgnn import Lattice
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.fields import Heisenberg
from sdgnn.nn import Network
from sdgnn.nn.potentials import Potentials
from sdgnn.train import judge
from sdgnn.train.objective import Objective, Scales


class BondNetwork(nn.Module):
    """Site energies from a small perceptron on the neighbours' S_i . S_j: smooth and not linear in the parameters."""

    def __init__(self, lattice: Lattice, dtype: torch.dtype) -> None:
        super().__init__()
        bonds = lattice.bonds(1)
        self._target = torch.from_numpy(bonds.target.reshape(lattice.n_sites, -1))
        generator = torch.Generator().manual_seed(0)
        shapes = [(2, 8), (8, 1)]
        self._weights = nn.ParameterList(torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes)

    def forward(self, spins: Tensor) -> Tensor:
        cosine = (spins[:, :, None] * spins[:, self._target]).sum(-1)
        features = torch.stack([cosine.mean(-1), cosine.square().mean(-1)], dim=-1)
        return (torch.tanh(features @ self._weights[0]) @ self._weights[1])[..., 0]


def setting(dtype: torch.dtype, weights: dict[str, float]) -> tuple[BondNetwork, Objective, LabelSet, Tensor]:
    labels = heisenberg_labels((4, 6), 3, seed=0)
    shift = torch.tensor(0.3, dtype=dtype, requires_grad=True)
    return BondNetwork(labels.lattice, dtype), Objective(Scales.of([labels]), **weights), labels, shift


def double_backward(objective: Objective, network: nn.Module, labels: LabelSet, shift: Tensor) -> list[Tensor]:
    """The gradient through the field itself, by differentiating twice."""
    at = labels.spins.clone().requires_grad_()
    energy = network(at).sum(-1)
    (slope,) = torch.autograd.grad(energy.sum(), at, create_graph=True)
    loss = objective.loss(labels.spins, -slope, energy, shift, labels.field, labels.energy)
    return list(torch.autograd.grad(loss, [*network.parameters(), shift]))


def single_backward(
    objective: Objective, network: nn.Module, labels: LabelSet, shift: Tensor, dtype: torch.dtype = torch.float64
) -> list[Tensor]:
    loss, _ = objective(Potentials((network,)), labels.spins.to(dtype), shift, labels.field.to(dtype), labels.energy)
    return list(torch.autograd.grad(loss, [*network.parameters(), shift]))


def relative(found: list[Tensor], wanted: list[Tensor]) -> float:
    a = torch.cat([g.flatten().to(torch.float64) for g in found])
    b = torch.cat([g.flatten().to(torch.float64) for g in wanted])
    return float((a - b).norm() / b.norm())


WEIGHTS = {
    "torque": {"torque": 1.0, "longitudinal": 0.0, "energy": 0.0},
    "longitudinal": {"torque": 1e-9, "longitudinal": 1.0, "energy": 0.0},
    "energy": {"torque": 1e-9, "longitudinal": 0.0, "energy": 1.0},
    "all": {"torque": 1.0, "longitudinal": 0.1, "energy": 0.1},
}


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
def test_gradient_equals_double_backward(weights):
    """float64: truncation eps^2 and rounding machine / eps are (2e-16)^(2/3) = 4e-11, times factors of order 10."""
    network, objective, labels, shift = setting(torch.float64, weights)
    wanted = double_backward(objective, network, labels, shift)
    assert relative(single_backward(objective, network, labels, shift), wanted) < 1e-9


@pytest.mark.parametrize("made", [small_network, small_baseline])
def test_gradient_of_models_equals_differences_of_the_loss(made):
    """Independent of any second derivative: L(theta + d v) - L(theta - d v) along the gradient's own direction.

    With d = 1e-4 its truncation is of order d^2 = 1e-8, times curvatures of order 10.
    """
    labels = heisenberg_labels((4, 6), 3, seed=0)
    network = made().to(torch.float64)
    if isinstance(network, Network):
        network.look([(network.on(labels.lattice, torch.float64), labels.spins)])
        randomise(network)
    field = network.on(labels.lattice, dtype=torch.float64)
    objective = Objective(Scales.of([labels]), **WEIGHTS["all"])
    weights = list(network.parameters())

    def value() -> tuple[Tensor, Tensor]:
        return objective(network.potentials(field), labels.spins, network.constant, labels.field, labels.energy)

    gradient = torch.autograd.grad(value()[0], weights)
    length = torch.sqrt(sum((g.square().sum() for g in gradient), torch.zeros(())))
    ends = []
    for step in (1e-4, -2e-4):
        with torch.no_grad():
            for weight, g in zip(weights, gradient, strict=True):
                weight += step * g / length
        ends.append(float(value()[0].detach()))
    assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(float(length), rel=1e-5)


def test_gradient_in_float32_is_good_enough_to_train():
    """float32: (1e-7)^(2/3) = 2e-5 times the same factors; far below the noise of a batch."""
    network, objective, labels, shift = setting(torch.float64, WEIGHTS["all"])
    wanted = double_backward(objective, network, labels, shift)
    network, objective, labels, shift = setting(torch.float32, WEIGHTS["all"])
    network.load_state_dict(setting(torch.float64, WEIGHTS["all"])[0].state_dict())
    assert relative(single_backward(objective, network, labels, shift, torch.float32), wanted) < 1e-3


def test_the_comparison_can_fail():
    """Positive control: the gradient of another loss is far away."""
    network, objective, labels, shift = setting(torch.float64, WEIGHTS["all"])
    wrong = double_backward(replace(objective, longitudinal=0.2), network, labels, shift)
    assert relative(single_backward(objective, network, labels, shift), wrong) > 1e-2


def test_states_with_a_perfect_field_add_nothing():
    """A residual of zero (its direction is undefined) gives a vanishing gradient, not NaN."""
    network, objective, labels, shift = setting(torch.float64, WEIGHTS["torque"])
    at = labels.spins.clone().requires_grad_()
    (slope,) = torch.autograd.grad(network(at).sum(), at)
    perfect = replace(labels, field=-slope)
    gradient = single_backward(objective, network, perfect, shift)
    assert max(float(g.abs().max()) for g in gradient[:-1]) < 1e-250  # the smallest float64 stands for |g| = 0


def test_value_and_field_are_those_of_the_prediction():
    network, objective, labels, shift = setting(torch.float64, WEIGHTS["all"])
    value, field = objective(Potentials((network,)), labels.spins, shift, labels.field, labels.energy)
    at = labels.spins.clone().requires_grad_()
    energy = network(at).sum(-1)
    (slope,) = torch.autograd.grad(energy.sum(), at)
    assert torch.equal(field, -slope)
    expected = objective.loss(labels.spins, -slope, energy, shift, labels.field, labels.energy)
    assert float(value.detach()) == pytest.approx(float(expected.detach()), rel=1e-14)


def test_torque_term_is_one_minus_r2():
    labels = heisenberg_labels((4, 6), 5, seed=3)
    other = Heisenberg(labels.lattice, [-0.2])(labels.spins)
    objective = Objective(Scales.of([labels]), torque=1.0, longitudinal=0.0, energy=0.0)
    loss = objective.loss(labels.spins, other.field, other.energy, torch.tensor(0.0), labels.field, labels.energy)
    r2 = judge(Heisenberg(labels.lattice, [-0.2]), labels).torque_r2
    assert float(loss) == pytest.approx(1 - r2, rel=1e-12)


def test_each_term_counts_its_own_error():
    """Errors of the label's own size along S and in the energy give exactly their weights."""
    labels = heisenberg_labels((4, 6), 5, seed=3)
    scales = Scales.of([labels])
    objective = Objective(scales, torque=1.0, longitudinal=0.3, energy=0.2)
    along = labels.field + math.sqrt(3) * scales.longitudinal * labels.spins
    energy = labels.energy + 24 * scales.energy
    zero = torch.tensor(0.0, dtype=torch.float64)
    assert float(objective.loss(labels.spins, along, labels.energy, zero, labels.field, labels.energy)) == (
        pytest.approx(0.3, rel=1e-12)
    )
    assert float(objective.loss(labels.spins, labels.field, energy, zero, labels.field, labels.energy)) == (
        pytest.approx(0.2, rel=1e-12)
    )
    shifted = objective.loss(labels.spins, labels.field, energy, zero - scales.energy, labels.field, labels.energy)
    assert float(shifted) == pytest.approx(0, abs=1e-20)


def test_labels_without_energy():
    network, objective, labels, shift = setting(torch.float64, WEIGHTS["all"])
    bare = replace(labels, energy=None)
    value, _ = objective(Potentials((network,)), bare.spins, shift, bare.field, None)
    value.backward()
    assert shift.grad is None
    assert Scales.of([bare]).energy == 1.0


def test_scales_refuse_labels_without_torque():
    lattice = Lattice.triangular(3, 3)
    up = torch.zeros(1, 9, 3, dtype=torch.float64)
    up[..., 2] = 1
    with pytest.raises(UserError, match="torque vanishes"):
        Scales.of([LabelSet(lattice, up, Heisenberg(lattice, [1.0])(up).field)])
    with pytest.raises(UserError, match="without states"):
        Scales.of([LabelSet(lattice, up, up)[:0]])


def test_scales_are_those_of_all_sets_together():
    """Rotating every spin, or splitting a set, changes nothing."""
    labels = heisenberg_labels((4, 6), 6, seed=1)
    whole, parts = Scales.of([labels]), Scales.of([labels[:2], labels[2:]])
    assert (whole.torque, whole.longitudinal, whole.energy) == pytest.approx(
        (parts.torque, parts.longitudinal, parts.energy), rel=1e-12
    )
    turn = rotation([1, 2, 3], 0.7)
    turned = Scales.of([replace(labels, spins=labels.spins @ turn.T, field=labels.field @ turn.T)])
    assert (whole.torque, whole.longitudinal) == pytest.approx((turned.torque, turned.longitudinal), rel=1e-12)
