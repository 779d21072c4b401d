"""The magnetic cell of a state: which translations of the crystal leave all spins as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sdgnn.common.frozen import freeze
from sdgnn.common.one_line import one_line
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import reduced_cell

EQUAL_SPINS = 1e-5
"""Root mean square of S_i - S_j up to which two states are the same one."""


@dataclass(frozen=True, eq=False)
class MagneticCell:
    """The smallest cell that repeats a state: its sites, and which of them every site of the lattice repeats."""

    vectors: Float[np.ndarray, "dim dim"]
    """(dim, dim) rows are the shortest primitive vectors, right-handed."""
    sites: Int[np.ndarray, " member"]
    """(member,) one site of the lattice for each site of the magnetic cell."""
    member: Int[np.ndarray, " site"]
    """(site,) which of these every site of the lattice repeats."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def count(self) -> int:
        """Number of sites in the magnetic cell."""
        return len(self.sites)


def whole_cell(lattice: Lattice) -> MagneticCell:
    """The cell of a state that nothing but the lattice's periods repeats."""
    sites = np.arange(lattice.n_sites)
    return MagneticCell(_right_handed(reduced_cell(lattice.cell)), sites, sites)


def magnetic_cell(spins: Float[np.ndarray, "site 3"], lattice: Lattice) -> MagneticCell:
    """The magnetic cell of a state; on free lattices, the whole of them.

    A translation u repeats a state where sum_i |S_i - S_(i + u)|^2 vanishes, which the autocorrelation of the spins
    over the crystal tells of all translations at once.
    """
    if lattice.shape is None or lattice.vectors is None:
        return whole_cell(lattice)
    shape, dim = lattice.shape, lattice.dim
    axes = tuple(range(dim))
    amplitudes = np.fft.fftn(spins.reshape(*shape, -1), axes=axes)
    overlaps = np.fft.ifftn((np.abs(amplitudes) ** 2).sum(-1), axes=axes).real / (spins**2).sum()
    repeats = np.argwhere(overlaps > 1 - EQUAL_SPINS**2 / 2)
    rows = _basis(repeats, np.array(shape))
    folded = np.round(lattice.cells() @ np.linalg.inv(rows), 9)
    fractions = np.round((folded - np.floor(folded)) * abs(round(np.linalg.det(rows)))).astype(int)
    kind = np.column_stack([fractions, np.arange(lattice.n_sites) % lattice.n_basis])
    _, sites, member = np.unique(kind, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(sites)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return MagneticCell(
        _right_handed(reduced_cell(rows @ lattice.vectors)), sites[order].astype(np.int64), place[member.ravel()]
    )


def _basis(points: Int[np.ndarray, "point dim"], periods: Int[np.ndarray, " dim"]) -> Int[np.ndarray, "dim dim"]:
    """A basis, lower triangular, of the lattice that ``points`` and the ``periods`` along each axis make.

    ``points`` hold all points of that lattice with 0 <= coordinate < period. Row k is a point with no coordinates after
    the k-th, whose k-th coordinate is the smallest above 0.
    """
    rows = np.diag(periods)
    for k in range(len(periods)):
        flat = points[(points[:, k + 1 :] == 0).all(axis=1) & (points[:, k] > 0)]
        if len(flat):
            rows[k] = flat[np.argmin(flat[:, k])]
    return rows


def _right_handed(rows: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, "dim dim"]:
    """Rows of positive determinant, the last one turned around where needed."""
    rows = rows.copy()
    if np.linalg.det(rows) < 0:
        rows[-1] *= -1
    return rows
