"""Which states two label sets have in common, told from the spins and from what they were drawn from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sdgnn.common.files import content_hash
from sdgnn.data.labels import UNKNOWN, LabelSet

DIGITS = 16
"""Hexadecimal digits of a name: two of a million states share one with a chance of 3e-8."""


@dataclass(frozen=True)
class Overlap:
    """How many states of a label set are among others, of ``states`` in all."""

    same: int
    """States whose spins are there, to single precision."""
    related: int
    """Further states of samples that are there: other snapshots of a run, other noise on the same draw."""
    states: int
    """States of the set."""

    def __bool__(self) -> bool:
        return self.same + self.related > 0

    def __str__(self) -> str:
        others = f", and {self.related} more belong to the same runs or draws" if self.related else ""
        return f"{self.same} of {self.states} states{others}"


def state_names(labels: LabelSet) -> list[str]:
    """Name of each state by its spins in float32, the same from a file of either precision."""
    return [content_hash(state)[:DIGITS] for state in labels.spins.float().numpy()]


def sample_names(labels: LabelSet) -> list[str]:
    """Name of the sample of each state: by lattice, kind of protocol and seed, or by the state where these are unknown.

    The seed of a sample follows from that of its set, its protocol's place and its number (see
    :func:`~sdgnn.data.sampling.sample_seed`), so sets of equal seeds begin with equal samples, however long they are.
    Kinds are named without their numbers: ``neel noise 0.1`` and ``neel noise 0.3`` of one seed share their noise.
    """
    lattice = json.dumps(labels.lattice.to_dict(), sort_keys=True)
    names = state_names(labels)
    return [
        names[i] if seed == UNKNOWN else content_hash(lattice, re.sub(r"[\d.e+-]+$", "", kind), str(seed))[:DIGITS]
        for i, (kind, seed) in enumerate(zip(labels.protocol, labels.seeds.tolist(), strict=True))
    ]


def record(sets: Iterable[LabelSet]) -> dict[str, str]:
    """Names of all states and samples of label sets, for JSON; :func:`overlap` reads it."""
    states: set[str] = set()
    samples: set[str] = set()
    for labels in sets:
        states.update(state_names(labels))
        samples.update(sample_names(labels))
    return {"states": " ".join(sorted(states)), "samples": " ".join(sorted(samples))}


def overlap(labels: LabelSet, records: Sequence[dict[str, str]]) -> Overlap:
    """States of ``labels`` that are in recorded sets."""
    states = {name for one in records for name in one.get("states", "").split()}
    samples = {name for one in records for name in one.get("samples", "").split()}
    same = np.array([name in states for name in state_names(labels)], dtype=bool)
    related = np.array([name in samples for name in sample_names(labels)], dtype=bool)
    return Overlap(int(same.sum()), int((related & ~same).sum()), len(labels))
