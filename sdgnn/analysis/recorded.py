"""Recorded states of a trajectory, with one time in memory at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray


def recorded_spins(trajectory: xarray.Dataset, what: str = "") -> xarray.DataArray:
    """The spins of a trajectory, (time, replica, site, component), for ``what``.

    Raises UserError where none were recorded.
    """
    if "spins" not in trajectory or not trajectory["spins"].size:
        given = f"{what} of a trajectory without spins" if what else "a trajectory without spins"
        raise UserError(given, fix="record the observer spins")
    return trajectory["spins"]


def states(recorded: xarray.DataArray, first: int = 0) -> Iterator[Tensor]:
    """States (replica, ...) of an observable from the ``first``-th time on, read one after another."""
    for k in range(first, len(recorded)):
        yield torch.from_numpy(np.ascontiguousarray(recorded[k].values))


def stacked(rows: Iterable[Mapping[str, Tensor]]) -> dict[str, np.ndarray]:
    """By name, what was found at each time, as one array (time, ...)."""
    columns: dict[str, list[np.ndarray]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value.numpy())
    return {name: np.stack(column) for name, column in columns.items()}
