"""Local moments: two routes, closed forms, exact moments and fields, symmetries, conservation, threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from helpers.walks import CPU, walks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import sdgnn
from sdgnn import BondDisorder, ExactField, ExponentialHopping, ImplicitMidpoint, Lattice, SDModel, TruncatedField
from sdgnn.common.errors import UserError
from sdgnn.electrons.bands import band
from sdgnn.electrons.truncated.balls import crystal_balls, site_balls
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.electrons.truncated.walk import Channel, WalkSettings
from sdgnn.fields.testing import check_field

BCC = Lattice.crystal([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], [[0, 0, 0]], (3, 3, 3))
DIAMOND = Lattice.crystal([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [[0, 0, 0], [0.5, 0.5, 0.5]], (2, 2, 3))
LATTICES = {
    "chain": Lattice.chain(12),
    "square": Lattice.square(4, 5),
    "triangular": Lattice.triangular(4, 4),
    "honeycomb": Lattice.honeycomb(3, 3),
    "kagome": Lattice.kagome(3, 3),
    "cubic": Lattice.cubic(3, 3, 2),
    "bcc": BCC,
    "diamond": DIAMOND,
}
SHELLS = {"one shell": (1.0,), "two shells": (1.0, 0.3)}
DISORDERED: dict[str, Callable[[], SDModel]] = {
    "vacancies": lambda: SDModel(Lattice.square(5, 5).without([3, 17]), exchange=2.0),
    "t(r)": lambda: SDModel(Lattice.amorphous(20, 2, 0, 0.8), hopping=ExponentialHopping(), exchange=2.0),
    "bond disorder": lambda: SDModel(Lattice.triangular(4, 4), exchange=2.0, disorder=BondDisorder(width=0.3)),
}


@pytest.mark.parametrize("shells", SHELLS)
@pytest.mark.parametrize("name", LATTICES)
def test_the_protocol_and_all_symmetries(name: str, shells: str) -> None:
    """Rounding of the prediction (Yule-Walker equations of condition 1 / eps) leaves 1e-10 of 1e-16."""
    model = SDModel(LATTICES[name], hopping=SHELLS[shells], exchange=2.0)
    check_field(TruncatedField(model, kT=0.1, filling=0.3, cutoff=2, moments=13), tolerance=1e-9)


EDGES = [(2, 5), (2, 6), (3, 3), (3, 2), (1, 4), (2, 1)]
EVERY = [(name, *edge) for name in ("square", "kagome", "vacancies") for edge in EDGES]
SOME = [(name, *edge) for name in [*LATTICES, *DISORDERED] for edge in EDGES[:4:3]]


@pytest.mark.parametrize(("name", "cutoff", "steps"), list(dict.fromkeys(EVERY + SOME)))
def test_compiled_loops_and_tensor_operations_agree(name: str, cutoff: int, steps: int) -> None:
    """Edge never reached, just reached and long since reached; odd, even and single steps; to rounding."""
    model = DISORDERED[name]() if name in DISORDERED else SDModel(LATTICES[name], exchange=2.0)
    state = sdgnn.spins.random(model.lattice, replicas=2, seed=1)
    weights = np.cos(np.outer([0.7, 0.9], np.arange(30))) * np.exp(-0.1 * np.arange(30))
    for dtype, tolerance in ((torch.float64, 1e-11), (torch.float32, 2e-4)):
        compiled, plain = walks(model, dtype, cutoff, steps, count=30)
        np.testing.assert_allclose(compiled.totals(state), plain.totals(state), rtol=tolerance, atol=100 * tolerance)
        one, other = compiled.moments(state)[0], plain.moments(state)[0]
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
        for more in (None, 1 / (1 + one.square())):
            pairs = zip(
                compiled.slopes(state, weights, None, more), plain.slopes(state, weights, None, more), strict=True
            )
            for one, other in pairs:
                torch.testing.assert_close(one.double(), other.double(), rtol=tolerance, atol=tolerance)


def test_spinors_along_axes_on_which_their_formula_changes() -> None:
    """Spins in the plane z = 0, along +-z, of other lengths and of none: both routes, slopes included."""
    model = SDModel(Lattice.square(4, 4), exchange=2.0)
    state = sdgnn.spins.random(model.lattice, seed=1)
    state[0, :4, 2] = 0
    state[0, 4:9] = torch.tensor([[0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0], [0, 0, 0]]).double()
    state[0, 9:12] *= torch.tensor([[0.1], [0.7], [2.0]]).double()
    compiled, plain = walks(model, torch.float64, 2, 5, count=30)
    weights = np.cos(0.7 * np.arange(30))[None] * np.exp(-0.1 * np.arange(30))
    for one, other in zip(compiled.slopes(state, weights), plain.slopes(state, weights), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", LATTICES)
def test_moments_inside_the_ball_are_exact(name: str) -> None:
    """<i|T_n(H~)|i> of the dense matrix along and against the spin, on a crystal larger than the walk."""
    small = LATTICES[name]
    large = small.resized(*(9 for _ in range(small.dim))) if small.dim < 3 else small.resized(5, 5, 5)
    model = SDModel(large, exchange=1.5)
    state = sdgnn.spins.random(large, seed=2)
    cutoff = 2 if small.dim < 3 else 1
    compiled, _ = walks(model, torch.float64, cutoff, cutoff, count=2 * cutoff + 1)
    found = compiled.moments(state)[0][0, 0]
    matrix = model.matrix(state)[0].numpy()
    scaled = (matrix - compiled.settings.centre * np.eye(len(matrix))) / compiled.settings.scale
    along = state[0, 0].numpy()
    half = np.array([[1 + along[2], along[0] - 1j * along[1]], [along[0] + 1j * along[1], 1 - along[2]]]) / 2
    before, last = np.eye(len(matrix)), scaled
    for n in range(2 * cutoff + 1):
        for channel, projector in enumerate((np.eye(2) - half, half)):
            if n <= 2 * compiled.settings.channels[channel].steps:
                expected = np.trace(projector @ before[:2, :2]).real
                assert float(found[channel, n]) == pytest.approx(expected, abs=1e-12)
        before, last = last, 2 * scaled @ last - before


@pytest.mark.parametrize("name", ["triangular", "kagome", "diamond"])
def test_balls_around_single_sites_are_those_of_the_crystal(name: str) -> None:
    model = SDModel(LATTICES[name])
    of_crystal = crystal_balls(model, 3, 9)
    for site, ball in enumerate(site_balls(model, 3, 9, np.arange(model.lattice.n_sites))):
        same = of_crystal[site % len(of_crystal)]
        assert ball.member[0] == site
        assert (ball.sizes == same.sizes).all() and ball.edge == same.edge
        assert sorted(np.diff(ball.start)) == sorted(np.diff(same.start))


def transverse(field: Tensor, state: Tensor) -> Tensor:
    return field - (field * state).sum(-1, keepdim=True) * state


CONVERGING = {
    "chain": lambda: SDModel(Lattice.chain(9), exchange=2.0),
    "square": lambda: SDModel(Lattice.square(3, 4), exchange=2.0),
    "triangular": lambda: SDModel(Lattice.triangular(3, 3), exchange=2.0),
    "honeycomb": lambda: SDModel(Lattice.honeycomb(3, 2), exchange=2.0),
    "kagome": lambda: SDModel(Lattice.kagome(2, 2), exchange=2.0),
    "cubic": lambda: SDModel(Lattice.cubic(2, 3, 2), exchange=6.0),
}
NUMBERS = {"chain": (40, 401), "triangular": (28, 401), "cubic": (24, 401)}
TWISTS = {"chain": (24,), "triangular": (40, 40), "cubic": (16, 12, 16)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONVERGING, *DISORDERED])
def test_converges_to_exact_electrons(name: str) -> None:
    """Energy, field, density and mu of the infinite crystal of the cell, kT = 0.1: to 1e-5, where 5 and 41 are not."""
    model = {**CONVERGING, **DISORDERED}[name]()
    state = sdgnn.spins.random(model.lattice, seed=3)
    exact = ExactField(model, kT=0.1, filling=0.3, twists=TWISTS.get(name, (12, 12)))(state)
    errors = {}
    for cutoff, moments in ((5, 41), NUMBERS.get(name, (22, 401))):
        found = TruncatedField(model, kT=0.1, filling=0.3, cutoff=cutoff, moments=moments)(state)
        assert found.mu is not None and exact.mu is not None and found.density is not None and exact.density is not None
        per_site = (found.energy - exact.energy).abs() / model.lattice.n_sites
        errors[cutoff] = max(
            float(values.abs().max())
            for values in (per_site, found.field - exact.field, found.density - exact.density, found.mu - exact.mu)
        )
    assert errors.pop(5) > 1e-4
    assert all(error < 1e-5 for error in errors.values())


@pytest.mark.parametrize("name", DISORDERED)
def test_disorder_at_the_fast_level(name: str) -> None:
    model = DISORDERED[name]()
    state = sdgnn.spins.random(model.lattice, seed=3)
    exact = transverse(ExactField(model, kT=0.1, filling=0.3, twists=(4, 4))(state).field, state)
    found = TruncatedField(model, kT=0.1, filling=0.3)(state)
    missed = (transverse(found.field, state) - exact).square().sum() / exact.square().sum()
    assert missed < 0.1
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(state.shape))
    field = TruncatedField(model, kT=0.1, filling=0.3)
    slope = (field(state + 1e-4 * along).energy - field(state - 1e-4 * along).energy) / 2e-4
    torch.testing.assert_close(slope, -(found.field * along).sum((1, 2)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["square", "kagome", "cubic"])
def test_a_lattice_smaller_than_the_ball_repeats_its_spins(name: str) -> None:
    small = LATTICES[name].resized(*[2] * LATTICES[name].dim)
    large = small.resized(*[6] * small.dim)
    state = sdgnn.spins.random(small, seed=4)
    cells = np.stack(np.unravel_index(np.arange(large.n_sites) // large.n_basis, large.shape))
    first = np.ravel_multi_index(tuple(cells % 2), small.shape) * small.n_basis
    sites = torch.from_numpy(first + np.arange(large.n_sites) % large.n_basis)
    results = [
        TruncatedField(SDModel(lattice, exchange=2.0), kT=0.1, filling=0.4, cutoff=3, moments=17)(spins)
        for lattice, spins in ((small, state), (large, state[:, sites]))
    ]
    torch.testing.assert_close(results[1].field, results[0].field[:, sites], rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(results[1].mu, results[0].mu, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(results[1].energy / large.n_sites, results[0].energy / small.n_sites)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), cutoff=st.integers(1, 3), steps=st.integers(1, 12))
def test_moments_are_those_of_a_positive_density_of_states(seed: int, cutoff: int, steps: int) -> None:
    """The Toeplitz matrix of moments has no negative eigenvalue, with the edge absorbing as it may."""
    model = SDModel(Lattice.square(4, 4), exchange=3.0)
    state = sdgnn.spins.random(model.lattice, seed=seed)
    compiled, _ = walks(model, torch.float64, cutoff, steps, count=2 * steps + 1)
    for channel, moments in zip(compiled.settings.channels, compiled.moments(state)[0][0, 0].numpy(), strict=True):
        lags = np.abs(np.subtract.outer(*[np.arange(2 * channel.steps + 1)] * 2))
        assert np.linalg.eigvalsh(moments[lags]).min() > -1e-9


@pytest.mark.parametrize("background", [1e-6, 1e-2])
def test_prediction_continues_the_moments_of_sharp_levels(background: float) -> None:
    """A single site has one level for each channel: M_n = T_n(x) for all n, which prediction finds as eps -> 0."""
    model = SDModel(Lattice.chain(4), hopping=(1e-9,), exchange=1.0)
    channels = (Channel(1, 3, background), Channel(-1, 3, background))
    chosen = WalkSettings(cutoff=1, channels=channels, count=20, centre=0.0, scale=2.0)
    state = sdgnn.spins.random(model.lattice, seed=0)
    expected = np.cos(np.arange(20) * np.arccos(0.5)) + np.cos(np.arange(20) * np.arccos(-0.5))
    for walk in (CompiledWalk(model, chosen, torch.float64), TensorWalk(model, chosen, torch.float64, CPU)):
        (found,) = walk.totals(state, np.array([0]))
        np.testing.assert_allclose(found[:7], expected[:7], atol=1e-8)
        assert (np.abs(found - expected).max() < 1e-3) == (background < 1e-3)


def test_fixed_filling_is_fixed_mu() -> None:
    """At the mu that it found, N(mu) = -dOmega/dmu is the number of electrons, and F = Omega + mu N."""
    model = SDModel(LATTICES["triangular"], exchange=3.0)
    state = sdgnn.spins.random(model.lattice, replicas=3, seed=5)
    electrons = 0.3 * model.n_orbitals
    found = TruncatedField(model, kT=0.1, filling=0.3)(state)
    assert found.mu is not None
    assert len(set(found.mu.tolist())) == 3
    for replica, mu in enumerate(found.mu.tolist()):
        one = state[replica : replica + 1]
        same = TruncatedField(model, kT=0.1, mu=mu)(one)
        torch.testing.assert_close(same.field[0], found.field[replica], rtol=0, atol=1e-12)
        torch.testing.assert_close(same.energy[0] + mu * electrons, found.energy[replica], rtol=1e-12, atol=1e-10)
        above, below = (float(TruncatedField(model, kT=0.1, mu=mu + h)(one).energy) for h in (1e-4, -1e-4))
        assert (below - above) / 2e-4 == pytest.approx(electrons, abs=1e-6 * model.lattice.n_sites)


def test_free_energy_is_conserved_at_fixed_filling() -> None:
    """Undamped, F = Omega + mu N stays while Omega moves with mu (the control)."""
    model = SDModel(Lattice.square(6, 4), exchange=4.0)
    field = TruncatedField(model, kT=0.1, filling=0.4, cutoff=3, moments=21)
    state = sdgnn.spins.noisy(sdgnn.spins.neel(model.lattice), 0.4, seed=1)
    run = sdgnn.simulate(field, state, ImplicitMidpoint(dt=0.04, damping=0.0), steps=20)
    before, after = field(state), field(run.spins)
    assert before.mu is not None and after.mu is not None
    drift = float((after.energy - before.energy).abs())
    moved = abs(0.4 * model.n_orbitals * float(after.mu - before.mu))
    assert float((run.spins - state).norm()) > 0.1
    assert drift < 1e-5 and moved > 100 * drift


@pytest.mark.parametrize("kT", [0.0, 1e-4])
def test_cold_electrons_have_a_field(kT: float) -> None:
    """kT far below the resolution: the slope of the energy all the same; what is resolved is said."""
    model = SDModel(LATTICES["square"], exchange=4.0)
    field = TruncatedField(model, kT=kT, filling=0.5)
    state = sdgnn.spins.random(model.lattice, seed=6)
    check_field(field, tolerance=1e-7)
    exact = transverse(ExactField(model, kT=kT, filling=0.5, twists=(4, 4))(state).field, state)
    missed = transverse(field(state).field, state) - exact
    assert missed.square().sum() < 0.02 * exact.square().sum()
    assert field.resolution == pytest.approx(np.pi * field._spectrum(1.02)[1] / 41)
    assert f"resolves {field.resolution:.2g}" in repr(field)


@pytest.mark.parametrize("filling", [0.0, 1.0])
def test_no_electrons_and_full_bands(filling: float) -> None:
    model = SDModel(LATTICES["square"], exchange=2.0)
    found = TruncatedField(model, kT=0.1, filling=filling)(sdgnn.spins.random(model.lattice, seed=0))
    assert found.density is not None
    torch.testing.assert_close(found.density, torch.full_like(found.density, 2 * filling), atol=1e-10, rtol=0)
    torch.testing.assert_close(found.field, torch.zeros_like(found.field), atol=1e-10, rtol=0)


def test_threads_share_a_field_and_give_its_numbers() -> None:
    model = SDModel(Lattice.triangular(8, 8), exchange=3.0)
    field = TruncatedField(model, kT=0.1, filling=0.25)
    states = [sdgnn.spins.random(model.lattice, seed=seed) for seed in range(6)]
    alone = [field(state).field for state in states]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda state: field(state).field, states))
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one, other)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        torch.testing.assert_close(field(states[0]).field, alone[0], rtol=0, atol=1e-12)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("level", ["fast", "accurate"])
@pytest.mark.parametrize("filling", [0.25, 0.8])
def test_precision_is_that_of_the_spins(level: str, filling: float) -> None:
    model = SDModel(Lattice.triangular(6, 6), exchange=3.0)
    field = TruncatedField(model, kT=0.05, filling=filling, level=level)
    state = sdgnn.spins.random(model.lattice, replicas=2, seed=0)
    double, single = field(state), field(state.float())
    for name in ("energy", "field", "density", "mu"):
        one, other = getattr(single, name), getattr(double, name)
        assert one.dtype == (torch.float64 if name == "energy" else torch.float32) and other.dtype == torch.float64
        # 40 steps of rounding 6e-8, magnified by the prediction
        torch.testing.assert_close(one.double(), other, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("texture", ["random", "neel"])
def test_long_walks_in_single_precision(texture: str) -> None:
    """120 steps in balls of 18 bonds, sharp levels: rounding costs 1 % of the torque, and without bound
    with the background of shorter walks."""
    model = SDModel(Lattice.square(6, 6), exchange=6.0)
    order = sdgnn.spins.neel(model.lattice)
    state = sdgnn.spins.random(model.lattice, seed=0) if texture == "random" else sdgnn.spins.noisy(order, 0.1, seed=0)
    field = TruncatedField(model, kT=0.02, filling=0.485, cutoff=18, moments=241)
    double, single = field(state), field(state.float())
    missed = transverse(single.field.double(), state) - transverse(double.field, state)
    assert missed.square().mean().sqrt() < 0.05 * transverse(double.field, state).square().mean().sqrt()


@pytest.mark.parametrize("moments", [3, 9])
def test_the_field_is_a_slope_for_spins_of_any_length_and_direction(moments: int) -> None:
    """Spinors start along S / |S|, so that turning a spin turns them, and making it longer does not."""
    model = SDModel(LATTICES["square"], exchange=2.0)
    field = TruncatedField(model, kT=0.2, filling=0.3, cutoff=2, moments=moments)
    state = sdgnn.spins.random(model.lattice, seed=0)
    state *= torch.linspace(0.3, 1.6, 20).double()[:, None]
    state[0, :3] = torch.tensor([[0, 0, -1], [0.6, -0.8, 0], [0, 0, 0.5]]).double()
    along = torch.from_numpy(np.random.default_rng(1).standard_normal(state.shape))
    slope = (field(state + 1e-5 * along).energy - field(state - 1e-5 * along).energy) / 2e-5
    torch.testing.assert_close(slope, -(field(state).field * along).sum((1, 2)), rtol=1e-6, atol=1e-6)


def test_a_zero_spin_has_a_field_and_leaves_the_others_theirs() -> None:
    """Its spinors stay along z: where it begins to point, the energy jumps, by the truncation; other slopes hold."""
    model = SDModel(LATTICES["square"], exchange=2.0)
    state = sdgnn.spins.random(model.lattice, seed=0)
    state[0, 7] = 0
    along = torch.from_numpy(np.random.default_rng(1).standard_normal(state.shape))
    along[0, 7] = 0
    jumps = []
    for moments in (9, 81):
        field = TruncatedField(model, kT=0.2, filling=0.3, cutoff=moments // 9 + 1, moments=moments)
        slope = (field(state + 1e-5 * along).energy - field(state - 1e-5 * along).energy) / 2e-5
        found = field(state)
        torch.testing.assert_close(slope, -(found.field * along).sum((1, 2)), rtol=1e-6, atol=1e-6)
        assert bool(found.field.isfinite().all())
        begun = state.clone()
        begun[0, 7, 0] = 1e-9
        jumps.append(float((field(begun).energy - found.energy).abs()))
    assert jumps[1] < 0.01 * jumps[0]


@pytest.mark.parametrize("ensemble", [{"filling": 0.2}, {"mu": 1.3}], ids=str)
def test_the_sign_of_the_exchange_is_that_of_all_spins(ensemble: dict[str, float]) -> None:
    """E(J, S) = E(-J, -S) for it is the same matrix, and E(-S) = E(S) under time reversal."""
    state = sdgnn.spins.random(LATTICES["triangular"], replicas=2, seed=3)
    ferro, antiferro = (
        TruncatedField(SDModel(LATTICES["triangular"], exchange=j), kT=0.1, cutoff=3, moments=21, **ensemble)
        for j in (3.0, -3.0)
    )
    one, other, reversed_ = ferro(state), antiferro(-state), antiferro(state)
    assert torch.equal(one.energy, other.energy) and torch.equal(one.field, -other.field)
    torch.testing.assert_close(one.energy, reversed_.energy, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(one.field, reversed_.field, rtol=1e-9, atol=1e-10)


BIPARTITE = {
    "chain": Lattice.chain(12), "square": Lattice.square(4, 6), "honeycomb": Lattice.honeycomb(3, 3),
    "cubic": Lattice.cubic(2, 4, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", BIPARTITE)
def test_particles_and_holes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time reversal and a sign on one sublattice make -H of H: filling f and 1 - f have one field, and mu = -mu.

    So the walks change places at half filling, and are equally long there. If they do not change, it fails.
    """
    model = SDModel(BIPARTITE[name], exchange=2.0)
    state = sdgnn.spins.random(model.lattice, seed=4)

    def of(**ensemble: float) -> sdgnn.fields.FieldResult:
        return TruncatedField(model, kT=0.05, cutoff=3, moments=21, **ensemble)(state)

    for one, other in ((of(filling=0.2), of(filling=0.8)), (of(mu=-1.7), of(mu=1.7))):
        torch.testing.assert_close(one.field, other.field, rtol=1e-8, atol=1e-9)
        torch.testing.assert_close(one.mu, -other.mu, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(one.density, 2 - other.density, rtol=1e-9, atol=1e-9)
    half = of(filling=0.5)
    torch.testing.assert_close(half.density, torch.ones_like(half.density), rtol=1e-9, atol=1e-9)
    assert float(half.mu) == pytest.approx(0, abs=1e-9)
    monkeypatch.setattr(TruncatedField, "_above", -1.0)
    assert float((of(filling=0.2).field - of(filling=0.8).field).abs().max()) > 1e-4
    assert float((of(filling=0.5).density - 1).abs().max()) > 1e-5


@pytest.mark.parametrize(
    ("exchange", "kT", "ensemble", "moments", "steps"),
    [
        (3.0, 0.05, {"filling": 0.3}, 41, {1: 28, -1: 12}),
        (3.0, 0.05, {"filling": 0.7}, 41, {1: 12, -1: 28}),
        (-3.0, 0.05, {"filling": 0.3}, 41, {1: 12, -1: 28}),
        (-3.0, 0.05, {"filling": 0.7}, 41, {1: 28, -1: 12}),
        (3.0, 0.05, {"mu": -1.0}, 41, {1: 28, -1: 12}),
        (3.0, 0.05, {"mu": 1.0}, 41, {1: 12, -1: 28}),
        (3.0, 0.0, {"filling": 0.3}, 67, {1: 46, -1: 20}),
        (3.0, 0.05, {"filling": 0.3}, 5, {1: 3, -1: 1}),
        (3.0, 0.05, {"filling": 0.3}, 3, {1: 1, -1: 1}),
        (3.0, 0.05, {"filling": 0.5}, 41, {1: 20, -1: 20}),
        (3.0, 0.05, {"mu": 0.0}, 41, {1: 20, -1: 20}),
        (0.1, 0.05, {"filling": 0.3}, 41, {1: 20, -1: 20}),
        (3.0, 3.0, {"filling": 0.3}, 41, {1: 20, -1: 20}),
    ],
)
def test_most_steps_near_the_chemical_potential(
    exchange: float, kT: float, ensemble: dict[str, float], moments: int, steps: dict[int, int]
) -> None:
    """SHARE = 0.7; as many for both walks where neither is nearer, at weak exchange, and when hot."""
    field = TruncatedField(SDModel(LATTICES["square"], exchange=exchange), kT, cutoff=3, moments=moments, **ensemble)
    walk, _ = field._walk(sdgnn.spins.random(field.lattice), 0)
    assert {channel.side: channel.steps for channel in walk.settings.channels} == steps
    sizes = [1, 5, 13, 25]
    visited = sum(sizes[min(step, 3)] for walked in steps.values() for step in range(walked + 1))
    assert field.work == visited / 2


def test_the_error_at_weak_exchange_is_of_second_order_as_the_torque() -> None:
    """J^2 is in both. Walks of different length leave an error of first order (the control)."""
    ratios = {}
    for share in (0.5, 0.7):
        torques = []
        for exchange in (0.02, 0.01):
            field = TruncatedField(SDModel(Lattice.square(6, 6), exchange=exchange), kT=0.1, filling=0.3)
            steps = round(share * 40)
            field._steps = lambda moments, scale, steps=steps: (steps, 40 - steps)  # type: ignore[method-assign]
            state = sdgnn.spins.random(field.lattice, seed=3)
            torques.append(transverse(field(state).field, state).norm())
        ratios[share] = float(torques[0] / torques[1])
    assert ratios[0.5] == pytest.approx(4, rel=0.02)
    assert ratios[0.7] < 3.5


def test_spins_beyond_all_bounds_are_refused() -> None:
    """Levels outside the bounds of the spectrum would make Chebyshev polynomials grow without a word."""
    field = TruncatedField(SDModel(LATTICES["square"]), kT=0.1, mu=0.0)
    with pytest.raises(UserError, match=r"spins of length 20; allowed: up to 10\.8"):
        field(20 * sdgnn.spins.random(field.lattice, seed=0))


def test_levels_are_numbers() -> None:
    model = SDModel(LATTICES["square"])
    fast, accurate = (TruncatedField(model, kT=0.1, mu=0.0, level=level) for level in ("fast", "accurate"))
    assert (fast.cutoff, fast.moments) == (5, 41)
    assert accurate.cutoff > fast.cutoff and accurate.moments > fast.moments
    assert "cutoff=5, moments=41" in repr(TruncatedField(model, kT=0.1, mu=0.0))
    other = accurate.on(Lattice.square(7, 3))
    assert (other.cutoff, other.moments, other.lattice.n_sites) == (accurate.cutoff, accurate.moments, 21)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cutoff": 0}, "cutoff = 0: .* greater than or equal to 1"),
        ({"moments": 40}, "an odd number"),
        ({"moments": 1}, "moments = 1: .* greater than or equal to 3"),
        ({"level": "exact"}, "'fast' or 'accurate'"),
        ({"level": "fast", "cutoff": 4}, "a level, or numbers of your own"),
        ({"mu": 0.0}, "exactly one"),
        ({"kT": -1.0}, "kT >= 0"),
    ],
)
def test_what_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        TruncatedField(SDModel(LATTICES["square"]), **{"kT": 0.1, "filling": 0.3, **wrong})


