"""On which side of a bond the nearest neighbour that both of its ends share lies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int
from scipy.spatial import cKDTree

from sdgnn.common.errors import UserError
from sdgnn.lattice.bonds import Bonds
from sdgnn.lattice.lattice import Lattice
from sdgnn.lattice.positions import POSITION_TOLERANCE


def sides(lattice: Lattice, bonds: Bonds) -> Int[np.ndarray, " bond"]:
    """(bond,) +1 where the common nearest neighbour k of i and j lies to the left of i -> j, -1 where to the right.

    With +1 the bond runs counter-clockwise around the triangle i, j, k: on kagome lattices around the triangle it
    belongs to, between second neighbours of honeycomb lattices around the corner that lies between them. 0 where there
    is none, one on the line, or some on either side. Two dimensions only.
    """
    if lattice.dim != 2:
        raise UserError(f"sides of bonds of a {lattice.dim}-dimensional lattice", allowed="two-dimensional lattices")
    near = lattice.bonds(1)
    first = np.searchsorted(near.source, np.arange(lattice.n_sites + 1))
    count = np.diff(first)[bonds.source]
    bond = np.repeat(np.arange(len(bonds)), count)
    step = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[bonds.source[bond]]
    rest = bonds.vector[bond] - near.vector[step]
    tree = cKDTree(np.column_stack([near.source, near.vector]))
    shared = tree.query(np.column_stack([near.target[step], rest]))[0] < POSITION_TOLERANCE
    (x, y), (u, v) = bonds.vector[bond[shared]].T, near.vector[step[shared]].T
    turn = np.sign(np.round(x * v - y * u, 6)).astype(np.int64)
    total, number = np.zeros(len(bonds), np.int64), np.bincount(bond[shared], minlength=len(bonds))
    np.add.at(total, bond[shared], turn)
    return np.where(np.abs(total) == number, np.sign(total), 0)
