"""The content of a field: equal for fields that do the same, another for any weight, term, strength or seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import sdgnn
from sdgnn import BondDisorder, ExactField, KPMField, Lattice, SDModel, TruncatedField
from sdgnn.common.identity import content
from sdgnn.fields import DMI, Anisotropy, Field, FieldResult, Heisenberg, Zeeman
from sdgnn.fields.schedules import Ramp
from sdgnn.nn import NetworkSettings, create

LATTICE = Lattice.triangular(4, 4)


class Own(Field):
    """A field as a user may write one: an easy plane."""

    def __init__(self, strength: float) -> None:
        self.lattice, self.strength = LATTICE, strength

    def evaluate(self, spins, time):  # type: ignore[no-untyped-def]
        z = torch.tensor([0.0, 0.0, 1.0], dtype=spins.dtype)
        return FieldResult(self.strength * spins[..., 2].square().sum(1), -2 * self.strength * spins * z)


def disordered(seed: int) -> SDModel:
    return SDModel(LATTICE, [1.0], 3.0, disorder=BondDisorder(width=0.2, seed=seed))


def network(seed: int) -> Field:
    made = create(NetworkSettings(cutoff=2, moments=9, hidden=4), LATTICE, seed)
    return made.on(SDModel(LATTICE, [1.0], 3.0), kT=0.1, filling=0.25)


OTHERS: dict[str, tuple[Callable[[], Field], Callable[[], Field]]] = {
    "coupling": (lambda: Heisenberg(LATTICE, [1.0]), lambda: Heisenberg(LATTICE, [1 + 1e-12])),
    "lattice": (lambda: Own(1.0), lambda: Own(1.5)),
    "term": (lambda: Own(1.0) + DMI(LATTICE, 0.1), lambda: Own(1.0) + DMI(LATTICE, 0.1, "neel")),
    "schedule": (lambda: Zeeman(LATTICE, (0, 0, 1), Ramp(0, 1, 5)), lambda: Zeeman(LATTICE, (0, 0, 1), Ramp(0, 1, 6))),
    "axis": (lambda: Anisotropy(LATTICE, 1.0), lambda: Anisotropy(LATTICE, 1.0, (1.0, 0.0, 0.0))),
    "seed of disorder": (
        lambda: ExactField(disordered(1), 0.1, filling=0.25), lambda: ExactField(disordered(2), 0.1, filling=0.25),
    ),
    "seed of probes": (
        lambda: KPMField(disordered(1), 0.1, mu=-1.0, moments=20, vectors=8, seed=0),
        lambda: KPMField(disordered(1), 0.1, mu=-1.0, moments=20, vectors=8, seed=1),
    ),
    "moments": (
        lambda: TruncatedField(SDModel(LATTICE, [1.0], 3.0), 0.1, mu=-1.0, cutoff=2, moments=9),
        lambda: TruncatedField(SDModel(LATTICE, [1.0], 3.0), 0.1, mu=-1.0, cutoff=2, moments=11),
    ),
    "weights": (lambda: network(0), lambda: network(1)),
}  # fmt: skip


@pytest.mark.parametrize("what", OTHERS)
def test_fields_made_alike_have_equal_content_and_others_another(what: str) -> None:
    make, other = OTHERS[what]
    first, again = make(), make()
    first(sdgnn.spins.random(LATTICE, 1, seed=0))  # what a field keeps for later belongs to no content
    assert content(first) == content(again) != content(other())
    assert json.loads(json.dumps(content(first))) == content(first)


def test_a_model_is_the_same_wherever_its_file_lies(tmp_path: Path) -> None:
    saved = sdgnn.load("triangular-tetrahedral")
    saved.save(tmp_path / "a" / "model.safetensors")
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "model.safetensors").rename(tmp_path / "b" / "other.safetensors")
    lattice = Lattice.triangular(12, 12)
    moved = sdgnn.load(tmp_path / "b" / "other.safetensors")
    assert content(moved.on(lattice)) == content(saved.on(lattice))
    with torch.no_grad():
        next(moved.readout.parameters()).mul_(1.001)
    assert content(moved.on(lattice)) != content(saved.on(lattice))
