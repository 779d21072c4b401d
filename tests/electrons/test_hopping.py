"""Hopping by distance and bond disorder: closed forms, crystals as free positions, laws on disordered lattices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sdgnn import ExactField, KPMField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons.hopping import BondDisorder, ExponentialHopping, fall

HOPPING = ExponentialHopping(decay=0.4, cutoff=1.8)
DISORDER = BondDisorder(width=0.5, seed=4)

MODELS = [
    SDModel(Lattice.triangular(4, 3), HOPPING, 2.0),
    SDModel(Lattice.triangular(4, 3).without([1, 7]), HOPPING, 2.0),
    SDModel(Lattice.triangular(4, 3).diluted(0.3, seed=2), [1.0], 2.0, DISORDER),
    SDModel(Lattice.amorphous(11, seed=1), HOPPING, 2.0),
    SDModel(Lattice.amorphous(9, dim=3, seed=1), HOPPING, 2.0, BondDisorder(width=0.3, distribution="normal")),
    SDModel(Lattice.kagome(2, 2), [1.0, -0.3], 2.0, DISORDER),
    SDModel(Lattice.square(2, 2), [1.0], 2.0, DISORDER),
    SDModel(Lattice.square(1, 3), [1.0], 2.0, DISORDER),
]
"""Vacancies, amorphous positions, bond disorder; sites that are several times each other's or their own neighbours."""


@pytest.fixture(params=MODELS, ids=repr)
def model(request: pytest.FixtureRequest) -> SDModel:
    return request.param


def test_exponential_hopping_in_closed_form() -> None:
    """t at distance 1, a pure exponential to half way between 1 and the cutoff, nothing from the cutoff on."""
    hopping = ExponentialHopping(t=1.5, decay=0.3, cutoff=1.8)
    lengths = np.array([0.8, 1.0, 1.2, 1.4])
    assert np.allclose(hopping(lengths), 1.5 * np.exp(-(lengths - 1) / 0.3), rtol=1e-14)
    assert np.allclose(hopping(np.array([1.6])), 1.5 * math.exp(-2) / 2, rtol=1e-14)
    assert (hopping(np.array([1.8, 2.5])) == 0).all()
    assert (np.diff(hopping(np.linspace(0.5, 1.8, 500))) < 0).all()


def test_the_cutoff_is_twice_differentiable() -> None:
    """First and second differences at both ends, h = 1e-3: a third derivative of 60 leaves 10 h^2 and 60 h."""
    h = 1e-3
    for end in (0.0, 1.0):
        below, at, above = fall(np.array([end - h, end, end + h]))
        assert abs(above - below) / (2 * h) < 10 * h**2
        assert abs(above - 2 * at + below) / h**2 < 61 * h
    assert abs(fall(np.array([0.5]))[0] - 0.5) < 1e-15


def test_hopping_by_distance_on_a_crystal_is_hopping_by_shell() -> None:
    """The square lattice with the two shells that lie within the cutoff."""
    lattice = Lattice.square(4, 5)
    by_shell = SDModel(lattice, HOPPING(np.array([1.0, math.sqrt(2)])).tolist())
    for twist in (None, (0.2, 0.4)):
        expected = by_shell.hopping_matrix(twist).toarray()
        for same in (lattice, Lattice.free(lattice.positions, lattice.cell)):
            assert np.allclose(SDModel(same, HOPPING).hopping_matrix(twist).toarray(), expected, atol=1e-14)


def test_vacancies_strike_rows_and_columns() -> None:
    lattice, taken = Lattice.triangular(5, 4), [0, 3, 11]
    left = np.setdiff1d(np.arange(lattice.n_sites), taken)
    whole = SDModel(lattice, HOPPING).hopping_matrix((0.1, 0.2)).toarray()
    cut = SDModel(lattice.without(taken), HOPPING).hopping_matrix((0.1, 0.2)).toarray()
    assert np.allclose(cut, whole[np.ix_(left, left)], atol=1e-14)


