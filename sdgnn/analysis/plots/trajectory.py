"""The figures of a trajectory and its analysis: states, and everything that was measured, through time."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.orders.chirality import scalar_chirality
from sdgnn.analysis.plots.growth import domain_growth, time_series
from sdgnn.analysis.plots.maps import TETRAHEDRAL, chirality_maps, site_maps, spin_maps
from sdgnn.analysis.plots.reciprocal import structure_factor_maps
from sdgnn.analysis.plots.style import Curve
from sdgnn.analysis.spectra.static import structure_factor
from sdgnn.analysis.statistics.replicas import each_group, replica_groups
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import inner_radius

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
"""Numbers of order one that share a figure through time, where all replicas have the same settings."""

FACTORS = ("structure_factor", "chirality_structure_factor")
"""Structure factors."""

LARGEST_ZONE = 4
"""Brillouin zones, in each direction, up to which the period of S(q) is looked for."""


def trajectory_figures(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> dict[str, Figure]:
    """Every figure that a trajectory and its :func:`~sdgnn.analysis.analyze` allow, by name.

    In two dimensions ``spins`` and ``triangles``, maps of spins and chirality of the first replica, and
    ``structure_factor``, mean over replicas: in the first Brillouin zone where S(q) is periodic in that, in the zone of
    its period where the cell has a basis and spins were recorded. Through time ``domain_growth`` and
    ``domain_growth_moment`` (L(t) from the half height of the correlation function, shaded above a quarter of the
    shortest period of the cell, and from the first moment of the structure factor), ``order`` and ``energy``, then
    every other observable that was recorded, under its own name. Maps show up to four stored times, spaced
    logarithmically; where replicas differ in their settings, the last time of each, and curves are drawn for each. What
    is NaN everywhere is left out.
    """
    return {**_states(trajectory, analysis, lattice), **_numbers(trajectory, analysis, lattice)}


def _states(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if lattice.dim != 2:
        return figures
    if "spins" in trajectory and trajectory["spins"].sizes[trajectory["spins"].dims[0]]:
        chosen = {title: state[0] for title, state in _shown(trajectory, "spins").items()}
        figures["spins"] = spin_maps(chosen, lattice)
        states = {title: torch.from_numpy(np.ascontiguousarray(state))[None] for title, state in chosen.items()}
        chirality = {title: scalar_chirality(state, lattice)[0] for title, state in states.items()}
        figures["triangles"] = chirality_maps(chirality, lattice, chirality_scale(lattice, chirality))
    for name, values in trajectory.data_vars.items():
        if values.dims[1:] == ("replica", "site") and not np.isnan(values[-1:].values).all():
            maps = {title: state[0] for title, state in _shown(trajectory, str(name)).items()}
            figures[str(name)] = site_maps(maps, lattice, axis_label(values))
    zones = zones_of(lattice)
    for name in FACTORS:
        if zones > 1 and name == "structure_factor" and "spins" in trajectory:
            means = {
                title: structure_factor(torch.from_numpy(np.ascontiguousarray(state)), lattice, zones).mean(0)
                for title, state in _shown(trajectory, "spins").items()
            }
            figures[name] = structure_factor_maps(means, lattice, zones)
        elif f"{name}_mean" in analysis and (name in trajectory or name == "structure_factor"):
            figures[name] = structure_factor_maps(_factors(analysis, f"{name}_mean"), lattice)
    return figures


def _numbers(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    lengths = _finite(curves(analysis, LENGTHS))
    if lengths:
        limit = inner_radius(lattice.cell) / 2
        label = "$L$ at half height of $C(r)$ (lattice spacings)"
        figures["domain_growth"] = domain_growth(lengths, limit=limit, label=label)
    lengths = _finite(curves(analysis, MOMENT_LENGTHS))
    if lengths:
        label = r"$L = 2\pi/\langle |q-Q| \rangle$ (lattice spacings)"
        figures["domain_growth_moment"] = domain_growth(lengths, label=label)
    drawn = {*LENGTHS, *MOMENT_LENGTHS}
    if "setting" not in analysis.dims:
        orders = curves(analysis, ORDERS)
        drawn |= set(ORDERS)
        if orders:
            figures["order"] = time_series(orders, "order parameter")
    asked = [str(n) for n in analysis.data_vars if str(n).endswith("_mean")]
    standard = {*trajectory.data_vars, *ORDERS, "bragg_weight"}
    for name in (name.removesuffix("_mean") for name in asked):
        if name in drawn or name not in standard:
            continue
        found = curves(analysis, {name: ""})
        if any(np.isfinite(mean).any() for _, mean, _ in found.values()):
            per = lattice.n_sites if name == "energy" else 1
            scaled = {label: (t, mean / per, error / per) for label, (t, mean, error) in found.items()}
            figures[name] = time_series(
                scaled, "energy per site ($t$)" if per > 1 else axis_label(analysis[f"{name}_mean"])
            )
    return figures


def zones_of(lattice: Lattice) -> int:
    """Brillouin zones in each direction after which S(q) repeats: 1 without a basis, 2 for kagome, 3 for honeycomb.

    2 where a basis stands at no simple fractions of the cell, and S(q) never repeats.
    """
    if lattice.basis is None or lattice.vectors is None or lattice.n_basis == 1:
        return 1
    fractions = (lattice.basis - lattice.basis[0]) @ np.linalg.inv(lattice.vectors)
    for zones in range(1, LARGEST_ZONE + 1):
        if np.abs(zones * fractions - np.round(zones * fractions)).max() < 1e-9:
            return zones
    return 2


def chirality_scale(lattice: Lattice, chirality: Mapping[str, Float[Tensor, " triangle"]]) -> float:
    """End of the scale of maps: tetrahedral order where the lattice has that, else the largest value."""
    if lattice.name == "triangular":
        return TETRAHEDRAL
    return max(max(float(values.abs().max()) for values in chirality.values()), 1e-6)


def snapshots(count: int, wanted: int = 4) -> Int[np.ndarray, " snapshot"]:
    """At most ``wanted`` of the indices 0 ... count - 1, the first, the last and some between, ever further apart."""
    if count <= wanted:
        return np.arange(count)
    return np.unique(
        np.concatenate([[0], np.round(np.geomspace(max(1, count / 20), count - 1, wanted - 1))]).astype(int)
    )


def _shown(trajectory: xarray.Dataset, name: str) -> dict[str, np.ndarray]:
    """States (replica, ...) of one observable: at several times, or of every setting at the last."""
    values = trajectory[name]
    time = str(values.dims[0])
    found = replica_groups(trajectory)
    if len(found) > 1:
        last = float(values[time][-1])
        return {f"{s.label}\n{_title(last)}": values.isel({time: -1, "replica": list(s.places)}).values for s in found}
    return {_title(values[time].values[k]): values.isel({time: k}).values for k in snapshots(values.sizes[time])}


def _factors(analysis: xarray.Dataset, name: str) -> dict[str, np.ndarray]:
    """Means over replicas at several times, or of every setting at the last."""
    parts = each_group(analysis)
    panels = {}
    for label, part in parts.items():
        values = part[name]
        time = values.dims[0]
        for k in snapshots(values.sizes[time]) if len(parts) == 1 else [-1]:
            title = _title(float(values[time][k]))
            panels[f"{label}\n{title}" if label else title] = values.isel({time: k}).values
    return panels


def _title(time: float) -> str:
    return rf"time {time:.4g} $\hbar/t$"


def axis_label(values: xarray.DataArray) -> str:
    """What an axis shows, with its units."""
    name = str(values.attrs.get("long_name") or values.name).removesuffix(", mean over replicas").replace("_", " ")
    units = values.attrs.get("units", "1")
    return textwrap.fill(name if units == "1" else f"{name} ({units})", 32)


def curves(analysis: xarray.Dataset, names: dict[str, str]) -> dict[str, Curve]:
    """Times, means and errors of the quantities that are there, for every setting and component, by their labels."""
    found: dict[str, Curve] = {}
    for setting, part in each_group(analysis).items():
        for name, label in names.items():
            if f"{name}_mean" not in part or part[f"{name}_mean"].dims[1:] not in ((), ("component",)):
                continue
            mean, error = part[f"{name}_mean"], part[f"{name}_error"]
            t = mean[mean.dims[0]].values.astype(np.float64)
            for k in range(mean.sizes.get("component", 1)):
                component = str(mean["component"].values[k]) if "component" in mean.dims else ""
                told = ", ".join(filter(None, [label, component, setting])) or "mean over replicas"
                along = {"component": k} if component else {}
                found[told] = (t, mean.isel(along).values, error.isel(along).values)
    return found


def _finite(curves: dict[str, Curve]) -> dict[str, Curve]:
    """Curves with a point that logarithmic axes can show."""
    return {
        name: curve for name, curve in curves.items() if ((curve[0] > 0) & np.isfinite(curve[1]) & (curve[1] > 0)).any()
    }
