"""Label sets in memory: spin states with exact fields, energies and where they come from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sdgnn.common.differences import differences
from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash
from sdgnn.common.frozen import frozen
from sdgnn.common.one_line import SHOWN, one_line
from sdgnn.data.sampling import UNKNOWN
from sdgnn.fields import Field, check_spins
from sdgnn.lattice import Lattice

NUMBERS = ("spins", "field", "energy", "density", "mu")
"""Parts of a label set that are float64 tensors, the first axis over states."""

WHOLE = 1e-6
"""Fillings this near to 0 or 1 may mean no electrons, or levels that are all full, where mu is infinite."""


@dataclass(frozen=True)
class Origin:
    """Who made the labels: model, ensemble, solver and protocols, in plain numbers and text."""

    hamiltonian: dict[str, Any] | None = None
    """``SDModel.to_dict()``: hopping by shell, exchange, disorder and spin-orbit coupling; None if unknown."""
    kT: float | None = None
    """Temperature of the electrons; None if unknown."""
    filling: float | None = None
    """N_e / (2 N_sites) at fixed filling, else None."""
    mu: float | None = None
    """Chemical potential at fixed mu, else None."""
    solver: dict[str, Any] = field(default_factory=dict)
    """Name of the solver and its settings, as ``{"name": "exact", "twists": [1, 1]}``."""
    protocols: tuple[dict[str, Any], ...] = ()
    """Settings of the protocols that chose the states."""
    seed: int | None = None
    """Seed of the whole set, from which the seed of each state follows."""
    version: str | None = None
    """Version of this package that made the labels; None for other programs."""
    commit: str | None = None
    """Commit of its source tree, if known."""
    created: str | None = None
    """Date in UTC, ISO 8601."""

    __repr__ = one_line

    @property
    def turns_spins(self) -> bool:
        """Whether the Hamiltonian is known to have spin-orbit coupling, so that E(R S) is not E(S)."""
        return bool((self.hamiltonian or {}).get("spin_orbit"))

    @property
    def physics(self) -> dict[str, Any]:
        """Hamiltonian, ensemble and solver, on which labels depend besides the spins; equal in sets that are joined."""
        return {name: getattr(self, name) for name in ("hamiltonian", "kT", "filling", "mu", "solver")}


@dataclass(frozen=True)
class LabelSet:
    """Spin states of one lattice with their effective fields; immutable.

    ``labels[indices]`` selects states (slice, list, array or mask), ``len(labels)`` counts them. The constructor raises
    UserError when shapes do not fit the lattice, numbers are not finite, spins are not of unit length (to 1e-3) or a
    density leaves [0, 2]. The chemical potential alone may be infinite: -inf at a filling of 0, inf at a filling of 1,
    as ``origin`` states the filling. Everything is float64.
    """

    lattice: Lattice
    spins: Tensor
    """(state, site, 3) unit spins."""
    field: Tensor
    """(state, site, 3) effective field H_i = -dE/dS_i, the part along S_i kept, in units of the hopping t."""
    energy: Tensor | None = None
    """(state,) total energy: Helmholtz at fixed filling, grand potential at fixed mu; None if unknown."""
    density: Tensor | None = None
    """(state, site) electrons per site in [0, 2]; None if unknown."""
    mu: Tensor | None = None
    """(state,) chemical potential of the electrons, in units of t: the given one at fixed mu, the one that gives the
    filling of each state at fixed filling; None if unknown."""
    protocol: tuple[str, ...] = ()
    """Name of the protocol of each state; empty means unknown."""
    seed: np.ndarray | None = None
    """(state,) int64 seed of the sample that the state belongs to (states of one run share it); None: unknown."""
    step: np.ndarray | None = None
    """(state,) int64 time step in the run that the state was taken from, -1 outside runs; None: none is."""
    origin: Origin = Origin()

    def __post_init__(self) -> None:
        for name in NUMBERS:
            value = getattr(self, name)
            if value is not None:
                value = torch.as_tensor(value, device="cpu").detach().to("cpu", torch.float64)
            object.__setattr__(self, name, value)
        n = len(self.spins)
        for name in ("seed", "step"):
            value = getattr(self, name)
            whole = np.full(n, UNKNOWN, np.int64) if value is None else np.array(value, dtype=np.int64)
            object.__setattr__(self, name, whole)
        object.__setattr__(self, "protocol", tuple(self.protocol) or ("unknown",) * n)
        self._check()

    def _check(self) -> None:
        if len(self.spins):
            check_spins(self.spins, self.lattice, unit=True)
        n, sites = len(self), self.lattice.n_sites
        shapes = {
            "field": (self.field, (n, sites, 3)),
            "energy": (self.energy, (n,)),
            "density": (self.density, (n, sites)),
            "mu": (self.mu, (n,)),
        }
        for name, (value, shape) in shapes.items():
            if value is None:
                continue
            if value.shape != shape:
                raise UserError(f"{name} of shape {tuple(value.shape)}", allowed=f"{shape}, as the spins have")
            wrong = ~torch.isfinite(value)
            if name == "mu":
                wrong &= value != self._infinite_mu
            if wrong.any():
                state = int(torch.nonzero(wrong)[0, 0])
                raise UserError(
                    f"{name} that is not finite (state {state})",
                    allowed="finite numbers" + ("; -inf at filling 0, inf at filling 1" if name == "mu" else ""),
                    fix="leave mu out where it is not known" if name == "mu" else "",
                )
        if self.density is not None and ((self.density < -1e-6) | (self.density > 2 + 1e-6)).any():
            raise UserError(
                f"density between {self.density.min():.3g} and {self.density.max():.3g}",
                allowed="electrons per site in [0, 2]",
                fix="a density per spin must be doubled",
            )
        for name, count in (("protocol", len(self.protocol)), ("seed", len(self.seeds)), ("step", len(self.steps))):
            if count != n:
                raise UserError(f"{count} entries of {name} for {n} states", allowed="one per state")

    @property
    def _infinite_mu(self) -> float:
        """The infinite chemical potential that the filling allows; NaN, which equals no number, where none is."""
        filling = math.nan if self.origin.filling is None else self.origin.filling
        return -math.inf if filling < WHOLE else math.inf if filling > 1 - WHOLE else math.nan

    def __len__(self) -> int:
        return len(self.spins)

    @property
    def seeds(self) -> np.ndarray:
        """(state,) int64 seeds, -1 where unknown."""
        assert self.seed is not None
        return self.seed

    @property
    def steps(self) -> np.ndarray:
        """(state,) int64 time steps, -1 outside runs."""
        assert self.step is not None
        return self.step

    @cached_property
    def samples(self) -> np.ndarray:
        """(state,) number, from 0, of the independent sample that each state belongs to.

        States of one seed are correlated: a path, the snapshots of one run. Where the seed is unknown, snapshots
        (step >= 0) of one protocol count as one run.
        """
        numbers: dict[tuple[str, int | str], int] = {}
        found = []
        for i, (name, own, step) in enumerate(zip(self.protocol, self.seeds, self.steps, strict=True)):
            key = ("seed", int(own)) if own != UNKNOWN else ("run", name) if step != UNKNOWN else ("state", i)
            found.append(numbers.setdefault(key, len(numbers)))
        return frozen(np.array(found, dtype=np.int64))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of lattice, physics, states and labels (not of dates and versions), 64 hex digits.

        The chemical potential enters at the end, and only where there is one: files of schema 1 and records of trained
        models name sets without it by the same hash.
        """
        return content_hash(
            json.dumps([self.lattice.to_dict(), self.origin.physics], sort_keys=True),
            *(None if t is None else t.numpy() for t in (self.spins, self.field, self.energy, self.density)),
            json.dumps(self.protocol),
            self.seed,
            self.step,
            *(() if self.mu is None else ("mu", self.mu.numpy())),
        )

    @property
    def counts(self) -> dict[str, int]:
        """Number of states of each protocol."""
        return {name: self.protocol.count(name) for name in dict.fromkeys(self.protocol)}

    def __getitem__(self, indices: int | slice | Sequence[int] | np.ndarray | Tensor) -> LabelSet:
        """Selected states, in the order given. Raises UserError for indices out of range."""
        every = np.arange(len(self))
        try:
            chosen = every[indices if isinstance(indices, slice) else np.asarray(indices)]
        except IndexError as error:
            raise UserError(f"states {indices!r} of a set of {len(self)}", allowed=f"0 to {len(self) - 1}") from error
        if chosen.ndim == 0:
            chosen = chosen[None]
        index = torch.from_numpy(chosen)
        numbers = {name: value[index] for name in NUMBERS if (value := getattr(self, name)) is not None}
        protocol = tuple(self.protocol[i] for i in chosen)
        return replace(self, **numbers, protocol=protocol, seed=self.seeds[chosen], step=self.steps[chosen])

    def batches(self, size: int) -> Iterator[LabelSet]:
        """Parts of ``size`` states in order, the last of those that are left."""
        return (self[start : start + size] for start in range(0, len(self), size))

    @classmethod
    def concatenate(cls, sets: Sequence[LabelSet]) -> LabelSet:
        """One set of all states in order.

        Raises UserError unless lattices and physics (Hamiltonian, ensemble, kT, solver) are equal. Energy, density
        and chemical potential are kept when every set has them.
        """
        if not sets:
            raise UserError("no label sets to join", allowed="at least one")
        first = sets[0]
        for other in sets[1:]:
            if other.lattice.to_dict() != first.lattice.to_dict():
                raise UserError(f"label sets on {first.lattice!r} and {other.lattice!r}", allowed="one lattice")
            difference = differences(first.origin.physics, other.origin.physics)
            if difference:
                raise UserError(f"label sets with {difference}", allowed="labels of one Hamiltonian and solver")
        origins = [s.origin for s in sets]
        protocols = {json.dumps(p, sort_keys=True): p for o in origins for p in o.protocols}
        numbers: dict[str, Any] = {}
        for name in NUMBERS:
            found = [value for s in sets if (value := getattr(s, name)) is not None]
            numbers[name] = torch.cat(found) if len(found) == len(sets) else None

        def shared(name: str) -> Any:
            values = [getattr(origin, name) for origin in origins]
            return values[0] if all(value == values[0] for value in values) else None

        return cls(
            lattice=first.lattice,
            **numbers,
            protocol=tuple(name for s in sets for name in s.protocol),
            seed=np.concatenate([s.seeds for s in sets]),
            step=np.concatenate([s.steps for s in sets]),
            origin=replace(
                first.origin,
                protocols=tuple(protocols.values()),
                **{name: shared(name) for name in ("seed", "version", "commit")},
                created=max((o.created for o in origins if o.created), default=None),
            ),
        )

    def minus(self, term: Field) -> LabelSet:
        """The labels without the energy and field of a known ``term`` of the Hamiltonian.

        A model of the electrons learns from these where labels hold more, for instance from another program, and is
        added to the term again where it runs:

            term = sdgnn.fields.DMI(labels.lattice, strength=0.1)
            sdgnn.data.write(labels.minus(term), "electrons.h5")
            network.on(lattice) + sdgnn.fields.DMI(lattice, strength=0.1)

        Raises UserError when the term lives on another lattice.
        """
        here, there = self.lattice.positions, term.lattice.positions
        if here.shape != there.shape or not np.allclose(here, there, atol=1e-6):
            raise UserError(f"labels on {self.lattice!r} minus a term on {term.lattice!r}", allowed="one lattice")
        part = term(self.spins)
        return replace(
            self,
            field=self.field - part.field,
            energy=None if self.energy is None else self.energy - part.energy,
        )

    def split(self, fractions: Sequence[float], seed: int) -> tuple[LabelSet, ...]:
        """Disjoint random parts with the given fractions of the states, each protocol shared out in proportion.

        States that belong to one of the :attr:`samples` stay together: they are correlated and must not lie in training
        and test at once. Each part keeps the states in their order. Raises UserError when fractions do
        not add up to 1 or a part would be empty.
        """
        if min(fractions, default=0) <= 0 or abs(sum(fractions) - 1) > 1e-9:
            raise UserError(f"fractions {list(fractions)}", allowed="positive numbers that add up to 1")
        samples = [np.flatnonzero(self.samples == k).tolist() for k in range(1 + max(self.samples, default=-1))]
        random = np.random.default_rng(seed)
        rank = {name: random.random() for name in self.counts}
        shuffled = [samples[k] for k in random.permutation(len(samples))]
        parts: list[list[int]] = [[] for _ in fractions]
        placed = 0
        for sample in sorted(shuffled, key=lambda sample: rank[self.protocol[sample[0]]]):
            placed += len(sample)
            lacking = [share * placed - len(part) for share, part in zip(fractions, parts, strict=True)]
            parts[int(np.argmax(lacking))].extend(sample)
        if not all(parts):
            raise UserError(
                f"{len(self)} states in {len(samples)} independent samples, to be split {list(fractions)}",
                allowed="at least one sample for each part",
                fix="generate more states, or more runs with fewer snapshots each",
            )
        return tuple(self[sorted(part)] for part in parts)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n} {name}" for name, n in self.counts.items())
        if len(self.counts) > SHOWN:
            counts = f"{len(self)} states of {len(self.counts)} kinds"
        o = self.origin
        parts = [
            counts or "no states",
            f"hopping={o.hamiltonian['hopping']}" if o.hamiltonian and "hopping" in o.hamiltonian else "",
            "with spin-orbit coupling" if o.turns_spins else "",
            f"J={o.hamiltonian['exchange']:g}" if o.hamiltonian and "exchange" in o.hamiltonian else "",
            f"kT={o.kT:g}" if o.kT is not None else "",
            f"filling={o.filling:g}" if o.filling is not None else "",
            f"mu={o.mu:g}" if o.mu is not None else "",
            f"E/N={self.energy.mean() / self.lattice.n_sites:.4f}" if self.energy is not None and len(self) else "",
        ]
        return f"LabelSet({', '.join(filter(None, parts))}) on {self.lattice!r}"
