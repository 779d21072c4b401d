"""Couplings of pairs of spins beyond balls: FFT, perturbation theory, exact electrons, and laws of the field."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel, TruncatedField, spins
from sdgnn.cli.config.fields import FieldConfig
from sdgnn.common.errors import UserError
from sdgnn.electrons.truncated import PairTail, medium, with_pair_tail
from sdgnn.electrons.truncated.medium import Medium
from sdgnn.electrons.truncated.pair_tail import Pairs
from sdgnn.fields import Sum
from sdgnn.fields.testing import check_field
from sdgnn.train.metrics import torque_part


def symmetric(cells: tuple[int, ...], n_basis: int) -> np.ndarray:
    couplings = np.random.default_rng(0).standard_normal((*cells, n_basis, n_basis))
    return couplings + np.flip(couplings, axis=tuple(range(len(cells)))).swapaxes(-1, -2)


def r_squared(field: torch.Tensor, true: torch.Tensor, states: torch.Tensor) -> float:
    error, torque = torque_part(field - true, states), torque_part(true, states)
    return float(1 - error.square().sum() / torque.square().sum())


@pytest.mark.parametrize(
    ("lattice", "cells"),
    [(Lattice.kagome(3, 4), (5, 7)), (Lattice.chain(6), (3,)), (Lattice.cubic(2, 3, 4), (3, 3, 5))],
    ids=str,
)
def test_the_transform_is_the_sum_over_pairs(lattice: Lattice, cells: tuple[int, ...]) -> None:
    couplings = symmetric(cells, lattice.n_basis)
    states = spins.random(lattice, replicas=2, seed=1)
    result = PairTail(lattice, couplings)(states)
    assert lattice.shape is not None
    number = np.arange(lattice.n_sites).reshape(*lattice.shape, lattice.n_basis)
    expected = torch.zeros_like(states)
    for index in np.ndindex(*couplings.shape):
        away, a, b = np.array(index[:-2]) - np.array(cells) // 2, index[-2], index[-1]
        target = np.roll(number[..., b], tuple(-away), axis=tuple(range(lattice.dim)))
        expected[:, number[..., a].ravel()] += couplings[index] * states[:, target.ravel()]
    torch.testing.assert_close(result.field, expected)
    torch.testing.assert_close(result.energy, -0.5 * (states * expected).sum((1, 2)))


def test_weak_exchange_couples_by_the_susceptibility_of_free_electrons(monkeypatch: pytest.MonkeyPatch) -> None:
    n, kT, mu, exchange = 9, 0.3, -1.1, 1e-3
    monkeypatch.setitem(medium.MESH, 2, n)
    monkeypatch.setattr(medium, "HIGHEST", 100.0)  # sums over w^-4 beyond it: 1e-7 of the nearest neighbours' coupling
    found = Medium(SDModel(Lattice.triangular(4, 4), exchange=exchange), kT).couplings(mu)[..., 0, 0]
    k = 2 * np.pi * np.arange(n) / n
    x, y = np.meshgrid(k, k, indexing="ij")
    level = -2 * (np.cos(x) + np.cos(y) + np.cos(x - y))
    f = 1 / (np.exp((level - mu) / kT) + 1)
    chi = np.zeros((n, n))
    for shift in np.ndindex(n, n):
        other, g = (np.roll(array, shift, axis=(0, 1)) for array in (level, f))
        apart = np.abs(other - level) > 1e-9
        slope = f * (1 - f) / kT
        chi[shift] = np.where(apart, (f - g) / np.where(apart, other - level, 1.0), slope).mean()
    expected = np.fft.ifft2(2 * exchange**2 * chi).real
    expected[0, 0] = 0
    # J enters to fourth order as (J / kT)^2 = 1e-5
    np.testing.assert_allclose(found, expected, atol=3e-5 * np.abs(expected).max())


@pytest.mark.parametrize("lattice", [Lattice.honeycomb(7, 7), Lattice.kagome(5, 5), Lattice.chain(11)], ids=repr)
def test_weak_exchange_couples_as_exact_electrons_do(lattice: Lattice, monkeypatch: pytest.MonkeyPatch) -> None:
    """One short spin, and the exact field on all others, to second order."""
    assert lattice.shape is not None
    kT, mu = 0.3, -0.7
    monkeypatch.setitem(medium.MESH, lattice.dim, lattice.shape[0])
    monkeypatch.setattr(medium, "HIGHEST", 100.0)
    model = SDModel(lattice, exchange=1e-3)
    couplings = Medium(model, kT).couplings(mu)
    tail = PairTail(lattice, np.fft.fftshift(couplings, axes=range(lattice.dim)))
    state = torch.zeros(1, lattice.n_sites, 3, dtype=torch.float64)
    state[0, 1, 2] = 1
    exact = ExactField(model, kT=kT, mu=mu)(state).field[0, :, 2]
    exact[1] = 0
    torch.testing.assert_close(tail(state).field[0, :, 2], exact, rtol=0, atol=3e-5 * float(exact.abs().max()))


@pytest.mark.parametrize("exchange", [0.5, 3.0])
def test_the_medium_holds_as_many_electrons_as_random_spins(exchange: float) -> None:
    model = SDModel(Lattice.triangular(12, 12), exchange=exchange)
    states = spins.random(model.lattice, replicas=3, seed=2)
    found = Medium(model, 0.1).chemical_potential(0.3)
    true = ExactField(model, kT=0.1, filling=0.3, twists=(2, 2)).chemical_potential(states)
    # states of so few sites differ by about .02; sites that see each other are no part of a coherent medium
    assert found == pytest.approx(float(true.mean()), abs=0.04)
    assert Medium(model, 0.1).chemical_potential(0.0) == -np.inf


def test_kinds_of_pairs_are_the_orbits_of_the_crystal() -> None:
    field = TruncatedField(SDModel(Lattice.square(4, 4)), kT=0.1, filling=0.3, cutoff=1, moments=5)
    assert sorted(map(len, Pairs.of(field).places)) == [4, 4, 4]  # (1, 0), (1, 1), (2, 0)
    kagome = TruncatedField(SDModel(Lattice.kagome(2, 2)), kT=0.1, filling=0.3, cutoff=1, moments=5)
    # one, and two bonds, these along a line (length 2) and round a corner (square root of 3)
    assert sorted(map(len, Pairs.of(kagome).places)) == [12, 12, 12]


@pytest.fixture(scope="module")
def weak() -> tuple[TruncatedField, PairTail]:
    field = TruncatedField(SDModel(Lattice.triangular(6, 6), exchange=0.5), kT=0.1, filling=0.3)
    return field, PairTail.of(field)


def test_laws(weak: tuple[TruncatedField, PairTail]) -> None:
    check_field(weak[0] + weak[1])


def test_larger_lattices_have_the_same_couplings(weak: tuple[TruncatedField, PairTail]) -> None:
    small, large = Lattice.triangular(5, 6), Lattice.triangular(15, 12)
    state = spins.random(small, seed=3)
    repeated = state.reshape(1, 5, 6, 3).repeat(1, 3, 2, 1).reshape(1, -1, 3)
    one, many = weak[1].on(small)(state), weak[1].on(large)(repeated)
    torch.testing.assert_close(many.energy, 6 * one.energy)
    torch.testing.assert_close(many.field.reshape(15, 12, 3)[:5, :6].reshape(1, -1, 3), one.field)
    single = weak[1].on(small)(state.float()).field
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), one.field, atol=1e-6, rtol=1e-4)


def test_random_spins_at_weak_coupling(weak: tuple[TruncatedField, PairTail]) -> None:
    """The truncated field alone misses a good part; what is left with the tail is of higher order in J."""
    lattice = Lattice.triangular(12, 12)
    field, tail = weak[0].on(lattice), weak[1].on(lattice)
    states = spins.random(lattice, seed=4)
    true = ExactField(field.model, kT=0.1, filling=0.3, twists=(2, 2))(states).field
    assert r_squared(field(states).field, true, states) < 0.97
    assert r_squared((field + tail)(states).field, true, states) > 0.99


def test_the_tail_is_off_where_it_does_nothing() -> None:
    strong = TruncatedField(SDModel(Lattice.square(6, 6), exchange=3.0), kT=0.1, filling=0.5)
    assert with_pair_tail(strong) is strong
    empty = TruncatedField(SDModel(Lattice.square(6, 6), exchange=0.5), kT=0.1, filling=0.0)
    assert PairTail.of(empty).share == 0
    assert with_pair_tail(empty) is empty


def test_the_tail_is_off_where_it_does_harm() -> None:
    lattice = Lattice.square(8, 8)
    field = TruncatedField(SDModel(lattice, exchange=0.5), kT=0.1, filling=0.1)
    noise = 0.3 * torch.from_numpy(np.random.default_rng(0).standard_normal((1, lattice.n_sites, 3)))
    ferro = spins.ferro(lattice) + noise
    assert with_pair_tail(field, states=ferro / ferro.norm(dim=-1, keepdim=True)) is field
    assert isinstance(with_pair_tail(field, states=spins.random(lattice, seed=1)), Sum)


def test_refusals(weak: tuple[TruncatedField, PairTail]) -> None:
    lattice = Lattice.square(4, 4)
    with pytest.raises(UserError, match="crystals"):
        PairTail(lattice.without([0]), np.zeros((3, 3, 1, 1)))
    with pytest.raises(UserError, match="odd"):
        PairTail(lattice, np.zeros((4, 4, 1, 1)))
    with pytest.raises(UserError, match="differ"):
        PairTail(lattice, np.random.default_rng(0).standard_normal((3, 3, 1, 1)))
    with pytest.raises(UserError, match="same crystal"):
        weak[1].on(lattice)
    with pytest.raises(UserError, match="disorder"):
        Medium(SDModel(lattice.without([0])), 0.1)
    lieb = Lattice.crystal([[2, 0], [0, 2]], [[0, 0], [1, 0], [0, 1]], (3, 3))
    with pytest.raises(UserError, match="equivalent"):
        Medium(SDModel(lieb), 0.1)


@pytest.mark.parametrize(("exchange", "kind"), [(0.5, Sum), (3.0, TruncatedField)])
def test_configurations_add_it_where_it_counts(exchange: float, kind: type) -> None:
    electrons = {
        "solver": "truncated", "kT": 0.1, "filling": 0.3, "cutoff": 2, "moments": 9, "pair_tail": True,
        "hamiltonian": {"exchange": exchange},
    }  # fmt: skip
    if kind is TruncatedField:
        electrons |= {"cutoff": 4, "moments": 31}
    field = FieldConfig.model_validate({"electrons": electrons}).build(Lattice.square(8, 8))
    assert type(field) is kind
