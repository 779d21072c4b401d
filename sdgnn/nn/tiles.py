"""Large crystals cut into overlapping tiles, so that memory does not grow with the lattice."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from sdgnn.lattice import Lattice

TILE = 140_000
"""Sites of the largest tile: with 4 layers of 8 channels in float32, evaluating it takes about 2.5 GB."""


@dataclass(frozen=True)
class Tile:
    """A part of a crystal with the margin that its fields depend on, as sites of a smaller crystal."""

    sites: Int[np.ndarray, " site"]
    """(site,) sites of the large crystal, in the order of the small one."""
    core: Bool[np.ndarray, " site"]
    """(site,) whether the tile answers for a site; every site of the large crystal is in one core."""


def tiles(lattice: Lattice, reach: float, largest: int = TILE) -> tuple[Lattice, list[Tile]]:
    """The small crystal that all tiles share, and the tiles; the crystal itself and none if it is small enough.

    A site's field depends on energies within ``reach`` and these on spins within ``reach`` of them, so the margin is
    twice that. The small crystal closes periodically where the tile does not, which its margin absorbs.
    """
    if lattice.n_sites <= largest or lattice.vectors is None or lattice.basis is None or lattice.shape is None:
        return lattice, []
    inverse = np.linalg.inv(lattice.vectors)
    spread = np.ptp(lattice.basis @ inverse, axis=0)
    margin = np.ceil(2 * reach * np.linalg.norm(inverse, axis=0) + spread).astype(int)
    shape = np.array(lattice.shape)
    parts, size = _parts(shape, margin, lattice.n_basis, largest)
    members = np.arange(lattice.n_basis)
    found = []
    for part in itertools.product(*map(range, parts)):
        start, stop = np.array(part) * shape // parts, (np.array(part) + 1) * shape // parts
        origin = np.where(parts > 1, start - margin, 0)
        axes = [origin[k] + np.arange(size[k]) for k in range(lattice.dim)]
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, lattice.dim)
        inside = ((cells >= start) & (cells < stop)).all(1)
        index = np.ravel_multi_index(tuple((cells % shape).T), lattice.shape)
        found.append(Tile((index[:, None] * lattice.n_basis + members).ravel(), np.repeat(inside, lattice.n_basis)))
    return lattice.resized(*map(int, size)), found


def _parts(shape: np.ndarray, margin: np.ndarray, n_basis: int, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """Parts along each axis and cells of a tile, margin included, that cost least; of the smallest if none fits."""
    best: tuple[tuple[float, float], np.ndarray, np.ndarray] | None = None
    for parts in itertools.product(*([*range(1, min(length, 64) + 1)] for length in shape)):
        count = np.array(parts)
        size = np.where(count > 1, -(-shape // count) + 2 * margin, shape)
        if ((count > 1) & (size >= shape)).any():
            continue
        sites = float(size.prod()) * n_basis
        cost = (max(0.0, sites - largest), sites * math.prod(parts))
        if best is None or cost < best[0]:
            best = cost, count, size
    assert best is not None
    return best[1], best[2]
