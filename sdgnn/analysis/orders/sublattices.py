"""The cell of an order that is seen through noise and domains, and the sublattices that it divides the sites into."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.spectra.static import require_crystal
from sdgnn.common.arrays import Numbers
from sdgnn.fields.protocol import check_spins
from sdgnn.lattice import Lattice

LARGEST_CELL = 6
"""Primitive cells in a magnetic cell at most."""
ORDERED = 0.5
"""Mean S_i . S_j across a magnetic cell from which on a state has its order."""
SIMPLER = 0.1
"""A larger cell is taken where that mean is larger by more than this."""

Cell = tuple[tuple[int, ...], ...]
"""Rows are the vectors of a magnetic cell in primitive vectors: lower triangular."""


def order_cell(spins: Numbers, lattice: Lattice) -> Cell | None:
    """The smallest cell by whose vectors T the spins (replica, site, 3) nearly repeat, in whole primitive vectors.

    A cell counts when the mean of S(r) . S(r + T) over sites and replicas is 0.5 or more for each of its vectors. A
    larger cell counts when that mean is larger by 0.1, so that thermal noise does not enlarge the cell. Domains lower
    the mean by their walls alone, since the spins of one domain are compared. Cells of up to six primitive cells are
    looked at, those that the lattice's extent holds whole. Returns None where none counts, as in disordered states.
    Raises UserError unless the lattice is a crystal.
    """
    shape = require_crystal(lattice)
    states = check_spins(spins, lattice).double()
    best: tuple[float, Cell] | None = None
    for cell in cells(shape):
        mean = min(_across(states, lattice, step) for step in cell)
        if mean >= ORDERED and (best is None or mean > best[0] + SIMPLER):
            best = mean, cell
    return None if best is None else best[1]


def sublattices(cell: Cell, lattice: Lattice) -> Int[np.ndarray, " site"]:
    """The sublattice of each site, counted from 0: one for each site of a ``cell`` of :func:`order_cell`."""
    place = lattice.cells()
    index = np.zeros(len(place), dtype=np.int64)
    for axis in reversed(range(lattice.dim)):
        turns, rest = np.divmod(place[:, axis], cell[axis][axis])
        place -= turns[:, None] * np.array(cell[axis])
        index = index * cell[axis][axis] + rest
    return index * lattice.n_basis + np.arange(lattice.n_sites) % lattice.n_basis


def cells(shape: tuple[int, ...]) -> Iterator[Cell]:
    """Every cell of up to :data:`LARGEST_CELL` primitive cells that a lattice of this shape holds whole, small first.

    One for each sublattice of translations, in Hermite's normal form: row k is d_k along axis k, with 0 <= c < d_j for
    the entries before. None has a vector that goes once around the lattice, by which everything repeats.
    """
    dim = len(shape)
    sizes = itertools.product(range(1, LARGEST_CELL + 1), repeat=dim)
    for size in sorted((s for s in sizes if np.prod(s) <= LARGEST_CELL), key=lambda s: (np.prod(s), s)):
        slots = [range(size[j]) for k in range(dim) for j in range(k)]
        for shear in itertools.product(*slots):
            entries = iter(shear)
            rows = np.diag(size)
            for k in range(dim):
                for j in range(k):
                    rows[k, j] = next(entries)
            whole = np.diag(shape) @ np.linalg.inv(rows)
            around = (rows % np.array(shape) == 0).all(axis=1)
            if np.abs(whole - np.round(whole)).max() < 1e-9 and not around.any():
                yield tuple(tuple(map(int, row)) for row in rows)


def _across(states: Float[Tensor, "replica site 3"], lattice: Lattice, step: tuple[int, ...]) -> float:
    """Mean S(r) . S(r + T) over sites and replicas."""
    moved = lattice.sites_at(lattice.cells() + np.array(step), np.arange(lattice.n_sites) % lattice.n_basis)
    return float((states * states[:, torch.from_numpy(moved)]).sum(-1).mean())
