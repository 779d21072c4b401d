"""Sweeps: one configuration with lists of values becomes many, and those that share a lattice run in one batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.cli.config.points import points
from sdgnn.common.errors import UserError
from sdgnn.dynamics.integrators.settings import LLGSettings, ParallelTemperingSettings
from sdgnn.fields.schedules import Schedule, Values

if TYPE_CHECKING:
    from sdgnn.cli.config.commands import SimulateConfig

LARGEST_BATCH = 2**22
"""Spins of one batch; more are run one batch after the other, to the same numbers."""


@dataclass(frozen=True)
class Batch:
    """Points that differ in temperature and damping alone, run as replicas of one simulation."""

    config: SimulateConfig
    """That of the batch, with kT and damping for each replica; ``replicas`` counts those of all points."""
    points: tuple[int, ...]
    """Which points, in order; each has ``replicas`` of the sweep's configuration."""
    streams: range
    """Numbers of the replicas' first states and noise."""


def batches(config: SimulateConfig) -> list[Batch]:
    """The points of ``config.sweep`` in batches of one simulation each.

    In each group of points that differ in temperature and damping alone, point k takes the streams k R to k R + R - 1,
    R being ``config.replicas``: its numbers do not depend on who shares its batch, and the first point of a group is
    the plain run of its configuration.
    """
    groups: dict[str, list[int]] = {}
    every = points(config)
    for number, point in enumerate(every):
        groups.setdefault(_shared(point), []).append(number)
    found = []
    for numbers in groups.values():
        spins = every[numbers[0]].lattice.build().n_sites * config.replicas
        size = max(1, LARGEST_BATCH // spins)
        for first in range(0, len(numbers), size):
            chosen = numbers[first : first + size]
            streams = range(first * config.replicas, (first + len(chosen)) * config.replicas)
            found.append(Batch(_together([every[n] for n in chosen]), tuple(chosen), streams))
    return found


def axes(config: SimulateConfig) -> dict[str, tuple[Any, ...]]:
    """Names and values of the sweep's dimensions: a key's last word where that is no other's, else the whole key.

    Values are those that the points have: 1e-3, which YAML reads as text, is a number where the key takes one.
    """
    from sdgnn.dynamics.observers import RESERVED

    last = [key.rpartition(".")[2] for key in config.sweep]
    taken = {*RESERVED, *config.observe} - {"kT", "damping"}
    shape = tuple(len(values) for values in config.sweep.values())
    every = points(config)
    found = {}
    for n, (word, key) in enumerate(zip(last, config.sweep, strict=True)):
        first = [np.ravel_multi_index([k if m == n else 0 for m in range(len(shape))], shape) for k in range(shape[n])]
        name = word if last.count(word) == 1 and word not in taken else key.replace(".", "_")
        found[name] = tuple(_value(every[int(number)], key) for number in first)
    return found


def _value(point: SimulateConfig, path: str) -> Any:
    """The value of ``key.subkey`` in a point."""
    place: Any = point.model_dump(mode="json")
    for key in path.split("."):
        place = place[int(key)] if isinstance(place, list) else place[key]
    return place


def _shared(point: SimulateConfig) -> str:
    """What points of one batch have in common, as text."""
    data = point.model_dump(mode="json")
    kT = point.integrator.kT
    if isinstance(point.integrator, ParallelTemperingSettings):  # one ladder, whose replicas meet
        return json.dumps(data, sort_keys=True)
    data["integrator"]["damping"] = None
    data["integrator"]["kT"] = (
        {name: value for name, value in kT.model_dump(mode="json").items() if not _is_value(kT, name)}
        if isinstance(kT, Schedule)
        else None
    )
    return json.dumps(data, sort_keys=True)


def _together(chosen: Sequence[SimulateConfig]) -> SimulateConfig:
    """One configuration whose replicas are those of all points."""
    first, replicas = chosen[0], chosen[0].replicas
    kT: Any = first.integrator.kT
    if isinstance(kT, Schedule):
        ends = [name for name in type(kT).model_fields if _is_value(kT, name)]
        kT = kT.model_copy(
            update={name: _each([getattr(p.integrator.kT, name) for p in chosen], replicas) for name in ends}
        )
    else:
        kT = _each([kT for point in chosen if not isinstance(kT := point.integrator.kT, Schedule)], replicas)
    update = {"kT": kT}
    if dampings := [point.integrator.damping for point in chosen if isinstance(point.integrator, LLGSettings)]:
        update["damping"] = _each(dampings, replicas)
    integrator = first.integrator.replace(**update)
    return first.model_copy(update={"integrator": integrator, "replicas": replicas * len(chosen)})


def _each(values: Sequence[Values], replicas: int) -> tuple[float, ...]:
    """A number for each replica of every point. Raises UserError on values for another number of replicas."""
    for value in values:
        if np.ndim(value) and np.size(value) != replicas:
            raise UserError(f"{np.size(value)} values for {replicas} replicas", allowed="one number or one per replica")
    return tuple(float(v) for value in values for v in np.broadcast_to(value, replicas))


def _is_value(schedule: Schedule, name: str) -> bool:
    """Whether a setting of a schedule may differ between replicas."""
    return type(schedule).model_fields[name].annotation == Values
