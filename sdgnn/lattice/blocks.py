"""Crystals cut into overlapping blocks: for memory that does not grow with the lattice, and for several processes."""

from __future__ import annotations

import itertools
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

    ``halo`` are the cells along each axis on whose spins a site's field depends. The small crystal closes periodically
    where the block does not, which its halo absorbs.
    """
    if lattice.n_sites <= largest or lattice.shape is None:
        return lattice, []
    shape, members = np.array(lattice.shape), np.arange(lattice.n_basis)
    parts, size = _parts(shape, halo, lattice.n_basis, largest)
    found = []
    for part in itertools.product(*map(cells_of_parts, lattice.shape, map(int, parts))):
        start, stop = np.array([(cells.start, cells.stop) for cells in part]).T
        origin = np.where(parts > 1, start - halo, 0)
        cells = origin + np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1).reshape(-1, lattice.dim)
        inside = ((cells >= start) & (cells < stop)).all(1)
        index = np.ravel_multi_index(tuple((cells % shape).T), lattice.shape)
        found.append(Block((index[:, None] * lattice.n_basis + members).ravel(), np.repeat(inside, lattice.n_basis)))
    return lattice.resized(*map(int, size)), found


def cells_of_parts(length: int, parts: int) -> list[range]:
    """The cells of each part of an axis of ``length`` cells that is cut into ``parts``, equal but for one cell."""
    return [range(k * length // parts, (k + 1) * length // parts) for k in range(parts)]


def _parts(
    shape: Int[np.ndarray, " dim"], halo: Int[np.ndarray, " dim"], n_basis: int, largest: float
) -> tuple[Int[np.ndarray, " dim"], Int[np.ndarray, " dim"]]:
    """Parts along each axis whose blocks cost least, halo included, of the smallest if none fits; cells of a block."""
    counts = [np.arange(1, min(length, MOST_PARTS) + 1) for length in shape]
    parts = np.stack(np.meshgrid(*counts, indexing="ij"), axis=-1).reshape(-1, len(shape))
    size = np.where(parts > 1, -(-shape // parts) + 2 * halo, shape)
    smaller = ((parts == 1) | (size < shape)).all(1)
    parts, size = parts[smaller], size[smaller]
    sites = size.prod(1) * n_basis
    best = np.lexsort((sites * parts.prod(1), np.maximum(sites - largest, 0)))[0]
    return parts[best], size[best]
