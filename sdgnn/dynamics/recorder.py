"""Observations of a run, streamed to zarr."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
import zarr

from sdgnn.common.errors import UserError
from sdgnn.common.files import writing
from sdgnn.dynamics.chunks import CODECS, SEALED, UNWRITTEN, checked, written
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.observers import Coordinate, Observer
from sdgnn.dynamics.settings import settings_of
from sdgnn.dynamics.state import State
from sdgnn.dynamics.trajectory import LATTICE
from sdgnn.fields import Field, FieldResult
from sdgnn.lattice.text import describe_lattice

CHUNK_BYTES = 2**20
LARGEST_CHUNK = 256
"""A chunk holds as many entries as fit into CHUNK_BYTES, at least 1 and at most LARGEST_CHUNK."""
FLUSH_SECONDS = 10.0
FLUSH_BYTES = 2**23
"""Observations wait in memory until they are LARGEST_CHUNK entries, of this size or this old."""


@dataclass
class _Schedule:
    """Observers that are asked at the same steps, and what they saw that is not written yet."""

    every: int
    """Steps between two entries."""
    time: str
    """Name of the dimension and of the array of times."""
    step: str
    """Name of the array of steps."""
    observers: list[Observer]
    waiting: list[tuple[int, float, list[np.ndarray]]] = dataclass_field(default_factory=list)
    """Step, time and the observers' answers."""


