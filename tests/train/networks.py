"""A quick network for tests of training."""

from __future__ import annotations

import torch

from sdgnn import Lattice
from sdgnn.nn import Network, NetworkSettings


def small_network(seed: int = 0) -> Network:
    """A network for triangular lattices with initial weights from ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Network(NetworkSettings(), Lattice.triangular(4, 4))
