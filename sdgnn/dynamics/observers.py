"""Observers: what to measure during a run, and how often."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.dynamics import spin_temperature as temperatures
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, FieldResult, Sum, Zeeman

RESERVED = ("time", "step", "replica", "site", "component", "axis", "position", "damping", "kT", "q", "setting")
"""Names of dimensions and coordinates, not free for observables."""
TIMES = re.compile(r"(time|step)(_\d+)?")
"""Names of times and of steps, of one schedule each."""
SETTINGS = re.compile(r"(kT|zeeman\d*)_.*")
"""Names of settings of schedules."""

Coordinate = tuple[tuple[str, ...], np.ndarray, Mapping[str, str]]
"""Dimensions, values and attributes, as xarray takes them."""


@dataclass(frozen=True)
class Observer:
    """A schedule and a function: ``function(state, result)`` is recorded at steps 0, every, 2 every, ...

    ``result`` is the field's answer at the state's spins, shared with the step that follows. The function returns a
    tensor (replica, *dims) with the dimensions named in ``dims``, besides the leading replica::

        Observer("energy_per_site", lambda state, result: result.energy / state.spins.shape[1], every=10)
        Observer("spins", lambda state, result: state.spins, dims=("site", "component"), every=100)

    "site" and "component" (x, y, z) are dimensions of every run; others take their length from the first answer. Raises
    UserError on a schedule below 1 and on names that are taken or no identifiers.
    """

    name: str
    function: Callable[[State, FieldResult], Tensor]
    dims: tuple[str, ...] = ()
    every: int = 10
    units: str = "1"
    long_name: str = ""
    """What it is, in words."""
    coordinates: Mapping[str, Coordinate] = dataclass_field(default_factory=dict)
    """What its dimensions stand for: ``{"q": (("wave_vector", "axis"), vectors, {"units": ...})}``."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", tuple(self.dims))
        if int(self.every) != self.every or self.every < 1:
            raise UserError(f"observer {self.name!r} every {self.every} steps", allowed="a whole number >= 1")
        taken = self.name in RESERVED or TIMES.fullmatch(self.name) or SETTINGS.fullmatch(self.name)
        if taken or not self.name.isidentifier():
            allowed = f"an identifier other than {', '.join(RESERVED)}, time_N, step_N, kT_..., zeeman_..."
            raise UserError(f"an observer named {self.name!r}", allowed=allowed)
        if any(d in ("time", "replica", self.name) or self.dims.count(d) > 1 for d in self.dims):
            raise UserError(
                f"observer {self.name!r} with dims {self.dims}",
                allowed="different names, without time and replica (which are added) and its own name",
            )

    def to_dict(self) -> dict[str, Any]:
        """What is recorded, in plain values."""
        return {"name": self.name, "dims": list(self.dims), "every": int(self.every), "units": self.units}

    def measure(self, state: State, result: FieldResult) -> Tensor:
        """The function's answer on the CPU, checked. Raises UserError when its shape does not fit ``dims``."""
        answer = self.function(state, result)
        replicas, sites, components = state.spins.shape
        sizes = {"site": sites, "component": components}
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else None
        fits = shape is not None and len(shape) == 1 + len(self.dims) and shape[0] == replicas
        if not fits or any(sizes.get(d, n) != n for d, n in zip(self.dims, shape[1:] if shape else (), strict=True)):
            wanted = ", ".join(["replica", *self.dims])
            given = f"shape {shape}" if shape is not None else type(answer).__name__
            raise UserError(
                f"observer {self.name!r} returned {given}",
                allowed=f"a tensor ({wanted}) with {replicas} replicas" + (f", {sites} sites" if self.dims else ""),
            )
        return answer.detach().cpu()


@runtime_checkable
class Watcher(Protocol):
    """What watches a run and may stop it, :class:`sdgnn.Guard` for example."""

    def observer(self, field: Field, folder: Path | None) -> Observer:
        """The observer by which a run with ``field`` is watched; what it keeps goes to ``folder``."""
        ...


def spins(every: int = 10) -> Observer:
    """S (replica, site, component)."""
    return Observer("spins", lambda state, result: state.spins, ("site", "component"), every, long_name="spin")


