"""Protocols: which configurations a label set holds.

A protocol is a number of independent *samples*; a sample is one state, or a few correlated ones (a path, a run). Each
sample is drawn from a seed of its own, so it is the same whoever draws it and in whatever order.
"""

from __future__ import annotations

import difflib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.data.labels import UNKNOWN
from sdgnn.errors import UserError
from sdgnn.fields import Field, check_spins
from sdgnn.files import content_hash
from sdgnn.lattice import Lattice

ORDERS: dict[str, Callable[[Lattice], Tensor]] = {
    "ferro": textures.ferro,
    "neel": textures.neel,
    "stripe": textures.stripe,
    "order120": textures.order120,
    "tetrahedral": textures.tetrahedral,
}
"""Ordered states by name, each of a lattice, (1, site, 3)."""


def sample_seed(seed: int, protocol: int, sample: int) -> int:
    """Seed in [0, 2^63) of sample ``sample`` of protocol number ``protocol`` in a set of seed ``seed``."""
    if seed < 0:
        raise UserError(f"seed {seed}", allowed="a whole number >= 0")
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(protocol, sample))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


class Sample(NamedTuple):
    """States drawn together from one seed."""

    spins: Float[Tensor, "state site 3"]
    """(state, site, 3) unit spins, float64."""
    names: tuple[str, ...]
    """What each state is, as stored under ``protocol``."""
    steps: tuple[int, ...]
    """Time step in the run each state was taken from, -1 outside runs."""


@dataclass(frozen=True)
class Protocol(ABC):
    """A number of samples, each drawn from its own seed. Raises UserError for settings that make no sense."""

    name: ClassVar[str]
    """Name of the protocol in configurations and files."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Number of independent samples."""

    @property
    def states_per_sample(self) -> int:
        """Number of states in each sample."""
        return 1

    @abstractmethod
    def check(self, lattice: Lattice) -> None:
        """Raises UserError when the states do not fit ``lattice``."""

    @abstractmethod
    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        """Sample ``index``, drawn from ``seed`` alone. ``field`` labels the set; only runs use it."""

    def part(self, first: int, count: int) -> Protocol:
        """A protocol that can draw samples first, ..., first + count - 1 and may know less than this one."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain settings, with the protocol's name under ``protocol``."""
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"protocol": self.name, **settings}


@dataclass(frozen=True)
class Random(Protocol):
    """Spins independent and uniform on the sphere."""

    states: int
    """Number of states."""
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        _at_least_one("states", self.states)

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
        _known_order(self.order)
        _at_least_one("states", self.states)
        object.__setattr__(self, "strengths", _numbers("strengths", self.strengths, 0.0, np.inf))

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
        _known_order(self.order)
        _at_least_one("paths", self.paths)
        object.__setattr__(self, "fractions", _numbers("fractions", self.fractions, 0.0, 1.0))

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
        x = torch.tensor(self.fractions, dtype=torch.float64)[:, None, None]
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
    """Trained network that drives the run (name or path); None takes the field that labels the set."""
    name: ClassVar[str] = "snapshots"

    def __post_init__(self) -> None:
        _at_least_one("runs", self.runs)
        steps = tuple(int(step) for step in self.steps)
        if not steps or min(steps) < 0 or any(b <= a for a, b in itertools.pairwise(steps)):
            raise UserError(f"steps {list(self.steps)}", allowed="increasing whole numbers >= 0")
        object.__setattr__(self, "steps", steps)
        if self.start != "random":
            _known_order(self.start, "random")
        _numbers("noise", (self.noise,), 0.0, np.inf)
        self._integrator()

    def _integrator(self) -> Any:
        from sdgnn.dynamics import Heun

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

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        drive = field
        if self.model is not None:
            from sdgnn.nn import load

            drive = load(self.model).on(lattice, dtype=torch.float64)
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
        object.__setattr__(self, "spins", torch.as_tensor(self.spins).detach().to("cpu", torch.float64))
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
    if kind not in PROTOCOLS:
        raise UserError(f"protocol {kind!r}", allowed=", ".join(PROTOCOLS), fix=_nearest(kind, PROTOCOLS))
    known = {item.name for item in fields(PROTOCOLS[kind])}
    for key in given:
        if key not in known:
            raise UserError(f"{key!r} in protocol {kind}", allowed=", ".join(sorted(known)), fix=_nearest(key, known))
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        return PROTOCOLS[kind](**values)
    except TypeError as error:
        raise UserError(f"protocol {settings} ({error})", allowed=", ".join(sorted(known))) from error


def _nearest(word: Any, known: Any) -> str:
    found = difflib.get_close_matches(str(word), list(known), n=1)
    return f"did you mean {found[0]!r}?" if found else ""


def _at_least_one(what: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{what} {value!r}", allowed="a whole number >= 1")


def _known_order(order: str, *others: str) -> None:
    if order not in ORDERS:
        raise UserError(f"order {order!r}", allowed=", ".join((*others, *ORDERS)), fix=_nearest(order, ORDERS))


def _numbers(what: str, values: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if not numbers or not all(np.isfinite(x) and low <= x <= high for x in numbers):
        raise UserError(f"{what} {list(values)}", allowed=f"finite numbers from {low:g} to {high:g}, at least one")
    return numbers
