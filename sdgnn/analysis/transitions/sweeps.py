"""Thermodynamics of a sweep: points that differ in temperature, size and seed belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.statistics.equilibrium import after
from sdgnn.analysis.statistics.sweeps import Point
from sdgnn.analysis.transitions.order_parameters import RECORDED, order_parameters
from sdgnn.analysis.transitions.thermodynamics import of_samples
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

LEAST = 4
"""Temperatures from which on there is a curve to look at."""


def sweep_thermodynamics(
    points: Iterable[Point],
    axes: Mapping[str, Sequence[Any]],
    together: Iterable[str] = ("kT", "seed", "size"),
    discard: float = 0.5,
    order: Callable[[Lattice], Float[np.ndarray, "peak dim"]] | None = None,
) -> dict[str, list[xarray.Dataset]]:
    """:func:`.thermodynamics` of a sweep's points, by size of the lattice, for each combination of the other keys.

    Arguments as those of :func:`~sdgnn.analysis.sweep_means`; points that differ in the keys ``together`` alone are
    put together, by the constant kT of each replica, whether that is swept or a ladder of parallel tempering. The
    combinations are told by their values, "exchange = 3". Those of fewer than four temperatures have no entry, nor have
    points whose temperature is a schedule, or that recorded no order parameter or spins.
    """
    import xarray

    others = [(k, name) for k, name in enumerate(axes) if name not in together]
    parts: dict[str, dict[int, list[xarray.Dataset]]] = {}
    for place, trajectory, lattice in points:
        label = ", ".join(f"{name} = {axes[name][place[k]]}" for k, name in others)
        if np.isnan(trajectory["kT"].values).any() or not {*RECORDED, "spins"} & set(trajectory.data_vars):
            continue
        peaks = None if order is None else order(lattice)
        samples = order_parameters(after(trajectory, discard), lattice, peaks)
        parts.setdefault(label, {}).setdefault(lattice.n_sites, []).append(samples)
    found: dict[str, list[xarray.Dataset]] = {}
    for label, sizes in parts.items():
        for sites, points_of_size in sorted(sizes.items()):
            pooled = xarray.concat(
                points_of_size, "replica", data_vars="all", coords="minimal", compat="override", join="override",
                combine_attrs="override",
            )  # fmt: skip
            if has_curve(pooled):
                found.setdefault(label, []).append(of_samples(pooled, sites))
    return found


def has_curve(trajectory: xarray.Dataset) -> bool:
    """Whether the replicas have constant temperatures, four of them or more."""
    kT = trajectory.coords.get("kT")
    return kT is not None and not np.isnan(kT.values).any() and len(np.unique(kT.values)) >= LEAST
