"""Positions without order: random points pushed apart until none are too close."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from sdgnn.common.errors import UserError
from sdgnn.lattice.neighbours import periodic_pairs

DIAMETER = {2: 1.05, 3: 1.1}
"""Diameter of the soft spheres at one sphere per unit volume: a little less than equal ones need to be jammed."""
SWEEPS = 20
"""Sweeps in which all overlapping spheres repel each other. More would let them crystallise."""
REPAIRS = 1000
"""Further sweeps, for pairs that are too close alone, after which the sites count as too crowded."""
MARGIN = 1.02
"""Pairs that are too close are moved this much further apart than they must be."""


def relaxed_positions(
    n_sites: int, dim: int, seed: int, min_distance: float
) -> tuple[Float[np.ndarray, "site dim"], Float[np.ndarray, "dim dim"]]:
    """Positions in a periodic square or cubic cell, and the cell.

    Uniform random points repel each other as soft spheres do: in each sweep every overlapping pair moves apart by half
    of its overlap, the steps of all pairs added. After a fixed number of sweeps, so that cells of all sizes are
    alike, pairs closer than ``min_distance`` go on until there are none. Lengths are in units of the mean distance from
    a point to its nearest neighbour. Raises UserError when ``min_distance`` is too large for that.
    """
    random = np.random.default_rng(seed)
    edge = n_sites ** (1 / dim)
    cell = edge * np.eye(dim)
    positions = random.uniform(0, edge, (n_sites, dim))
    for sweep in range(SWEEPS + REPAIRS):
        diameter = DIAMETER[dim]
        if sweep >= SWEEPS:
            nearest = nearest_distances(positions, cell)
            unit = float(nearest.mean())
            if nearest.min() >= min_distance * unit:
                return positions / unit, cell / unit
            diameter = MARGIN * min_distance * unit
        positions = np.mod(positions + _push(positions, cell, diameter), edge)
    raise UserError(
        f"{n_sites} amorphous sites in {dim} dimensions no closer than {min_distance:g}",
        allowed="a smaller min_distance, in units of the mean distance to the nearest neighbour",
        fix="0.8 fits",
    )


def _push(
    positions: Float[np.ndarray, "site dim"], cell: Float[np.ndarray, "dim dim"], diameter: float
) -> Float[np.ndarray, "site dim"]:
    """Step of each site: a quarter of each overlap, so that a pair moves apart by half of its own."""
    source, target, _, vector = periodic_pairs(positions, cell, diameter)
    length = np.linalg.norm(vector, axis=1)
    apart = (source != target) & (length > 0) & (length < diameter)
    step = np.zeros_like(positions)
    np.subtract.at(step, source[apart], (diameter / length[apart] - 1)[:, None] * vector[apart] / 4)
    return step


def nearest_distances(
    positions: Float[np.ndarray, "site dim"], cell: Float[np.ndarray, "dim dim"]
) -> Float[np.ndarray, " site"]:
    """Distance from each point to its nearest neighbour, images of itself included."""
    cutoff = 1.5 * abs(np.linalg.det(cell) / len(positions)) ** (1 / len(cell))
    while True:
        source, _, _, vector = periodic_pairs(positions, cell, cutoff)
        nearest = np.full(len(positions), np.inf)
        np.minimum.at(nearest, source, np.linalg.norm(vector, axis=1))
        if np.isfinite(nearest).all():
            return nearest
        cutoff *= 1.5
