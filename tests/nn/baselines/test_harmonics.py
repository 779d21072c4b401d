"""Harmonics in the bond directions of crystals, and in any other direction."""

from __future__ import annotations

import numpy as np
import pytest

from sdgnn import Lattice
from sdgnn.common.errors import UserError
from sdgnn.nn.baselines.harmonics import BondHarmonics


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
    """cos m phi, sin m phi in the plane; A1g + Eg + T1u on the six directions of a cube: orthonormal projectors on the
    spaces, which operations of the point group leave as they are."""
    harmonics = BondHarmonics.of(lattice)
    assert harmonics.n_directions == count
    assert sorted(harmonics.dimensions) == dimensions and harmonics.dimensions[0] == 1 and harmonics.degrees[0] == 0
    directions = np.unique(np.round(lattice.bonds(1).vector, 9) + 0.0, axis=0)
    values, space, parity = harmonics.along(directions)
    np.testing.assert_allclose(harmonics.along(-directions)[0], parity * values, atol=1e-12)
    projectors = [values[:, space == k] @ values[:, space == k].T for k in range(len(dimensions))]
    np.testing.assert_allclose(sum(projectors), np.eye(count), atol=1e-8)
    for projector, dimension in zip(projectors, harmonics.dimensions, strict=True):
        np.testing.assert_allclose(projector @ projector, projector, atol=1e-8)
        assert np.trace(projector) == pytest.approx(dimension)
        for operation in lattice.point_group:
            turned = directions @ operation.matrix.T
            permutation = np.eye(count)[np.argmax(turned @ directions.T, axis=1)].T
            np.testing.assert_allclose(permutation @ projector @ permutation.T, projector, atol=1e-8)


def test_inequivalent_directions_are_refused() -> None:
    """Bonds at 0, 40 and 90 degrees: no operation carries the first onto the second and keeps the set."""
    angle = np.deg2rad(40)
    basis = np.cumsum([[0, 0], [1, 0], [np.cos(angle), np.sin(angle)], [0, 1]], axis=0)
    with pytest.raises(UserError, match="equivalent by symmetry"):
        BondHarmonics.of(Lattice.crystal(5 * np.eye(2), basis, (2, 2)))


def test_free_lattices_are_refused() -> None:
    free = Lattice.free(np.random.default_rng(0).random((10, 2)) * 3, np.eye(2) * 3)
    with pytest.raises(UserError, match="crystals"):
        BondHarmonics.of(free)
