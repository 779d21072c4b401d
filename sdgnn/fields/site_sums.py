"""Fields whose energy is a sum over sites, and their parts on a part of the crystal."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.fields.protocol import Field, Total
from sdgnn.fields.result import FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.fields.wrapper import Wrapper
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
        """The field on a part of its crystal, see :meth:`sdgnn.fields.Local.part`."""
        return Part(self.on(lattice), own, total)


class Part(Wrapper):
    """A sum over sites on a part of its crystal (see :meth:`sdgnn.fields.protocol.Local.part`)."""

    field: SiteSum
    """The sum over all sites of the part's lattice."""

    def __init__(self, field: SiteSum, own: slice, total: Total) -> None:
        super().__init__(field)
        self.own, self.total = own, total

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        energies, field = self.field.by_site(spins, time)
        return FieldResult(self.total(energies[:, self.own].sum(1, dtype=torch.float64)), field)

    def __repr__(self) -> str:
        return f"part of {self.field!r}"
