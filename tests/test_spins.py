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
from sdgnn.fields import Heisenberg

ORDERS = {
    "ferro": spins.ferro(Lattice.kagome(2, 3), direction=(1, 2, 2)),
    "neel": spins.neel(Lattice.honeycomb(3, 2)),
    "stripe": spins.stripe(Lattice.triangular(3, 4), axis=1),
    "order120": spins.order120(Lattice.triangular(3, 6)),
    "q0": spins.q0(Lattice.kagome(2, 3), chirality=-1),
    "sqrt3": spins.sqrt3(Lattice.kagome(3, 6)),
    "zigzag": spins.zigzag(Lattice.honeycomb(2, 3), bond=1),
    "stripy": spins.stripy(Lattice.honeycomb(3, 2)),
    "a_type": spins.a_type(Lattice.cubic(3, 3, 2)),
    "c_type": spins.c_type(Lattice.cubic(2, 2, 3)),
    "spiral": spins.spiral(Lattice.kagome(2, 5), (1, -2), (1, 2, 2)),
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


# -- orders of kagome, honeycomb and cubic lattices ---------------------------------------------------------------


def vector_chirality(lattice: Lattice, state: torch.Tensor) -> torch.Tensor:
    """(2 / 3 sqrt(3)) sum (S_i x S_j)_z over counter-clockwise bonds, of the triangles with sides of length 1: those of
    the unit cells first, which point up, then those that point down."""
    corners, whole = lattice.triangle_corners, lattice.triangles
    elementary = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1) < 1.01
    up = np.sort(corners[elementary][:, :, 1], axis=1)
    points_up = up[:, 1] - up[:, 0] < 0.1  # two corners below
    triangles = np.concatenate([whole[elementary][points_up], whole[elementary][~points_up]])
    i, j, k = (state[0, corner] for corner in triangles.T)
    total = sum(torch.linalg.cross(a, b)[:, 2] for a, b in ((i, j), (j, k), (k, i)))
    return 2 / (3 * math.sqrt(3)) * total


@pytest.mark.parametrize("chirality", [1, -1])
@pytest.mark.parametrize("order", [spins.q0, spins.sqrt3], ids=["q0", "sqrt3"])
def test_kagome_orders_have_uniform_and_staggered_chirality(order, chirality) -> None:
    lattice = Lattice.kagome(3, 6)
    found = vector_chirality(lattice, order(lattice, chirality))
    cells = lattice.n_sites // 3
    assert len(found) == 2 * cells
    torch.testing.assert_close(found[:cells], torch.full((cells,), float(chirality), dtype=torch.float64))
    sign = 1 if order is spins.q0 else -1
    torch.testing.assert_close(found[cells:], sign * found[:cells])


@pytest.mark.parametrize(("J2", "lower"), [(-0.1, "q0"), (0.1, "sqrt3")])
def test_second_neighbours_choose_between_kagome_orders(J2: float, lower: str) -> None:
    """E/N = J1 + J2 at q = 0 and J1 - 2 J2 at sqrt(3) x sqrt(3), with E = - sum J S . S and z1 = z2 = 4 (Harris, Kallin
    and Berlinsky 1992): antiferromagnetic J2 < 0 prefers q = 0. No random state lies lower."""
    lattice = Lattice.kagome(3, 3)
    field = Heisenberg(lattice, [-1.0, J2])
    energies = {name: float(field(getattr(spins, name)(lattice)).energy) / 27 for name in ("q0", "sqrt3")}
    assert energies == {"q0": pytest.approx(-1 + J2), "sqrt3": pytest.approx(-1 - 2 * J2)}
    assert min(energies, key=lambda name: energies[name]) == lower
    assert float(field(spins.random(lattice, 20)).energy.min()) / 27 > min(energies.values())


def shell_cosines(lattice: Lattice, state: torch.Tensor, shells: int) -> list[float]:
    """Mean S_i . S_j of each shell."""
    bonds = lattice.bonds(shells)
    products = (state[0, bonds.source] * state[0, bonds.target]).sum(-1).numpy()
    return [float(products[bonds.shell == k].mean()) for k in range(shells)]


