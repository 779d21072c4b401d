"""The one protocol of the package: a field turns spins into energy and effective field H_i = -dE/dS_i."""

from __future__ import annotations

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.arrays import Numbers, as_tensor
from sdgnn.errors import UserError
from sdgnn.fields.cost import Cost
from sdgnn.lattice import Lattice
from sdgnn.memory import Counted
from sdgnn.schedules import Time

Total = Callable[[Tensor], Tensor]
"""Completes a sum by those of all other parts."""

LONG = 10.0
"""Seconds of an evaluation from which on it is not timed again."""


@dataclass(frozen=True)
class FieldResult:
    """What a field says about a batch of spin states."""

    energy: Float[Tensor, " replica"]
    """(replica,) total energy E(S), in units of the hopping t."""
    field: Float[Tensor, "replica site 3"]
    """(replica, site, 3) effective field H_i = -dE/dS_i with S_i a free 3-vector, the part along S_i kept."""
    density: Float[Tensor, "replica site"] | None = None
    """(replica, site) electrons per site n_i in [0, 2]; None for fields without electrons."""
    mu: Float[Tensor, " replica"] | None = None
    """(replica,) chemical potential of the electrons, in units of t; None for fields without electrons."""
    torque_error: Float[Tensor, "replica site"] | None = None
    """(replica, site) expected root mean square error of the torque per Cartesian component, in units of t; None for
    fields that do not judge themselves. Committees of networks and kernel polynomial fields do."""


class Field(ABC):
    """Anything that can drive spins: exact electrons, a network bound to a lattice, classical terms, or a sum.

    Call it with spins (replica, site, 3). Spins need not have unit length (the derivative is taken freely), but must
    be finite and fit the lattice; otherwise UserError is raised. H_i is the derivative: results carry no graph of
    autograd, and are the same whatever torch's mode, default dtype and default device. Add fields with ``+``.
    """

    lattice: Lattice
    linear: bool = False
    """Whether E is linear in every single spin, so that H_i does not depend on S_i: exchange, external fields."""
    has_energy: bool = True
    """Whether the field is the slope of its energy; not so of spin torques, which no energy belongs to."""
    sees: float | None = None
    """Distance of the spins that decide a site's field, in fields that are sums over sites; None in others."""

    def __call__(self, spins: Numbers) -> FieldResult:
        with torch.inference_mode(False):
            return self.evaluate(check_spins(spins, self.lattice))

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """Sites that interact, each pair in both orders, of fields whose H is linear in the spins; None for others."""
        return None

    def at_time(self, time: Time) -> Field:
        """The field at ``time`` (hbar / t; one for all replicas, or one for each): itself, unless it depends on time.

        Called by itself, a field that depends on time is that of time 0; runs ask for that of their times.
        """
        return self

    @abstractmethod
    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        """Energy and field of checked spins (replica, site, 3)."""

    def on(self, lattice: Lattice) -> Field:
        """The same field on another crystal of the family, of fields that see a finite distance (``sees``)."""
        raise NotImplementedError(f"{self!r} on another lattice")

    def by_site(
        self, spins: Float[Tensor, "replica site 3"]
    ) -> tuple[Float[Tensor, "replica site"], Float[Tensor, "replica site 3"]]:
        """Energies whose sum over sites is E, and the field, of fields that see a finite distance (``sees``)."""
        raise NotImplementedError(f"energies of {self!r} site by site")

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        """The field on ``lattice``, a part of its crystal, of whose sites ``own`` alone enter the energy.

        ``total`` completes sums over them by those of the other parts, so that the energy is that of the crystal. The
        other sites stand around them as far as the field sees; what is said of these means nothing. Only for fields
        that see a finite distance (``sees``).
        """
        return Part(self.on(lattice), own, total)

    def cost(self, spins: Float[Tensor, "replica site 3"]) -> Cost:
        """Time and memory of one evaluation of ``spins``, measured on it: torch's tensors are counted."""
        start = time.perf_counter()
        with Counted() as counted:
            self(spins)
        seconds = time.perf_counter() - start
        if seconds < LONG:
            start = time.perf_counter()
            self(spins)
            seconds = time.perf_counter() - start
        return Cost(seconds, counted.peak)

    def __add__(self, other: Field) -> Field:
        return Sum(self, other)