@pytest.mark.parametrize("name", [*LATTICES, *DISORDERED])
def test_the_band_holds_all_levels_without_exchange(name: str) -> None:
    """Levels of the cell at many boundary phases; the band is no wider than they are by more than a tenth."""
    model = DISORDERED[name]() if name in DISORDERED else SDModel(LATTICES[name], hopping=(1.0, -0.4))
    random = np.random.default_rng(0)
    twists = [*np.eye(model.lattice.dim) / 2, *random.random((40, model.lattice.dim))]
    levels = np.concatenate([np.linalg.eigvalsh(model.hopping_matrix(twist).toarray()) for twist in map(list, twists)])
    lowest, highest = band(model)
    assert lowest < levels.min() and levels.max() < highest
    assert highest - lowest < 1.1 * np.ptp(levels) + 0.1


def test_the_band_of_lattices_too_large_to_diagonalise() -> None:
    """Lanczos against the dense spectrum of 430 sites, with periodic and antiperiodic boundaries."""
    model = SDModel(Lattice.square(22, 22).diluted(0.1, 0))
    twists = ([0.0, 0.0], [0.0, 0.5], [0.5, 0.0], [0.5, 0.5])
    levels = np.concatenate([np.linalg.eigvalsh(model.hopping_matrix(twist).toarray()) for twist in twists])
    lowest, highest = band(model)
    assert levels.min() - 0.15 < lowest < levels.min() and levels.max() < highest < levels.max() + 0.15
