"""What a field says about spins: energy, effective field, and what electrons add."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sdgnn.common.one_line import one_line

Result = TypeVar("Result", bound="FieldResult")


@dataclass(frozen=True)
class FieldResult:
    """What a field says about a batch of spin states."""

    energy: Float[Tensor, " replica"]
    """(replica,) total energy E(S), in units of the hopping t; float64 whatever the dtype of the spins, since a change
    of one spin is lost in the roundings of a large sum."""
    field: Float[Tensor, "replica site 3"]
    """(replica, site, 3) effective field H_i = -dE/dS_i with S_i a free 3-vector, the part along S_i kept."""
    density: Float[Tensor, "replica site"] | None = None
    """(replica, site) electrons per site n_i in [0, 2]; None for fields without electrons."""
    mu: Float[Tensor, " replica"] | None = None
    """(replica,) chemical potential of the electrons, in units of t; None for fields without electrons."""
    torque_error: Float[Tensor, "replica site"] | None = None
    """(replica, site) expected root mean square error of the torque per Cartesian component, in units of t; None for
    fields that do not judge themselves. Committees of networks and kernel polynomial fields do."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "energy", self.energy.to(torch.float64))

    def with_sites(self: Result, change: Callable[[Tensor], Tensor]) -> Result:
        """The same result with ``change`` made to everything that has one entry for each site."""
        names = ("field", "density", "torque_error")
        there = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: change(value) for name, value in there.items()})

    def rows(self: Result, order: Sequence[int]) -> Result:
        """The same result with its replicas in this order."""
        return replace(self, **{name: value[list(order)] for name, value in self._of_replicas().items()})

    def where(self: Result, chosen: Bool[Tensor, " replica"], other: Result) -> Result:
        """This result for the ``chosen`` replicas and the ``other`` one for the rest."""
        theirs = other._of_replicas()
        return replace(
            self,
            **{
                name: torch.where(chosen.to(value.device).reshape(-1, *(1,) * (value.ndim - 1)), value, theirs[name])
                for name, value in self._of_replicas().items()
            },
        )

    def _of_replicas(self) -> dict[str, Tensor]:
        """All that is there, each with one row for each replica."""
        return {entry.name: value for entry in fields(self) if (value := getattr(self, entry.name)) is not None}


def torque_part(
    field: Float[Tensor, "replica site 3"], spins: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site 3"]:
    """The part of a field transverse to the spins, T_i = H_i - (H_i . S_i) S_i / |S_i|^2; only this moves a spin."""
    along = (field * spins).sum(-1, keepdim=True) / (spins * spins).sum(-1, keepdim=True)
    return field - along * spins
