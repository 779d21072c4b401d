"""The data of a sweep: the trajectories of all its points in one labelled set."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.common.files import write_failure
from sdgnn.dynamics.times import common_times

if TYPE_CHECKING:
    import xarray

NAME = "sweep.zarr"
"""The set's name in a sweep's folder."""


def write_sweep(
    folder: Path,
    axes: Mapping[str, Sequence[Any]],
    parts: Iterator[tuple[tuple[int, ...], xarray.Dataset]],
    attributes: Mapping[str, str],
) -> tuple[str, ...]:
    """Writes ``sweep.zarr`` into ``folder``, completely or not at all; returns what could not be put together.

    ``axes`` holds the values along each dimension of the sweep, ``parts`` for every point its indices and trajectory
    (its replicas numbered from 0), one of which is in memory at a time. Observables keep their dimensions after those
    of the sweep; those whose shape is not the same at every point stay in the trajectories alone. Times are the
    coordinate ``time`` where all points share them, but for rounding, else ``times`` (..., time); wave vectors ``q``
    likewise. What the replicas of a point were set to, such as kT, is ``kT_of_replica`` (..., replica).

    Raises UserError when the disk does not take it.
    """
    import zarr

    temporary = Path(tempfile.mkdtemp(dir=folder, prefix=f".{Path(NAME).stem}-"))
    try:
        group: Any = zarr.open_group(temporary, mode="w", zarr_format=3)
        shape = tuple(len(values) for values in axes.values())
        odd: set[str] = set()
        coordinates: set[str] = set()
        for where, data in parts:
            for name, values, dims, attrs, is_coordinate in _arrays(data):
                coordinates |= {name} if is_coordinate else set()
                whole = (*shape, *values.shape)
                if name not in group:
                    group.create_array(
                        name, shape=whole, dtype=values.dtype, chunks=(*(1 for _ in shape), *values.shape),
                        dimension_names=(*axes, *dims), attributes=attrs,
                    )  # fmt: skip
                if group[name].shape == whole:
                    group[name][where] = values
                else:
                    odd.add(name)
        for name in odd:
            del group[name]
        _share(group, len(shape))
        for name, along in axes.items():
            values = labels(along)
            group.create_array(name, shape=values.shape, dtype=values.dtype, dimension_names=(name,))[...] = values
        group.attrs.update({**attributes, "coordinates": " ".join(sorted(coordinates - odd))})
        shutil.rmtree(folder / NAME, ignore_errors=True)
        os.replace(temporary, folder / NAME)
    except OSError as error:
        raise UserError(
            f"{folder / NAME} could not be written: {write_failure(error) or error}",
            fix="free space and go on with resume; the runs themselves are intact",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return tuple(sorted(odd))


def open_sweep(folder: str | Path) -> xarray.Dataset:
    """The data of a sweep (its folder, or the sweep.zarr there), read when values are asked for.

    Dimensions are those of the sweep, then those of a trajectory (:func:`sdgnn.dynamics.open_trajectory`). Raises
    UserError where no sweep is.
    """
    import xarray

    path = Path(folder)
    store = path if path.suffix == ".zarr" else path / NAME
    if not (store / "zarr.json").is_file():
        raise UserError(f"no {NAME} in {path}", allowed="the folder of a finished sweep", fix="go on with --resume")
    data = xarray.open_zarr(store, consolidated=False, chunks=None, decode_times=False, zarr_format=3)
    data.attrs["config"] = str(data.attrs.get("config", ""))
    early = [n for n in ("times", "stream", "step") if n in data]  # version 0.1 did not mark its coordinates
    return data.set_coords(early)


def _arrays(data: xarray.Dataset) -> Iterator[tuple[str, np.ndarray, tuple[str, ...], dict[str, Any], bool]]:
    """Name, values, dimensions and attributes of what a point's trajectory gives, and whether it is a coordinate."""
    for name, values in data.variables.items():
        text = str(name)
        if text in ("replica", "site", "component", "axis", "position"):
            continue
        if text in values.dims:
            text = text.replace("time", "times", 1)
        elif values.dims == ("replica",) and text != "stream":
            text = f"{text}_of_replica"
        yield text, values.values, tuple(map(str, values.dims)), dict(values.attrs), name in data.coords


def _share(group: Any, depth: int) -> None:
    """Makes times and wave vectors that are equal at all points the coordinates of their dimensions."""
    for name in [n for n, _ in group.arrays() if n == "q" or re.fullmatch(r"times(_\d+)?", n)]:
        array = group[name]
        flat = array[...].reshape(-1, *array.shape[depth:])
        same = _same_times if name != "q" else np.array_equal
        if all(same(flat[0], row) for row in flat[1:]):
            dims = array.metadata.dimension_names[depth:]
            attributes = dict(array.attrs)
            del group[name]
            group.create_array(
                name if name == "q" else dims[0], shape=flat[0].shape, dtype=flat.dtype, dimension_names=dims,
                attributes=attributes,
            )[...] = flat[0]  # fmt: skip


def _same_times(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two records have the same times, but for rounding."""
    return len(common_times(first, second)[0]) == len(first)


def labels(values: Sequence[Any]) -> np.ndarray:
    """Numbers as they are, everything else as text."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, dtype=np.float64 if any(isinstance(v, float) for v in values) else np.int64)
    text = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return np.array(text, dtype=np.dtypes.StringDType())