def test_a_vacancy_is_a_site_that_has_moved_out_of_reach() -> None:
    """In a cell with room, the levels are those without the site, and -J and J of the site alone."""
    positions = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.9], [10.0, 10.0]])
    cell = 20 * np.eye(2)
    state = spins.random(Lattice.free(positions, cell), seed=1)
    near = SDModel(Lattice.free(positions[:3], cell), HOPPING, 2.0).matrix(state[:, :3])
    far = SDModel(Lattice.free(positions, cell), HOPPING, 2.0).matrix(state)
    expected = np.sort([*np.linalg.eigvalsh(near[0].numpy()), -2.0, 2.0])
    assert np.allclose(np.linalg.eigvalsh(far[0].numpy()), expected, atol=1e-12)


def test_dense_and_matrix_free_products_agree(model: SDModel) -> None:
    twist = (0.3, 0.1, 0.2)[: model.lattice.dim]
    state = spins.random(model.lattice, replicas=2, seed=2)
    generator = torch.Generator().manual_seed(0)
    psi = torch.randn(2, model.lattice.n_sites, 2, 3, dtype=torch.complex128, generator=generator)
    dense = model.matrix(state, twist)
    torch.testing.assert_close(dense, dense.mH, rtol=0, atol=1e-14)
    expected = (dense @ psi.reshape(2, -1, 3)).reshape(psi.shape)
    torch.testing.assert_close(model.apply(state, psi, twist), expected, rtol=0, atol=1e-12)


def test_moments_are_sums_over_closed_paths(model: SDModel) -> None:
    """tr T^2 = sum over bonds of t_ij^2, after an average over twists that tells images of a site apart (bonds go round
    the cell less than 5 times), and tr H^2 = 2 tr T^2 + 2 N J^2, as sigma is traceless."""
    n, dim = model.lattice.n_sites, model.lattice.dim
    state = spins.random(model.lattice, seed=3)
    grid = np.stack(np.meshgrid(*[np.arange(5) / 5] * dim), -1).reshape(-1, dim)
    squares = []
    for twist in grid:
        hopping = model.hopping_matrix(tuple(twist)).toarray()
        squares.append(float((np.abs(hopping) ** 2).sum()))
        h = model.matrix(state, tuple(twist))[0].numpy()
        cross = 2 * model.exchange * 0.0  # sigma is traceless
        assert np.isclose((np.abs(h) ** 2).sum(), 2 * squares[-1] + 2 * n * model.exchange**2 + cross)
    assert np.isclose(np.mean(squares), float((model.amplitudes**2).sum()))


def test_field_is_minus_the_slope_of_the_energy(model: SDModel) -> None:
    """Central difference with h = 1e-4 along a random direction, at fixed filling: truncation of order h^2 = 1e-8."""
    field = ExactField(model, kT=0.3, filling=0.3)
    state = spins.random(model.lattice, replicas=2, seed=1)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(state.shape))
    along /= along.norm()
    slope = (field(state + 1e-4 * along).energy - field(state - 1e-4 * along).energy) / 2e-4
    expected = -(field(state).field * along).sum((1, 2))
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-6)


def test_the_kernel_polynomial_method_is_the_second_route(model: SDModel) -> None:
    """Full trace. Moments fall off as exp(-pi kT m / half width): exp(-25) after 400 of them at kT = 0.3, with spectra
    of half width below 15; rounding remains."""
    state = spins.random(model.lattice, replicas=2, seed=1)
    exact = ExactField(model, kT=0.3, filling=0.3)(state)
    found = KPMField(model, kT=0.3, filling=0.3, moments=400, vectors=None)(state)
    torch.testing.assert_close(found.energy, exact.energy, rtol=0, atol=1e-9)
    torch.testing.assert_close(found.field, exact.field, rtol=0, atol=1e-9)


