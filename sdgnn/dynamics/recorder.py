"""Observations of a run, streamed to zarr."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import writing
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
        self._schedules: dict[int, list[Observer]] = {}
        for observer in observers:
            self._schedules.setdefault(int(observer.every), []).append(observer)
        self._names = time_names(tuple(self._schedules))
        self._waiting: dict[int, list[tuple[int, float, list[np.ndarray]]]] = {every: [] for every in self._schedules}
        self._waiting_bytes = 0
        self._flushed = time.monotonic()
        self._group: Any = None
        self._known: set[str] = set()
        self._sizes: dict[str, int] = {}

    def begin(self, state: State, steps: int) -> None:
        """Room for the entries of steps 0 ... ``steps``: a new group at step 0, else the old one up to ``state``.

        Raises UserError when the disk does not take it and when there is no trajectory to go on with.
        """
        with writing("the trajectory", "free space and start again, with resume where it was a run"):
            self._begin(state, steps)

    def _begin(self, state: State, steps: int) -> None:
        import zarr

        from sdgnn.dynamics.chunks import SEALED, checked

        fresh = state.step == 0
        try:
            if fresh:
                zarr.create_group(self._store, overwrite=True, zarr_format=3, attributes=SEALED)
            self._group = zarr.open_group(checked(self._store), mode="r+", zarr_format=3)
        except FileNotFoundError as error:
            raise UserError(f"a run at step {state.step} without trajectory", fix="start in another folder") from error
        if fresh:
            self._write_coordinates(state)
        self._known, self._sizes = set(), {}
        for name, array in self._group.arrays():
            self._known.add(name)
            self._sizes |= zip(array.metadata.dimension_names, array.shape, strict=True)
        for every in self._schedules:
            self._prepare_time(every, state, steps)

    def due(self, step: int) -> bool:
        """Whether any observer wants this step."""
        return any(step % every == 0 for every in self._schedules)

    def record(self, state: State, result: FieldResult) -> None:
        """Takes the observations that are due at ``state``; writes when enough of them wait or time has passed.

        Raises UserError when an answer does not fit its dimensions or the answers before.
        """
        for every, observers in self._schedules.items():
            if state.step % every:
                continue
            answers = [observer.measure(state, result).numpy() for observer in observers]
            self._prepare_arrays(every, observers, answers)
            self._waiting[every].append((state.step, state.time, answers))
            self._waiting_bytes += sum(answer.nbytes for answer in answers)
        longest = max(map(len, self._waiting.values()), default=0)
        old = time.monotonic() - self._flushed > FLUSH_SECONDS
        if longest >= LARGEST_CHUNK or self._waiting_bytes > FLUSH_BYTES or old:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises UserError when the disk does not take it; what was written before stays."""
        with writing("the trajectory", "free space and go on with resume; what was written before is intact"):
            for every, entries in self._waiting.items():
                if entries:
                    self._write(every, entries)
                    self._waiting[every] = []
        self._waiting_bytes = 0
        self._flushed = time.monotonic()

    def _write(self, every: int, entries: list[tuple[int, float, list[np.ndarray]]]) -> None:
        first = entries[0][0] // every
        where = slice(first, first + len(entries))
        for k, observer in enumerate(self._schedules[every]):
            self._group[observer.name][where] = np.stack([answers[k] for _, _, answers in entries])
        time_name, step_name = self._names[every]
        self._group[time_name][where] = np.array([t for _, t, _ in entries])
        self._group[step_name][where] = np.array([step for step, _, _ in entries])

    def _write_coordinates(self, state: State) -> None:
        from sdgnn.dynamics.chunks import CODECS

        replicas, sites, components = state.spins.shape
        lattice = self._field.lattice
        labels = np.array(["x", "y", "z"], dtype=np.dtypes.StringDType())
        place = {"units": "nearest-neighbour distance", "long_name": "position"}
        named: dict[str, Coordinate] = {
            "site": (("site",), np.arange(sites), {}),
            "component": (("component",), labels[:components], {"long_name": "component of the spin"}),
            "axis": (("axis",), labels[: lattice.dim], {"long_name": "direction in space"}),
            "replica": (("replica",), np.array(state.replicas), {"long_name": "number of the replica's noise"}),
        }
        others: dict[str, Coordinate] = {
            "position": (("site", "axis"), lattice.positions, place),
            **settings_of(self._field, self._integrator, replicas),
            **{
                name: found
                for group in self._schedules.values()
                for o in group
                for name, found in o.coordinates.items()
            },
        }
        for name, (dims, values, attributes) in {**named, **others}.items():
            array = self._group.create_array(
                name, shape=values.shape, dtype=values.dtype, compressors=CODECS, dimension_names=dims,
                attributes=dict(attributes),
            )  # fmt: skip
            array[...] = values
        steps = [step for _, step in self._names.values()]
        self._group.attrs.update(
            {
                LATTICE: describe_lattice(lattice),
                "field": plain_repr(self._field),
                "integrator": json.dumps(self._integrator.to_dict()),
                "coordinates": " ".join([*others, *steps]),
            }
        )

    def _prepare_time(self, every: int, state: State, steps: int) -> None:
        """Time and step arrays of one schedule, with room for all entries and none later than ``state``."""
        from sdgnn.dynamics.chunks import CODECS, UNWRITTEN, written

        length = steps // every + 1
        time_name, step_name = self._names[every]
        units = "hbar / t" if self._integrator.keeps_time else "1"
        of_time = {"units": units, "long_name": "time" if self._integrator.keeps_time else "steps of Monte Carlo"}
        for name, dtype, fill in ((time_name, "f8", math.nan), (step_name, "i8", UNWRITTEN)):
            if name not in self._known:
                self._group.create_array(
                    name, shape=(length,), dtype=dtype, chunks=(LARGEST_CHUNK,), fill_value=fill, compressors=CODECS,
                    dimension_names=(time_name,),
                    attributes=of_time if name == time_name else {"units": "1", "long_name": "steps since the start"},
                )  # fmt: skip
        first_later = state.step // every + 1 if state.step else 0
        step_array = self._group[step_name]
        touched = written(step_array) + 2 * LARGEST_CHUNK  # a flush that was killed has touched two chunks at most
        end = min(touched, step_array.shape[0])
        if first_later < end:
            step_array[first_later:end] = UNWRITTEN
        for name in [time_name, step_name, *(o.name for o in self._schedules[every])]:
            if name in self._known and self._group[name].shape[0] < length:
                self._group[name].resize((length, *self._group[name].shape[1:]))

    def _prepare_arrays(self, every: int, observers: Sequence[Observer], answers: Sequence[np.ndarray]) -> None:
        """Arrays for the shapes of the first answers; a dimension keeps its length from then on."""
        from sdgnn.dynamics.chunks import CODECS

        time_name, step_name = self._names[every]
        for observer, answer in zip(observers, answers, strict=True):
            words = {"units": observer.units, "long_name": observer.long_name or observer.name.replace("_", " ")}
            for name, length in zip(observer.dims, answer.shape[1:], strict=True):
                if self._sizes.setdefault(name, length) != length:
                    raise UserError(
                        f"observer {observer.name!r} with {length} entries along {name!r}",
                        allowed=f"{self._sizes[name]} as before",
                        fix="dimensions of different length need different names",
                    )
            if observer.name in self._known:
                continue
            length = self._group[step_name].shape[0]
            entries = max(1, min(LARGEST_CHUNK, length, CHUNK_BYTES // max(1, answer.nbytes)))
            self._group.create_array(
                observer.name, shape=(length, *answer.shape), dtype=answer.dtype, chunks=(entries, *answer.shape),
                fill_value=math.nan if answer.dtype.kind in "fc" else 0, compressors=CODECS,
                dimension_names=(time_name, "replica", *observer.dims),
                attributes=words,
            )  # fmt: skip
            self._known.add(observer.name)


def time_names(schedules: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Names of the time dimension and the step coordinate of each schedule."""
    fastest = min(schedules, default=1)
    return {every: ("time", "step") if every == fastest else (f"time_{every}", f"step_{every}") for every in schedules}


def memory_store() -> Any:
    """A zarr store in memory."""
    from zarr.storage import MemoryStore

    return MemoryStore()


def plain_repr(field: Field) -> str:
    """The field in words, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(field))
