"""Walks of spinors with spin-orbit coupling: two routes, exact moments and fields, a closed form, joint symmetries."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers.walks import CPU, walks
from scipy.spatial.transform import Rotation
from torch import Tensor

import sdgnn
from sdgnn import BondDisorder, ExactField, Lattice, SDModel, TruncatedField
from sdgnn.common.errors import UserError
from sdgnn.electrons import PairTail, suggest_cutoff
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.electrons.truncated.walk import Channel, WalkSettings
from sdgnn.fields import torque_part
from sdgnn.fields.testing import carry, check_field
from sdgnn.lattice.symmetry import PointOperation

RASHBA = {"kind": "rashba", "strength": 0.4}
DRESSELHAUS = {"kind": "dresselhaus", "strength": 0.3}
KANE_MELE = {"kind": "kane-mele", "strength": 0.2}
RADIAL = {"kind": "radial", "strength": 0.5}
MODELS: dict[str, Callable[[], SDModel]] = {
    "square": lambda: SDModel(Lattice.square(4, 5), exchange=2.0, spin_orbit=[RASHBA, DRESSELHAUS]),
    "kagome": lambda: SDModel(Lattice.kagome(3, 3), (1.0, 0.3), exchange=2.0, spin_orbit=RASHBA),
    "honeycomb": lambda: SDModel(Lattice.honeycomb(3, 3), exchange=2.0, spin_orbit=[KANE_MELE, RASHBA]),
    "cubic": lambda: SDModel(Lattice.cubic(3, 3, 2), exchange=2.0, spin_orbit=RADIAL),
    "vacancies": lambda: SDModel(Lattice.square(5, 5).without([3, 17]), exchange=2.0, spin_orbit=RASHBA),
    "bond disorder": lambda: SDModel(
        Lattice.triangular(4, 4), exchange=2.0, disorder=BondDisorder(width=0.3), spin_orbit=RASHBA
    ),
}
EDGES = [(2, 5), (3, 3), (2, 1)]


@pytest.mark.parametrize(("cutoff", "steps"), EDGES)
@pytest.mark.parametrize("name", MODELS)
def test_compiled_loops_and_tensor_operations_agree(name: str, cutoff: int, steps: int) -> None:
    """Edge long since reached, just reached and never reached; to rounding."""
    model = MODELS[name]()
    state = sdgnn.spins.random(model.lattice, replicas=2, seed=1)
    weights = np.cos(np.outer([0.7, 0.9], np.arange(30))) * np.exp(-0.1 * np.arange(30))
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        compiled, plain = walks(model, dtype, cutoff, steps, count=30)
        moments = compiled.moments(state)[0]
        torch.testing.assert_close(moments, plain.moments(state)[0], rtol=tolerance, atol=tolerance)
        for more in (None, 1 / (1 + moments.square())):
            both = (walk.slopes(state, weights, None, more) for walk in (compiled, plain))
            for one, other in zip(*both, strict=True):
                torch.testing.assert_close(one.double(), other.double(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["square", "honeycomb", "cubic"])
def test_moments_inside_the_ball_are_exact(name: str) -> None:
    """<v|T_n(H~)|v> of the dense matrix along and against the spin, on a crystal larger than the walk."""
    small, cutoff = MODELS[name](), 1 if name == "cubic" else 2
    large = small.lattice.resized(*[5 if name == "cubic" else 9] * small.lattice.dim)
    model = SDModel.from_dict(large, small.to_dict())
    state = sdgnn.spins.random(large, seed=2)
    compiled, _ = walks(model, torch.float64, cutoff, cutoff, count=2 * cutoff + 1)
    found = compiled.moments(state)[0][0, 0]
    matrix = model.matrix(state)[0].numpy()
    scaled = (matrix - compiled.settings.centre * np.eye(len(matrix))) / compiled.settings.scale
    x, y, z = state[0, 0].tolist()
    along = np.array([[1 + z, x - 1j * y], [x + 1j * y, 1 - z]]) / 2
    block = np.zeros((len(matrix), 2))
    block[:2] = np.eye(2)
    before, last = block, scaled @ block
    for n in range(2 * cutoff + 1):
        for channel, projector in enumerate((np.eye(2) - along, along)):
            if n <= 2 * compiled.settings.channels[channel].steps:
                expected = np.trace(projector @ before[:2]).real
                assert float(found[channel, n]) == pytest.approx(expected, abs=1e-12)
        before, last = last, 2 * scaled @ last - before


def test_no_coupling_is_the_walk_without_it() -> None:
    """Quaternions (t, 0, 0, 0) against the loops of numbers: to rounding."""
    lattice = Lattice.triangular(5, 5)
    state = sdgnn.spins.random(lattice, seed=1)
    none = [RASHBA, {"kind": "rashba", "strength": -0.4}]
    with_zero, without = (
        TruncatedField(SDModel(lattice, exchange=2.0, spin_orbit=coupling), kT=0.1, filling=0.3)(state)
        for coupling in (none, ())
    )
    torch.testing.assert_close(with_zero.field, without.field, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(with_zero.energy, without.energy, rtol=1e-11, atol=1e-11)


def test_a_coupling_along_one_axis_turns_spins_from_site_to_site() -> None:
    """lambda = s d x on a chain: -(t + i s d sigma_x) = -T exp(i d phi sigma_x), T = sqrt(t^2 + s^2), s = t tan phi.

    exp(-i j phi sigma_x) at site j takes the phase away and turns S_j by -2 phi j about x: exactly the chain with
    hopping T, if 2 phi j fits the ring. Turned the other way, it is another chain (the control).
    """
    sites, turns = 12, 2
    phi = math.pi * turns / sites
    lattice = Lattice.chain(sites)
    coupled = SDModel(lattice, exchange=2.0, spin_orbit={"kind": "radial", "strength": math.tan(phi)})
    free = SDModel(lattice, hopping=(1 / math.cos(phi),), exchange=2.0)
    chosen = WalkSettings(3, (Channel(1, 9), Channel(-1, 5)), count=30, centre=0.0, scale=2 / math.cos(phi) + 2)
    state = sdgnn.spins.random(lattice, replicas=2, seed=3)
    weights = np.cos(np.outer([0.7, 0.9], np.arange(30))) * np.exp(-0.1 * np.arange(30))

    def turned(spins: Tensor, sense: int) -> Tensor:
        angles = sense * 2 * phi * np.arange(sites)[:, None] * [1, 0, 0]
        return torch.einsum("iab,rib->ria", torch.from_numpy(Rotation.from_rotvec(angles).as_matrix()), spins)

    for kind in (CompiledWalk, functools.partial(TensorWalk, device=CPU)):
        one, other = (kind(model, chosen, dtype=torch.float64) for model in (coupled, free))
        torch.testing.assert_close(one.moments(state)[0], other.moments(turned(state, -1))[0], rtol=0, atol=1e-12)
        slopes, expected = one.slopes(state, weights)[1], other.slopes(turned(state, -1), weights)[1]
        torch.testing.assert_close(turned(slopes[..., :3], -1), expected[..., :3], rtol=0, atol=1e-11)
        assert float((one.moments(state)[0] - other.moments(turned(state, 1))[0]).abs().max()) > 1e-2


@pytest.mark.parametrize("name", [name for name in MODELS if name != "cubic"])
def test_converges_to_exact_electrons(name: str) -> None:
    """Energy, field, density and mu of the infinite crystal of the cell; few bonds and moments are not there yet."""
    model = MODELS[name]()
    if model.is_uniform:
        model = SDModel.from_dict(model.lattice.resized(*[2] * model.lattice.dim), model.to_dict())
    state = sdgnn.spins.random(model.lattice, seed=3)
    exact = ExactField(model, kT=0.3, filling=0.3, twists=[8] * model.lattice.dim)(state)
    errors = {}
    for cutoff, moments in ((3, 21), (9, 101)):
        found = TruncatedField(model, kT=0.3, filling=0.3, cutoff=cutoff, moments=moments)(state)
        assert found.mu is not None and exact.mu is not None and found.density is not None and exact.density is not None
        per_site = (found.energy - exact.energy).abs() / model.lattice.n_sites
        misses = (per_site, found.field - exact.field, found.density - exact.density, found.mu - exact.mu)
        errors[cutoff] = max(float(values.abs().max()) for values in misses)
    assert errors[9] < 1e-3 and errors[9] < 0.1 * errors[3]


def moved(operation: PointOperation, spins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lattice and spins together, spins alone, lattice alone; spins are axial."""
    matrix = np.eye(3)
    dim = len(operation.matrix)
    matrix[:dim, :dim] = operation.matrix
    turn = torch.from_numpy(np.linalg.det(matrix) * matrix)
    turned = spins @ turn.T
    return carry(turned, operation.sites), turned, carry(spins, operation.sites)


