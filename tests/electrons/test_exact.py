"""Exact effective field: reference values, field = -dE/dS, symmetries, closed forms, twist averages."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import Field

REFERENCES = {
    # file, lattice, hopping by shell, site of the file that sits at this package's origin
    "triangular8x8_J3": (Lattice.triangular(8, 8), [1.0], 0),
    "square6x6_random_kT005": (Lattice.square(6, 6), [1.0, 0.0, 0.5], 0),
    "kagome4x4_J1.5": (Lattice.kagome(4, 4), [1.0], 2),
}
ENSEMBLES = [{"mu": -2.0}, {"filling": 0.25}]


def golden_state() -> torch.Tensor:
    state = spins.ferro(Lattice.square(6, 6))
    state[0, 0] = 1 / math.sqrt(3)
    return state


def tiled(lattice: Lattice, state: torch.Tensor, times: int) -> tuple[Lattice, torch.Tensor]:
    """The lattice ``times`` as long in every direction, with the state repeated."""
    assert lattice.shape is not None
    larger = lattice.resized(*[times * n for n in lattice.shape])
    return larger, state[:, lattice.find(larger.positions)]


def transverse(state: torch.Tensor, field: torch.Tensor) -> torch.Tensor:
    return field - (field * state).sum(-1, keepdim=True) * state


@pytest.mark.parametrize("name", REFERENCES)
def test_reference_values_of_another_program(name: str, shared: Path) -> None:
    data = json.loads((shared / "reference" / f"{name}.json").read_text())
    lattice, hopping, origin = REFERENCES[name]
    positions = np.array(data["positions"])[:, :2]
    place = lattice.find(positions - positions[origin])
    assert sorted(place) == list(range(lattice.n_sites))
    assert np.allclose(-np.array(hopping), [data[f"t{n + 1}"] for n in range(len(hopping))])

    state = torch.empty(1, lattice.n_sites, 3, dtype=torch.float64)
    state[0, place] = torch.tensor(data["spins"], dtype=torch.float64)
    result = ExactField(SDModel(lattice, hopping, exchange=data["J"]), kT=data["kT"], mu=data["mu"])(state)
    assert result.density is not None
    assert float(result.energy) == pytest.approx(data["grand_potential"], abs=1e-8)
    assert float(result.density.sum()) == pytest.approx(data["n_electrons"], abs=1e-8)
    forces = torch.tensor(data["forces"], dtype=torch.float64)
    torch.testing.assert_close(result.field[0, place], forces, atol=1e-8, rtol=0)

    # the other ensemble at the reference's number of electrons: same mu, same field, F = Omega + mu N
    filling = data["n_electrons"] / (2 * lattice.n_sites)
    fixed = ExactField(SDModel(lattice, hopping, exchange=data["J"]), kT=data["kT"], filling=filling)
    assert float(fixed.chemical_potential(state)) == pytest.approx(data["mu"], abs=1e-8)
    assert float(fixed(state).mu) == pytest.approx(data["mu"], abs=1e-8)
    assert float(fixed(state).energy) == pytest.approx(
        data["grand_potential"] + data["mu"] * data["n_electrons"], abs=1e-8
    )
    torch.testing.assert_close(fixed(state).field[0, place], forces, atol=1e-8, rtol=0)


@pytest.mark.parametrize("twists", [None, (2, 1)])
def test_the_chemical_potential_gives_the_number_of_electrons(twists: tuple[int, int] | None) -> None:
    """N = sum_n f(e_n - mu) with all levels of the larger lattice that twists stand for; a given mu comes back."""
    model, state = SDModel(Lattice.square(3, 2), exchange=2.0), spins.random(Lattice.square(3, 2), replicas=3)
    mu = ExactField(model, kT=0.1, filling=0.3, twists=twists)(state).mu
    assert mu is not None
    assert mu.shape == (3,)
    assert float(mu.std()) > 1e-3
    factor = 1 if twists is None else 2
    larger = Lattice.square(3 * factor, 2)
    whole = SDModel(larger, exchange=2.0).matrix(state[:, model.lattice.find(larger.positions)])
    found = torch.sigmoid((mu[:, None] - torch.linalg.eigvalsh(whole)) / 0.1).sum(1)
    torch.testing.assert_close(found, torch.full_like(found, 0.3 * 12 * factor), atol=1e-8, rtol=0)
    given = ExactField(model, kT=0.1, mu=-1.25, twists=twists)(state).mu
    assert torch.equal(given, torch.full((3,), -1.25, dtype=torch.float64))


@pytest.mark.parametrize("name", REFERENCES)
def test_neighbours_agree_with_another_program(name: str, shared: Path) -> None:
    data = json.loads((shared / "reference" / f"{name}.json").read_text())
    lattice, _, origin = REFERENCES[name]
    positions = np.array(data["positions"])[:, :2]
    place = lattice.find(positions - positions[origin])
    bonds = lattice.bonds(len(data["neighbours"]))
    for shell, table in enumerate(data["neighbours"]):
        ours = [sorted(bonds.target[(bonds.source == site) & (bonds.shell == shell)]) for site in place]
        assert ours == [sorted(place[row]) for row in table]


def test_golden_number() -> None:
    # published in the test file of kbarros/Kondo: 6x6 square, all spins along z but one along (1,1,1), kT = 0
    model = SDModel(Lattice.square(6, 6), hopping=[1.0, 0.0, 0.5], exchange=0.5)
    result = ExactField(model, kT=0.0, mu=0.103)(golden_state())
    assert float(result.energy) / 36 == pytest.approx(-1.98657216, abs=5e-9)
    expected = torch.tensor([0.0507964, 0.0507964, 0.0154808], dtype=torch.float64)
    torch.testing.assert_close(result.field[0, 0], expected, atol=5e-8, rtol=0)


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
@pytest.mark.parametrize("kT", [0.0, 0.1])
@pytest.mark.parametrize("twists", [None, (1, 2)])
def test_field_is_minus_gradient_for_free_vectors(
    ensemble: dict[str, float], kT: float, twists: tuple[int, int] | None
) -> None:
    lattice = Lattice.kagome(1, 2)
    exact = ExactField(SDModel(lattice, [1.0, 0.2], exchange=1.5), kT=kT, twists=twists, **ensemble)
    state = spins.random(lattice, seed=1) * torch.linspace(0.8, 1.3, lattice.n_sites, dtype=torch.float64)[:, None]
    # fourth-order differences: error ~ step^4 = 1e-10 times a fifth derivative, and rounding 1e-14 / step
    step = 2e-3
    moves = torch.eye(3 * lattice.n_sites, dtype=torch.float64).reshape(-1, lattice.n_sites, 3)

    def energy(shift: float) -> torch.Tensor:
        return exact(state + shift * step * moves).energy

    slope = (8 * (energy(1) - energy(-1)) - energy(2) + energy(-2)) / (12 * step)
    torch.testing.assert_close(exact(state).field.reshape(-1), -slope, atol=2e-8, rtol=0)


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
def test_density_is_the_number_of_electrons(ensemble: dict[str, float]) -> None:
    lattice = Lattice.triangular(3, 4)
    exact = ExactField(SDModel(lattice, exchange=2.0), kT=0.2, **ensemble)
    density = exact(spins.random(lattice, replicas=2)).density
    assert density is not None
    assert float(density.min()) > 0
    assert float(density.max()) < 2
    if "filling" in ensemble:
        torch.testing.assert_close(density.sum(1), torch.full((2,), 0.25 * 2 * 12, dtype=torch.float64))
    else:
        # N = - dOmega/dmu by a central difference, error ~ step^2
        step = 1e-4
        above, below = (
            ExactField(SDModel(lattice, exchange=2.0), kT=0.2, mu=-2.0 + shift)(spins.random(lattice, replicas=2))
            for shift in (step, -step)
        )
        torch.testing.assert_close(density.sum(1), (below.energy - above.energy) / (2 * step), atol=1e-6, rtol=0)


def test_one_site_closed_form() -> None:
    # square 1x1: four hoppings to itself give -4 t; the spin splits it by 2 J |S|
    exchange, kT, mu, length = 0.7, 0.3, -3.8, 1.2
    state = torch.tensor([[[0.0, 0.6, 0.8]]], dtype=torch.float64) * length
    result = ExactField(SDModel(Lattice.square(1, 1), exchange=exchange), kT=kT, mu=mu)(state)
    low, high = -4 - exchange * length, -4 + exchange * length
    f_low, f_high = (1 / (math.exp((e - mu) / kT) + 1) for e in (low, high))
    omega = -kT * sum(math.log1p(math.exp(-(e - mu) / kT)) for e in (low, high))
    assert float(result.energy) == pytest.approx(omega, abs=1e-13)
    torch.testing.assert_close(result.field, exchange * (f_low - f_high) * state / length, atol=1e-13, rtol=0)
    assert result.density is not None
    assert float(result.density) == pytest.approx(f_low + f_high, abs=1e-13)


def test_ferromagnet_closed_form() -> None:
    # two rigid bands e_k -/+ J; the field is along the spins: J (n_up - n_down)
    n, exchange, kT, mu = 6, 1.3, 0.1, -1.0
    result = ExactField(SDModel(Lattice.square(n, n), exchange=exchange), kT=kT, mu=mu)(
        spins.ferro(Lattice.square(n, n), direction=(1, 2, 2))
    )
    k = 2 * math.pi * np.arange(n) / n
    band = -2 * (np.cos(k)[:, None] + np.cos(k)[None]).ravel()
    up, down = band - exchange, band + exchange
    f_up, f_down = (1 / (np.exp((e - mu) / kT) + 1) for e in (up, down))
    omega = -kT * np.log1p(np.exp(-(np.concatenate([up, down]) - mu) / kT)).sum()
    assert float(result.energy) == pytest.approx(omega, abs=1e-11)
    moment = exchange * (f_up.sum() - f_down.sum()) / n**2
    expected = moment * torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64) / 3
    torch.testing.assert_close(result.field, expected.expand(1, n * n, 3), atol=1e-12, rtol=0)


# -- symmetries -------------------------------------------------------------------------------------------------


def exact_field(lattice: Lattice) -> Field:
    return ExactField(SDModel(lattice, [1.0, 0.3], exchange=2.0), kT=0.1, filling=0.3)


def test_time_reversal() -> None:
    lattice = Lattice.triangular(4, 4)
    state = spins.random(lattice, seed=2)
    forward, backward = exact_field(lattice)(state), exact_field(lattice)(-state)
    torch.testing.assert_close(forward.energy, backward.energy, atol=1e-11, rtol=0)
    torch.testing.assert_close(forward.field, -backward.field, atol=1e-11, rtol=0)


@given(st.integers(0, 2**31))
@settings(max_examples=8, deadline=None)
def test_global_rotation(seed: int) -> None:
    lattice = Lattice.kagome(2, 2)
    state = spins.random(lattice, seed=3)
    result = exact_field(lattice)(state)
    turned = exact_field(lattice)(spins.rotate_randomly(state, seed))
    torch.testing.assert_close(turned.energy, result.energy, atol=1e-11, rtol=0)
    torch.testing.assert_close(turned.field, spins.rotate_randomly(result.field, seed), atol=1e-11, rtol=0)


@pytest.mark.parametrize(
    "lattice",
    [Lattice.square(4, 4), Lattice.triangular(4, 4), Lattice.kagome(2, 2), Lattice.honeycomb(3, 2), Lattice.chain(6)],
    ids=repr,
)
def test_point_group_and_translations(lattice: Lattice) -> None:
    state = spins.random(lattice, seed=4)
    result = exact_field(lattice)(state)
    moves = [lattice.translation(*step) for step in np.eye(lattice.dim, dtype=int)]
    for carried in [operation.sites for operation in lattice.point_group] + moves:
        moved = torch.empty_like(state)
        moved[:, carried] = state
        after = exact_field(lattice)(moved)
        torch.testing.assert_close(after.energy, result.energy, atol=1e-11, rtol=0)
        torch.testing.assert_close(after.field[:, carried], result.field, atol=1e-11, rtol=0)


def test_a_permutation_that_is_no_symmetry_changes_the_energy() -> None:
    lattice = Lattice.square(4, 4)
    state = spins.random(lattice, seed=4)
    swapped = state.clone()
    swapped[:, [0, 1]] = state[:, [1, 0]]
    difference = exact_field(lattice)(swapped).energy - exact_field(lattice)(state).energy
    assert abs(float(difference)) > 1e-3


def test_batch_equals_single_states() -> None:
    lattice = Lattice.square(3, 4)
    state = spins.random(lattice, replicas=3)
    batch = exact_field(lattice)(state)
    for r in range(3):
        alone = exact_field(lattice)(state[r : r + 1])
        assert torch.equal(alone.energy[0], batch.energy[r])
        assert torch.equal(alone.field[0], batch.field[r])


# -- twists -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
@pytest.mark.parametrize("lattice", [Lattice.square(3, 3), Lattice.triangular(3, 4), Lattice.kagome(2, 1)], ids=repr)
def test_twists_equal_the_larger_lattice_with_repeated_spins(lattice: Lattice, ensemble: dict[str, float]) -> None:
    state = spins.random(lattice, replicas=2, seed=5)
    larger, repeated = tiled(lattice, state, 2)
    small = ExactField(SDModel(lattice, [1.0, 0.4], exchange=2.5), kT=0.05, twists=(2, 2), **ensemble)(state)
    large = ExactField(SDModel(larger, [1.0, 0.4], exchange=2.5), kT=0.05, **ensemble)(repeated)
    assert small.density is not None
    assert large.density is not None
    place = lattice.find(larger.positions)
    torch.testing.assert_close(4 * small.energy, large.energy, atol=1e-10, rtol=0)
    torch.testing.assert_close(small.field[:, place], large.field, atol=1e-10, rtol=0)
    torch.testing.assert_close(small.density[:, place], large.density, atol=1e-10, rtol=0)


def test_twists_remove_the_finite_size_error_of_a_repeated_texture() -> None:
    # a noisy tetrahedral 6x6 state repeated for ever (kT = 0.05, J = 3, quarter filling): 36x36 sites are the limit
    lattice = Lattice.triangular(6, 6)
    state = spins.noisy(spins.tetrahedral(lattice), 0.3, seed=1)
    model = SDModel(lattice, exchange=3.0)

    def labels(n: int) -> tuple[float, torch.Tensor]:
        result = ExactField(model, kT=0.05, filling=0.25, twists=(n, n))(state)
        return float(result.energy) / 36, transverse(state, result.field)

    energy, torque = labels(6)
    scale = float(torque.square().mean().sqrt())
    errors = {}
    for n in (1, 2, 3):
        e, t = labels(n)
        errors[n] = abs(e - energy), float((t - torque).square().mean().sqrt()) / scale
    # without twists the torque is wrong by a fifth; each further twist takes off about a factor ten
    assert errors[1][1] > 0.15
    assert errors[2][1] < errors[1][1] / 8
    assert errors[3][1] < errors[2][1] / 8
    assert errors[2][0] < errors[1][0] / 20
    assert errors[3][0] < errors[2][0] / 8


def test_twists_bring_a_cut_out_window_closer_to_its_large_lattice() -> None:
    # 8x8 windows of random 16x16 states: what remains with twists is the wrong surroundings, which no average mends
    large, small = Lattice.triangular(16, 16), Lattice.triangular(8, 8)
    state = spins.random(large, replicas=4, seed=3)
    window = large.find(small.positions)
    centre = [8 * x + y for x in (3, 4) for y in (3, 4)]
    reference = ExactField(SDModel(large, exchange=3.0), kT=0.05, filling=0.25)(state)

    def error(n: int) -> float:
        result = ExactField(SDModel(small, exchange=3.0), kT=0.05, filling=0.25, twists=(n, n))(state[:, window])
        wrong = transverse(state[:, window], result.field - reference.field[:, window])[:, centre]
        return float(wrong.square().mean().sqrt())

    assert error(2) < 0.8 * error(1)


# -- limits and refusals ----------------------------------------------------------------------------------------


def test_low_temperature_tends_to_the_ground_state() -> None:
    lattice = Lattice.chain(6)
    state = spins.random(lattice, seed=6)
    cold, frozen = (ExactField(SDModel(lattice, exchange=2.0), kT=kT, filling=0.5)(state) for kT in (1e-3, 0.0))
    torch.testing.assert_close(cold.energy, frozen.energy, atol=1e-10, rtol=0)
    torch.testing.assert_close(cold.field, frozen.field, atol=1e-10, rtol=0)


@pytest.mark.parametrize("kT", [0.0, 0.1])
def test_empty_and_full_bands_feel_nothing(kT: float) -> None:
    lattice = Lattice.square(3, 3)
    model = SDModel(lattice, exchange=2.0)
    for filling in (0.0, 1.0):
        result = ExactField(model, kT=kT, filling=filling)(spins.random(lattice))
        # trace of H is zero, so a full band has no energy either
        assert float(result.energy) == pytest.approx(0, abs=1e-12)
        torch.testing.assert_close(result.field, torch.zeros_like(result.field), atol=1e-12, rtol=0)
        assert result.density is not None
        torch.testing.assert_close(result.density, torch.full_like(result.density, 2 * filling), atol=1e-12, rtol=0)


def test_degenerate_ground_state_keeps_the_symmetry() -> None:
    # one electron in the fourfold level of a square lattice without exchange: shared equally, density is uniform
    lattice = Lattice.square(4, 4)
    density = ExactField(SDModel(lattice, exchange=0.0), kT=0.0, filling=3 / 32)(spins.random(lattice)).density
    assert density is not None
    torch.testing.assert_close(density, torch.full_like(density, 3 / 16), atol=1e-12, rtol=0)


def test_results_are_double_precision_whatever_the_spins() -> None:
    lattice = Lattice.square(3, 3)
    result = exact_field(lattice)(spins.random(lattice, dtype=torch.float32))
    assert result.energy.dtype == result.field.dtype == torch.float64


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"kT": 0.1}, "exactly one"),
        ({"kT": 0.1, "mu": 0.0, "filling": 0.5}, "exactly one"),
        ({"kT": -0.1, "mu": 0.0}, "kT >= 0"),
        ({"kT": math.nan, "mu": 0.0}, "kT >= 0"),
        ({"kT": 0.1, "mu": math.inf}, "finite"),
        ({"kT": 0.1, "filling": 1.5}, "filling = 1.5"),
        ({"kT": 0.1, "filling": 0.5, "twists": (2,)}, "2 whole numbers"),
        ({"kT": 0.1, "filling": 0.5, "twists": (0, 2)}, "2 whole numbers"),
    ],
)
def test_wrong_settings_are_refused(settings_: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ExactField(SDModel(Lattice.square(2, 2)), **settings_)


def test_wrong_spins_are_refused() -> None:
    exact = exact_field(Lattice.square(2, 2))
    state = spins.random(Lattice.square(2, 2))
    with pytest.raises(UserError, match=r"spins\[None\]"):
        exact(state[0])
    with pytest.raises(UserError, match="finite"):
        exact(state * math.nan)
    with pytest.raises(UserError, match="4, 3"):
        exact(spins.random(Lattice.square(2, 3)))
    with pytest.raises(UserError, match="dtype"):
        exact(torch.ones(1, 4, 3, dtype=torch.int64))
