"""Spin states: unit length, closed forms of every order, independent random streams, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError

ORDERS = {
    "ferro": spins.ferro(Lattice.kagome(2, 3), direction=(1, 2, 2)),
    "neel": spins.neel(Lattice.honeycomb(3, 2)),
    "stripe": spins.stripe(Lattice.triangular(3, 4), axis=1),
    "order120": spins.order120(Lattice.triangular(3, 6)),
    "tetrahedral": spins.tetrahedral(Lattice.triangular(4, 6)),
    "skyrmion_crystal": spins.skyrmion_crystal(Lattice.triangular(6, 6), period=6),
}


def bond_cosines(lattice: Lattice, state: torch.Tensor) -> torch.Tensor:
    bonds = lattice.bonds(1)
    return (state[:, bonds.source] * state[:, bonds.target]).sum(-1)


def triple_products(lattice: Lattice, state: torch.Tensor) -> torch.Tensor:
    i, j, k = lattice.triangles.T
    return (state[:, i] * torch.linalg.cross(state[:, j], state[:, k])).sum(-1)


def skyrmions(lattice: Lattice, state: torch.Tensor) -> float:
    """Berg-Luescher number: solid angles of all triangles over 4 pi."""
    a, b, c = (state[0, corner] for corner in lattice.triangles.T)
    volume = (a * torch.linalg.cross(b, c)).sum(-1)
    rest = 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
    return float(torch.atan2(volume, rest).sum() / (2 * math.pi))


@pytest.mark.parametrize("name", ORDERS)
def test_orders_are_unit_spins_in_every_replica(name: str) -> None:
    state = ORDERS[name]
    assert state.dtype == torch.float64
    torch.testing.assert_close(state.norm(dim=-1), torch.ones(state.shape[:2], dtype=torch.float64))


def test_replicas_and_dtype() -> None:
    lattice = Lattice.square(2, 2)
    state = spins.neel(lattice, replicas=3, dtype=torch.float32)
    assert state.shape == (3, 4, 3)
    assert state.dtype == torch.float32
    assert spins.random(lattice, replicas=2, dtype=torch.float32).dtype == torch.float32


@pytest.mark.parametrize(
    "lattice",
    [Lattice.chain(6), Lattice.square(4, 2), Lattice.cubic(2, 4, 2), Lattice.honeycomb(3, 3), Lattice.honeycomb(1, 1)],
    ids=repr,
)
def test_neel_neighbours_are_antiparallel(lattice: Lattice) -> None:
    assert torch.all(bond_cosines(lattice, spins.neel(lattice)) == -1)


@pytest.mark.parametrize(
    "lattice", [Lattice.chain(5), Lattice.square(4, 3), Lattice.triangular(4, 4), Lattice.kagome(2, 2)], ids=repr
)
def test_neel_needs_a_bipartite_lattice(lattice: Lattice) -> None:
    with pytest.raises(UserError, match="bipartite"):
        spins.neel(lattice)


def test_stripes_have_two_parallel_and_four_antiparallel_neighbours() -> None:
    lattice = Lattice.triangular(4, 3)
    cosines = bond_cosines(lattice, spins.stripe(lattice, axis=0)).reshape(12, 6)
    assert torch.all(cosines.sum(1) == -2)
    with pytest.raises(UserError, match="multiples of 2"):
        spins.stripe(lattice, axis=1)


@pytest.mark.parametrize("lattice", [Lattice.triangular(3, 6), Lattice.kagome(2, 3)], ids=repr)
def test_order120_sums_to_zero_on_every_elementary_triangle(lattice: Lattice) -> None:
    for chirality in (1, -1):
        state = spins.order120(lattice, chirality)
        expected = torch.full((1, len(lattice.bonds(1))), -0.5, dtype=torch.float64)
        torch.testing.assert_close(bond_cosines(lattice, state), expected)
    with pytest.raises(UserError, match="multiples of 3"):
        spins.order120(Lattice.triangular(4, 6))
    with pytest.raises(UserError, match="kagome"):
        spins.order120(Lattice.square(3, 3))


@pytest.mark.parametrize("chirality", [1, -1])
def test_tetrahedral_chirality_and_angles(chirality: int) -> None:
    lattice = Lattice.triangular(4, 6)
    state = spins.tetrahedral(lattice, chirality)
    products = triple_products(lattice, state)
    torch.testing.assert_close(products, torch.full_like(products, chirality * 4 / (3 * math.sqrt(3))))
    cosines = bond_cosines(lattice, state)
    torch.testing.assert_close(cosines, torch.full_like(cosines, -1 / 3))
    # one solid angle of 4 pi / 4 per triangle
    assert skyrmions(lattice, state) == pytest.approx(chirality * lattice.n_sites / 2)


def test_tetrahedral_needs_even_extents_of_a_triangular_lattice() -> None:
    with pytest.raises(UserError, match="multiples of 2"):
        spins.tetrahedral(Lattice.triangular(4, 5))
    with pytest.raises(UserError, match="triangular"):
        spins.tetrahedral(Lattice.square(4, 4))
    with pytest.raises(UserError, match="chirality"):
        spins.tetrahedral(Lattice.triangular(4, 4), chirality=2)


@pytest.mark.parametrize("kind", ["bloch", "neel"])
@pytest.mark.parametrize("core", [1, -1])
@pytest.mark.parametrize(
    ("lattice", "period", "count"),
    [(Lattice.triangular(5, 10), 5, 2), (Lattice.kagome(4, 4), 4, 1), (Lattice.honeycomb(8, 4), 4, 2)],
    ids=["triangular", "kagome", "honeycomb"],
)
def test_skyrmion_crystal_holds_one_skyrmion_per_period(
    lattice: Lattice, period: int, count: int, core: int, kind: str
) -> None:
    state = spins.skyrmion_crystal(lattice, period, kind, core)
    assert skyrmions(lattice, state) == pytest.approx(core * count)
    assert float(state[0, 0, 2]) == pytest.approx(core)


def test_skyrmions_of_the_two_kinds_turn_along_and_across_the_radius() -> None:
    lattice = Lattice.triangular(12, 12)
    neighbour = 12  # the site at (1, 0)
    bloch, neel = (spins.skyrmion_crystal(lattice, 12, kind)[0, neighbour] for kind in ("bloch", "neel"))
    assert abs(bloch[0]) < 1e-12 < abs(bloch[1])
    assert abs(neel[1]) < 1e-12 < abs(neel[0])


def test_skyrmion_crystal_refusals() -> None:
    with pytest.raises(UserError, match="multiples of 4"):
        spins.skyrmion_crystal(Lattice.triangular(6, 8), 4)
    with pytest.raises(UserError, match="at least 3"):
        spins.skyrmion_crystal(Lattice.triangular(6, 6), 2)
    with pytest.raises(UserError, match="kind"):
        spins.skyrmion_crystal(Lattice.triangular(6, 6), 3, kind="round")
    with pytest.raises(UserError, match="honeycomb"):
        spins.skyrmion_crystal(Lattice.square(6, 6), 3)


def test_random_spins_are_uniform_on_the_sphere() -> None:
    state = spins.random(Lattice.square(100, 100), seed=4)[0]
    # means of n = 10^4 components with variances 1/3 and 4/45; five standard errors
    assert float(state.mean(0).abs().max()) < 5 * math.sqrt(1 / 3 / 1e4)
    assert float(((state**2).mean(0) - 1 / 3).abs().max()) < 5 * math.sqrt(4 / 45 / 1e4)


@given(st.integers(0, 2**63), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_random_states_do_not_depend_on_the_number_of_replicas(seed: int, replicas: int) -> None:
    lattice = Lattice.chain(3)
    many = spins.random(lattice, replicas=5, seed=seed)
    few = spins.random(lattice, replicas=replicas, seed=seed)
    assert torch.equal(many[:replicas], few)
    assert torch.equal(spins.noisy(many, 0.3, seed)[:replicas], spins.noisy(few, 0.3, seed))
    assert torch.equal(spins.rotate_randomly(many, seed)[:replicas], spins.rotate_randomly(few, seed))
    assert not torch.equal(many[0], many[1])


def test_noise_is_independent_of_a_random_state_of_the_same_seed() -> None:
    # were both drawn from one stream, the noise would lie along the spins and change nothing
    lattice = Lattice.square(20, 20)
    state = spins.random(lattice, seed=7)
    cosine = (spins.noisy(state, 0.5, seed=7) * state).sum(-1)
    assert 0.5 < float(cosine.mean()) < 0.95


def test_noise_of_small_strength_tilts_by_its_strength() -> None:
    state = spins.ferro(Lattice.square(100, 100))
    strength = 0.01
    moved = spins.noisy(state, strength, seed=1)
    # the two transverse components have variance strength^2; 5 standard errors plus the quadratic correction
    assert float(moved[..., :2].std()) == pytest.approx(strength, rel=5 / math.sqrt(4e4) + 1e-3)
    assert torch.equal(spins.noisy(state, 0.0), state)
    with pytest.raises(UserError, match="noise"):
        spins.noisy(state, -1.0)


def test_rotations_keep_all_angles_and_are_uniform() -> None:
    state = spins.random(Lattice.chain(4), seed=2).repeat(4000, 1, 1)
    turned = spins.rotate_randomly(state, seed=3)
    torch.testing.assert_close(turned @ turned.mT, state @ state.mT, atol=1e-12, rtol=0)
    torch.testing.assert_close(triple_products_of_first(turned), triple_products_of_first(state), atol=1e-12, rtol=0)
    # the first spin becomes uniform: variance 1/3 per component, five standard errors
    assert float(turned[:, 0].mean(0).abs().max()) < 5 * math.sqrt(1 / 3 / 4000)


def triple_products_of_first(state: torch.Tensor) -> torch.Tensor:
    return torch.linalg.det(state[:, :3])


def test_rotate_refuses_what_is_no_rotation() -> None:
    state = spins.random(Lattice.chain(3))
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(
        spins.rotate(state, quarter), torch.stack([-state[..., 1], state[..., 0], state[..., 2]], dim=-1)
    )
    with pytest.raises(UserError, match="no rotation"):
        spins.rotate(state, -torch.eye(3))
    with pytest.raises(UserError, match="no rotation"):
        spins.rotate(state, 2 * torch.eye(3))
    with pytest.raises(UserError, match="shape"):
        spins.rotate(state, torch.eye(2))


def test_bad_input_is_refused() -> None:
    lattice = Lattice.square(2, 2)
    with pytest.raises(UserError, match="seed"):
        spins.random(lattice, seed=-1)
    with pytest.raises(UserError, match="replicas"):
        spins.random(lattice, replicas=0)
    with pytest.raises(UserError, match="direction"):
        spins.ferro(lattice, direction=(0, 0, 0))
    with pytest.raises(UserError, match="free lattice"):
        spins.stripe(Lattice.free([[0.0, 0.0], [1.0, 0.0]], np.eye(2) * 2))
