"""Neighbours and triangles of a periodic set of points."""

from __future__ import annotations

import itertools
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import Delaunay

from sdgnn.common.errors import UserError

LENGTH_TOLERANCE = 1e-6
"""Two distances closer than this (in units of the nearest-neighbour distance) are one shell."""

REACH = 6.0
"""Images within this many mean spacings of the cell enter the triangulation; larger voids are refused."""


def periodic_pairs(
    positions: Float[np.ndarray, "point dim"], cell: Float[np.ndarray, "dim dim"], cutoff: float
) -> tuple[
    Int[np.ndarray, " pair"], Int[np.ndarray, " pair"], Int[np.ndarray, "pair dim"], Float[np.ndarray, "pair dim"]
]:
    """All pairs no further apart than ``cutoff``, each periodic image separately, each pair from either end.

    Returns (source, target, offset, vector) with vector = r_target + offset . cell - r_source; sorted by source, then
    distance, then direction: the angle in [0, 2 pi) in the plane, then the third component.
    """
    from vesin import NeighborList

    dim = positions.shape[1]
    points = np.zeros((len(positions), 3))
    points[:, :dim] = positions
    box = np.eye(3)
    box[:dim, :dim] = cell
    i, j, offset, vector = NeighborList(cutoff=cutoff + LENGTH_TOLERANCE, full_list=True).compute(
        points, box, periodic=[axis < dim for axis in range(3)], quantities="ijSD"
    )
    length = np.round(np.linalg.norm(vector, axis=1), 5)
    angle = np.round(np.mod(np.arctan2(vector[:, 1], vector[:, 0]), 2 * math.pi), 6)
    angle[angle >= round(2 * math.pi, 6)] = 0.0
    order = np.lexsort((np.round(vector[:, 2], 6), angle, length, i))
    i, j, offset = (array[order].astype(np.int64) for array in (i, j, offset))
    return i, j, offset[:, :dim], np.ascontiguousarray(vector[order, :dim])


def periodic_triangles(
    positions: Float[np.ndarray, "point 2"], cell: Float[np.ndarray, "2 2"]
) -> tuple[Int[np.ndarray, "triangle 3"], Int[np.ndarray, "triangle 3 2"]]:
    """Delaunay triangles of points in a periodic cell, counter-clockwise: (points, offsets of their cells).

    Where four or more points share a circle (square lattice, hexagons of kagome), the tie is broken in the same way in
    every cell, by an infinitesimal uniform strain. Raises UserError where voids are too large for a periodic
    triangulation.
    """
    area = abs(np.linalg.det(cell))
    heights = area / np.linalg.norm(cell[::-1], axis=1)
    reach = np.ceil(REACH * math.sqrt(area / len(positions)) / heights).astype(int)
    offsets = np.array(list(itertools.product(*[range(-n, n + 1) for n in reach])))
    home = np.floor(positions @ np.linalg.inv(cell)).astype(int)
    points = ((offsets @ cell)[:, None] + positions - home @ cell).reshape(-1, 2)
    corners = Delaunay(points @ np.array([[1.0, 1e-4], [1e-4, 1.0 - 1.7e-4]])).simplices
    fraction = points[corners].mean(axis=1) @ np.linalg.inv(cell)
    corners = corners[((fraction > -1e-9) & (fraction < 1 - 1e-9)).all(axis=1)].astype(np.int64)
    a, b, c = (points[corners[:, k]] for k in range(3))
    doubled = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    if len(corners) != 2 * len(positions) or not math.isclose(np.abs(doubled).sum() / 2, area, rel_tol=1e-9):
        raise UserError(
            f"triangles of {len(positions)} sites with voids wider than {REACH:g} mean spacings",
            allowed="positions that fill the cell",
        )
    corners[doubled < 0] = corners[doubled < 0][:, ::-1]
    member = corners % len(positions)
    return member, offsets[corners // len(positions)] - home[member]
