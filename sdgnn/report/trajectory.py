"""The part of reports that shows a trajectory and its analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.density import DENSITIES
from sdgnn.analysis.plots import (
    agreement_panels,
    coarsening_figures,
    site_maps,
    spectrum_map,
    time_series,
    trajectory_figures,
)
from sdgnn.analysis.plots.trajectory import snapshots
from sdgnn.analysis.spectrum import DynamicalStructureFactor
from sdgnn.analysis.trajectories import averaged
from sdgnn.lattice import Lattice
from sdgnn.report.page import Figure, Section

if TYPE_CHECKING:
    import xarray

CAPTIONS = {
    "spins": "Spins of the first replica through time.",
    "chirality": "Scalar chirality of each triangle, first replica; the scale ends at perfect tetrahedral order.",
    "structure_factor": "Structure factor in the Brillouin zone, mean over replicas.",
    "domain_growth": "Domain length: half height of the correlation function.",
    "domain_growth_moment": "Domain length: first moment of the structure factor.",
    "order": "Order parameters, mean over replicas.",
    "energy": "Energy per site, mean over replicas.",
}
"""What each of the standard figures shows."""

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

STATES = ("spins", "chirality", "structure_factor")
"""Figures of states; the others show numbers through time."""


def trajectory_sections(trajectory: xarray.Dataset, analysis: xarray.Dataset, lattice: Lattice) -> tuple[Section, ...]:
    """Two sections: states through time, and order and domain length with error bars over replicas."""
    figures = {
        name: Figure.of(figure, CAPTIONS[name])
        for name, figure in trajectory_figures(trajectory, analysis, lattice).items()
    }
    states = tuple(figure for name, figure in figures.items() if name in STATES)
    numbers = tuple(figure for name, figure in figures.items() if name not in STATES)
    replicas = trajectory.sizes["replica"]
    return (
        Section("States through time", [f"{replicas} replica(s) of {lattice!r}."], figures=states),
        Section("Order and domains", ["Bands and bars are one standard error over replicas."], figures=numbers),
    )


def agreement_section(found: xarray.Dataset, first: str, second: str) -> Section:
    """Two runs side by side: their :func:`~sdgnn.analysis.agreement.agreement`."""
    figure = Figure.of(agreement_panels(found, first, second), "Means over replicas, and their differences in errors.")
    text = [
        f"{name.replace('_', ' ')}: within two errors at {100 * found.attrs[f'{name}_within']:.0f} % of times, "
        f"deviation {found.attrs[f'{name}_rms']:.2f} errors (rms), {found.attrs[f'{name}_paired_rms']:.2f} of those "
        "between replicas of the same number."
        for name in found.attrs["quantities"].split()
    ]
    return Section(f"{second} against {first}", text, figures=(figure,))


def density_section(electrons: xarray.Dataset, lattice: Lattice) -> Section:
    """Where the electrons are: :func:`~sdgnn.analysis.density.densities` through time and, in the plane, as maps."""
    time = electrons["density"].dims[0]
    t = electrons[time].values.astype(np.float64)
    found = averaged({name: electrons[name] for name in DENSITIES})
    curves = {name: (t, found[f"{name}_mean"].values, found[f"{name}_error"].values) for name in DENSITIES}
    figures = [
        Figure.of(
            time_series({"mean over replicas": curves["density_spread"]}, "spread of the density"),
            "Standard deviation over sites of the electrons per site.",
        ),
        Figure.of(
            time_series({"mean over replicas": curves["density_follows"]}, "correlation"),
            "Correlation of the density with the mean correlation of the spins around: holes sit among "
            "parallel spins where it is negative.",
        ),
    ]
    if lattice.dim == 2:
        density = electrons["density"].isel(replica=0)
        maps = {rf"time {t[k]:.4g} $\hbar/t$": density.isel({time: k}).values for k in snapshots(len(t))}
        figures.insert(0, Figure.of(site_maps(maps, lattice, "electrons per site"), "Density of the first replica."))
    return Section("Electrons", [f"Solved by {electrons.attrs['field']}."], figures=tuple(figures))


def growth_section(domains: xarray.Dataset) -> Section:
    """How domains grow: the figures of a :func:`~sdgnn.analysis.coarsening.coarsening`."""
    figures = tuple(Figure.of(figure, GROWTH_CAPTIONS[name]) for name, figure in coarsening_figures(domains).items())
    quality = domains.attrs["collapse_quality"]
    text = f"Domains of the map {domains.attrs['map']}. Collapse: variance between times over their own {quality:.2g}."
    return Section("Growth of domains", [text], figures=figures)


def spectrum_section(spectrum: DynamicalStructureFactor, along: Float[np.ndarray, " q"]) -> Section:
    """The dynamical structure factor along its path."""
    figure = Figure.of(spectrum_map(spectrum, along), "Dynamical structure factor along the path, mean over replicas.")
    return Section("Dynamics", [f"Mean of {spectrum.segments} stretch(es) of time."], figures=(figure,))
