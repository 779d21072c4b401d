"""Equivariant networks with weights as training leaves them, lattices for them, and how far fields are apart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sdgnn import Lattice
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
LATTICES = [
    Lattice.chain(9),
    Lattice.square(6, 6),
    Lattice.triangular(6, 6),
    Lattice.honeycomb(4, 4),
    Lattice.kagome(3, 3),
    Lattice.cubic(4, 4, 4),
]
ROUNDING = 1e-10
"""Energies and slopes of order 1e3 in float64, sums of ~1e3 terms: 1e-12 is seen."""


def trained_like(lattice: Lattice, layers: int = 2) -> EquivariantNetwork:
    """A network with every weight away from its special starting value, as training would leave it."""
    network = EquivariantNetwork(EquivariantSettings(layers=layers, channels=4), lattice, seed=3)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.3 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
    return network


def distance(one: Tensor, other: Tensor) -> float:
    """|one - other| / |other|."""
    return float(((one - other).norm() / other.norm()).detach())
