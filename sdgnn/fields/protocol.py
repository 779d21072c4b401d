"""The one protocol of the package: a field turns spins and a time into energy and effective field H_i = -dE/dS_i."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.fields.result import FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

Total = Callable[[Tensor], Tensor]
"""Completes a sum by those of all other parts."""


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


class Combination(Field):
    """A field whose answer is made of those of several fields on one lattice, its ``parts``.

    A combination can do what all its parts can: it is there on other lattices where they all are, and its halo is the
    largest of theirs.
    """

    parts: tuple[Field, ...]

    @abstractmethod
    def of(self, parts: tuple[Field, ...]) -> Field:
        """The same combination of other fields."""

    @property
    def made_of(self) -> tuple[Field, ...]:
        return self.parts

    @property
    def halo(self) -> float | None:
        """The largest halo of the parts; None where one part has none."""
        halos = [halo_of(part) for part in self.parts]
        return None if None in halos else max(halo for halo in halos if halo is not None)

    def on(self, lattice: Lattice) -> Field:
        """The combination of the parts on another lattice. Raises UserError naming a part that is not there."""
        return self.of(tuple(on_lattice(part, lattice) for part in self.parts))

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        """The combination of the parts on a part of the crystal."""
        return self.of(tuple(part_of(part, lattice, own, total) for part in self.parts))


class Sum(Combination):
    """E = sum_k E_k of fields on one lattice; density and mu are those of the one part that has electrons.

    Torque errors of parts that predict one are independent of each other: their squares add. A sum is linear where
    all its parts are. Raises UserError on no parts and on parts on several lattices.
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
    def linear(self) -> bool:
        """Whether all parts are."""
        return all(map(is_linear, self.parts))

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """The pairs of all parts; None where one part has none."""
        found = [pairs for part in self.parts if (pairs := pairs_of(part)) is not None]
        return np.concatenate(found) if len(found) == len(self.parts) else None

    def of(self, parts: tuple[Field, ...]) -> Sum:
        return Sum(*parts)

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

    def __repr__(self) -> str:
        where = f" on {self.lattice!r}"
        return " + ".join(repr(part).removesuffix(where) for part in self.parts) + where


def _same_sites(first: Lattice, second: Lattice) -> bool:
    """Whether two lattices have equal positions in equal cells."""
    return first is second or (
        first.positions.shape == second.positions.shape
        and np.allclose(first.positions, second.positions)
        and np.allclose(first.cell, second.cell)
    )


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
