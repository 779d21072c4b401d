"""The standard set of figures of a trajectory and its analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from sdgnn.analysis.chirality import scalar_chirality
from sdgnn.analysis.periodic import inner_radius
from sdgnn.analysis.plots.growth import Curve, domain_growth, time_series
from sdgnn.analysis.plots.maps import chirality_maps, spin_maps
from sdgnn.analysis.plots.reciprocal import structure_factor_maps
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

LENGTHS = {"domain_length": "chirality", "spin_domain_length": "spin order"}
"""Domain lengths by the half height of the correlation function, with their names in the legend."""

MOMENT_LENGTHS = {"domain_length_moment": "chirality", "spin_domain_length_moment": "spin order"}
"""Domain lengths by the first moment of the structure factor."""

ORDERS = {
    "absolute_chirality": r"mean $|\chi|$",
    "chirality": r"mean $\chi$",
    "nearest_neighbour_correlation": r"$\langle \mathbf{S}_i\cdot\mathbf{S}_j\rangle$, nearest neighbours",
}
"""Numbers of order one that share a figure through time."""


def trajectory_figures(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> dict[str, Figure]:
    """Every figure that a trajectory and its :func:`~sdgnn.analysis.analyze` allow, by name.

    ``spins`` and ``chirality`` (maps of the first replica, two dimensions), ``structure_factor`` (mean over replicas,
    in the zone), ``domain_growth`` and ``domain_growth_moment`` (L(t) from the half height of the correlation function,
    shaded above a quarter of the shortest period of the cell, and from the first moment of the structure factor),
    ``order`` and ``energy`` (through time). Maps show up to four stored times, spaced logarithmically.
    """
    figures: dict[str, Figure] = {}
    if lattice.dim == 2 and "spins" in trajectory and trajectory["spins"].sizes[trajectory["spins"].dims[0]]:
        spins = trajectory["spins"].isel(replica=0)
        time = spins.dims[0]
        chosen = {_title(spins[time].values[k]): spins.isel({time: k}).values for k in snapshots(spins.sizes[time])}
        figures["spins"] = spin_maps(chosen, lattice)
        states = {title: torch.from_numpy(np.ascontiguousarray(state))[None] for title, state in chosen.items()}
        chirality = {title: scalar_chirality(state, lattice)[0] for title, state in states.items()}
        figures["chirality"] = chirality_maps(chirality, lattice)
    if lattice.dim == 2 and "structure_factor_mean" in analysis:
        factor = analysis["structure_factor_mean"]
        time = factor.dims[0]
        panels = {_title(factor[time].values[k]): factor.isel({time: k}).values for k in snapshots(factor.sizes[time])}
        figures["structure_factor"] = structure_factor_maps(panels, lattice)
    lengths = _finite(_curves(analysis, LENGTHS))
    if lengths:
        limit = inner_radius(lattice.cell) / 2
        label = "$L$ at half height of $C(r)$ (lattice spacings)"
        figures["domain_growth"] = domain_growth(lengths, limit=limit, label=label)
    lengths = _finite(_curves(analysis, MOMENT_LENGTHS))
    if lengths:
        label = r"$L = 2\pi/\langle |q-Q| \rangle$ (lattice spacings)"
        figures["domain_growth_moment"] = domain_growth(lengths, label=label)
    orders = _curves(analysis, ORDERS)
    if orders:
        figures["order"] = time_series(orders, "order parameter")
    if "energy_mean" in analysis:
        ((t, mean, error),) = _curves(analysis, {"energy": "energy"}).values()
        curve = (t, mean / lattice.n_sites, error / lattice.n_sites)
        figures["energy"] = time_series({"mean over replicas": curve}, "energy per site ($t$)")
    return figures


def snapshots(count: int, wanted: int = 4) -> Int[np.ndarray, " snapshot"]:
    """At most ``wanted`` of the indices 0 ... count - 1, the first, the last and some between, ever further apart."""
    if count <= wanted:
        return np.arange(count)
    return np.unique(
        np.concatenate([[0], np.round(np.geomspace(max(1, count / 20), count - 1, wanted - 1))]).astype(int)
    )


def _title(time: float) -> str:
    return rf"time {time:.4g} $\hbar/t$"


def _curves(analysis: xarray.Dataset, names: dict[str, str]) -> dict[str, Curve]:
    """Times, means and errors of the quantities that are there, by their labels."""
    return {
        label: (
            analysis[analysis[f"{name}_mean"].dims[0]].values.astype(np.float64),
            analysis[f"{name}_mean"].values,
            analysis[f"{name}_error"].values,
        )
        for name, label in names.items()
        if f"{name}_mean" in analysis
    }


def _finite(curves: dict[str, Curve]) -> dict[str, Curve]:
    """Curves with a point that logarithmic axes can show."""
    return {
        name: curve for name, curve in curves.items() if ((curve[0] > 0) & np.isfinite(curve[1]) & (curve[1] > 0)).any()
    }
