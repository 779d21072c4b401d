"""Fields made of fields, and fields that are sums over sites."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import Field, FieldResult, Total, halo_of, is_linear, on_lattice, pairs_of, part_of
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

BySite = tuple[Float[Tensor, "replica site"], Float[Tensor, "replica site 3"]]
"""Energies whose sum over sites is E, and the field."""


class SiteSum(Field):
    """E = sum_i e_i of energies that depend on spins near a site; a :class:`~sdgnn.fields.protocol.Local` field."""

    halo: float | None
    """Distance around a site from which spins act on its field; None where there is no such distance."""

    @abstractmethod
    def on(self, lattice: Lattice) -> SiteSum:
        """The same field on another lattice."""

    @abstractmethod
    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        """Energies whose sum over sites is E, and the field."""

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        energies, field = self.by_site(spins, time)
        return FieldResult(energies.sum(1, dtype=torch.float64), field)

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        """The same on a part of its crystal."""
        return Part(self.on(lattice), own, total)


class Part(Field):
    """A sum over sites on a part of its crystal (see :meth:`sdgnn.fields.protocol.Local.part`)."""

    def __init__(self, field: SiteSum, own: slice, total: Total) -> None:
        self.field, self.own, self.total = field, own, total
        self.lattice = field.lattice

    @property
    def made_of(self) -> tuple[Field, ...]:
        return (self.field,)

    @property
    def linear(self) -> bool:
        """That of the whole."""
        return is_linear(self.field)

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """Those of the part."""
        return pairs_of(self.field)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        energies, field = self.field.by_site(spins, time)
        return FieldResult(self.total(energies[:, self.own].sum(1, dtype=torch.float64)), field)

    def __repr__(self) -> str:
        return f"part of {self.field!r}"


class Sum(Field):
    """E = sum_k E_k of fields on one lattice; density and mu are those of the one part that has electrons.

    Torque errors of parts that predict one are independent of each other: their squares add. A sum can do what all its
    parts can: it is there on other lattices where they all are, its halo is the largest of theirs, and is
    linear where they all are. Raises UserError on no parts and on parts on several lattices.
    """

    def __init__(self, *parts: Field) -> None:
        if not parts:
            raise UserError("a sum of no fields", allowed="one or more")
        first = parts[0]
        for part in parts[1:]:
            if not _same_sites(part.lattice, first.lattice):
                raise UserError(f"a sum of fields on {first.lattice!r} and {part.lattice!r}", allowed="one lattice")
        self.parts: tuple[Field, ...] = tuple(
            p for part in parts for p in (part.parts if isinstance(part, Sum) else (part,))
        )
        self.lattice = first.lattice

    @property
    def made_of(self) -> tuple[Field, ...]:
        return self.parts

    @property
    def linear(self) -> bool:
        """Whether all parts are."""
        return all(map(is_linear, self.parts))

    @property
    def halo(self) -> float | None:
        """That of the part whose halo is largest; None where one part has none."""
        seen = [halo_of(part) for part in self.parts]
        return None if None in seen else max(distance for distance in seen if distance is not None)

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """Those of all parts; None where one part has none."""
        found = [pairs for part in self.parts if (pairs := pairs_of(part)) is not None]
        return np.concatenate(found) if len(found) == len(self.parts) else None

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        results = [part.evaluate(spins, time) for part in self.parts]
        densities = [r.density for r in results if r.density is not None]
        potentials = [r.mu for r in results if r.mu is not None]
        errors = [r.torque_error for r in results if r.torque_error is not None]
        return FieldResult(
            energy=torch.stack([r.energy for r in results]).sum(0),
            field=torch.stack([r.field for r in results]).sum(0),
            density=densities[0] if len(densities) == 1 else None,
            mu=potentials[0] if len(potentials) == 1 else None,
            torque_error=torch.stack(errors).square().sum(0).sqrt() if errors else None,
        )

    def on(self, lattice: Lattice) -> Field:
        """The sum of the parts on another lattice. Raises UserError naming a part that is not there."""
        return Sum(*(on_lattice(part, lattice) for part in self.parts))

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        """The sum of the parts on a part of the crystal."""
        return Sum(*(part_of(part, lattice, own, total) for part in self.parts))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


def _same_sites(first: Lattice, second: Lattice) -> bool:
    """Whether two lattices have equal positions in equal cells."""
    return first is second or (
        first.positions.shape == second.positions.shape
        and np.allclose(first.positions, second.positions)
        and np.allclose(first.cell, second.cell)
    )