class SiteSum(Field):
    """E = sum_i e_i of energies that depend on spins near a site; subclasses say ``sees``, ``on`` and ``by_site``."""

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        energies, field = self.by_site(spins)
        return FieldResult(energies.sum(1), field)


class Part(Field):
    """A sum over sites on a part of its crystal (see :meth:`Field.part`)."""

    def __init__(self, field: Field, own: slice, total: Total) -> None:
        self.field, self.own, self.total = field, own, total
        self.lattice, self.linear, self.sees = field.lattice, field.linear, field.sees
        self.has_energy = field.has_energy

    def at_time(self, time: Time) -> Field:
        field = self.field.at_time(time)
        return self if field is self.field else Part(field, self.own, self.total)

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        energies, field = self.field.by_site(spins)
        return FieldResult(self.total(energies[:, self.own].sum(1, dtype=torch.float64)).to(energies.dtype), field)

    def __repr__(self) -> str:
        return f"part of {self.field!r}"


class Sum(Field):
    """E = sum_k E_k of fields on one lattice; density and mu are those of the one part that has electrons.

    Torque errors of parts that predict one are independent of each other: their squares add.
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
        self.linear = all(part.linear for part in self.parts)
        self.has_energy = all(part.has_energy for part in self.parts)
        seen = [part.sees for part in self.parts]
        self.sees = None if None in seen else max(distance for distance in seen if distance is not None)

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        found = [pairs for part in self.parts if (pairs := part.pairs()) is not None]
        return np.concatenate(found) if len(found) == len(self.parts) else None

    def at_time(self, time: Time) -> Field:
        parts = tuple(part.at_time(time) for part in self.parts)
        if all(new is old for new, old in zip(parts, self.parts, strict=True)):
            return self
        moved = copy.copy(self)
        moved.parts = parts
        return moved

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        results = [part.evaluate(spins) for part in self.parts]
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
        return Sum(*(part.on(lattice) for part in self.parts))

    def part(self, lattice: Lattice, own: slice, total: Total) -> Field:
        return Sum(*(part.part(lattice, own, total) for part in self.parts))

    def by_site(
        self, spins: Float[Tensor, "replica site 3"]
    ) -> tuple[Float[Tensor, "replica site"], Float[Tensor, "replica site 3"]]:
        energies, fields = zip(*(part.by_site(spins) for part in self.parts), strict=True)
        return torch.stack(energies).sum(0), torch.stack(fields).sum(0)

    def cost(self, spins: Float[Tensor, "replica site 3"]) -> Cost:
        total = Cost(0.0, 0.0)
        for part in self.parts:
            total = total.then(part.cost(spins))
        kept = 2 * len(self.parts) * spins.numel() * spins.element_size()  # results, and their stack
        return Cost(total.seconds, total.bytes + kept)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


def _same_sites(first: Lattice, second: Lattice) -> bool:
    """Whether two lattices have equal positions in equal cells."""
    return first is second or (
        first.positions.shape == second.positions.shape
        and np.allclose(first.positions, second.positions)
        and np.allclose(first.cell, second.cell)
    )


def check_spins(spins: Numbers, lattice: Lattice, unit: bool = False) -> Float[Tensor, "replica site 3"]:
    """Spins as a real floating tensor (replica, site, 3) that fits ``lattice``, without autograd's graph.

    Of a tensor, array or list (:func:`~sdgnn.arrays.as_tensor`). With ``unit``, every spin must have length 1 to within
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
