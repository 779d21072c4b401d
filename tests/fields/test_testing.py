"""The conformance check passes what is right and names what is wrong."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from sdgnn import ExactField, Lattice, SDModel
from sdgnn.common.errors import UserError
from sdgnn.fields import DMI, Anisotropy, Field, FieldResult, Heisenberg, Zeeman
from sdgnn.fields.schedules import Time
from sdgnn.fields.testing import check_field

LATTICE = Lattice.triangular(4, 4)


class Wrong(Field):
    """A Heisenberg field with one mistake."""

    def __init__(self, mistake: str) -> None:
        self.lattice = LATTICE
        self._right = Heisenberg(LATTICE, [1.0, 0.3])
        self._mistake = mistake

    def evaluate(self, spins: Tensor, time: Time) -> FieldResult:
        right = self._right(spins)
        if self._mistake == "shape":
            return dataclasses.replace(right, field=right.field * torch.nan)
        if self._mistake == "replicas":
            return dataclasses.replace(right, energy=right.energy + right.energy.mean())
        if self._mistake == "slope":
            return dataclasses.replace(right, field=1.001 * right.field)
        # a weight that depends on the site breaks translations
        weight = torch.linspace(0.9, 1.1, LATTICE.n_sites, dtype=torch.float64)[:, None]
        weighted = self._right(weight * spins)
        return FieldResult(weighted.energy, weight * weighted.field)


def test_right_fields_pass() -> None:
    check_field(Heisenberg(LATTICE, [1.0, -0.5]))
    check_field(ExactField(SDModel(LATTICE), kT=0.1, filling=0.25))


@pytest.mark.parametrize("mistake", ["shape", "replicas", "slope", "lattice"])
def test_mistakes_are_named(mistake: str) -> None:
    with pytest.raises(AssertionError, match=mistake):
        check_field(Wrong(mistake))


@pytest.mark.parametrize(
    ("term", "broken"),
    [
        (Zeeman(LATTICE, field=(0, 0, 0.1)), {"spin rotation", "time reversal"}),
        (Anisotropy(LATTICE, strength=0.1), {"spin rotation"}),
        (DMI(LATTICE, strength=0.1), {"spin rotation", "lattice"}),
    ],
    ids=["zeeman", "anisotropy", "dmi"],
)
def test_broken_symmetries_are_seen_and_can_be_allowed(term: Field, broken: set[str]) -> None:
    check_field(term, broken=broken)
    for law in broken:
        with pytest.raises(AssertionError, match=law):
            check_field(term, broken=broken - {law})


def test_unknown_laws_are_refused() -> None:
    with pytest.raises(UserError, match="time reversl"):
        check_field(Zeeman(LATTICE, field=(0, 0, 1.0)), broken=["time reversl"])