@pytest.mark.parametrize("bond", [0, 1, 2])
def test_honeycomb_orders(bond: int) -> None:
    """Sums over the 3, 6 and 3 neighbours of the shells: 1, -2, -3 (zigzag), -1, -2, 3 (stripy) and -3, 6, -3 (Neel).

    The one bond that differs has the direction that is named. Source: Fouet, Sindzingre and Lhuillier, Eur. Phys. J. B
    20, 241 (2001), doi:10.1007/s100510170273."""
    lattice = Lattice.honeycomb(4, 2)
    sums = {"zigzag": [1, -2, -3], "stripy": [-1, -2, 3]}
    bonds = lattice.bonds(1)
    named = np.array([[0, 1], [math.sqrt(3) / 2, -0.5], [-math.sqrt(3) / 2, -0.5]])[bond]
    special = (np.abs(bonds.vector @ named) > 0.99) & (bonds.source % 2 == 0)
    for name, expected in sums.items():
        state = getattr(spins, name)(lattice, bond)
        assert np.array(shell_cosines(lattice, state, 3)) * [3, 6, 3] == pytest.approx(expected)
        products = (state[0, bonds.source] * state[0, bonds.target]).sum(-1)[special]
        assert products.tolist() == [-1.0 if name == "zigzag" else 1.0] * 8
    neel = spins.neel(lattice)
    assert np.array(shell_cosines(lattice, neel, 3)) * [3, 6, 3] == pytest.approx([-3, 6, -3])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_cubic_types(axis: int) -> None:
    """Sums over the 6, 12 and 8 neighbours of the shells: A 2, -4, -8; C -2, -4, 8; G -6, 12, -8."""
    lattice = Lattice.cubic(4, 4, 4)
    found = {name: getattr(spins, name)(lattice, axis) for name in ("a_type", "c_type")} | {"g": spins.neel(lattice)}
    sums = {name: np.array(shell_cosines(lattice, state, 3)) * [6, 12, 8] for name, state in found.items()}
    assert sums["a_type"] == pytest.approx([2, -4, -8]) and sums["c_type"] == pytest.approx([-2, -4, 8])
    assert sums["g"] == pytest.approx([-6, 12, -8])
    along = found["c_type"].reshape(4, 4, 4, 3).movedim(axis, 0)
    assert torch.equal(along, along[:1].expand_as(along))


def test_spirals_turn_as_they_say() -> None:
    lattice = Lattice.triangular(6, 4)
    state = spins.spiral(lattice, (1, 0), normal=(0, 3, 0))[0].reshape(6, 4, 3)
    torch.testing.assert_close(state[..., 1], torch.zeros(6, 4, dtype=torch.float64))
    torch.testing.assert_close((state * state.roll(-1, 0)).sum(-1), torch.full((6, 4), 0.5, dtype=torch.float64))
    torch.testing.assert_close(state, state[:, :1].expand_as(state))
    turn = torch.linalg.cross(state, state.roll(-1, 0))
    torch.testing.assert_close(turn[..., 1], torch.full((6, 4), math.sqrt(0.75), dtype=torch.float64))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spins.q0(Lattice.triangular(3, 3)), "kagome lattices"),
        (lambda: spins.sqrt3(Lattice.kagome(3, 4)), "multiples of 3"),
        (lambda: spins.zigzag(Lattice.honeycomb(2, 3)), "multiples of 2"),
        (lambda: spins.zigzag(Lattice.square(2, 2)), "honeycomb lattices"),
        (lambda: spins.stripy(Lattice.honeycomb(2, 2), bond=3), "0, 1 or 2"),
        (lambda: spins.a_type(Lattice.cubic(2, 2, 3)), "multiples of 2"),
        (lambda: spins.c_type(Lattice.cubic(2, 3, 2)), "multiples of 2"),
        (lambda: spins.c_type(Lattice.cubic(2, 2, 2), axis=3), "0 to 2"),
        (lambda: spins.spiral(Lattice.chain(4), (1, 0)), "1 whole numbers"),
        (lambda: spins.spiral(Lattice.chain(4), normal=(0, 0, 0)), "not all zero"),
    ],
)
def test_orders_that_do_not_fit_are_refused(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
