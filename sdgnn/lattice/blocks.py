"""Crystals cut into overlapping blocks: for memory that does not grow with the lattice, and for several processes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from sdgnn.lattice.lattice import Lattice

MOST_PARTS = 64
"""Parts into which each axis is cut at most."""


@dataclass(frozen=True)
class Block:
    """A part of a crystal with the halo that its fields depend on, as sites of a smaller crystal."""

    sites: Int[np.ndarray, " site"]
    """(site,) sites of the large crystal, in the order of the small one."""
    core: Bool[np.ndarray, " site"]
    """(site,) whether the block answers for a site; every site of the large crystal is in one core."""


def blocks(lattice: Lattice, halo: Int[np.ndarray, " dim"], largest: float) -> tuple[Lattice, list[Block]]:
    """The small crystal that all blocks share, and the blocks; the crystal itself and none if it is small enough.

    Blocks have at most ``largest`` sites, or as few as possible where none is so small, and cover the crystal with the
    least work. Free positions stay whole.

    ``halo`` are the cells along each axis on whose spins a site's field depends. The small crystal closes
    periodically where the block does not, which its halo absorbs.
    """
    if lattice.n_sites <= largest or lattice.vectors is None or lattice.basis is None or lattice.shape is None:
        return lattice, []
    parts = _parts(np.array(lattice.shape), halo, lattice.n_basis, largest)
    return cut(lattice, halo, parts)


def cut(lattice: Lattice, halo: Int[np.ndarray, " dim"], parts: Int[np.ndarray, " dim"]) -> tuple[Lattice, list[Block]]:
    """The small crystal and the blocks of a crystal cut into ``parts`` along each axis, in the order of the cells."""
    assert lattice.shape is not None
    shape = np.array(lattice.shape)
    size = block_cells(shape, halo, parts)
    members = np.arange(lattice.n_basis)
    found = []
    for part in itertools.product(*map(cells_of_parts, lattice.shape, map(int, parts))):
        start, stop = np.array([(cells.start, cells.stop) for cells in part]).T
        origin = np.where(parts > 1, start - halo, 0)
        axes = [origin[k] + np.arange(size[k]) for k in range(lattice.dim)]
        cells = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, lattice.dim)
        inside = ((cells >= start) & (cells < stop)).all(1)
        index = np.ravel_multi_index(tuple((cells % shape).T), lattice.shape)
        found.append(Block((index[:, None] * lattice.n_basis + members).ravel(), np.repeat(inside, lattice.n_basis)))
    return lattice.resized(*map(int, size)), found


def cells_of_parts(length: int, parts: int) -> list[range]:
    """The cells of each part of an axis of ``length`` cells that is cut into ``parts``, equal but for one cell."""
    return [range(k * length // parts, (k + 1) * length // parts) for k in range(parts)]


def block_cells(
    shape: Int[np.ndarray, " dim"], halo: Int[np.ndarray, " dim"], parts: Int[np.ndarray, " dim"]
) -> Int[np.ndarray, " dim"]:
    """Cells of a block along each axis, halo included; all of an axis that is not cut."""
    return np.where(parts > 1, -(-shape // parts) + 2 * halo, shape)


def _parts(shape: np.ndarray, halo: np.ndarray, n_basis: int, largest: float) -> np.ndarray:
    """Parts along each axis whose blocks cost least, halo included; of the smallest if none fits."""
    best: tuple[tuple[float, float], np.ndarray] | None = None
    for parts in itertools.product(*([*range(1, min(length, MOST_PARTS) + 1)] for length in shape)):
        count = np.array(parts)
        size = block_cells(shape, halo, count)
        if ((count > 1) & (size >= shape)).any():
            continue
        sites = float(size.prod()) * n_basis
        cost = (max(0.0, sites - largest), sites * math.prod(parts))
        if best is None or cost < best[0]:
            best = cost, count
    assert best is not None
    return best[1]
