"""Protocols: which configurations a label set holds.

A protocol is a number of independent *samples*; a sample is one state, or a few correlated ones (a path, a run). Each
sample is drawn from a seed of its own, so it is the same whoever draws it and in whatever order.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash
from sdgnn.common.names import did_you_mean
from sdgnn.data.labels import UNKNOWN
from sdgnn.data.sampling import ORDERS, Protocol, Sample, at_least_one, known_order, numbers
from sdgnn.dynamics.integrators.heun import Heun
from sdgnn.fields import Field, check_spins
from sdgnn.lattice import Lattice
from sdgnn.nn import Network, load


@dataclass(frozen=True)
class Random(Protocol):
    """Spins independent and uniform on the sphere."""

    states: int
    """Number of states."""
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        at_least_one("states", self.states)

    @property
    def samples(self) -> int:
        return self.states

    def check(self, lattice: Lattice) -> None:
        """Random spins fit every lattice."""

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        return Sample(textures.random(lattice, 1, seed), ("random",), (UNKNOWN,))


@dataclass(frozen=True)
class NoisyOrder(Protocol):
    """An ordered state with noise, (S + strength g) / |S + strength g| with g normal, turned as a whole at random."""

    order: str
    """Name of the order: ferro, neel, stripe, order120, tetrahedral."""
    strengths: tuple[float, ...]
    """Strengths of the noise; ``states`` states are drawn with each."""
    states: int
    """Number of states for each strength."""
    name: ClassVar[str] = "noisy_order"

    def __post_init__(self) -> None:
        known_order(self.order)
        at_least_one("states", self.states)
        object.__setattr__(self, "strengths", numbers("strengths", self.strengths, 0.0, np.inf))

    @property
    def samples(self) -> int:
        return self.states * len(self.strengths)

    def check(self, lattice: Lattice) -> None:
        ORDERS[self.order](lattice)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        strength = self.strengths[index // self.states]
        state = textures.rotate_randomly(textures.noisy(ORDERS[self.order](lattice), strength, seed), seed)
        return Sample(state, (f"{self.order} noise {strength:g}",), (UNKNOWN,))


@dataclass(frozen=True)
class Interpolation(Protocol):
    """States on straight paths from an ordered to a random state: S = (1 - x) S_order + x S_random, normalised.

    The states of one path share their order's rotation and their random state, and form one sample.
    """

    order: str
    """Name of the order: ferro, neel, stripe, order120, tetrahedral."""
    fractions: tuple[float, ...]
    """Fractions x in [0, 1] of the random state."""
    paths: int
    """Number of paths."""
    name: ClassVar[str] = "interpolation"

    def __post_init__(self) -> None:
        known_order(self.order)
        at_least_one("paths", self.paths)
        object.__setattr__(self, "fractions", numbers("fractions", self.fractions, 0.0, 1.0))

    @property
    def samples(self) -> int:
        return self.paths

    @property
    def states_per_sample(self) -> int:
        return len(self.fractions)

    def check(self, lattice: Lattice) -> None:
        ORDERS[self.order](lattice)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        ordered = textures.rotate_randomly(ORDERS[self.order](lattice), seed)
        disordered = textures.random(lattice, 1, seed)
        x = torch.tensor(self.fractions, dtype=torch.float64, device="cpu")[:, None, None]
        mixed = (1 - x) * ordered + x * disordered
        names = tuple(f"{self.order} to random {fraction:g}" for fraction in self.fractions)
        return Sample(mixed / mixed.norm(dim=-1, keepdim=True), names, (UNKNOWN,) * len(names))


@dataclass(frozen=True)
class Snapshots(Protocol):
    """Snapshots of runs of the Landau-Lifshitz-Gilbert equation, each run with its own first state and noise.

    Neighbouring snapshots are nearly one sample, so take many runs with few, well separated snapshots.
    """

    runs: int
    """Number of runs."""
    steps: tuple[int, ...]
    """Steps at which snapshots are taken, increasing; 0 is the first state."""
    dt: float
    """Time step in hbar / t."""
    damping: float = 0.1
    """Gilbert damping alpha."""
    kT: float = 0.0
    """Temperature of the spins' bath."""
    start: str = "random"
    """First state: random, or the name of an order (turned at random, with noise of strength ``noise``)."""
    noise: float = 0.0
    """Strength of the noise on an ordered first state."""
    model: str | None = None
    """Trained network that drives the run (a name, or a path that every worker can read), in float64; None takes the
    field that labels the set."""
    name: ClassVar[str] = "snapshots"

    def __post_init__(self) -> None:
        at_least_one("runs", self.runs)
        steps = tuple(int(step) for step in self.steps)
        if not steps or min(steps) < 0 or any(b <= a for a, b in itertools.pairwise(steps)):
            raise UserError(f"steps {list(self.steps)}", allowed="increasing whole numbers >= 0")
        object.__setattr__(self, "steps", steps)
        if self.start != "random":
            known_order(self.start, "random")
        numbers("noise", (self.noise,), 0.0, np.inf)
        self._integrator()

    def to_dict(self) -> dict[str, Any]:
        """Plain settings; with a model, the content hash of its weights under ``model_hash``."""
        if self.model is None:
            return super().to_dict()
        weights = load(self.model).state_dict()
        return {**super().to_dict(), "model_hash": content_hash(*(weights[key].numpy() for key in sorted(weights)))}

    def _drive(self, lattice: Lattice, model: str, field: Field | None = None) -> Field:
        """The model on the lattice; a network follows the electrons that label the set."""
        loaded = load(model)
        if not isinstance(loaded, Network):
            return loaded.on(lattice, dtype=torch.float64)
        electrons = getattr(field, "model", None)
        if electrons is None:
            raise UserError(f"runs of {model} for labels of {field!r}", allowed="labels of s-d electrons")
        ensemble = {name: getattr(field, name) for name in ("kT", "filling", "mu")}
        return loaded.on(electrons, torch.float64, **ensemble)

    def _integrator(self) -> Heun:
        return Heun(dt=self.dt, damping=self.damping, kT=self.kT)

    @property
    def samples(self) -> int:
        return self.runs

    @property
    def states_per_sample(self) -> int:
        return len(self.steps)

    def check(self, lattice: Lattice) -> None:
        if self.start != "random":
            ORDERS[self.start](lattice)
        if self.model is not None and not isinstance(load(self.model), Network):
            self._drive(lattice, self.model)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        drive = field if self.model is None else self._drive(lattice, self.model, field)
        if self.start == "random":
            first = textures.random(lattice, 1, seed)
        else:
            first = textures.rotate_randomly(textures.noisy(ORDERS[self.start](lattice), self.noise, seed), seed)
        integrator = self._integrator()
        state = integrator.init(drive, first, seed)
        snapshots = []
        for step in range(self.steps[-1] + 1):
            if step in self.steps:
                snapshots.append(state.spins)
            if step < self.steps[-1]:
                state = integrator.step(drive, state)
        return Sample(torch.cat(snapshots).double(), (f"snapshot from {self.start}",) * len(snapshots), self.steps)


