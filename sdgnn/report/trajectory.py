"""The part of reports that shows a trajectory and its analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdgnn.analysis.plots import trajectory_figures
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
