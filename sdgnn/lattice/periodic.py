"""Shortest images of vectors in a periodic cell: displacements on a torus, wave vectors in the Brillouin zone."""

from __future__ import annotations

import itertools
import math

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import Voronoi, cKDTree

from sdgnn.lattice.neighbours import LENGTH_TOLERANCE


def reduced_cell(cell: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, "dim dim"]:
    """Shortest rows that span the same lattice as the rows of ``cell`` (Minkowski reduction; 1 to 3 dimensions)."""
    rows = np.array(cell, dtype=np.float64)
    dim = len(rows)
    while True:
        rows = rows[np.argsort(np.linalg.norm(rows, axis=1), kind="stable")]
        shorter = False
        for k in range(dim):
            others = np.delete(rows, k, axis=0)
            for coefficients in itertools.product((-1, 0, 1), repeat=dim - 1):
                trial = rows[k] + np.array(coefficients) @ others if dim > 1 else rows[k]
                if np.linalg.norm(trial) < np.linalg.norm(rows[k]) - LENGTH_TOLERANCE:
                    rows[k], shorter = trial, True
        if not shorter:
            return rows


def nearest_image(
    vectors: Float[np.ndarray, "vector dim"], cell: Float[np.ndarray, "dim dim"]
) -> Float[np.ndarray, "vector dim"]:
    """The shortest of all v + n . cell, n whole: each vector folded into the Wigner-Seitz cell around the origin.

    On the boundary, where several images are equally short, always the same one is taken.
    """
    rows = reduced_cell(cell)
    fraction = vectors @ np.linalg.inv(rows)
    folded = (fraction - np.floor(fraction + 0.5 - 1e-9)) @ rows
    best = folded
    length = np.linalg.norm(folded, axis=1)
    for offset in itertools.product((-1, 0, 1), repeat=len(rows)):
        trial = folded + np.array(offset) @ rows
        trial_length = np.linalg.norm(trial, axis=1)
        closer = trial_length < length - LENGTH_TOLERANCE
        best = np.where(closer[:, None], trial, best)
        length = np.where(closer, trial_length, length)
    return best


def nearest_images(
    vectors: Float[np.ndarray, "vector dim"], cell: Float[np.ndarray, "dim dim"]
) -> tuple[Int[np.ndarray, " image"], Float[np.ndarray, "image dim"], Float[np.ndarray, " image"]]:
    """All shortest images of each vector: which vector each belongs to, the image, and one over their number.

    Where :func:`nearest_image` takes one of several that are equally short, all are here, in order of the vectors.
    """
    offsets = np.array(list(itertools.product((-1, 0, 1), repeat=len(cell)))) @ reduced_cell(cell)
    images = nearest_image(vectors, cell)[:, None] + offsets
    length = np.linalg.norm(images, axis=2)
    shortest = length <= length.min(axis=1, keepdims=True) + LENGTH_TOLERANCE
    which, image = np.nonzero(shortest)
    return which, images[which, image], 1 / shortest.sum(1)[which]


def nearest_site(
    points: Float[np.ndarray, "point dim"], sites: Float[np.ndarray, "site dim"], cell: Float[np.ndarray, "dim dim"]
) -> Int[np.ndarray, " point"]:
    """Which of ``sites``, or of their periodic images, is nearest to each point; of equally near ones on one side."""
    offsets = np.array(list(itertools.product((-1, 0, 1), repeat=len(cell)))) @ reduced_cell(cell)
    images = (nearest_image(sites, cell) + offsets[:, None]).reshape(-1, len(cell))
    aside = LENGTH_TOLERANCE * np.arange(1, 1 + len(cell))
    return cKDTree(images).query(nearest_image(points, cell) - aside)[1] % len(sites)


def inner_radius(cell: Float[np.ndarray, "dim dim"]) -> float:
    """Half the shortest period of ``cell``: below it every displacement is its own shortest image."""
    return float(np.linalg.norm(reduced_cell(cell), axis=1).min()) / 2


def wigner_seitz_corners(cell: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "corner 2"]:
    """Corners of the Wigner-Seitz cell (for reciprocal vectors: of the first Brillouin zone), counter-clockwise."""
    offsets = np.array(list(itertools.product(range(-2, 3), repeat=2)))
    diagram = Voronoi(offsets @ reduced_cell(cell))
    origin = int(np.flatnonzero((offsets == 0).all(axis=1))[0])
    corners = diagram.vertices[diagram.regions[diagram.point_region[origin]]]
    return corners[np.argsort([math.atan2(y, x) for x, y in corners])]
