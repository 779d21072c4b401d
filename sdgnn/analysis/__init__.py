"""Analysis of spin states: order parameters, correlations, domains, statistics and plots."""

from sdgnn.analysis.chirality import mean_absolute_chirality, mean_chirality, scalar_chirality, site_chirality
from sdgnn.analysis.correlations import correlation, displacements, radial_correlation, spin_correlation
from sdgnn.analysis.domains import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.equilibrium import autocorrelation_time, equilibrium
from sdgnn.analysis.skyrmions import skyrmion_number, solid_angles
from sdgnn.analysis.statistics import bootstrap, mean_and_error
from sdgnn.analysis.structure_factor import radial_average, structure_factor, structure_factor_at, wave_vectors
from sdgnn.analysis.trajectories import analyze

__all__ = [
    "analyze",
    "autocorrelation_time",
    "bootstrap",
    "correlation",
    "displacements",
    "equilibrium",
    "length_from_correlation",
    "length_from_structure_factor",
    "mean_absolute_chirality",
    "mean_and_error",
    "mean_chirality",
    "radial_average",
    "radial_correlation",
    "scalar_chirality",
    "site_chirality",
    "skyrmion_number",
    "solid_angles",
    "spin_correlation",
    "structure_factor",
    "structure_factor_at",
    "wave_vectors",
]
