"""The figures of a trajectory and its analysis: states, and everything that was measured, through time."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.orders.chirality import scalar_chirality
from sdgnn.analysis.orders.sublattices import order_cell
from sdgnn.analysis.plots.growth import domain_growth, time_series
from sdgnn.analysis.plots.maps import (
    BAR,
    MOST_ARROWS,
    TETRAHEDRAL,
    chirality_maps,
    columns_of_arrows,
    site_maps,
    spin_maps,
    sublattice_maps,
    window,
)
from sdgnn.analysis.plots.reciprocal import structure_factor_maps
from sdgnn.analysis.plots.style import Curve, extent
from sdgnn.analysis.spectra.static import structure_factor
from sdgnn.analysis.statistics.replicas import each_group, replica_groups
from sdgnn.common.errors import UserError
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
    "nearest_neighbour_correlation": r"$\langle \mathbf{S}_i\cdot\mathbf{S}_j\rangle$, neighbours",
}
"""Numbers of order one that share a figure through time, where all replicas have the same settings."""

FACTORS = ("structure_factor", "chirality_structure_factor")
"""Structure factors."""

MOST_SUBLATTICES = 9
"""Sublattices that have maps of their own at most."""

CURVES_HIGH = 2.5
"""Height of figures of curves, inches."""

LARGEST_ZONE = 4
"""Brillouin zones, in each direction, up to which the period of S(q) is looked for."""


class Panel(NamedTuple):
    """What a figure of a trajectory shows, before it is drawn: alone, or as a part of a larger figure."""

    draw: Callable[..., Figure]
    """Draws it, with ``into=`` a part of a larger figure."""
    height: float
    """Of the figure, inches."""
    wide: bool = False
    """Whether it fills two columns of a journal; one otherwise."""


def trajectory_figures(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> dict[str, Figure]:
    """Every figure that a trajectory and its :func:`~sdgnn.analysis.analyze` allow, by name.

    In two dimensions the maps of :func:`map_panels`, then the numbers of :func:`number_panels`. Maps show up to four
    stored times, spaced logarithmically; where replicas differ in their settings, the last time of each, and curves are
    drawn for each. What is NaN everywhere is left out.
    """
    found = {**map_panels(trajectory, analysis, lattice), **number_panels(analysis, lattice, asked_of(trajectory))}
    return {name: panel.draw() for name, panel in found.items()}


def map_panels(
    trajectory: xarray.Dataset,
    analysis: xarray.Dataset,
    lattice: Lattice,
    times: Sequence[float] | None = None,
    replica: int = 0,
) -> dict[str, Panel]:
    """Maps of states in two dimensions, by name, at the recorded times nearest to ``times``.

    ``spins`` and ``sublattices`` (the spins of each sublattice of the order at the last time, where one is seen:
    :func:`.order_cell`), ``chirality_map`` (of the triangles where spins were recorded), every other quantity of the
    sites, all of one ``replica``; ``structure_factor`` and ``chirality_structure_factor``, means over replicas: in the
    first Brillouin zone where S(q) is periodic in that, in the zone of its period where the cell has a basis and
    spins were recorded.
    """
    if lattice.dim != 2:
        return {}
    found: dict[str, Panel] = {}
    width, height = window(lattice)
    aspect = height / width
    shown = partial(_shown, trajectory, times=times)
    if "spins" in trajectory and trajectory["spins"].sizes[trajectory["spins"].dims[0]]:
        states = shown("spins")
        own = {title: state[replica] for title, state in states.items()}
        found["spins"] = Panel(partial(spin_maps, own, lattice), *_maps(len(own), aspect, spins_of=lattice))
        last = np.ascontiguousarray(list(states.values())[-1])
        cell = order_cell(last, lattice) if lattice.is_crystal else None
        if cell is not None and 1 < (count := int(np.prod(np.diag(cell))) * lattice.n_basis) <= MOST_SUBLATTICES:
            found["sublattices"] = Panel(partial(sublattice_maps, last[replica], lattice, cell), *_maps(count, aspect))
        chirality = {
            title: scalar_chirality(torch.from_numpy(np.ascontiguousarray(state))[None], lattice)[0]
            for title, state in own.items()
        }
        scale = chirality_scale(lattice, chirality)
        found["chirality_map"] = Panel(
            partial(chirality_maps, chirality, lattice, scale), *_maps(len(chirality), aspect)
        )
    for name, values in trajectory.data_vars.items():
        if values.dims[1:] == ("replica", "site") and name not in found and not np.isnan(values[-1:].values).all():
            maps = {title: state[replica] for title, state in shown(str(name)).items()}
            found[str(name)] = Panel(partial(site_maps, maps, lattice, axis_label(values)), *_maps(len(maps), aspect))
    zones = zones_of(lattice) if lattice.is_crystal else 1
    for name in FACTORS:
        if name == "structure_factor" and "spins" in found and lattice.is_crystal:
            means = {
                title: structure_factor(torch.from_numpy(np.ascontiguousarray(state)), lattice, zones).mean(0)
                for title, state in shown("spins").items()
            }
            found[name] = Panel(partial(structure_factor_maps, means, lattice, zones), *_maps(len(means), 1.1))
        elif f"{name}_mean" in analysis and (name in trajectory or name == "structure_factor"):
            stored = _factors(analysis, f"{name}_mean", times)
            found[name] = Panel(partial(structure_factor_maps, stored, lattice), *_maps(len(stored), 1.1))
    return found


def number_panels(analysis: xarray.Dataset, lattice: Lattice, asked: Collection[str]) -> dict[str, Panel]:
    """Numbers through time, by name: means over replicas with bands of one standard error.

    ``domain_growth`` and ``domain_growth_moment`` (L(t) from the half height of the correlation function, shaded above
    a quarter of the shortest period of the cell, and from the first moment of the structure factor), ``order`` and
    ``energy`` (per site), then every other one of those ``asked``, under its own name.
    """
    found: dict[str, Panel] = {}
    lengths = _finite(curves(analysis, LENGTHS))
    if lengths:
        limit = inner_radius(lattice.cell) / 2
        label = "$L$ at half height of $C(r)$\n(lattice spacings)"
        found["domain_growth"] = Panel(
            partial(domain_growth, lengths, limit=limit, label=label, note=bars(analysis)), CURVES_HIGH
        )
    lengths = _finite(curves(analysis, MOMENT_LENGTHS))
    if lengths:
        label = "$L = 2\\pi/\\langle |q-Q| \\rangle$\n(lattice spacings)"
        found["domain_growth_moment"] = Panel(
            partial(domain_growth, lengths, label=label, note=bars(analysis)), CURVES_HIGH
        )
    drawn = {*LENGTHS, *MOMENT_LENGTHS}
    if "setting" not in analysis.dims:
        orders = curves(analysis, ORDERS)
        drawn |= set(ORDERS)
        if orders:
            levels = perfect(lattice) if "absolute_chirality_mean" in analysis else {}
            found["order"] = Panel(
                partial(time_series, orders, "order parameter", levels=levels, note=bars(analysis)), CURVES_HIGH
            )
    standard = [str(n).removesuffix("_mean") for n in analysis.data_vars if str(n).endswith("_mean")]
    for name in (name for name in standard if name in asked and name not in drawn):
        if (panel := number_panel(analysis, lattice, name)) is not None:
            found[name] = panel
    return found


def number_panel(analysis: xarray.Dataset, lattice: Lattice, name: str) -> Panel | None:
    """One number through time; None where that is NaN throughout. The energy is that per site."""
    found = curves(analysis, {name: ""})
    if not any(np.isfinite(mean).any() for _, mean, _ in found.values()):
        return None
    per = lattice.n_sites if name == "energy" else 1
    scaled = {label: (t, mean / per, error / per) for label, (t, mean, error) in found.items()}
    label = "energy per site ($t$)" if name == "energy" else axis_label(analysis[f"{name}_mean"])
    levels = perfect(lattice) if name == "absolute_chirality" else {}
    return Panel(partial(time_series, scaled, label, levels=levels, note=bars(analysis)), CURVES_HIGH)


def bars(analysis: xarray.Dataset) -> str:
    """What bands and bars of an :func:`.averaged` analysis are."""
    counts = {values.attrs["replicas"] for values in analysis.data_vars.values() if "replicas" in values.attrs}
    if counts == {1}:
        return "one replica: no error known"
    number = f"{counts.pop()} replicas" if len(counts) == 1 else "replicas"
    return f"bars: standard error over {number}" + (" of each setting" if "setting" in analysis.dims else "")


def asked_of(trajectory: xarray.Dataset) -> set[str]:
    """Numbers that a report of a trajectory draws: what was recorded, and those of the common orders."""
    return {*map(str, trajectory.data_vars), *ORDERS, "bragg_weight"}


def perfect(lattice: Lattice) -> dict[str, float]:
    """Values of perfect orders that the lattice has, by their names: chirality of tetrahedral order."""
    return {"tetrahedral order": TETRAHEDRAL} if lattice.name == "triangular" else {}


def _maps(count: int, aspect: float, spins_of: Lattice | None = None) -> tuple[float, bool]:
    """Height of a figure of ``count`` maps, inches, and whether it fills two columns."""
    arrows = spins_of is not None and spins_of.n_sites <= MOST_ARROWS
    columns = columns_of_arrows(spins_of) if spins_of is not None and arrows else 4
    return extent(count, aspect, columns, BAR)[1], count > 1


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


def _shown(trajectory: xarray.Dataset, name: str, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
    """States (replica, ...) of one observable: at several times, or of every setting at the last."""
    values = trajectory[name]
    time = str(values.dims[0])
    found = replica_groups(trajectory)
    if len(found) > 1:
        k = -1 if times is None else nearest(values[time].values, times)[-1]
        title = _title(float(values[time][k]))
        return {f"{s.label}\n{title}": values.isel({time: k, "replica": list(s.places)}).values for s in found}
    chosen = snapshots(values.sizes[time]) if times is None else nearest(values[time].values, times)
    return {_title(values[time].values[k]): values.isel({time: k}).values for k in chosen}


def nearest(recorded: Float[np.ndarray, " time"], times: Sequence[float]) -> Int[np.ndarray, " snapshot"]:
    """Indices of the recorded times nearest to ``times``. Raises UserError on times before the first or after the last,
    by more than the distance to the next."""
    wanted = np.asarray(times, dtype=np.float64).reshape(-1)
    beyond = np.ptp(recorded) / max(1, len(recorded) - 1)
    outside = (wanted < recorded[0] - beyond) | (wanted > recorded[-1] + beyond) | ~np.isfinite(wanted)
    if len(wanted) == 0 or outside.any():
        raise UserError(
            f"time {', '.join(f'{t:g}' for t in wanted[outside]) or 'none'}",
            allowed=f"recorded times, {recorded[0]:g} to {recorded[-1]:g}",
        )
    return np.unique(np.abs(recorded[:, None] - wanted).argmin(0))


def _factors(analysis: xarray.Dataset, name: str, times: Sequence[float] | None = None) -> dict[str, np.ndarray]:
    """Means over replicas at several times, or of every setting at the last."""
    parts = each_group(analysis)
    panels = {}
    for label, part in parts.items():
        values = part[name]
        time = values.dims[0]
        chosen = snapshots(values.sizes[time]) if times is None else nearest(values[time].values, times)
        for k in chosen if len(parts) == 1 else chosen[-1:]:
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
