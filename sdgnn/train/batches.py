"""Batches of labelled states: each of one lattice, in an order that the seed and the epoch alone determine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor


def number_of_batches(sizes: Sequence[int], batch: int, processes: int = 1) -> int:
    """Batches in an epoch over label sets of these sizes."""
    return sum(-(-size // (batch * processes)) for size in sizes)


def shuffled(
    sizes: Sequence[int], batch: int, seed: int, epoch: int, processes: int = 1, rank: int = 0
) -> Iterator[tuple[int, Tensor]]:
    """Every state once: (label set, its states), shuffled within their set, then the batches among each other.

    The order is a function of seed and epoch, so a resumed run goes on with the order of an uninterrupted one. Where
    several processes train together, each takes its share of batches that are so many times larger; a last one that
    does not divide is filled up with states of its beginning.
    """
    draw = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(epoch,)))
    batches = []
    for which, size in enumerate(sizes):
        order = torch.from_numpy(draw.permutation(size))
        batches += [(which, states) for states in order.split(batch * processes)]
    for k in draw.permutation(len(batches)):
        which, states = batches[k]
        filled = states[torch.arange(-(-len(states) // processes) * processes, device="cpu") % len(states)]
        yield which, filled[rank::processes]
