"""Lattices: sizes, shells, bonds on tiny cells, positions, triangles, graphs, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import Lattice
from sdgnn.common.errors import UserError

FAMILIES = [
    Lattice.chain(6),
    Lattice.square(3, 4),
    Lattice.triangular(4, 3),
    Lattice.honeycomb(3, 2),
    Lattice.kagome(2, 3),
    Lattice.cubic(2, 3, 4),
    Lattice.crystal([[1.0, 0.2], [-0.3, 1.4]], [[0.0, 0.0], [0.4, 0.5]], (3, 4)),
]
PLANES = [lattice for lattice in FAMILIES if lattice.dim == 2]


@pytest.mark.parametrize(
    ("lattice", "numbers", "squares"),
    [
        (Lattice.chain(9), [2, 2, 2], [1, 4, 9]),
        (Lattice.square(7, 7), [4, 4, 4, 8], [1, 2, 4, 5]),
        (Lattice.triangular(7, 7), [6, 6, 6, 12], [1, 3, 4, 7]),
        (Lattice.honeycomb(5, 5), [3, 6, 3, 6], [1, 3, 4, 7]),
        (Lattice.kagome(5, 5), [4, 4, 6], [1, 3, 4]),
        (Lattice.cubic(5, 5, 5), [6, 12, 8, 6], [1, 2, 3, 4]),
    ],
    ids=repr,
)
def test_shells_of_the_known_lattices(lattice: Lattice, numbers: list[int], squares: list[int]) -> None:
    bonds = lattice.bonds(len(numbers))
    assert np.allclose(lattice.shell_distances(len(numbers)) ** 2, squares)
    for shell, (number, square) in enumerate(zip(numbers, squares, strict=True)):
        at_shell = bonds.shell == shell
        assert np.all(np.bincount(bonds.source[at_shell], minlength=lattice.n_sites) == number)
        assert np.allclose((bonds.vector[at_shell] ** 2).sum(1), square)


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
def test_bonds_join_their_sites_and_come_from_either_end(lattice: Lattice) -> None:
    bonds = lattice.bonds(3)
    gap = lattice.positions[bonds.source] + bonds.vector - lattice.positions[bonds.target]
    windings = gap @ np.linalg.inv(lattice.cell)
    assert np.allclose(windings, np.round(windings), atol=1e-9)
    assert np.all(np.diff(bonds.source) >= 0)

    def keys(source: np.ndarray, target: np.ndarray, vector: np.ndarray) -> list[tuple[float, ...]]:
        return sorted(zip(source, target, *(np.round(vector, 6) + 0.0).T, strict=True))

    assert keys(bonds.source, bonds.target, bonds.vector) == keys(bonds.target, bonds.source, -bonds.vector)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 2), (2, 3)])
def test_each_image_is_a_bond_of_its_own_on_tiny_lattices(shape: tuple[int, int]) -> None:
    for lattice in (Lattice.square(*shape), Lattice.triangular(*shape)):
        bonds = lattice.bonds(2)
        large = lattice.resized(9, 9).bonds(2)
        z = len(large) // 81
        assert len(bonds) == z * lattice.n_sites
        # every site sees the same displacements as on a large lattice
        assert np.allclose(bonds.vector.reshape(-1, z, 2), large.vector.reshape(-1, z, 2)[0])
    if shape == (2, 2):
        square = Lattice.square(2, 2).bonds(1)
        assert sorted(square.target[square.source == 0]) == [1, 1, 2, 2]


def test_square_bonds_run_counter_clockwise_from_the_x_axis() -> None:
    lattice = Lattice.square(5, 4)
    bonds = lattice.bonds(1)
    assert np.allclose(bonds.vector[:4], [[1, 0], [0, 1], [-1, 0], [0, -1]])
    assert bonds.target[:4].tolist() == [4, 1, 16, 3]


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
def test_free_positions_have_the_bonds_of_their_crystal(lattice: Lattice) -> None:
    free = Lattice.free(lattice.positions, lattice.cell)
    cutoff = float(lattice.shell_distances(2)[-1])
    theirs, ours = free.bonds_within(cutoff), lattice.bonds_within(cutoff)
    assert np.array_equal(theirs.source, ours.source)
    assert np.array_equal(theirs.target, ours.target)
    assert np.allclose(theirs.vector, ours.vector)
    assert set(theirs.shell) == {-1}


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
def test_graph_sends_messages_along_the_bonds(lattice: Lattice) -> None:
    graph = lattice.graph(cutoff=1.5)
    bonds = lattice.bonds_within(1.5)
    assert graph.edge_index.tolist() == [bonds.target.tolist(), bonds.source.tolist()]
    assert np.array_equal(graph.edge_vector.numpy(), bonds.vector)
    assert np.array_equal(graph.pos.numpy(), lattice.positions)


# -- positions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_find_inverts_positions_modulo_the_cell(lattice: Lattice, data: st.DataObject) -> None:
    n = lattice.n_sites
    order = np.array(data.draw(st.permutations(range(n))))
    offset = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=lattice.dim, max_size=lattice.dim)))
    # displacements of either sign at the edges of the cell
    noise = np.array(data.draw(st.lists(st.sampled_from([-1e-6, -1e-17, 0.0, 1e-17, 1e-6]), min_size=n, max_size=n)))
    asked = lattice.positions[order] + offset @ lattice.cell + noise[:, None]
    assert np.array_equal(lattice.find(asked), order)


@pytest.mark.parametrize("lattice", [*FAMILIES, Lattice.square(2000, 1)], ids=repr)
def test_find_refuses_positions_between_sites(lattice: Lattice) -> None:
    with pytest.raises(UserError, match="holds no site"):
        lattice.find(lattice.positions[:1] + 0.07)


def test_sites_are_numbered_cell_by_cell() -> None:
    lattice = Lattice.kagome(3, 4)
    for x, y, b in [(0, 0, 0), (1, 2, 1), (2, 3, 2)]:
        expected = np.array([x, y]) @ lattice.vectors + lattice.basis[b]
        assert np.allclose(lattice.positions[(x * 4 + y) * 3 + b], expected)
    assert np.allclose(Lattice.square(3, 5).positions[2 * 5 + 4], [2, 4])


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
def test_translations_carry_sites(lattice: Lattice) -> None:
    steps = np.arange(1, lattice.dim + 1)
    carried = lattice.translation(*steps)
    assert np.array_equal(carried, lattice.find(lattice.positions + steps @ lattice.vectors))
    assert np.array_equal(lattice.translation(*-steps)[carried], np.arange(lattice.n_sites))


@pytest.mark.parametrize("lattice", FAMILIES, ids=repr)
def test_reciprocal_vectors_are_dual_to_the_cell(lattice: Lattice) -> None:
    assert np.allclose(lattice.reciprocal @ lattice.cell.T, 2 * math.pi * np.eye(lattice.dim))


# -- triangles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", PLANES, ids=repr)
def test_triangles_are_counter_clockwise_and_fill_the_cell(lattice: Lattice) -> None:
    lattice = lattice.resized(8, 9)  # large enough for the shortest way between corners to be the triangle's edge
    triangles = lattice.triangles
    inverse = np.linalg.inv(lattice.cell)

    def edge(a: int, b: int) -> np.ndarray:
        apart = (lattice.positions[triangles[:, b]] - lattice.positions[triangles[:, a]]) @ inverse
        return (apart - np.round(apart)) @ lattice.cell

    first, second = edge(0, 1), edge(0, 2)
    areas = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    assert len(triangles) == 2 * lattice.n_sites
    assert np.all(areas > 0)
    assert areas.sum() == pytest.approx(abs(np.linalg.det(lattice.cell)))


def test_triangles_of_the_triangular_lattice_have_nearest_neighbour_edges() -> None:
    lattice = Lattice.triangular(5, 6)
    bonds = lattice.bonds(1)
    joined = set(zip(bonds.source, bonds.target, strict=True))
    for k in range(3):
        assert set(zip(lattice.triangles[:, k], lattice.triangles[:, (k + 1) % 3], strict=True)) <= joined


@pytest.mark.parametrize("lattice", PLANES, ids=repr)
def test_triangulation_is_the_same_in_every_unit_cell(lattice: Lattice) -> None:
    lattice = lattice.resized(5, 6)
    moved = lattice.translation(1, 2)[lattice.triangles]
    assert {frozenset(row) for row in moved.tolist()} == {frozenset(row) for row in lattice.triangles.tolist()}


def test_triangles_need_a_plane() -> None:
    with pytest.raises(UserError, match="two-dimensional"):
        _ = Lattice.chain(4).triangles


# -- descriptions and refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lattice", [*FAMILIES, Lattice.free([[0.1, 0.2], [1.0, 1.1]], np.eye(2) * 2)], ids=repr)
def test_description_round_trip(lattice: Lattice) -> None:
    again = Lattice.from_dict(lattice.to_dict())
    assert repr(again) == repr(lattice)
    assert np.array_equal(again.positions, lattice.positions)
    assert np.array_equal(again.cell, lattice.cell)
    assert again.same_family(lattice) == lattice.is_crystal


def test_family_ignores_size() -> None:
    assert Lattice.triangular(3, 3).same_family(Lattice.triangular(8, 5))
    assert not Lattice.triangular(3, 3).same_family(Lattice.square(3, 3))
    assert not Lattice.honeycomb(3, 3).same_family(Lattice.kagome(3, 3))


def test_repr_names_sites_and_neighbours() -> None:
    assert repr(Lattice.triangular(12, 12)) == "Lattice.triangular(12, 12): 144 sites, 6 nearest neighbours each"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Lattice.square(0, 3), "lattice size"),
        (lambda: Lattice.crystal(np.eye(2), [[0, 0]], (3,)), "2 whole numbers"),
        (lambda: Lattice.crystal(np.eye(2), [[0, 0, 0]], (3, 3)), "basis"),
        (lambda: Lattice.crystal([[1, 0], [2, 0]], [[0, 0]], (3, 3)), "span no volume"),
        (lambda: Lattice.crystal([[1, 0], [0, math.nan]], [[0, 0]], (3, 3)), "finite"),
        (lambda: Lattice.crystal([[1, 0], [0]], [[0, 0]], (3, 3)), "equal length"),
        (lambda: Lattice.crystal(np.eye(2), [[0, 0], [1, 0]], (3, 3)), "same place"),
        (lambda: Lattice.free([[0, 0], [0, 2]], np.eye(2) * 2), "same place"),
        (lambda: Lattice.free([[0, 0]], np.eye(3)), "cell"),
        (lambda: Lattice.free([[0, 0]], np.zeros((2, 2))), "no volume"),
        (lambda: Lattice.square(3, 3).bonds(0), "at least 1"),
        (lambda: Lattice.square(3, 3).bonds_within(math.nan), "positive"),
        (lambda: Lattice.square(3, 3).bonds_within(math.inf), "positive"),
        (lambda: Lattice.free([[0, 0]], np.eye(2)).bonds(1), "cutoff"),
        (lambda: Lattice.free([[0, 0]], np.eye(2)).resized(2, 2), "resizing"),
        (lambda: Lattice.square(3, 3).translation(1), "one per axis"),
        (lambda: Lattice.from_dict({"name": "square"}), "vectors"),
        (
            lambda: Lattice.from_dict({"name": "square", "vectors": np.eye(2), "basis": [[0, 0]], "shape": (0, 1)}),
            "size",
        ),
    ],
)
def test_wrong_lattices_are_refused(build, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=message):
        build()


def test_vacancies_take_their_bonds_with_them() -> None:
    lattice = Lattice.honeycomb(3, 3)
    taken = [4, 11]
    remaining = np.setdiff1d(np.arange(18), taken)
    free = lattice.without(taken)
    np.testing.assert_array_equal(free.positions, lattice.positions[remaining])
    np.testing.assert_array_equal(free.cell, lattice.cell)
    whole, left = lattice.bonds(1), free.bonds_within(1.0)
    stays = ~np.isin(whole.source, taken) & ~np.isin(whole.target, taken)
    assert len(whole) - stays.sum() == 12

    def named(source: np.ndarray, target: np.ndarray, vector: np.ndarray) -> list[tuple[float, ...]]:
        return sorted(zip(source, target, *(np.round(vector, 6) + 0.0).T, strict=True))

    assert named(remaining[left.source], remaining[left.target], left.vector) == named(
        whole.source[stays], whole.target[stays], whole.vector[stays]
    )
    assert lattice.without([]).n_sites == 18
    assert free.without([0]).n_sites == 15


@pytest.mark.parametrize(
    ("sites", "message"),
    [([18], "0 to 17"), ([-1], "0 to 17"), ([0.5], "indices"), (range(18), "at least one"), ("a", "indices")],
)
def test_impossible_vacancies_are_refused(sites: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Lattice.honeycomb(3, 3).without(list(sites) if isinstance(sites, range) else sites)


@pytest.mark.parametrize(("n_sites", "dim"), [(1, 2), (2, 2), (9, 3), (60, 2), (400, 2), (200, 3)])
def test_amorphous_sites_keep_their_distance(n_sites: int, dim: int) -> None:
    """No two sites, images included, are closer than min_distance; the nearest are at distance 1 on average."""
    lattice = Lattice.amorphous(n_sites, dim, seed=1, min_distance=0.85)
    assert (lattice.n_sites, lattice.dim, lattice.is_crystal) == (n_sites, dim, False)
    bonds = lattice.bonds_within(4.0)
    length = np.linalg.norm(bonds.vector, axis=1)
    nearest = [length[bonds.source == site].min() for site in range(n_sites)]
    assert length.min() > 0.85 - 1e-9
    assert abs(np.mean(nearest) - 1) < 1e-9


def test_amorphous_sites_have_no_order_and_one_density() -> None:
    """The structure factor has no Bragg peak (that of a crystal is N), and large cells are as dense as small ones."""
    lattice = Lattice.amorphous(400, seed=2)
    steps = np.stack(np.meshgrid(np.arange(-25, 26), np.arange(26)), -1).reshape(-1, 2)
    q = steps[np.abs(steps).sum(1) > 0] @ lattice.reciprocal
    structure = np.abs(np.exp(1j * q @ lattice.positions.T).sum(1)) ** 2 / lattice.n_sites
    assert structure.max() < 0.1 * lattice.n_sites
    density = [n / np.linalg.det(Lattice.amorphous(n, seed=1).cell) for n in (60, 600)]
    assert abs(density[0] / density[1] - 1) < 0.05


def test_disordered_lattices_repeat_with_their_seed() -> None:
    one, same, other = (Lattice.amorphous(20, seed=seed) for seed in (1, 1, 2))
    assert (one.positions == same.positions).all()
    assert not np.isclose(one.positions, other.positions).any()
    whole = Lattice.kagome(4, 4)
    one, same, other = (whole.diluted(0.25, seed=seed) for seed in (1, 1, 2))
    assert one.n_sites == 36
    assert (one.positions == same.positions).all()
    assert (one.positions != other.positions).any()
    assert set(map(tuple, one.positions)) < set(map(tuple, whole.positions))
    assert whole.diluted(0.0).n_sites == 48


@pytest.mark.parametrize("given", [{"n_sites": 0}, {"n_sites": 9, "dim": 1}, {"n_sites": 9, "min_distance": 1.0}])
def test_amorphous_sites_that_make_no_sense_are_refused(given: dict) -> None:
    with pytest.raises(UserError, match="amorphous"):
        Lattice.amorphous(**given)
    with pytest.raises(UserError, match="seed -1"):
        Lattice.amorphous(9, seed=-1)


def test_sites_that_are_too_crowded_are_refused() -> None:
    with pytest.raises(UserError, match="min_distance"):
        Lattice.amorphous(60, seed=1, min_distance=0.999)


@pytest.mark.parametrize("fraction", [-0.1, 1.0])
def test_fractions_of_vacancies_are_checked(fraction: float) -> None:
    with pytest.raises(UserError, match="fraction"):
        Lattice.square(3, 3).diluted(fraction)
    with pytest.raises(UserError, match="remains"):
        Lattice.square(1, 2).diluted(0.9)


def test_every_bond_is_found_from_its_other_end() -> None:
    for lattice in (Lattice.square(1, 2), Lattice.amorphous(12, seed=1)):
        bonds = lattice.bonds_within(1.5)
        back = bonds.reversed
        assert (bonds.source[back] == bonds.target).all()
        assert np.allclose(bonds.vector[back], -bonds.vector)
        assert (back != np.arange(len(bonds))).all()
