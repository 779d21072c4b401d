"""Bond directions, neighbours along them, and their harmonics."""

from __future__ import annotations

import numpy as np
import pytest

from sdgnn import Lattice
from sdgnn.common.errors import UserError
from sdgnn.nn.baselines.directions import Directions


@pytest.mark.parametrize(
    ("lattice", "count", "dimensions"),
    [
        (Lattice.chain(6), 2, [1, 1]),
        (Lattice.square(4, 4), 4, [1, 1, 2]),
        (Lattice.triangular(4, 4), 6, [1, 1, 2, 2]),
        (Lattice.honeycomb(3, 3), 6, [1, 1, 2, 2]),
        (Lattice.kagome(3, 3), 6, [1, 1, 2, 2]),
        (Lattice.cubic(3, 3, 3), 6, [1, 2, 3]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_harmonics_are_the_irreps_of_the_point_group(lattice: Lattice, count: int, dimensions: list[int]) -> None:
    """cos m phi, sin m phi in the plane; A1g + Eg + T1u on the six directions of a cube."""
    directions = Directions.of(lattice)
    assert len(directions) == count
    assert sorted(np.bincount(directions.space)) == dimensions
    assert np.bincount(directions.space)[0] == 1
    np.testing.assert_allclose(directions.harmonics.T @ directions.harmonics, np.eye(count), atol=1e-12)
    for operation in lattice.point_group:
        turned = directions.vectors @ operation.matrix.T
        permutation = np.eye(count)[np.argmax(turned @ directions.vectors.T, axis=1)].T
        acting = directions.harmonics.T @ permutation @ directions.harmonics
        outside = directions.space[:, None] != directions.space[None]
        assert np.abs(acting[outside]).max() < 1e-10


def test_inequivalent_directions_are_refused() -> None:
    """Bonds at 0, 40 and 90 degrees: no operation carries the first onto the second and keeps the set."""
    angle = np.deg2rad(40)
    basis = np.cumsum([[0, 0], [1, 0], [np.cos(angle), np.sin(angle)], [0, 1]], axis=0)
    with pytest.raises(UserError, match="equivalent by symmetry"):
        Directions.of(Lattice.crystal(5 * np.eye(2), basis, (2, 2)))


def test_free_lattices_are_refused() -> None:
    free = Lattice.free(np.random.default_rng(0).random((10, 2)) * 3, np.eye(2) * 3)
    with pytest.raises(UserError, match="crystals"):
        Directions.of(free)
