"""Figures for reports and papers; each function returns a ``matplotlib.figure.Figure`` and touches no global state.

Save one with ``figure.savefig("name.pdf")`` (text and lines stay vectors, dense maps are pixels) or ``.png``.
"""

from sdgnn.analysis.plots.accuracy import torque_errors, torque_parity
from sdgnn.analysis.plots.agreement import agreement_panels
from sdgnn.analysis.plots.coarsening import (
    cluster_sizes,
    coarsening_figures,
    collapse,
    local_exponents,
    memory,
    mobility,
    porod_tails,
    wall_rose,
)
from sdgnn.analysis.plots.cost import error_against_cost
from sdgnn.analysis.plots.film import Film
from sdgnn.analysis.plots.growth import domain_growth, time_series
from sdgnn.analysis.plots.maps import chirality_maps, site_maps, spin_maps
from sdgnn.analysis.plots.reciprocal import spectrum_map, structure_factor_maps
from sdgnn.analysis.plots.trajectory import trajectory_figures

__all__ = [
    "Film",
    "agreement_panels",
    "chirality_maps",
    "cluster_sizes",
    "coarsening_figures",
    "collapse",
    "domain_growth",
    "error_against_cost",
    "local_exponents",
    "memory",
    "mobility",
    "porod_tails",
    "site_maps",
    "spectrum_map",
    "spin_maps",
    "structure_factor_maps",
    "time_series",
    "torque_errors",
    "torque_parity",
    "trajectory_figures",
    "wall_rose",
]
