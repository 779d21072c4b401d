"""States that judge a model and were trained on, told from their spins and from what they were drawn from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from sdgnn.common.files import content_hash
from sdgnn.data.labels import LabelSet
from sdgnn.data.sampling import UNKNOWN
from sdgnn.nn import Model
from sdgnn.nn.committee import Committee

DIGITS = 16
"""Hexadecimal digits of a name: two of a million states share one with a chance of 3e-8."""
RECORD: TypeAdapter[Any] = TypeAdapter(
    dict[Literal["trained on", "chosen by"], dict[Literal["states", "samples"], str]]
)
"""Form of the record that a model file may hold."""
FIX = "draw them with another seed, or from another run"


@dataclass(frozen=True)
class Overlap:
    """Number of states of a label set that are among others, of ``states`` in all."""

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


def seen_record(training: Sequence[LabelSet], validation: Sequence[LabelSet]) -> dict[str, Any]:
    """Names of the states that trained a model and chose its weights, kept in its file."""
    return {"trained on": record(training), "chosen by": record(validation)}


def seen_by(model: Model) -> list[dict[str, Any]]:
    """Records (:func:`seen_record`) of a model, its members and the trainings it started from; old files hold none."""
    if isinstance(model, Committee):
        return [one for member in model.models for one in seen_by(member)]
    found: list[dict[str, Any]] = []
    made = model.provenance.get("training", model.provenance)
    while isinstance(made, dict):
        with suppress(ValidationError):  # none there, or none that says anything
            found.append(RECORD.validate_python(made.get("seen")))
        made = made.get("before")
    return found


def not_held_out(model: Model, labels: LabelSet) -> list[str]:
    """Warnings of states of ``labels`` that trained ``model`` or chose its weights."""
    records = seen_by(model)
    trained = overlap(labels, [one.get("trained on", {}) for one in records])
    chosen = overlap(labels, [one.get("chosen by", {}) for one in records])
    said = []
    if trained:
        said.append(f"the model was trained on {trained} of {labels!r}: their errors are no test; {FIX}")
    if chosen:
        said.append(f"the model's weights were chosen by {chosen} of {labels!r}; {FIX}")
    return said


def shared_states(training: Sequence[LabelSet], validation: Sequence[LabelSet]) -> list[str]:
    """Warnings of validation states that are trained on."""
    trained = [record(training)]
    return [
        f"validation on what is trained on: {found} of {labels!r}; label sets of one seed begin with the same "
        f"states: give one of them, or {FIX}"
        for labels in validation
        if (found := overlap(labels, trained))
    ]
