"""Crystals cut into boxes of cells that fit in cache, each with a rim of one cell: neighbours lie at fixed shifts.

The sites of a box with its rim take :data:`STRIDE` places: sublattice by sublattice, cells in order. All numbers of a
box are rows of that length. A bond direction is then one shift along the row for each sublattice, and loops over places
need no table of neighbours. What stands in the rims is copied from the boxes that own those sites.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from sdgnn.lattice import Lattice
from sdgnn.nn.directions import Directions
from sdgnn.vectors import LANES

STRIDE = 368
"""Places in a row. An odd number of cache lines in either precision, lest rows compete for the same ones."""

GROUP = 2
"""Channels that the loops treat at a time: their factors read the same features."""

BOX_COST = 24
"""Places whose arithmetic takes about as long as what one more box costs."""


@dataclass(frozen=True)
class Crystal:
    """What all boxes of a crystal have in common."""

    order: Int[np.ndarray, " direction"]
    """Bond directions in the order of the rows: opposite ones stand half the directions apart."""
    even: Float[np.ndarray, "half half"]
    """(direction, harmonic) harmonics equal at opposite directions, the constant one first."""
    odd: Float[np.ndarray, "half half"]
    """(direction, harmonic) harmonics that change sign between them."""
    space: Int[np.ndarray, " harmonic"]
    """Space of each harmonic, even ones first."""
    present: Bool[np.ndarray, "sublattice direction"]
    """Whether sites of a sublattice have a bond in a direction."""
    target: Int[np.ndarray, "sublattice direction"]
    """Sublattice at the other end."""
    offset: Int[np.ndarray, "sublattice direction 3"]
    """Cells between both ends."""

    @classmethod
    def of(cls, lattice: Lattice, directions: Directions) -> Crystal | None:
        """None where bonds reach beyond the next cell or harmonics are neither even nor odd."""
        assert lattice.vectors is not None and lattice.basis is not None
        count, n_basis = len(directions), lattice.n_basis
        first = [d for d in range(count) if d < directions.opposite[d]]
        order = np.array(first + [int(directions.opposite[d]) for d in first])
        parity = np.einsum("dh,dh->h", directions.harmonics, directions.harmonics[directions.opposite])
        if np.abs(np.abs(parity) - 1).max() > 1e-8 or (parity > 0).sum() != len(first):
            return None
        ahead = np.array(first)
        even, odd = np.flatnonzero(parity > 0), np.flatnonzero(parity < 0)
        bonds = lattice.bonds(1)
        unit = bonds.vector / np.linalg.norm(bonds.vector, axis=1, keepdims=True)
        along = np.argmax(unit @ directions.vectors[order].T, axis=1)
        present = np.zeros((n_basis, count), dtype=bool)
        target, offset = np.zeros((n_basis, count), dtype=np.int64), np.zeros((n_basis, count, 3), dtype=np.int64)
        for k in np.flatnonzero(bonds.source < n_basis):
            b, d, end = bonds.source[k], along[k], bonds.target[k] % n_basis
            cells = (bonds.vector[k] - lattice.basis[end] + lattice.basis[b]) @ np.linalg.inv(lattice.vectors)
            present[b, d], target[b, d] = True, end
            offset[b, d, 3 - lattice.dim :] = np.round(cells)
        if np.abs(offset).max() > 1:
            return None
        return cls(
            order=order,
            even=directions.harmonics[np.ix_(ahead, even)],
            odd=directions.harmonics[np.ix_(ahead, odd)],
            space=directions.space[np.concatenate([even, odd])],
            present=present,
            target=target,
            offset=offset,
        )


@dataclass(frozen=True)
class Boxes:
    """All boxes of a number of replicas of one lattice, side by side."""

    crystal: Crystal
    pitch: int
    """Places from one sublattice to the next, whole :data:`LANES`: the cells of a box with its rim, and more."""
    first: int
    """Place of the first cell inside the rim, a multiple of :data:`LANES`."""
    count: int
    """Places from there to the last cell inside, rounded up to whole :data:`LANES`; from all of them neighbours lie
    within the sublattice's places."""
    shift: Int[np.ndarray, "sublattice direction"]
    """From a site's place to that of its neighbour."""
    site: Int[np.ndarray, "box stride"]
    """Site at each place of the box and its rim; -1 elsewhere."""
    inside: Bool[np.ndarray, "box stride"]
    """Whether the box owns the site at a place; every site is owned once."""

    @classmethod
    def of(cls, lattice: Lattice, directions: Directions, replicas: int) -> Boxes | None:
        """None where no box fits or :meth:`Crystal.of` gives none."""
        crystal = Crystal.of(lattice, directions)
        if crystal is None or lattice.shape is None:
            return None
        n_basis = lattice.n_basis
        shape = np.array((1,) * (3 - lattice.dim) + lattice.shape)
        rim = np.array((0,) * (3 - lattice.dim) + (1,) * lattice.dim)
        parts = _parts(shape, rim, n_basis)
        if parts is None:
            return None
        size = -(-shape // parts)
        local = size + 2 * rim
        cells, padding, first, count, pitch = _places(size, rim)
        n_boxes = int(parts.prod())
        within = np.stack(np.unravel_index(np.arange(cells), local), axis=-1) - rim
        site = np.full((n_boxes, STRIDE), -1, dtype=np.int64)
        inside = np.zeros((n_boxes, STRIDE), dtype=bool)
        for k, part in enumerate(itertools.product(*map(range, parts))):
            start = np.array(part) * shape // parts
            stop = (np.array(part) + 1) * shape // parts
            cell = np.ravel_multi_index(tuple(((start + within) % shape).T), tuple(shape))
            owned = ((within >= 0) & (start + within < stop)).all(1)
            for b in range(n_basis):
                places = slice(b * pitch + padding, b * pitch + padding + cells)
                site[k, places], inside[k, places] = cell * n_basis + b, owned
        steps = np.array([local[1] * local[2], local[2], 1])
        own = np.arange(n_basis)[:, None]
        return cls(
            crystal=crystal,
            pitch=pitch,
            first=first,
            count=count,
            shift=np.where(crystal.present, crystal.offset @ steps + (crystal.target - own) * pitch, 0),
            site=np.concatenate([np.where(site < 0, -1, site + r * lattice.n_sites) for r in range(replicas)]),
            inside=np.tile(inside, (replicas, 1)),
        )

    def __len__(self) -> int:
        return len(self.site)

    @property
    def n_basis(self) -> int:
        """Sublattices."""
        return len(self.shift)

    @property
    def n_places(self) -> int:
        """Places up to the last sublattice's last one."""
        return self.n_basis * self.pitch

    @cached_property
    def home(self) -> Int[np.ndarray, " site"]:
        """(site,) where each site is owned, as box * STRIDE + place."""
        owned = np.flatnonzero(self.inside)
        home = np.empty(len(owned), dtype=np.int64)
        home[self.site.ravel()[owned]] = owned
        return home

    @cached_property
    def rims(self) -> tuple[Int[np.ndarray, " _"], ...]:
        """(edges, box, place, home): entries edges[k] to edges[k + 1] tell where sites of box k stand in rims.

        Each entry is a box, the place in its rim, and the place in box k.
        """
        rim = np.flatnonzero(~self.inside & (self.site >= 0))
        owner, home = np.divmod(self.home[self.site.ravel()[rim]], STRIDE)
        order = np.argsort(owner, kind="stable")
        box, place = np.divmod(rim[order], STRIDE)
        return np.searchsorted(owner[order], np.arange(len(self) + 1)), box, place, home[order]


def _places(size: np.ndarray, rim: np.ndarray) -> tuple[int, int, int, int, int]:
    """Cells of a box with its rim, place of the first of them, place of the first inside, places from there to the last
    inside, places of a sublattice. The last three are whole numbers of :data:`LANES`."""
    local = tuple(size + 2 * rim)
    cells = int(np.prod(local))
    before = int(np.ravel_multi_index(tuple(rim), local))
    first, count = _whole(before), _whole(cells - 2 * before)
    return cells, first - before, first, count, _whole(first + count + before)


def _whole(places: int) -> int:
    """The next whole number of vectors."""
    return -(-places // LANES) * LANES


def _parts(shape: np.ndarray, rim: np.ndarray, n_basis: int) -> np.ndarray | None:
    """Boxes along each axis that make the least work; None where even a single cell does not fit."""
    best, least = None, np.inf
    for parts in itertools.product(*(_divisions(length) for length in shape)):
        *_, count, pitch = _places(-(-shape // np.array(parts)), rim)
        work = float(np.prod(parts)) * (n_basis * (0.3 * pitch + 0.7 * count) + BOX_COST)
        if n_basis * pitch <= STRIDE and work < least:
            best, least = np.array(parts), work
    return best


def _divisions(length: int) -> list[int]:
    """Numbers of parts into which ``length`` cells may be cut, one for each size of the largest part."""
    return sorted({-(-length // size) for size in range(1, min(length, STRIDE) + 1)})