def test_sum_rules_and_symmetry(model: SDModel) -> None:
    """Densities add up to the filling; torques of all spins cancel, as a rotation of all changes no energy."""
    field = ExactField(model, kT=0.3, filling=0.3)
    state = spins.random(model.lattice, seed=1)
    result = field(state)
    assert result.density is not None
    assert math.isclose(float(result.density.sum()), 0.3 * 2 * model.lattice.n_sites, rel_tol=1e-9)
    torque = torch.linalg.cross(state, result.field)
    assert float(torque.norm()) > 1e-2 * model.lattice.n_sites**0.5
    assert float(torque.sum(1).norm()) < 1e-9
    turn = torch.from_numpy(Rotation.random(random_state=1).as_matrix())
    turned = field(state @ turn.T)
    torch.testing.assert_close(turned.energy, result.energy, rtol=0, atol=1e-9)
    torch.testing.assert_close(turned.field, result.field @ turn.T, rtol=0, atol=1e-9)


def test_moving_all_positions_rigidly_changes_nothing() -> None:
    lattice = Lattice.amorphous(10, seed=3)
    turn = Rotation.from_rotvec([0, 0, 0.7]).as_matrix()[:2, :2]
    moved = Lattice.free(lattice.positions @ turn.T + 0.3, lattice.cell @ turn.T)
    state = spins.random(lattice, seed=1)
    one, other = (ExactField(SDModel(place, HOPPING), kT=0.2, mu=-1.0)(state) for place in (lattice, moved))
    torch.testing.assert_close(one.energy, other.energy, rtol=0, atol=1e-9)
    torch.testing.assert_close(one.field, other.field, rtol=0, atol=1e-9)


@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_bond_disorder_has_its_law(distribution: Any) -> None:
    """Mean 0 and variance w^2 / 3 or w^2 of 3 x 40^2 = 4800 bonds: standard errors w / sqrt(4800), and below
    sqrt(2 / 4800) of the variance; five of them are allowed."""
    bonds = Lattice.triangular(40, 40).bonds(1)
    delta = BondDisorder(width=0.4, distribution=distribution, seed=7).draw(bonds)
    assert (delta == delta[bonds.reversed]).all()
    once = delta[np.arange(len(bonds)) < bonds.reversed]
    variance = 0.4**2 / (3 if distribution == "uniform" else 1)
    assert len(once) == 4800
    assert len(np.unique(once)) == 4800
    assert abs(once.mean()) < 5 * 0.4 / 4800**0.5
    assert abs(once.var() / variance - 1) < 5 * (2 / 4800) ** 0.5
    assert distribution == "normal" or np.abs(once).max() <= 0.4


def test_realisations_repeat_with_their_seed() -> None:
    lattice = Lattice.kagome(3, 3)
    one, same, other = (SDModel(lattice, disorder=BondDisorder(width=0.3, seed=seed)).amplitudes for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).all()
    clean = SDModel(lattice, disorder=BondDisorder(width=0.0)).amplitudes
    assert (clean == 1).all()


def test_a_model_comes_back_from_its_plain_dict(model: SDModel) -> None:
    again = SDModel.from_dict(Lattice.from_dict(model.lattice.to_dict()), model.to_dict())
    assert again.to_dict() == model.to_dict()
    assert (again.amplitudes == model.amplitudes).all()


def test_hopping_by_shell_is_described_as_before() -> None:
    """Hashes of label sets are made from this."""
    assert SDModel(Lattice.square(3, 3), [1.0, 0.5], 2.0).to_dict() == {"hopping": [1.0, 0.5], "exchange": 2.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hopping": {"form": "exponential", "decay": -1.0}}, "decay"),
        ({"hopping": {"form": "gaussian"}}, "form"),
        ({"hopping": {"decya": 0.3}}, "decya"),
        ({"hopping": {"cutoff": 0.9}}, "cutoff"),
        ({"disorder": {"width": -0.1}}, "width"),
        ({"disorder": {}}, "width"),
    ],
)
def test_wrong_models_are_refused(given: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        SDModel(Lattice.square(3, 3), **given)


def test_a_number_for_each_shell_means_nothing_on_amorphous_positions() -> None:
    with pytest.raises(UserError, match="ExponentialHopping"):
        SDModel(Lattice.amorphous(12), [1.0])
    with pytest.raises(UserError, match="hopping, exchange, disorder and spin_orbit"):
        SDModel.from_dict(Lattice.square(3, 3), {"hopping": [1.0], "exchange": 1.0, "decay": 0.3})
