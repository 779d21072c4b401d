"""Spin states on lattices: random and ordered textures, noise and rotations, each (replica, site, 3)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sdgnn.lattice import Lattice


def stream(seed: int, replica: int) -> np.random.Generator:
    """The random stream of one replica: the same numbers however many replicas are drawn."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy=seed, spawn_key=(replica,))))


def random(lattice: Lattice, replicas: int = 1, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Spins independent and uniform on the sphere, (replica, site, 3)."""
    states = np.stack([stream(seed, r).standard_normal((lattice.n_sites, 3)) for r in range(replicas)])
    return torch.from_numpy(states / np.linalg.norm(states, axis=-1, keepdims=True)).to(dtype)
