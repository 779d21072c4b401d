"""Analysis of whole trajectories: order parameters, structure factor and domain length through time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.domains.lengths import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.measuring import measured, of_spins, with_order
from sdgnn.analysis.observers import BASIC, LENGTH, Measure, available
from sdgnn.analysis.orders.bragg import bragg_weight
from sdgnn.analysis.recorded import recorded_spins
from sdgnn.analysis.statistics.means import replica_mean
from sdgnn.analysis.statistics.replicas import ReplicaGroup, by_group
from sdgnn.common.errors import UserError
from sdgnn.common.files import read_json
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

ORDERED: dict[str, Measure] = {
    "bragg_weight": Measure(bragg_weight, (), "1", "weight of the Bragg peaks of the order"),
    "spin_domain_length": Measure(
        lambda spins, lattice, order: length_from_correlation(spins, lattice, order=order), (), LENGTH,
        "domains of the order, half height of C(r)",
    ),
    "spin_domain_length_moment": Measure(
        lambda spins, lattice, order: length_from_structure_factor(spins, lattice, order=order), (), LENGTH,
        "domains of the order, first moment of S(q)",
    ),
}  # fmt: skip
"""Measures of (spins, lattice, wave vectors of an order)."""

MAPS = ("spins", "chirality_map", "nematic_map", "walker")
"""Observables that stay as they are: their mean over replicas shows no physics."""


def analyze(
    trajectory: xarray.Dataset, lattice: Lattice, order: Float[np.ndarray, "peak dim"] | None = None
) -> xarray.Dataset:
    """What a trajectory shows through time, with error bars over replicas of the same settings::

        found = sdgnn.analysis.analyze(run.trajectory, lattice)
        found["domain_length_mean"], found["domain_length_error"]

    Everything in :data:`sdgnn.analysis.observers.MEASURES` that the lattice allows: taken from the trajectory where
    it was measured during the run, computed from the stored spins (one time after another) otherwise. ``order``, the
    wave vectors (peak, dim) of a spin order, adds its ``bragg_weight`` (:func:`.bragg_weight`),
    ``spin_domain_length`` and ``spin_domain_length_moment`` (see
    :func:`~sdgnn.analysis.domains.lengths.length_from_correlation`) from the stored spins.

    Returns, for each quantity X (such as ``domain_length``, ``structure_factor``, or ``energy`` if recorded):

    =============== =========================== ====================================================
    X               (time, replica)             as measured; left out where X has further dimensions
    X_mean, X_error (time, ...)                 mean over replicas and its standard error; attribute ``replicas``
    =============== =========================== ====================================================

    Where replicas differ in kT, damping or another setting (:func:`.replica_groups`), means and
    errors are over those of each setting and have a first dimension ``setting``, labelled "kT = 0.01". The dimension
    ``time`` may be ``time_N`` as in the trajectory. Coordinates: times, steps, settings, ``q`` (wave_vector, axis).
    Raises UserError when the trajectory is not one of states on ``lattice`` or holds nothing to analyse.
    """
    sites = trajectory.sizes.get("site", lattice.n_sites)
    if sites != lattice.n_sites:
        raise UserError(f"a trajectory of {sites} sites", allowed=f"{lattice.n_sites} sites of {lattice!r}")
    recorded = [
        str(name)
        for name, values in trajectory.data_vars.items()
        if name not in MAPS and len(values.dims) >= 2 and values.dims[1] == "replica"
    ]
    wanted: list[str] = []
    if "spins" in trajectory:
        wanted = [n for n in available(lattice) if n not in BASIC and n not in MAPS and n not in recorded]
    elif order is not None:
        recorded_spins(trajectory, "the domain length of a spin order")
    if not recorded and not wanted:
        raise UserError("a trajectory without observables", allowed="one with spins or with observers of a run")
    found = measured(trajectory, lattice, [*recorded, *wanted])
    if order is not None:
        measures = {name: with_order(one, order) for name, one in ORDERED.items()}
        found = found.assign({n: v.variable for n, v in of_spins(trajectory["spins"], lattice, measures).items()})
    found.attrs = {"lattice": repr(lattice)}
    return averaged(found)


def averaged(measured: xarray.Dataset) -> xarray.Dataset:
    """Mean and standard error over replicas of each quantity X (time, replica, ...): X_mean and X_error (time, ...).

    Replicas of different settings are never averaged: see :func:`analyze`. X itself stays where it has no further
    dimensions.
    """

    def means(part: xarray.Dataset, _: ReplicaGroup) -> xarray.Dataset:
        result = part.drop_vars(list(part.data_vars)).drop_dims("replica")
        for name, value in part.data_vars.items():
            for key, found in zip(("mean", "error"), replica_mean(value), strict=True):
                words = {"long_name": f"{value.attrs.get('long_name') or name}, {WORDS[key]}"}
                counted = {"replicas": value.sizes["replica"]}
                result[f"{name}_{key}"] = found.assign_attrs({**value.attrs, **words, **counted})
        return result

    single = measured[[name for name, value in measured.data_vars.items() if value.ndim == 2]]
    return by_group(measured, means).merge(single, compat="no_conflicts", combine_attrs="drop_conflicts")


WORDS = {"mean": "mean over replicas", "error": "standard error of the mean over replicas"}


def lattice_of_run(folder: Path) -> Lattice:
    """The lattice that a simulation in ``folder`` ran on. Raises UserError when its run.json cannot be read."""
    path = folder / "run.json"
    try:
        return Lattice.from_dict(read_json(path)["settings"]["lattice"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} tells no lattice ({error!r})", allowed="the folder of a simulation") from error
