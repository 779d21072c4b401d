"""States that judge a model and were trained on: found, and said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from sdgnn.data import LabelSet
from sdgnn.data.overlap import overlap, record
from sdgnn.nn import Model
from sdgnn.nn.committee import Committee

RECORD: TypeAdapter[Any] = TypeAdapter(
    dict[Literal["trained on", "chosen by"], dict[Literal["states", "samples"], str]]
)
"""What a model file may hold."""
FIX = "draw them with another seed, or from another run"


def seen_record(training: Sequence[LabelSet], validation: Sequence[LabelSet]) -> dict[str, Any]:
    """What a trained model keeps of the states that made it."""
    return {"trained on": record(training), "chosen by": record(validation)}


def seen_by(model: Model) -> list[dict[str, Any]]:
    """Such records of a model: of its members, and of the trainings that it started from; old files hold none."""
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
    """What is to be said of states of ``labels`` that trained ``model`` or chose its weights."""
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
    """What is to be said of validation states that are trained on."""
    known = [record(training)]
    return [
        f"validation on what is trained on: {found} of {labels!r}; label sets of one seed begin with the same "
        f"states: give one of them, or {FIX}"
        for labels in validation
        if (found := overlap(labels, known))
    ]
