"""Samples that are drawn and labelled together, by whatever process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.sampling import Protocol
from sdgnn.data.solvers import build, label
from sdgnn.fields import Field
from sdgnn.lattice import Lattice


@dataclass(frozen=True, eq=False)
class Task:
    """Samples of one protocol that are labelled and stored together, described by plain numbers and text."""

    file: str
    """Name of the part; names sort in the order of states."""
    lattice: dict[str, Any]
    """``Lattice.to_dict()``."""
    origin: Origin
    """Hamiltonian, ensemble and solver of the labels."""
    protocol: Protocol
    """The protocol that draws the samples."""
    seeds: dict[int, int]
    """Seed of each sample."""
    threads: int
    """Threads of linear algebra."""

    @property
    def states(self) -> int:
        """Number of states."""
        return len(self.seeds) * self.protocol.states_per_sample

    def run(self) -> LabelSet:
        """Draw and label the states, one sample at a time."""
        field = build(self.origin, Lattice.from_dict(self.lattice))
        with _threads(self.threads):
            return LabelSet.concatenate([self._labels(field, index, seed) for index, seed in self.seeds.items()])

    def _labels(self, field: Field, index: int, seed: int) -> LabelSet:
        sample = self.protocol.sample(field.lattice, index, seed, field)
        return label(
            field, sample.spins, sample.names, np.full(len(sample.spins), seed), np.array(sample.steps), self.origin
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of linear algebra, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
