"""Unit cells around a unit cell: those within a distance, and those that bonds lead to."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from sdgnn.lattice.bonds import Bonds
from sdgnn.lattice.lattice import Lattice


def halo_cells(lattice: Lattice, distance: float) -> Int[np.ndarray, " dim"]:
    """Cells along each axis of a crystal that hold all sites within ``distance`` of a cell's sites."""
    assert lattice.vectors is not None and lattice.basis is not None
    inverse = np.linalg.inv(lattice.vectors)
    spread = np.ptp(lattice.basis @ inverse, axis=0)
    return np.ceil(distance * np.linalg.norm(inverse, axis=0) + spread).astype(int)


def cells_crossed(lattice: Lattice, bonds: Bonds) -> Int[np.ndarray, " dim"]:
    """Cells along each axis of a crystal by which one of its bonds leads away at most."""
    assert lattice.vectors is not None and lattice.basis is not None
    inside = lattice.basis[bonds.target % lattice.n_basis] - lattice.basis[bonds.source % lattice.n_basis]
    cells = (bonds.vector - inside) @ np.linalg.inv(lattice.vectors)
    return np.abs(np.round(cells)).max(0, initial=0).astype(int)