class Recorder:
    """Writes observers' answers into a zarr (v3) group.

    Arrays have the dimensions (time, replica, *dims), units and long names. Observers of one schedule share their time
    dimension: ``time`` for the most frequent schedule, ``time_100`` for a slower one of every 100 steps; each comes
    with the coordinate of the same name (hbar / t) and, as whole numbers, ``step`` or ``step_100``. What is a
    coordinate stands in the attribute ``coordinates`` of the group, where xarray looks for them.

    The arrays have their final length from the start, and an entry counts once its ``step`` is written, which is after
    all of its data. Files are replaced as a whole, so a kill at any moment leaves all entries written before. Each
    chunk ends with its checksum.
    """

    def __init__(self, store: Any, field: Field, integrator: Integrator, observers: Sequence[Observer]) -> None:
        self._store = store
        self._field = field
        self._integrator = integrator
        together: dict[int, list[Observer]] = {}
        for observer in observers:
            together.setdefault(int(observer.every), []).append(observer)
        self._schedules = []
        for every, group in together.items():
            suffix = "" if every == min(together) else f"_{every}"
            self._schedules.append(_Schedule(every, f"time{suffix}", f"step{suffix}", group))
        self._waiting_bytes = 0
        self._flushed = time.monotonic()
        self._group: Any = None
        self._arrays: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def begin(self, state: State, steps: int) -> None:
        """Room for the entries of steps 0 ... ``steps``: a new group at step 0, else the old one up to ``state``.

        Raises UserError when the disk does not take it and when there is no trajectory to go on with.
        """
        with writing("the trajectory", "free space and start again, with resume where it was a run"):
            if state.step == 0:
                zarr.create_group(self._store, overwrite=True, zarr_format=3, attributes=SEALED)
            try:
                self._group = zarr.open_group(checked(self._store), mode="r+", zarr_format=3)
            except FileNotFoundError as error:
                raise UserError(
                    f"a run at step {state.step} without trajectory", fix="start in another folder"
                ) from error
            if state.step == 0:
                self._describe(state)
            for name, array in self._group.arrays():
                self._arrays[name] = array
                self._sizes |= zip(array.metadata.dimension_names, array.shape, strict=True)
            for schedule in self._schedules:
                self._prepare(schedule, state, steps)

    def due(self, step: int) -> bool:
        """Whether any observer wants this step."""
        return any(step % schedule.every == 0 for schedule in self._schedules)

    def record(self, state: State, result: FieldResult) -> None:
        """Takes the observations that are due at ``state``; writes when enough of them wait or time has passed.

        Raises UserError when an answer does not fit its dimensions or the answers before.
        """
        for schedule in self._schedules:
            if state.step % schedule.every:
                continue
            answers = [observer.measure(state, result).numpy() for observer in schedule.observers]
            for observer, answer in zip(schedule.observers, answers, strict=True):
                self._check(observer, answer)
                if observer.name not in self._arrays:
                    self._create_for(observer, answer, schedule)
            schedule.waiting.append((state.step, state.time, answers))
            self._waiting_bytes += sum(answer.nbytes for answer in answers)
        longest = max((len(schedule.waiting) for schedule in self._schedules), default=0)
        old = time.monotonic() - self._flushed > FLUSH_SECONDS
        if longest >= LARGEST_CHUNK or self._waiting_bytes > FLUSH_BYTES or old:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises UserError when the disk does not take it; what was written before stays."""
        with writing("the trajectory", "free space and go on with resume; what was written before is intact"):
            for schedule in self._schedules:
                if schedule.waiting:
                    steps, times, answers = zip(*schedule.waiting, strict=True)
                    where = slice(steps[0] // schedule.every, steps[0] // schedule.every + len(steps))
                    for observer, column in zip(schedule.observers, zip(*answers, strict=True), strict=True):
                        self._arrays[observer.name][where] = np.stack(column)
                    self._arrays[schedule.time][where] = np.array(times)
                    self._arrays[schedule.step][where] = np.array(steps)
                    schedule.waiting = []
        self._waiting_bytes = 0
        self._flushed = time.monotonic()

    def _create(
        self, name: str, shape: tuple[int, ...], dtype: Any, dims: Sequence[str], attributes: Mapping[str, str],
        **layout: Any,
    ) -> Any:  # fmt: skip
        """A new array of the group; ``layout`` is what zarr knows besides."""
        self._arrays[name] = self._group.create_array(
            name, shape=shape, dtype=dtype, compressors=CODECS, dimension_names=dims, attributes=dict(attributes),
            **layout,
        )  # fmt: skip
        self._sizes |= zip(dims, shape, strict=True)
        return self._arrays[name]

    def _describe(self, state: State) -> None:
        """Write what is the same at all times: positions, settings of the replicas, lattice, field and integrator."""
        replicas, sites, components = state.spins.shape
        lattice = self._field.lattice
        labels = np.array(["x", "y", "z"], dtype=np.dtypes.StringDType())
        place = {"units": "nearest-neighbour distance", "long_name": "position"}
        named: dict[str, Coordinate] = {
            "site": (("site",), np.arange(sites), {}),
            "component": (("component",), labels[:components], {"long_name": "component of the spin"}),
            "axis": (("axis",), labels[: lattice.dim], {"long_name": "direction in space"}),
            "replica": (("replica",), np.array(state.streams), {"long_name": "number of the replica's noise"}),
        }
        others: dict[str, Coordinate] = {
            "position": (("site", "axis"), lattice.positions, place),
            **settings_of(self._field, self._integrator, replicas),
        }
        for schedule in self._schedules:
            for observer in schedule.observers:
                others |= observer.coordinates
        for name, (dims, values, attributes) in {**named, **others}.items():
            self._create(name, values.shape, values.dtype, dims, attributes)[...] = values
        steps = [schedule.step for schedule in self._schedules]
        self._group.attrs.update(
            {
                LATTICE: describe_lattice(lattice),
                "field": plain_repr(self._field),
                "integrator": json.dumps(self._integrator.to_dict()),
                "coordinates": " ".join([*others, *steps]),
            }
        )

    def _prepare(self, schedule: _Schedule, state: State, steps: int) -> None:
        """Arrays of one schedule, with room for all entries and none later than ``state``."""
        length = steps // schedule.every + 1
        keeps_time = self._integrator.keeps_time
        of_time = {
            "units": "hbar / t" if keeps_time else "1",
            "long_name": "time" if keeps_time else "steps of Monte Carlo",
        }
        of_step = {"units": "1", "long_name": "steps since the start"}
        for name, dtype, words, fill in (
            (schedule.time, "f8", of_time, math.nan),
            (schedule.step, "i8", of_step, UNWRITTEN),
        ):
            if name not in self._arrays:
                dims, chunks = (schedule.time,), (LARGEST_CHUNK,)
                self._create(name, (length,), dtype, dims, words, chunks=chunks, fill_value=fill)
        first_later = state.step // schedule.every + 1 if state.step else 0
        step_array = self._arrays[schedule.step]
        touched = written(step_array) + 2 * LARGEST_CHUNK  # a flush that was killed has touched two chunks at most
        end = min(touched, step_array.shape[0])
        if first_later < end:
            step_array[first_later:end] = UNWRITTEN
        for name in [schedule.time, schedule.step, *(observer.name for observer in schedule.observers)]:
            array = self._arrays.get(name)
            if array is not None and array.shape[0] < length:
                array.resize((length, *array.shape[1:]))

    def _check(self, observer: Observer, answer: np.ndarray) -> None:
        """UserError where a dimension of an answer has another length than in the answers before."""
        for dim, length in zip(observer.dims, answer.shape[1:], strict=True):
            if self._sizes.setdefault(dim, length) != length:
                raise UserError(
                    f"observer {observer.name!r} with {length} entries along {dim!r}",
                    allowed=f"{self._sizes[dim]} as before",
                    fix="dimensions of different length need different names",
                )

    def _create_for(self, observer: Observer, answer: np.ndarray, schedule: _Schedule) -> None:
        """The array of an observer, for the shape of its first answer."""
        length = self._arrays[schedule.step].shape[0]
        entries = max(1, min(LARGEST_CHUNK, length, CHUNK_BYTES // max(1, answer.nbytes)))
        words = {"units": observer.units, "long_name": observer.long_name or observer.name.replace("_", " ")}
        self._create(
            observer.name, (length, *answer.shape), answer.dtype, (schedule.time, "replica", *observer.dims), words,
            chunks=(entries, *answer.shape), fill_value=math.nan if answer.dtype.kind in "fc" else 0,
        )  # fmt: skip


def plain_repr(field: Field) -> str:
    """The field in words, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(field))
