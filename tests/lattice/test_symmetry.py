"""Point groups: orders, closure, permutations that carry positions and bonds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sdgnn import Lattice
from sdgnn.lattice.symmetry import integer_isometries

ORDERS = [
    (Lattice.chain(5), 2),
    (Lattice.square(4, 4), 8),
    (Lattice.square(4, 6), 4),
    (Lattice.triangular(6, 6), 12),
    (Lattice.triangular(4, 6), 2),
    (Lattice.honeycomb(3, 3), 12),
    (Lattice.kagome(3, 3), 12),
    (Lattice.cubic(3, 3, 3), 48),
    (Lattice.cubic(3, 3, 4), 16),
    # a right angle without four-fold axis, and an oblique lattice
    (Lattice.crystal([[1.0, 0.0], [0.0, 1.3]], [[0.0, 0.0]], (3, 3)), 4),
    (Lattice.crystal([[1.0, 0.1], [0.0, 1.3]], [[0.0, 0.0]], (3, 3)), 2),
    # a basis that lowers the symmetry of its square lattice
    (Lattice.crystal(np.eye(2), [[0.0, 0.0], [0.3, 0.0]], (3, 3)), 4),
    (Lattice.crystal(np.eye(2), [[0.0, 0.0], [0.3, 0.1]], (3, 3)), 2),
]
IDS = [f"{lattice!r}: order {order}" for lattice, order in ORDERS]


@pytest.mark.parametrize(("lattice", "order"), ORDERS, ids=IDS)
def test_order_of_the_point_group(lattice: Lattice, order: int) -> None:
    assert len(lattice.point_group) == order
    assert np.array_equal(lattice.point_group[0].sites, np.arange(lattice.n_sites))
    rotations = sum(operation.is_proper for operation in lattice.point_group)
    assert rotations in (order, order // 2)


@pytest.mark.parametrize(("lattice", "order"), ORDERS, ids=IDS)
def test_operations_carry_bonds_onto_bonds(lattice: Lattice, order: int) -> None:
    bonds = lattice.bonds(2)

    def keys(source: np.ndarray, target: np.ndarray, vector: np.ndarray) -> list[tuple[float, ...]]:
        return sorted(zip(source, target, *(np.round(vector, 6) + 0.0).T, strict=True))

    before = keys(bonds.source, bonds.target, bonds.vector)
    for operation in lattice.point_group:
        assert sorted(operation.sites) == list(range(lattice.n_sites))
        turned = bonds.vector @ operation.matrix.T
        assert keys(operation.sites[bonds.source], operation.sites[bonds.target], turned) == before


@pytest.mark.parametrize(("lattice", "order"), ORDERS, ids=IDS)
def test_products_stay_in_the_group_up_to_a_translation(lattice: Lattice, order: int) -> None:
    group = lattice.point_group
    for first in group:
        for second in group[: 8 if order > 12 else None]:
            matrix = second.matrix @ first.matrix
            (match,) = [op for op in group if np.allclose(op.matrix, matrix, atol=1e-9)]
            product = second.sites[first.sites]
            shifts = lattice.positions[product] - lattice.positions[match.sites]
            windings = (shifts - shifts[0]) @ np.linalg.inv(lattice.cell)
            assert np.allclose(windings, np.round(windings), atol=1e-6)


def test_skewed_primitive_vectors_give_the_same_isometries() -> None:
    square = integer_isometries(np.eye(2))
    skewed = integer_isometries(np.array([[1.0, 0.0], [5.0, 1.0]]))

    def key(matrices: list[np.ndarray]) -> list[list[float]]:
        return sorted((np.round(m, 6) + 0.0).ravel().tolist() for m in matrices)

    assert key(skewed) == key(square)
    assert len(square) == 8


def test_six_fold_axis_turns_by_sixty_degrees() -> None:
    angles = {
        round(math.degrees(math.atan2(op.matrix[1, 0], op.matrix[0, 0]))) % 360
        for op in Lattice.kagome(2, 2).point_group
        if op.is_proper
    }
    assert angles == {0, 60, 120, 180, 240, 300}


def test_free_positions_have_the_identity_alone() -> None:
    free = Lattice.free(Lattice.square(3, 3).positions, np.eye(2) * 3)
    assert len(free.point_group) == 1
