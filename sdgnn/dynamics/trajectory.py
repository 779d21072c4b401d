"""Trajectories: what a run has recorded, opened as labelled xarray."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from sdgnn.common.errors import UserError
from sdgnn.common.files import PARSER_ERRORS, read_json, where_else
from sdgnn.common.memory import GB
from sdgnn.dynamics.chunks import checked, written
from sdgnn.dynamics.observers import TIMES
from sdgnn.dynamics.settings import schedule_settings
from sdgnn.lattice import Lattice
from sdgnn.lattice.text import lattice_described

if TYPE_CHECKING:
    import xarray

NAME = "trajectory.zarr"
"""The trajectory's name in a run's folder."""
LATTICE = "lattice"
"""The attribute of a trajectory that describes its lattice."""
LARGEST = 2**31
"""Bytes of a chunk or a coordinate at most."""


def open_trajectory(folder: Any) -> xarray.Dataset:
    """The trajectory of a run (its folder, or a zarr store) as ``xarray.Dataset``, read when values are asked for.

    Dimensions time (and time_N for slower schedules; :func:`at_common_steps` puts several on one), replica, site,
    component; coordinates ``position`` (site, axis), ``step`` (time), ``q`` (wave_vector, axis) where structure factors
    were measured, and what each replica was set to, see :func:`~sdgnn.dynamics.settings.settings_of`. Of an unfinished
    run, the entries written so far. The attribute ``lattice`` is read by :func:`lattice_of`; ``field`` and
    ``integrator`` tell what made the run. Raises UserError where no trajectory is; reading values that the disk has
    changed raises one that names their file.
    """
    store: Any = folder
    if isinstance(folder, str | Path):
        path = Path(folder)
        store = path if path.suffix == ".zarr" else path / NAME
        if not (store / "zarr.json").is_file():
            raise UserError(
                f"no trajectory in {path}", allowed="the folder of a run", fix=where_else(path, NAME, f"*/{NAME}")
            )
    try:
        return _with_schedule(_with_coordinates(_opened(checked(store))), folder)
    except UserError as error:
        raise UserError(f"trajectory {folder}: {error.given}", allowed=error.allowed, fix=error.fix) from error
    except PARSER_ERRORS as error:
        raise UserError(
            f"trajectory {folder}: damaged ({error})",
            allowed="what a run has written",
            fix="run it again, or copy it again",
        ) from error


def _opened(store: Any) -> xarray.Dataset:
    """The entries that are written, their times and steps read, all else when it is asked for.

    Arrays have room for all steps of a run, which may be many more than there are entries. Raises UserError on pieces
    that are read at once and are larger than LARGEST, and whatever zarr raises on arrays that are none.
    """
    import xarray

    group: Any = zarr.open_group(store, mode="r", zarr_format=3)
    arrays = dict(group.arrays())
    dims = {name: array.metadata.dimension_names for name, array in arrays.items() if array.ndim == 1}
    is_step = {name for name in dims if name.split("_")[0] == "step"}
    times = {name: dims[name][0] for name in is_step if dims[name] and dims[name][0] in arrays}
    in_parts = {*times, *times.values()}
    for name, array in arrays.items():
        at_once = array.shape if array.ndim == 1 and name not in in_parts else array.chunks
        size = math.prod(at_once) * array.dtype.itemsize
        if size > LARGEST:
            raise UserError(f"{name!r} of {size / GB:.2g} GB in one piece", allowed=f"{LARGEST / GB:.2g} GB")
        if array.size:
            with suppress(UserError):  # a damaged chunk is told of when its numbers are asked for
                array[(0,) * array.ndim]
    data = xarray.open_zarr(
        store, consolidated=False, chunks=None, decode_times=False, zarr_format=3, drop_variables=[*in_parts]
    )
    for step, time in times.items():
        count = written(arrays[step])
        data = data.isel({time: slice(0, count)}, missing_dims="ignore")
        for name in (time, step):
            data = data.assign_coords({name: (time, arrays[name][:count], dict(arrays[name].attrs))})
    return data


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
    """The trajectory with the schedule of kT, which early versions wrote into the run's settings alone."""
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
