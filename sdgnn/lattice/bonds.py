"""Bonds of a lattice, each from either end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from sdgnn.common.errors import UserError
from sdgnn.common.frozen import freeze, frozen
from sdgnn.common.one_line import one_line
from sdgnn.lattice.positions import POSITION_TOLERANCE


@dataclass(frozen=True)
class Bonds:
    """Directed bonds: each undirected bond appears once from either end, each periodic image separately.

    Sorted by source, then shell, then direction (the angle in [0, 2 pi) in two dimensions). Read-only.
    """

    source: Int[np.ndarray, " bond"]
    """(bond,) site i at which the bond starts."""
    target: Int[np.ndarray, " bond"]
    """(bond,) site j at which it ends."""
    vector: Float[np.ndarray, "bond dim"]
    """(bond, dim) displacement r_j - r_i of this image."""
    shell: Int[np.ndarray, " bond"]
    """(bond,) neighbour shell, 0 for nearest neighbours; on free lattices, -1 (distances do not fall into shells)."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        freeze(self)

    def __len__(self) -> int:
        return len(self.source)

    def of_shell(self, shell: int) -> Bonds:
        """The bonds of one shell, 0 for nearest neighbours."""
        kept = self.shell == shell
        return Bonds(self.source[kept], self.target[kept], self.vector[kept], self.shell[kept])

    @cached_property
    def reversed(self) -> Int[np.ndarray, " bond"]:
        """(bond,) index of each bond given from its other end. Raises UserError unless each is there once from either.

        Bonds of a :class:`Lattice` are.
        """
        forward = np.column_stack([self.source, self.target, self.vector])
        if len(self) == 0:
            return frozen(np.zeros(0, dtype=np.int64))
        distance, back = cKDTree(forward).query(np.column_stack([self.target, self.source, -self.vector]))
        if distance.max() > POSITION_TOLERANCE or not np.array_equal(back[back], np.arange(len(self))):
            raise UserError(
                "bonds that are not given from either end", allowed="each i -> j along r once, and j -> i along -r"
            )
        return frozen(back.astype(np.int64))
