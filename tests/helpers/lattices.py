"""Lattices of every kind that a file has to hold."""

from __future__ import annotations

import numpy as np

from sdgnn import Lattice

CRYSTALS = [
    Lattice.chain(5),
    Lattice.square(4, 3),
    Lattice.triangular(4, 3),
    Lattice.honeycomb(2, 3),
    Lattice.kagome(3, 2),
    Lattice.cubic(2, 3, 4),
    Lattice.crystal(np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], (2, 3, 4)),
    Lattice.crystal(np.diag([1.0, 1.5]), [[0.25, 0.5]], (3, 1)),
]
FREE = [Lattice.kagome(3, 3).without([2, 5]), Lattice.amorphous(12, dim=3, seed=1)]
EVERY = [*CRYSTALS, *FREE]


def name(lattice: Lattice) -> str:
    return f"{lattice.name}-{lattice.dim}d"


def same(one: Lattice, other: Lattice) -> bool:
    """Whether two lattices are equal to the last digit."""
    return (
        one.name == other.name
        and one.shape == other.shape
        and np.array_equal(one.positions, other.positions)
        and np.array_equal(one.cell, other.cell)
    )
