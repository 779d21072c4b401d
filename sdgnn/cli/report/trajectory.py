"""The part of reports that shows a trajectory and its analysis."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.orders.density import DENSITIES
from sdgnn.analysis.plots import (
    agreement_panels,
    coarsening_figures,
    site_maps,
    spectrum_map,
    time_series,
    trajectory_figures,
)
from sdgnn.analysis.plots.trajectory import (
    FACTORS,
    LENGTHS,
    MOMENT_LENGTHS,
    ORDERS,
    bars,
    curves,
    perfect,
    snapshots,
    zones_of,
)
from sdgnn.analysis.spectra.dynamical import DynamicalStructureFactor
from sdgnn.analysis.statistics.replicas import each_group, replica_groups
from sdgnn.analysis.trajectories import averaged
from sdgnn.cli.report.page import Figure, Section
from sdgnn.common.rounding import with_error
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

CAPTIONS = {
    "domain_growth": "Domain length: half height of the correlation function. Shaded: lengths that feel the boundary.",
    "domain_growth_moment": "Domain length: first moment of the structure factor.",
    "order": "Order parameters, mean over replicas.",
    "energy": "Energy per site, mean over replicas.",
}
"""What some of the figures through time show; the others have the long names of their observables."""

GROWTH_CAPTIONS = {
    "lengths": "Domain length by four routes, with the exponents of the fits; ± and bars: standard errors.",
    "local_exponent": "Local exponent of each route.",
    "collapse": "Correlation function against distance over the domain length from walls.",
    "porod": "Structure factor of the map, mean over replicas; dashes: sharp walls.",
    "walls": "Share of walls by the direction of their normal; dashes: all directions alike.",
    "mobility": "Mean squared displacement of the clusters of the start of the window, and the share that is left.",
    "memory": "Sites that have kept their phase, and overlap with the state at the start of the window.",
}
"""What each figure of the growth of domains shows."""


@dataclass(frozen=True)
class Told:
    """What a page says of a trajectory."""

    answer: str
    """What was found, in a sentence."""
    lead: tuple[Figure, ...]
    """A map and the curves that show it."""
    sections: tuple[Section, ...]
    """States through time, and all that was measured."""


def told_of(
    trajectory: xarray.Dataset,
    analysis: xarray.Dataset,
    lattice: Lattice,
    growth: Mapping[str, xarray.Dataset] | None = None,
) -> Told:
    """The answer with its figures, and two sections: states through time, and all that was measured.

    ``growth``: :func:`.coarsening` of the replicas of each setting, by its label.
    """
    drawn = trajectory_figures(trajectory, analysis, lattice)
    figures = {
        name: Figure(figure, caption(name, trajectory, analysis, lattice), name) for name, figure in drawn.items()
    }
    lead = [figures[name] for name in leading(figures, lattice)]
    if growth:
        lead[1:2] = [one for domains in growth.values() for one in growth_figures(domains) if one.name == "lengths"][:1]
    states = tuple(one for name, one in figures.items() if _is_map(name, trajectory) and one not in lead)
    numbers = tuple(one for name, one in figures.items() if not _is_map(name, trajectory) and one not in lead)
    found = replica_groups(trajectory)
    text = [f"{trajectory.sizes['replica']} replica(s) of {lattice!r}."]
    if len(found) > 1:
        text.append(
            "The first replica of each setting at the last time; structure factors are means over its replicas."
        )
    within = "replicas of the same settings, of which each has its curve" if len(found) > 1 else "replicas"
    told = [f"Bands and bars are one standard error over {within}."]
    covered = {*figures, *(ORDERS if "order" in figures else ()), *LENGTHS, *MOMENT_LENGTHS}
    missing = [str(name) for name in trajectory.data_vars if name not in covered]
    if missing:
        told.append(
            f"Not drawn (no number, or of other dimensions): {', '.join(missing)}; analysis.nc has their means."
        )
    sections = [Section("States through time", text, figures=states)] if states else []
    sections.append(Section("Order and domains", told, figures=numbers))
    return Told(answer(analysis, lattice, growth or {}), tuple(lead), tuple(sections))


def leading(figures: Collection[str], lattice: Lattice) -> list[str]:
    """Names of the figures that a page begins with: a map of the order, and beside each other how the order grows."""
    chiral = lattice.name in CHIRAL
    maps = ("chirality_map", "spins") if chiral else ("sublattices", "spins", "chirality_map", "structure_factor")
    numbers = ("domain_growth", "order", "energy", "magnetization")
    return [
        *[name for name in maps if name in figures][:1],
        *[name for name in numbers if name in figures][:2],
    ]


def answer(analysis: xarray.Dataset, lattice: Lattice, growth: Mapping[str, xarray.Dataset]) -> str:
    """The last values of what tells most of the order, with their standard errors, and the exponents of its growth."""
    said = []
    for setting, part in each_group(analysis).items():
        parts = [words for name in TOLD if (words := _last(part, name, lattice))]
        time = max((float(v[v.dims[0]][-1]) for n, v in part.data_vars.items() if str(n).endswith("_mean")), default=0)
        if parts:
            said.append(f"{f'{setting}: at' if setting else 'At'} t = {time:.4g} ħ/t {', '.join(parts)}.")
    counts = {values.attrs["replicas"] for values in analysis.data_vars.values() if "replicas" in values.attrs}
    if said and counts:
        number = f"{counts.pop()} replicas" if len(counts) == 1 else "the replicas of each setting"
        said.append(
            "One replica, so that no error is known."
            if number == "1 replicas"
            else f"± is one standard error over {number}."
        )
    for setting, domains in growth.items():
        fits = [
            f"{with_error(value, error, '.2f')}{'' if np.isfinite(error) else ' (no error known)'} ({route})"
            for route, value, error in zip(
                domains["route"].values, domains["exponent"].values, domains["exponent_error"].values, strict=True
            )
            if np.isfinite(value)
        ]
        if fits:
            law = f"Domains grow as t^n with n = {', '.join(fits)}"
            apart = with_error(domains.attrs["exponent_spread"], domains.attrs["exponent_spread_error"], ".2f")
            doubt = f": no single law, the routes are {apart} apart" if domains.attrs["routes_disagree"] else ""
            said.append(f"{setting + ': ' if setting else ''}{law}{doubt}.")
    return " ".join(said) or "Nothing that is a number was recorded."


CHIRAL = ("triangular", "kagome")
"""Lattices whose triangles tell of their order."""
TOLD = (
    "absolute_chirality",
    "bragg_weight",
    "nearest_neighbour_correlation",
    "domain_length",
    "spin_domain_length",
    "energy",
)
"""What the answer tells, as far as there is a value."""


def _last(part: xarray.Dataset, name: str, lattice: Lattice) -> str:
    """The last value of a number with its error, in words; empty where there is none."""
    if f"{name}_mean" not in part or part[f"{name}_mean"].ndim != 1:
        return ""
    if name in ("absolute_chirality", "domain_length") and lattice.name not in CHIRAL:
        return ""
    mean, error = (float(part[f"{name}_{key}"][-1]) for key in ("mean", "error"))
    if not np.isfinite(mean):
        return ""
    per = lattice.n_sites if name == "energy" else 1
    number = with_error(mean / per, error / per, ".6g" if name == "energy" else ".3g")
    if name == "absolute_chirality":
        whole = perfect(lattice).get("tetrahedral order")
        share = f" ({100 * mean / whole:.0f} % of that of tetrahedral order)" if whole else ""
        return f"the mean |χ| of the triangles is {number}{share}"
    words = {
        "bragg_weight": "the Bragg peaks of the order hold {} of the weight",
        "nearest_neighbour_correlation": "S·S of neighbours is {}",
        "domain_length": "chirality domains are {} lattice spacings long",
        "spin_domain_length": "domains of the order are {} lattice spacings long",
        "energy": "the energy is {} t per site",
    }
    return words[name].format(number)


def caption(name: str, trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> str:
    """What a figure of :func:`~sdgnn.analysis.plots.trajectory_figures` shows on this lattice."""
    if name == "spins":
        return "Spins of the first replica."
    if name == "sublattices":
        return (
            "Spins of the first replica at the last time, a map for each sublattice of the order; each colour is a "
            "direction, so that every domain has one colour in each map."
        )
    if name == "chirality_map" and "spins" in trajectory:
        end = "perfect tetrahedral order" if lattice.name == "triangular" else "the largest value"
        return f"Scalar chirality of each triangle, first replica; the scale ends at {end}."
    if name in FACTORS:
        return f"{_what(name, trajectory, analysis)}, mean over replicas, {_zone(name, trajectory, lattice)}."
    if _is_map(name, trajectory):
        return f"{_what(name, trajectory, analysis)}, first replica."
    return CAPTIONS.get(name) or f"{_what(name, trajectory, analysis)}, mean over replicas."


def _zone(name: str, trajectory: xarray.Dataset, lattice: Lattice) -> str:
    zones = zones_of(lattice)
    if zones == 1:
        return "in the first Brillouin zone"
    if name == "structure_factor" and "spins" in trajectory:
        return f"in a zone {zones} times as wide; dashed: the first Brillouin zone, in which it does not repeat"
    return "in the first Brillouin zone, in which it does not repeat: a basis needs recorded spins for a wider one"


def _what(name: str, trajectory: xarray.Dataset, analysis: xarray.Dataset) -> str:
    """Long name of an observable, as the beginning of a sentence."""
    values = trajectory[name] if name in trajectory else analysis[f"{name}_mean"]
    told = str(values.attrs.get("long_name") or name.replace("_", " ")).removesuffix(", mean over replicas")
    return told[:1].upper() + told[1:]


def _is_map(name: str, trajectory: xarray.Dataset) -> bool:
    """Whether a figure shows states."""
    site = name in trajectory and trajectory[name].dims[1:] == ("replica", "site")
    return name in ("spins", "sublattices", "chirality_map", *FACTORS) or site


def agreement_section(found: xarray.Dataset, first: str, second: str) -> Section:
    """Two runs side by side: their :func:`~sdgnn.analysis.statistics.agreement.agreement`."""
    told = "Means over replicas with bands of one standard error; below, their differences in errors."
    figure = Figure(agreement_panels(found, first, second), told, "agreement")
    text = [
        f"{name.replace('_', ' ')}: within two errors at {100 * found.attrs[f'{name}_within']:.0f} % of times, "
        f"deviation {found.attrs[f'{name}_rms']:.2f} errors (rms), {found.attrs[f'{name}_paired_rms']:.2f} of those "
        "between replicas of the same number."
        for name in found.attrs["quantities"].split()
    ]
    if "different" in found.attrs:
        text.insert(0, f"The runs differ in {found.attrs['different']}.")
    return Section(f"{second} against {first}", text, figures=(figure,))


def density_section(electrons: xarray.Dataset, lattice: Lattice) -> Section:
    """Where the electrons are: :func:`.densities` through time and, in the plane, as maps."""
    time = electrons["density"].dims[0]
    t = electrons[time].values.astype(np.float64)
    found = averaged(electrons[list(DENSITIES)])
    figures = [
        Figure(
            time_series(curves(found, {"density_spread": ""}), "spread of the density", note=bars(found)),
            "Standard deviation over sites of the electrons per site.",
            "density_spread",
        ),
        Figure(
            time_series(curves(found, {"density_follows": ""}), "correlation", note=bars(found)),
            "Correlation of the density with the mean correlation of the spins around: holes sit among "
            "parallel spins where it is negative.",
            "density_follows",
        ),
    ]
    if lattice.dim == 2:
        density = electrons["density"].isel(replica=0)
        maps = {rf"time {t[k]:.4g} $\hbar/t$": density.isel({time: k}).values for k in snapshots(len(t))}
        drawn = site_maps(maps, lattice, "electrons per site")
        figures.insert(0, Figure(drawn, "Density of the first replica.", "electrons"))
    return Section("Electrons", [f"Solved by {electrons.attrs['field']}."], figures=tuple(figures))


def growth_section(domains: xarray.Dataset, setting: str = "") -> Section:
    """How domains grow, of replicas of one setting: the figures of :func:`.coarsening`."""
    quality = domains.attrs["collapse_quality"]
    text = f"Domains of the map {domains.attrs['map']}. Collapse: variance between times over their own {quality:.2g}."
    figures = [figure for figure in growth_figures(domains) if setting or figure.name != "lengths"]
    return Section(_titled("Growth of domains", setting), [text], figures=figures)


def growth_figures(domains: xarray.Dataset) -> list[Figure]:
    """The figures of :func:`.coarsening`, of which the first shows the lengths with their exponents."""
    return [Figure(figure, GROWTH_CAPTIONS[name], name) for name, figure in coarsening_figures(domains).items()]


def spectrum_section(spectrum: DynamicalStructureFactor, along: Float[np.ndarray, " q"], setting: str = "") -> Section:
    """The dynamical structure factor along its path, of replicas of one setting."""
    told = "Dynamical structure factor along the path, mean over replicas."
    figure = Figure(spectrum_map(spectrum, along), told, "spectrum")
    text = f"Mean of {spectrum.segments} stretch(es) of time."
    return Section(_titled("Dynamics", setting), [text], figures=(figure,))


def _titled(title: str, setting: str) -> str:
    return f"{title}: {setting}" if setting else title
