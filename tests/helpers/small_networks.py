"""Quick models for tests of training."""

from __future__ import annotations

from sdgnn import Lattice
from sdgnn.nn import ElectronsSettings, EquivariantNetwork, EquivariantSettings, Network, NetworkSettings

ELECTRONS = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.3, filling=0.25)
SMALL = NetworkSettings(cutoff=2, moments=9, hidden=4)


def small_network(seed: int = 0) -> Network:
    """A small network of these electrons on triangular lattices with initial weights from ``seed``."""
    return Network(SMALL.model_copy(update={"electrons": ELECTRONS}), Lattice.triangular(4, 4), seed)


def small_baseline(seed: int = 0) -> EquivariantNetwork:
    """The smallest equivariant network for triangular lattices with initial weights from ``seed``."""
    return EquivariantNetwork(
        EquivariantSettings(layers=1, channels=2, bond_functions=3), Lattice.triangular(4, 4), seed
    )
