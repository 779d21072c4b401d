"""Batches of labelled states: each of one lattice, in an order that the seed and the epoch alone determine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from sdgnn.data import LabelSet


class Batch(NamedTuple):
    """States of one label set."""

    which: int
    """Index of the label set, hence of the lattice."""
    spins: Tensor
    """(state, site, 3)."""
    field: Tensor
    """(state, site, 3) effective field in units of t."""
    energy: Tensor | None
    """(state,) total energy in units of t."""


class States(Dataset[Batch]):
    """Label sets as tensors; indexed by (label set, states) to give a batch."""

    def __init__(self, sets: Sequence[LabelSet], dtype: torch.dtype) -> None:
        self._sets = []
        for labels in sets:
            # energies keep float64: subtracting two large ones must not cost digits
            self._sets.append((labels.spins.to(dtype), labels.field.to(dtype), labels.energy))

    def __getitem__(self, key: tuple[int, Tensor]) -> Batch:
        which, states = key
        spins, field, energy = self._sets[which]
        return Batch(which, spins[states], field[states], None if energy is None else energy[states])


class Shuffled(Sampler[tuple[int, Tensor]]):
    """Every state once per epoch: states are shuffled within their label set, then the batches among each other.

    The order is a function of seed and epoch, so a resumed run goes on with the order of an uninterrupted one. Where
    several processes train together, each takes its share of batches that are so many times larger; a last one that
    does not divide is filled up with states of its beginning.
    """

    def __init__(self, sizes: Sequence[int], batch: int, seed: int, processes: int = 1, rank: int = 0) -> None:
        self._sizes, self._batch, self._seed = tuple(sizes), batch * processes, seed
        self._processes, self._rank = processes, rank
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return sum(-(-size // self._batch) for size in self._sizes)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        draw = np.random.default_rng(np.random.SeedSequence(entropy=self._seed, spawn_key=(self._epoch,)))
        batches = []
        for which, size in enumerate(self._sizes):
            order = torch.from_numpy(draw.permutation(size))
            batches += [(which, states) for states in order.split(self._batch)]
        for k in draw.permutation(len(batches)):
            which, states = batches[k]
            filled = states[
                torch.arange(-(-len(states) // self._processes) * self._processes, device="cpu") % len(states)
            ]
            yield which, filled[self._rank :: self._processes]


class InOrder(Sampler[tuple[int, Tensor]]):
    """Every state once, in the order of the label sets."""

    def __init__(self, sizes: Sequence[int], batch: int) -> None:
        self._batches = [
            (which, states)
            for which, size in enumerate(sizes)
            for states in torch.arange(size, device="cpu").split(batch)
        ]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        return iter(self._batches)


def loader(sets: Sequence[LabelSet], sampler: Shuffled | InOrder, dtype: torch.dtype) -> DataLoader[Batch]:
    """Batches of label sets in the sampler's order."""
    return DataLoader(States(sets, dtype), batch_size=None, sampler=sampler)  # type: ignore[arg-type]
