"""The part of reports that shows a trajectory and its analysis."""

from __future__ import annotations

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
from sdgnn.analysis.plots.trajectory import FACTORS, LENGTHS, MOMENT_LENGTHS, ORDERS, curves, snapshots, zones_of
from sdgnn.analysis.spectra.dynamical import DynamicalStructureFactor
from sdgnn.analysis.statistics.replicas import replica_groups
from sdgnn.analysis.trajectories import averaged
from sdgnn.cli.report.page import Figure, Section
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
    "lengths": "Domain length by four routes, with the exponents of the fits.",
    "local_exponent": "Local exponent of each route.",
    "collapse": "Correlation function against distance over the domain length from walls.",
    "porod": "Structure factor of the map, mean over replicas; dashes: sharp walls.",
    "walls": "Share of walls by the direction of their normal; dashes: all directions alike.",
    "mobility": "Mean squared displacement of the clusters of the start of the window, and the share that is left.",
    "memory": "Sites that have kept their phase, and overlap with the state at the start of the window.",
}
"""What each figure of the growth of domains shows."""


def trajectory_sections(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> tuple[Section, ...]:
    """Two sections: states through time, and all that was measured, with error bars over replicas."""
    drawn = trajectory_figures(trajectory, analysis, lattice)
    figures = {name: Figure.of(figure, caption(name, trajectory, analysis, lattice)) for name, figure in drawn.items()}
    states = tuple(figure for name, figure in figures.items() if _is_map(name, trajectory))
    numbers = tuple(figure for name, figure in figures.items() if not _is_map(name, trajectory))
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
    return (
        *([Section("States through time", text, figures=states)] if states else []),
        Section("Order and domains", told, figures=numbers),
    )


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
    figure = Figure.of(agreement_panels(found, first, second), "Means over replicas, and their differences in errors.")
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
        Figure.of(
            time_series(curves(found, {"density_spread": ""}), "spread of the density"),
            "Standard deviation over sites of the electrons per site.",
        ),
        Figure.of(
            time_series(curves(found, {"density_follows": ""}), "correlation"),
            "Correlation of the density with the mean correlation of the spins around: holes sit among "
            "parallel spins where it is negative.",
        ),
    ]
    if lattice.dim == 2:
        density = electrons["density"].isel(replica=0)
        maps = {rf"time {t[k]:.4g} $\hbar/t$": density.isel({time: k}).values for k in snapshots(len(t))}
        figures.insert(0, Figure.of(site_maps(maps, lattice, "electrons per site"), "Density of the first replica."))
    return Section("Electrons", [f"Solved by {electrons.attrs['field']}."], figures=tuple(figures))


def growth_section(domains: xarray.Dataset, setting: str = "") -> Section:
    """How domains grow, of replicas of one setting: the figures of :func:`.coarsening`."""
    figures = tuple(Figure.of(figure, GROWTH_CAPTIONS[name]) for name, figure in coarsening_figures(domains).items())
    quality = domains.attrs["collapse_quality"]
    text = f"Domains of the map {domains.attrs['map']}. Collapse: variance between times over their own {quality:.2g}."
    return Section(_titled("Growth of domains", setting), [text], figures=figures)


def spectrum_section(spectrum: DynamicalStructureFactor, along: Float[np.ndarray, " q"], setting: str = "") -> Section:
    """The dynamical structure factor along its path, of replicas of one setting."""
    figure = Figure.of(spectrum_map(spectrum, along), "Dynamical structure factor along the path, mean over replicas.")
    text = f"Mean of {spectrum.segments} stretch(es) of time."
    return Section(_titled("Dynamics", setting), [text], figures=(figure,))


def _titled(title: str, setting: str) -> str:
    return f"{title}: {setting}" if setting else title
