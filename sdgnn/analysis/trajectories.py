"""Analysis of whole trajectories: order parameters, structure factor and domain length through time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float

from sdgnn.analysis.domains import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.observers import BASIC, MEASURES, available
from sdgnn.analysis.orders import bragg_weight
from sdgnn.analysis.statistics import mean_and_error
from sdgnn.analysis.structure_factor import wave_vectors
from sdgnn.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

MAPS = ("spins", "chirality_map")
"""Observables that stay as they are: their mean over replicas shows no physics."""


def analyze(
    trajectory: xarray.Dataset, lattice: Lattice, order: Float[np.ndarray, "peak dim"] | None = None
) -> xarray.Dataset:
    """What a trajectory shows through time, with error bars over replicas.

    Everything in :data:`sdgnn.analysis.observers.MEASURES` that the lattice allows: taken from the trajectory where
    it was measured during the run, computed from the stored spins (one time after another) otherwise. ``order``, the
    wave vectors (peak, dim) of a spin order, adds its ``bragg_weight`` (:func:`~sdgnn.analysis.orders.bragg_weight`),
    ``spin_domain_length`` and ``spin_domain_length_moment`` (see
    :func:`~sdgnn.analysis.domains.length_from_correlation`) from the stored spins.

    Returns, for each quantity X (such as ``domain_length``, ``structure_factor``, or ``energy`` if recorded):

    =============== =========================== ====================================================
    X               (time, replica)             as measured; left out where X has further dimensions
    X_mean, X_error (time, ...)                 mean over replicas and its standard error
    =============== =========================== ====================================================

    The dimension ``time`` may be ``time_N`` as in the trajectory. Coordinates: times, ``q`` (wave_vector, axis).
    Raises UserError when the trajectory is not one of states on ``lattice`` or holds nothing to analyse.
    """

    sites = trajectory.sizes.get("site", lattice.n_sites)
    if sites != lattice.n_sites:
        raise UserError(f"a trajectory of {sites} sites", allowed=f"{lattice.n_sites} sites of {lattice!r}")
    found = {
        str(name): values
        for name, values in trajectory.data_vars.items()
        if name not in MAPS and len(values.dims) >= 2 and values.dims[1] == "replica"
    }
    if "spins" in trajectory:
        wanted = [n for n in available(lattice) if n not in BASIC and n not in MAPS and n not in found]
        found |= _from_spins(trajectory["spins"], lattice, wanted, order)
    elif order is not None:
        raise UserError("the domain length of a spin order without stored spins", fix="record the observer spins")
    if not found:
        raise UserError("a trajectory without observables", allowed="one with spins or with observers of a run")
    result = averaged(found).assign_attrs(lattice=repr(lattice))
    if "wave_vector" in result.dims:
        q = (("wave_vector", "axis"), wave_vectors(lattice), {"units": "1 / nearest-neighbour distance"})
        result = result.assign_coords(q=q)
    times = [c for c in trajectory.coords if str(c).startswith(("time", "step"))]
    return result.assign_coords({c: trajectory.coords[c] for c in times if set(trajectory[c].dims) <= set(result.dims)})


def averaged(values: Mapping[str, xarray.DataArray]) -> xarray.Dataset:
    """Mean and standard error over replicas of each quantity (time, replica, ...): X_mean and X_error (time, ...).

    X itself stays where it has no further dimensions.
    """
    import xarray

    result = xarray.Dataset()
    for name, value in values.items():
        mean, error = mean_and_error(torch.from_numpy(np.moveaxis(value.values, 1, 0).astype(np.float64)))
        dims = (value.dims[0], *value.dims[2:])
        if len(value.dims) == 2:
            result[name] = value
        result[f"{name}_mean"] = (dims, mean.numpy(), value.attrs)
        result[f"{name}_error"] = (dims, error.numpy(), value.attrs)
    return result


def lattice_of_run(folder: Path) -> Lattice:
    """The lattice that a simulation in ``folder`` ran on. Raises UserError when its run.json cannot be read."""
    path = folder / "run.json"
    try:
        return Lattice.from_dict(json.loads(path.read_text())["settings"]["lattice"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} tells no lattice ({error!r})", allowed="the folder of a simulation") from error


def _from_spins(
    spins: xarray.DataArray, lattice: Lattice, wanted: list[str], order: Float[np.ndarray, "peak dim"] | None
) -> dict[str, xarray.DataArray]:
    """Measures of stored spins (time, replica, site, component), one time in memory at once."""
    import xarray

    time = spins.dims[0]
    rows: dict[str, list[np.ndarray]] = {}
    for k in range(spins.sizes[time]):
        state = torch.from_numpy(np.ascontiguousarray(spins.isel({time: k}).values))
        now = {name: MEASURES[name][0](state, lattice) for name in wanted}
        if order is not None:
            now["bragg_weight"] = bragg_weight(state, lattice, order)
            now["spin_domain_length"] = length_from_correlation(state, lattice, order=order)
            now["spin_domain_length_moment"] = length_from_structure_factor(state, lattice, order=order)
        for name, value in now.items():
            rows.setdefault(name, []).append(value.numpy())
    measured: dict[str, xarray.DataArray] = {}
    for name, row in rows.items():
        _, dims, units = MEASURES.get(name, (None, (), "1" if name == "bragg_weight" else "nearest-neighbour distance"))
        attributes: dict[str, Any] = {"units": units}
        measured[name] = xarray.DataArray(np.stack(row), dims=(time, "replica", *dims), attrs=attributes)
    return measured
