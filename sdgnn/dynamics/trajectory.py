"""Trajectories: observations streamed to zarr and opened as labelled xarray."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, read_json, where_else, writing
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.observers import TIMES, Coordinate, Observer
from sdgnn.dynamics.settings import schedule_settings, settings_of
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

NAME = "trajectory.zarr"
"""The trajectory's name in a run's folder."""
CHUNK_BYTES = 2**20
LARGEST_CHUNK = 256
"""A chunk holds as many entries as fit into CHUNK_BYTES, at least 1 and at most LARGEST_CHUNK."""
FLUSH_SECONDS = 10.0
FLUSH_BYTES = 2**23
"""Observations wait in memory until they are LARGEST_CHUNK entries, of this size or this old."""
LATTICE = "lattice"
"""The attribute of a trajectory that describes its lattice."""


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


def open_trajectory(folder: Any) -> xarray.Dataset:
    """The trajectory of a run (its folder, or a zarr store) as ``xarray.Dataset``, read when values are asked for.

    Dimensions time (and time_N for slower schedules; :func:`at_common_steps` puts several on one), replica, site,
    component; coordinates ``position`` (site, axis), ``step`` (time), ``q`` (wave_vector, axis) where structure factors
    were measured, and what each replica was set to, see :func:`~sdgnn.dynamics.settings.settings_of`. Of an unfinished
    run, the entries written so far. The attribute ``lattice`` is read by :func:`lattice_of`; ``field`` and
    ``integrator`` tell what made the run. Raises UserError where no trajectory is; reading values that the disk has
    changed raises one that names their file.
    """
    from sdgnn.dynamics.chunks import check_arrays, checked, open_written

    store: Any = folder
    if isinstance(folder, str | Path):
        path = Path(folder)
        store = path if path.suffix == ".zarr" else path / NAME
        if not (store / "zarr.json").is_file():
            raise UserError(
                f"no trajectory in {path}", allowed="the folder of a run", fix=where_else(path, NAME, f"*/{NAME}")
            )
    try:
        store = checked(store)
        check_arrays(store)
        return _with_schedule(_with_coordinates(open_written(store)), folder)
    except UserError as error:
        raise UserError(f"trajectory {folder}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except PARSER_ERRORS as error:
        raise UserError(
            f"trajectory {folder}: damaged ({error})",
            allowed="what a run has written",
            fix="run it again, or copy it again",
        ) from error


def at_common_steps(trajectory: xarray.Dataset, *names: str) -> xarray.Dataset:
    """Observables of different schedules, all if none is named, on the one dimension ``time``: at their common steps.

    ::

        both = at_common_steps(run.trajectory, "energy", "spins")  # recorded every 20 and every 50 steps
        both.sel(time=10.0, method="nearest")  # every 100 steps

    Steps are whole numbers, so that no rounding of times is in the way. Raises UserError on names that were not
    recorded.
    """
    import xarray

    chosen = names or tuple(map(str, trajectory.data_vars))
    unknown = [name for name in chosen if name not in trajectory.data_vars]
    if unknown:
        raise UserError(f"{', '.join(unknown)} of a trajectory", allowed=", ".join(map(str, trajectory.data_vars)))
    times = {str(trajectory[name].dims[0]) for name in chosen}
    steps = {time: trajectory[time.replace("time", "step", 1)].values for time in times}
    common = reduce(np.intersect1d, steps.values(), next(iter(steps.values()), np.zeros(0, dtype=np.int64)))
    parts = []
    for name in chosen:
        time = str(trajectory[name].dims[0])
        step = time.replace("time", "step", 1)
        part = trajectory[[name]].isel({time: np.searchsorted(steps[time], common)})
        keep = {c for c in part.coords if not TIMES.fullmatch(str(c)) or c in (time, step)}
        part = part.drop_vars([c for c in part.coords if c not in keep])
        parts.append(part.rename({time: "time", step: "step"} if time != "time" else {}))
    return xarray.merge(parts, join="exact", combine_attrs="drop_conflicts", compat="equals")


def _with_coordinates(data: xarray.Dataset) -> xarray.Dataset:
    """Positions and parameters as coordinates, which version 0.1 did not mark."""
    return data.set_coords([n for n in ("position", "damping", "kT") if n in data])


def _with_schedule(data: xarray.Dataset, folder: Any) -> xarray.Dataset:
    """The same with the schedule of kT, which early versions wrote into the run's settings alone."""
    told = "kT" not in data.coords or any(str(name).startswith("kT_") for name in data.coords)
    if told or not np.isnan(data["kT"].values).any() or not isinstance(folder, str | Path):
        return data
    path = Path(folder)
    settings = (path.parent if path.suffix == ".zarr" else path) / "run.json"
    try:
        schedule = read_json(settings)["settings"]["integrator"]["kT"]
        return data.assign_coords(schedule_settings("kT", schedule, data.sizes["replica"], "t"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return data


def plain_repr(field: Field) -> str:
    """The field in words, without addresses in memory."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(field))


def lattice_of(trajectory: xarray.Dataset) -> Lattice:
    """The lattice of a trajectory. Raises UserError when it does not say, as those of early versions do not."""
    positions = trajectory["position"].values if "position" in trajectory.variables else None
    try:
        return lattice_described(trajectory.attrs[LATTICE], positions)
    except (KeyError, UserError) as error:
        raise UserError(
            f"a trajectory that does not describe its lattice ({error})",
            allowed=f"the attribute {LATTICE!r}, as open_trajectory gives it",
            fix="give lattice=; sdgnn.analysis.trajectories.lattice_of_run reads it from a run's folder",
        ) from None


def describe_lattice(lattice: Lattice) -> str:
    """What positions do not tell of a lattice, as JSON."""
    described = lattice.to_dict()
    if not lattice.is_crystal:
        del described["positions"]
    return json.dumps(described)


def lattice_described(text: str, positions: np.ndarray | None) -> Lattice:
    """The lattice of which :func:`describe_lattice` wrote ``text``; ``positions`` (site, dim) are needed if it is free.

    Raises UserError when they tell no lattice, or one with another number of sites, before that is built.
    """
    try:
        data = json.loads(text)
        if data["name"] == "free":
            data["positions"] = positions
        elif positions is not None and math.prod(data["shape"]) * len(data["basis"]) != len(positions):
            raise UserError(f"a lattice of {data['shape']} unit cells with {len(positions)} positions")
        return Lattice.from_dict(data)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"a description of a lattice that cannot be read ({error!r})") from None
