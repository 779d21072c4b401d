"""A quick network for tests of training."""

from __future__ import annotations

from sdgnn import Lattice
from sdgnn.nn import EquivariantNetwork, EquivariantSettings


def small_network(seed: int = 0) -> EquivariantNetwork:
    """The smallest network for triangular lattices with initial weights from ``seed``."""
    return EquivariantNetwork(
        EquivariantSettings(layers=1, channels=2, bond_functions=3), Lattice.triangular(4, 4), seed
    )