def energy(every: int = 10) -> Observer:
    """Total energy E(S) (replica,) of the field, in units of t."""
    return Observer("energy", lambda state, result: result.energy, (), every, "t", "energy of all spins")


def magnetization(every: int = 10) -> Observer:
    """Mean spin (replica, component): sum_i S_i / N."""
    return Observer("magnetization", lambda state, result: state.spins.mean(1), ("component",), every, "1", "mean spin")


def walker(every: int = 10) -> Observer:
    """Number (replica,) of the noise that a state carries: in :class:`~sdgnn.ParallelTempering`, which of the first
    states is at the temperature of the replica."""

    def measure(state: State, result: FieldResult) -> Tensor:
        return torch.tensor(state.streams, dtype=torch.int64, device="cpu")

    return Observer("walker", measure, (), every, "1", "number of the state that is here")


def torque_error(every: int = 10) -> Observer:
    """Torque error (replica, site) that the field predicts of itself, in units of t; NaN where it predicts none."""
    return _said_by_the_field("torque_error", ("site",), every, "t", "torque error that the field predicts of itself")


def density(every: int = 10) -> Observer:
    """Electrons n_i in [0, 2] (replica, site); NaN in fields without electrons."""
    return _said_by_the_field("density", ("site",), every, "1", "electrons per site")


def chemical_potential(every: int = 10) -> Observer:
    """Chemical potential mu of the electrons (replica,), in units of t; NaN in fields without electrons."""
    return _said_by_the_field("mu", (), every, "t", "chemical potential of the electrons", name="chemical_potential")


def _said_by_the_field(
    attribute: str, dims: tuple[str, ...], every: int, units: str, long_name: str, name: str | None = None
) -> Observer:
    """An attribute of the field's result; NaN of its shape where that is None."""

    def measure(state: State, result: FieldResult) -> Tensor:
        value: Tensor | None = getattr(result, attribute)
        return state.spins.new_full(state.spins.shape[: 1 + len(dims)], math.nan) if value is None else value

    return Observer(name or attribute, measure, dims, every, units, long_name)


def spin_temperature(field: Field, every: int = 10) -> Observer:
    """k_B T (replica,) of the spins in a run of ``field``, in t: sum |S x H|^2 / (2 sum S . H) where E is linear in
    every spin, with the curvature of E otherwise (:func:`sdgnn.dynamics.spin_temperature.spin_temperature`)."""
    return Observer(
        "spin_temperature",
        lambda state, result: temperatures.spin_temperature(field, state, result),
        (),
        every,
        "t",
        "temperature of the spins",
    )


def bath_temperature(integrator: Integrator, every: int = 10) -> Observer:
    """kT (replica,) of the bath of ``integrator``, in units of t, where it depends on time."""

    def measure(state: State, result: FieldResult) -> Tensor:
        now = torch.as_tensor(integrator.temperature(state.time), dtype=torch.float64, device="cpu")
        return now.expand(len(state.spins)).clone()

    return Observer("bath_temperature", measure, (), every, "t", "temperature of the spins' bath")


def external_field(field: Field, every: int = 10) -> Observer:
    """External field (replica, component) in a run of ``field``, the sum of its Zeeman terms, in units of t."""
    parts = field.parts if isinstance(field, Sum) else (field,)

    def measure(state: State, result: FieldResult) -> Tensor:
        terms = (part for part in parts if isinstance(part, Zeeman))
        vectors = [zeeman.vectors(state.spins, state.time)[:, 0] for zeeman in terms]
        return torch.stack(vectors).sum(0) if vectors else torch.zeros_like(state.spins[:, 0])

    return Observer("external_field", measure, ("component",), every, "t", "external field")


def standard(every: int = 10) -> tuple[Observer, ...]:
    """What a run records unless told otherwise: spins, energy, magnetization."""
    return spins(every), energy(every), magnetization(every)


def check_observers(observers: Sequence[Observer]) -> tuple[Observer, ...]:
    """Observers with different names. Raises UserError."""
    names = [observer.name for observer in observers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"several observers named {', '.join(twice)}", allowed="one name each")
    clash = sorted({d for observer in observers for d in observer.dims} & set(names))
    if clash:
        raise UserError(f"{', '.join(clash)} as dimension and observer", allowed="different names")
    return tuple(observers)
