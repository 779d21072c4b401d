"""Analysis of spin states: order parameters, correlations, domains, statistics and plots."""

from sdgnn.analysis.ageing import autocorrelation, frozen_fraction
from sdgnn.analysis.agreement import agreement
from sdgnn.analysis.chirality import mean_absolute_chirality, mean_chirality, scalar_chirality, site_chirality
from sdgnn.analysis.clusters import (
    cluster_areas,
    cluster_labels,
    length_from_clusters,
    length_from_walls,
    site_graph,
    triangle_graph,
    wall_length,
    wrapping,
)
from sdgnn.analysis.coarsening import coarsening
from sdgnn.analysis.correlations import (
    correlation,
    displacements,
    local_correlation,
    parallel_bonds,
    radial_correlation,
    spin_correlation,
)
from sdgnn.analysis.density import densities
from sdgnn.analysis.domains import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.equilibrium import autocorrelation_time, equilibrium
from sdgnn.analysis.growth import growth_exponent, local_exponent, offset_exponent, route_spread
from sdgnn.analysis.orders import bragg_weight, order_peaks, overlap
from sdgnn.analysis.orientation import wall_harmonic, wall_orientations
from sdgnn.analysis.scaling import collapse_correlation, collapse_structure_factor, porod_tail
from sdgnn.analysis.settings import settings
from sdgnn.analysis.skyrmions import skyrmion_number, solid_angles
from sdgnn.analysis.spectrum import Spectrum, dynamical_structure_factor
from sdgnn.analysis.statistics import jackknife, mean_and_error
from sdgnn.analysis.structure_factor import radial_average, structure_factor, structure_factor_at, wave_vectors
from sdgnn.analysis.tracking import track
from sdgnn.analysis.trajectories import analyze

__all__ = [
    "Spectrum",
    "agreement",
    "analyze",
    "autocorrelation",
    "autocorrelation_time",
    "bragg_weight",
    "cluster_areas",
    "cluster_labels",
    "coarsening",
    "collapse_correlation",
    "collapse_structure_factor",
    "correlation",
    "densities",
    "displacements",
    "dynamical_structure_factor",
    "equilibrium",
    "frozen_fraction",
    "growth_exponent",
    "jackknife",
    "length_from_clusters",
    "length_from_correlation",
    "length_from_structure_factor",
    "length_from_walls",
    "local_correlation",
    "local_exponent",
    "mean_absolute_chirality",
    "mean_and_error",
    "mean_chirality",
    "offset_exponent",
    "order_peaks",
    "overlap",
    "parallel_bonds",
    "porod_tail",
    "radial_average",
    "radial_correlation",
    "route_spread",
    "scalar_chirality",
    "settings",
    "site_chirality",
    "site_graph",
    "skyrmion_number",
    "solid_angles",
    "spin_correlation",
    "structure_factor",
    "structure_factor_at",
    "track",
    "triangle_graph",
    "wall_harmonic",
    "wall_length",
    "wall_orientations",
    "wave_vectors",
    "wrapping",
]
