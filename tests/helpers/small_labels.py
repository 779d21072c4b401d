"""A small label set for tests."""

from __future__ import annotations

import numpy as np
import torch

from sdgnn import Lattice, spins
from sdgnn.data import LabelSet, Origin

LATTICE = Lattice.square(2, 3)


def some(states: int = 5, **changes: object) -> LabelSet:
    """Labels of random spins, with random fields, energies, densities and mu; ``changes`` replace arguments."""
    generator = torch.Generator().manual_seed(0)
    s = spins.random(LATTICE, states, seed=0)
    values = {
        "lattice": LATTICE,
        "spins": s,
        "field": torch.randn(s.shape, generator=generator, dtype=torch.float64),
        "energy": torch.randn(states, generator=generator, dtype=torch.float64),
        "density": 2 * torch.rand(s.shape[:2], generator=generator, dtype=torch.float64),
        "mu": torch.randn(states, generator=generator, dtype=torch.float64),
        "protocol": ("random",) * states,
        "seed": np.arange(states),
        "origin": Origin(hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.05, filling=0.25),
    }
    return LabelSet(**{**values, **changes})  # type: ignore[arg-type]