@pytest.mark.parametrize("name", ["square", "triangular", "honeycomb", "cubic"])
def test_spins_and_lattice_turn_together(name: str) -> None:
    """E and H to rounding, for rotations and (Rashba, Kane-Mele) mirrors; spins or lattice alone are another state."""
    coupling = RADIAL if name == "cubic" else [KANE_MELE, RASHBA] if name == "honeycomb" else RASHBA
    lattice = {
        "square": Lattice.square(4, 4),
        "triangular": Lattice.triangular(4, 4),
        "honeycomb": Lattice.honeycomb(3, 3),
        "cubic": Lattice.cubic(3, 3, 3),
    }[name]
    field = TruncatedField(
        SDModel(lattice, exchange=2.0, spin_orbit=coupling), kT=0.1, filling=0.3, cutoff=3, moments=21
    )
    state = sdgnn.spins.random(lattice, seed=4)
    before = field(state)
    largest = torch.zeros(2)
    for operation in lattice.point_group[:12]:
        if name == "cubic" and not operation.is_proper:
            continue  # lambda along d is chiral
        together, *alone = moved(operation, state)
        after = field(together)
        torch.testing.assert_close(after.energy, before.energy, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(after.field, moved(operation, before.field)[0], rtol=1e-9, atol=1e-9)
        changes = [float((field(one).energy - before.energy).abs()) for one in alone]
        largest = torch.maximum(largest, torch.tensor(changes))
    assert float(largest.min()) > 1e-2


@pytest.mark.parametrize("name", MODELS)
def test_slope_and_time_reversal(name: str) -> None:
    """H = -dE/dS, E(-S) = E(S); turning spins alone changes the energy, and check_field says so."""
    field = TruncatedField(MODELS[name](), kT=0.1, filling=0.3, cutoff=2, moments=13)
    check_field(field, broken={"spin rotation", "lattice"}, tolerance=1e-9)
    with pytest.raises(AssertionError, match="spin rotation"):
        check_field(field, broken={"lattice"}, tolerance=1e-9)


def test_precision_is_that_of_the_spins() -> None:
    model = SDModel(Lattice.triangular(6, 6), exchange=3.0, spin_orbit=RASHBA)
    field = TruncatedField(model, kT=0.05, filling=0.25)
    state = sdgnn.spins.random(model.lattice, replicas=2, seed=0)
    # 40 steps of rounding 6e-8, magnified by the prediction
    torch.testing.assert_close(field(state.float()).field.double(), field(state).field, rtol=1e-5, atol=2e-5)


def test_numbers_for_an_asked_error() -> None:
    """What is suggested for one random state has about that error on another: means of 108 squares scatter by 14 %."""
    model = SDModel(Lattice.square(6, 6), exchange=2.0, spin_orbit=RASHBA)
    state = sdgnn.spins.random(model.lattice, seed=1)
    choice = suggest_cutoff(model, kT=0.2, filling=0.3, torque_error=0.01, states=state)
    other = sdgnn.spins.random(model.lattice, seed=2)
    field = TruncatedField(model, 0.2, filling=0.3, cutoff=choice.cutoff, moments=choice.moments)
    exact = ExactField(model, 0.2, filling=0.3, twists=(3, 3))
    missed = torque_part(field(other).field - exact(other).field, other)
    assert float(missed.square().mean().sqrt()) < 1.5 * 0.01


def test_the_pair_tail_is_refused() -> None:
    """Its couplings are those of a medium without spin-orbit coupling, K S_i . S_j."""
    with pytest.raises(UserError, match="spin-orbit"):
        PairTail.of(TruncatedField(SDModel(Lattice.square(4, 4), spin_orbit=RASHBA), kT=0.1, filling=0.3))
