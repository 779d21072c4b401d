"""Protocols: which configurations a label set holds.

A protocol is a number of independent *samples*; a sample is one state, or a few correlated ones (a path, a run). Each
sample is drawn from a seed of its own, so it is the same whoever draws it and in whatever order.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic import Field as Key

from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash
from sdgnn.common.refusals import explain
from sdgnn.common.sections import alternatives, sections_in
from sdgnn.common.settings import Count, NotNegative, Positive
from sdgnn.data.sampling import UNKNOWN, Order, Protocol, Sample, ordered
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from torch import Tensor

    from sdgnn.fields import Field


class Random(Protocol):
    """Spins independent and uniform on the sphere."""

    states: Count
    """Number of states."""
    protocol: Literal["random"] = Key("random", repr=False)
    """Spins independent and uniform on the sphere."""

    @property
    def samples(self) -> int:
        return self.states

    def check(self, lattice: Lattice) -> None:
        """Random spins fit every lattice."""

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        from sdgnn import spins

        return Sample(spins.random(lattice, 1, seed), ("random",), (UNKNOWN,))


class NoisyOrder(Protocol):
    """An ordered state with noise, (S + strength g) / |S + strength g| with g normal, turned as a whole at random."""

    order: Order
    """Name of the order, a function of sdgnn.spins: ferro, neel, stripe, order120, tetrahedral; q0 and sqrt3 on kagome,
    zigzag and stripy on honeycomb, a_type and c_type on cubic lattices (neel is the G type); spiral, once around."""
    strengths: Annotated[tuple[NotNegative, ...], Key(min_length=1)]
    """Strengths of the noise; ``states`` states are drawn with each."""
    states: Count
    """Number of states for each strength."""
    protocol: Literal["noisy_order"] = Key("noisy_order", repr=False)
    """An ordered state with noise."""

    @property
    def samples(self) -> int:
        return self.states * len(self.strengths)

    def check(self, lattice: Lattice) -> None:
        ordered(self.order, lattice)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        from sdgnn import spins

        strength = self.strengths[index // self.states]
        state = spins.rotate_randomly(spins.noisy(ordered(self.order, lattice), strength, seed), seed)
        return Sample(state, (f"{self.order} noise {strength:g}",), (UNKNOWN,))


class Interpolation(Protocol):
    """States on straight paths from an ordered to a random state: S = (1 - x) S_order + x S_random, normalised.

    The states of one path share their order's rotation and their random state, and form one sample.
    """

    order: Order
    """Name of the order, a function of sdgnn.spins: ferro, neel, stripe, order120, tetrahedral; q0 and sqrt3 on kagome,
    zigzag and stripy on honeycomb, a_type and c_type on cubic lattices (neel is the G type); spiral, once around."""
    fractions: Annotated[tuple[Annotated[float, Key(ge=0, le=1)], ...], Key(min_length=1)]
    """Fractions x in [0, 1] of the random state."""
    paths: Count
    """Number of paths."""
    protocol: Literal["interpolation"] = Key("interpolation", repr=False)
    """States between an ordered and a random one."""

    @property
    def samples(self) -> int:
        return self.paths

    @property
    def states_per_sample(self) -> int:
        return len(self.fractions)

    def check(self, lattice: Lattice) -> None:
        ordered(self.order, lattice)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        import torch

        from sdgnn import spins

        first = spins.rotate_randomly(ordered(self.order, lattice), seed)
        last = spins.random(lattice, 1, seed)
        x = torch.tensor(self.fractions, dtype=torch.float64, device="cpu")[:, None, None]
        mixed = (1 - x) * first + x * last
        names = tuple(f"{self.order} to random {fraction:g}" for fraction in self.fractions)
        return Sample(mixed / mixed.norm(dim=-1, keepdim=True), names, (UNKNOWN,) * len(names))


class Snapshots(Protocol):
    """Snapshots of runs of the Landau-Lifshitz-Gilbert equation, each run with its own first state and noise.

    Neighbouring snapshots are nearly one sample, so take many runs with few, well separated snapshots.
    """

    runs: Count
    """Number of runs."""
    steps: Annotated[tuple[Annotated[int, Key(ge=0)], ...], Key(min_length=1)]
    """Steps at which snapshots are taken, increasing; 0 is the first state."""
    dt: Positive
    """Time step in hbar / t."""
    damping: NotNegative = 0.1
    """Gilbert damping alpha."""
    kT: NotNegative = 0.0
    """Temperature of the spins' bath."""
    start: Literal["random", Order] = "random"
    """First state: random, or the name of an order (turned at random, with noise of strength ``noise``)."""
    noise: NotNegative = 0.0
    """Strength of the noise on an ordered first state."""
    model: str | None = None
    """Trained network that drives the run (a name, or a path that every worker can read), in float64; None takes the
    field that labels the set."""
    protocol: Literal["snapshots"] = Key("snapshots", repr=False)
    """States of runs."""

    @model_validator(mode="after")
    def _increasing(self) -> Snapshots:
        if any(later <= earlier for earlier, later in itertools.pairwise(self.steps)):
            raise UserError(f"steps {list(self.steps)}", allowed="increasing whole numbers >= 0")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain settings; with a model, the content hash of its weights under ``model_hash``."""
        if self.model is None:
            return super().to_dict()
        from sdgnn.nn import load

        weights = load(self.model).state_dict()
        return {**super().to_dict(), "model_hash": content_hash(*(weights[key].numpy() for key in sorted(weights)))}

    def _drive(self, lattice: Lattice, model: str, field: Field | None = None) -> Field:
        """The model on the lattice; a network follows the electrons that label the set."""
        import torch

        from sdgnn.nn import Network, load

        loaded = load(model)
        if not isinstance(loaded, Network):
            return loaded.on(lattice, dtype=torch.float64)
        electrons = getattr(field, "model", None)
        if electrons is None:
            raise UserError(f"runs of {model} for labels of {field!r}", allowed="labels of s-d electrons")
        ensemble = {name: getattr(field, name) for name in ("kT", "filling", "mu")}
        return loaded.on(electrons, torch.float64, **ensemble)

    @property
    def samples(self) -> int:
        return self.runs

    @property
    def states_per_sample(self) -> int:
        return len(self.steps)

    def check(self, lattice: Lattice) -> None:
        from sdgnn.nn import Network, load

        if self.start != "random":
            ordered(self.start, lattice)
        if self.model is not None and not isinstance(load(self.model), Network):
            self._drive(lattice, self.model)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        import torch

        from sdgnn import spins
        from sdgnn.dynamics import Heun

        drive = field if self.model is None else self._drive(lattice, self.model, field)
        if self.start == "random":
            first = spins.random(lattice, 1, seed)
        else:
            first = spins.rotate_randomly(spins.noisy(ordered(self.start, lattice), self.noise, seed), seed)
        integrator = Heun(dt=self.dt, damping=self.damping, kT=self.kT)
        state = integrator.init(drive, first, seed)
        snapshots = []
        for step in range(self.steps[-1] + 1):
            if step in self.steps:
                snapshots.append(state.spins)
            if step < self.steps[-1]:
                state = integrator.step(drive, state)
        return Sample(torch.cat(snapshots).double(), (f"snapshot from {self.start}",) * len(snapshots), self.steps)


class Given(Protocol):
    """States made elsewhere, for instance chosen from a run of any field: label these."""

    spins: Any = Key(repr=False)
    """(state, site, 3) unit spins, a tensor or array."""
    label: str = "given"
    """What the states are called in the set."""
    first: int = 0
    """Number of the first state, when this is a part of a longer list."""
    protocol: Literal["given"] = Key("given", repr=False)
    """States made elsewhere."""

    @field_validator("spins")
    @classmethod
    def _states(cls, spins: Any) -> Tensor:
        import torch

        from sdgnn.common.arrays import as_tensor

        states = as_tensor(spins).to("cpu", torch.float64)
        if states.ndim != 3 or not len(states):
            raise UserError(f"given spins of shape {tuple(states.shape)}", allowed="(state, site, 3)")
        return states

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        yield "states", len(self.spins)
        yield from super().__repr_args__()

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    @property
    def samples(self) -> int:
        return len(self.spins)

    def check(self, lattice: Lattice) -> None:
        from sdgnn.fields import check_spins

        check_spins(self.spins, lattice, unit=True)

    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        i = index - self.first
        return Sample(self.spins[i : i + 1], (self.label,), (UNKNOWN,))

    def part(self, first: int, count: int) -> Given:
        return Given(spins=self.spins[first - self.first :][:count].clone(), label=self.label, first=first)

    def to_dict(self) -> dict[str, Any]:
        """The name, number and content hash of the states."""
        return {
            "protocol": self.protocol,
            "label": self.label,
            "states": len(self.spins),
            "content_hash": content_hash(self.spins.numpy()),
        }


ProtocolSettings = Annotated[Random | NoisyOrder | Interpolation | Snapshots, Discriminator("protocol")]
"""Protocols that plain settings can name."""
PROTOCOLS: tuple[str, ...] = tuple(name for section in sections_in(ProtocolSettings) for name in alternatives(section))
"""Their names."""


def protocol_from_dict(settings: dict[str, Any]) -> Protocol:
    """Protocol from plain settings such as ``{"protocol": "random", "states": 100}``.

    Raises UserError for unknown protocols and keys, naming the nearest right one, and for settings left out.
    """
    try:
        protocol: Protocol = TypeAdapter(ProtocolSettings).validate_python(settings)
    except ValidationError as error:
        raise UserError("; ".join(explain(ProtocolSettings, settings, error, whole="settings"))) from None
    return protocol