@dataclass(frozen=True, eq=False)
class Given(Protocol):
    """States made elsewhere, for instance chosen from a run of any field: label these."""

    spins: Tensor
    """(state, site, 3) unit spins."""
    label: str = "given"
    """What the states are called in the set."""
    first: int = 0
    """Number of the first state, when this is a part of a longer list."""
    name: ClassVar[str] = "given"

    def __post_init__(self) -> None:
        object.__setattr__(self, "spins", torch.as_tensor(self.spins, device="cpu").detach().to("cpu", torch.float64))
        if self.spins.ndim != 3 or not len(self.spins):
            raise UserError(f"given spins of shape {tuple(self.spins.shape)}", allowed="(state, site, 3)")

    @property
    def samples(self) -> int:
        return len(self.spins)

    def check(self, lattice: Lattice) -> None:
        check_spins(self.spins, lattice, unit=True)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        i = index - self.first
        return Sample(self.spins[i : i + 1], (self.label,), (UNKNOWN,))

    def part(self, first: int, count: int) -> Given:
        return Given(self.spins[first - self.first :][:count].clone(), self.label, first)

    def to_dict(self) -> dict[str, Any]:
        """The name, number and content hash of the states."""
        return {
            "protocol": self.name,
            "label": self.label,
            "states": len(self.spins),
            "content_hash": content_hash(self.spins.numpy()),
        }


PROTOCOLS: dict[str, type[Protocol]] = {p.name: p for p in (Random, NoisyOrder, Interpolation, Snapshots)}
"""Protocols that plain settings can name."""


def protocol_from_dict(settings: dict[str, Any]) -> Protocol:
    """Protocol from plain settings such as ``{"protocol": "random", "states": 100}``.

    Raises UserError for unknown protocols and keys, naming the nearest right one, and for settings left out.
    """
    given = dict(settings)
    kind = given.pop("protocol", None)
    if not isinstance(kind, str) or kind not in PROTOCOLS:
        raise UserError(f"protocol {kind!r}", allowed=", ".join(PROTOCOLS), fix=did_you_mean(str(kind), PROTOCOLS))
    known = {item.name for item in fields(PROTOCOLS[kind])}
    for key in given:
        if key not in known:
            raise UserError(
                f"{key!r} in protocol {kind}", allowed=", ".join(sorted(known)), fix=did_you_mean(key, known)
            )
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        return PROTOCOLS[kind](**values)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"protocol {settings} ({error})", allowed=", ".join(sorted(known))) from error
