"""The one protocol of the package: a field turns spins and a time into energy and effective field H_i = -dE/dS_i."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

Total = Callable[[Tensor], Tensor]
"""Completes a sum by those of all other parts."""

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "energy", self.energy.to(torch.float64))

    def with_sites(self: Result, change: Callable[[Tensor], Tensor]) -> Result:
        """The same result with ``change`` made to everything that has one entry for each site."""
        names = ("field", "density", "torque_error")
        there = {name: value for name in names if (value := getattr(self, name)) is not None}
        return replace(self, **{name: change(value) for name, value in there.items()})


class Field(ABC):
    """Anything that can drive spins: exact electrons, a network bound to a lattice, classical terms, or a sum.

        result = field(spins)              # energy, field and more, at time 0
        result = field(spins, time=12.5)   # fields without a schedule are the same at all times

    Call it with spins (replica, site, 3) and, if it depends on time, with a time in hbar / t: one for all replicas, or
    one for each. Spins need not have unit length (the derivative is taken freely), but must be finite and fit the
    lattice; otherwise UserError is raised. H_i is the derivative: results carry no graph of autograd, and are the same
    whatever torch's mode, default dtype and default device. Add fields with ``+``.

    Some fields can do more: :class:`OnLattices`, :class:`Local` and :class:`Paired` say what.
    """

    lattice: Lattice

    @property
    def made_of(self) -> tuple[Field, ...]:
        """Fields whose answers at the same time this one's is made of."""
        return ()

    @property
    def has_energy(self) -> bool:
        """Whether the field is the slope of its energy; not so of spin torques, which no energy belongs to."""
        return all(field.has_energy for field in self.made_of)

    @property
    def driven(self) -> bool:
        """Whether the field depends on time."""
        return any(field.driven for field in self.made_of)

    def __call__(self, spins: Numbers, time: Time = 0.0) -> FieldResult:
        with torch.inference_mode(False):
            return self.evaluate(check_spins(spins, self.lattice), time)

    @abstractmethod
    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        """Energy and field of checked spins (replica, site, 3) at ``time``: fields made of fields hand it on."""

    def __add__(self, other: Field) -> Field:
        from sdgnn.fields.sums import Sum

        return Sum(self, other)


Kind = TypeVar("Kind", bound=type[Field])


def unchanging(kind: Kind) -> Kind:
    """Decorator of fields whose tables are made of their settings: UserError on a new value of a public attribute."""

    def refuse(self: Field, name: str, value: Any) -> None:
        if not name.startswith("_") and name in self.__dict__:
            raise UserError(f"another {name} for {self!r}", allowed="a new field: tables were made for the old one")
        object.__setattr__(self, name, value)

    kind.__setattr__ = refuse  # type: ignore[method-assign, assignment]
    return kind


@runtime_checkable
class OnLattices(Protocol):
    """A field that is there on other lattices too."""

    def on(self, lattice: Lattice) -> Field:
        """The same field on another lattice. Raises UserError where it has none."""


@runtime_checkable
class Local(OnLattices, Protocol):
    """A field made of site energies that depend on spins near each site: one that several processes can share."""

    @property
    def halo(self) -> float | None:
        """Distance around a site from which spins act on its field; None where there is no such distance after all."""

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        """The field on ``lattice``, a part of its crystal, of whose sites ``own`` alone enter the energy.

        ``total`` completes sums over them by those of the other parts, so that the energy is that of the crystal. The
        other sites stand around them as wide as the field's halo; what is said of these means nothing.
        """


@runtime_checkable
class Paired(Protocol):
    """A field that is linear in the spins, so that Monte Carlo can move them one by one."""

    @property
    def linear(self) -> bool:
        """Whether E is linear in every single spin, so that H_i does not depend on S_i: exchange, external fields."""

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """Sites that interact, each pair in both orders; None where H is not linear in the spins after all."""


def halo_of(field: Field) -> float | None:
    """Distance around a site from which spins act on its field; None where all spins do."""
    return field.halo if isinstance(field, Local) else None


def is_linear(field: Field) -> bool:
    """Whether E is linear in every single spin."""
    return isinstance(field, Paired) and field.linear


def pairs_of(field: Field) -> Int[np.ndarray, "pair 2"] | None:
    """Sites that interact, each pair in both orders, of fields whose H is linear in the spins; None for others."""
    return field.pairs() if isinstance(field, Paired) else None


def on_lattice(field: Field, lattice: Lattice) -> Field:
    """``field`` on another lattice. Raises UserError where that is not defined."""
    if not isinstance(field, OnLattices):
        raise UserError(f"{field!r} on {lattice!r}", allowed="fields that know other lattices", fix="make one there")
    return field.on(lattice)


def part_of(field: Field, lattice: Lattice, own: slice, total: Total) -> Field:
    """:meth:`Local.part` of ``field``. Raises UserError where its sites see all others."""
    if not isinstance(field, Local):
        raise UserError(f"a part of {field!r}", allowed="fields on whose sites only spins within a distance act")
    return field.part(lattice, own, total)


def check_spins(spins: Numbers, lattice: Lattice, unit: bool = False) -> Float[Tensor, "replica site 3"]:
    """Spins as a real floating tensor (replica, site, 3) that fits ``lattice``, without autograd's graph.

    Of a tensor, array or list (:func:`.as_tensor`). With ``unit``, every spin must have length 1 to within
    1e-3. Raises UserError, on no replica too.
    """
    spins = as_tensor(spins)
    if spins.ndim != 3 or spins.shape[1:] != (lattice.n_sites, 3) or len(spins) == 0:
        raise UserError(
            f"spins of shape {tuple(spins.shape)}",
            allowed=f"(replica, {lattice.n_sites}, 3) for {lattice!r}, at least one replica",
            fix="for a single state use spins[None]" if spins.ndim == 2 else "",
        )
    if not torch.isfinite(spins).all():
        replica, site, _ = torch.nonzero(~torch.isfinite(spins))[0].tolist()
        raise UserError(f"spins that are not finite (replica {replica}, site {site})", allowed="finite numbers")
    if unit:
        excess = (spins.norm(dim=-1) - 1).abs()
        if excess.numel() and excess.max() > 1e-3:
            replica, site = divmod(int(excess.argmax()), lattice.n_sites)
            raise UserError(
                f"spin of length {float(spins[replica, site].norm()):.6g} (replica {replica}, site {site})",
                allowed="unit spins",
                fix="divide by spins.norm(dim=-1, keepdim=True)",
            )
    return spins
