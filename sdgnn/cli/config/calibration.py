"""The configuration of calibration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.electrons.levels import Level
from sdgnn.electrons.settings import EnsembleSettings


class CalibrateConfig(Config):
    """Factors of moments for one Hamiltonian, fitted to a handful of exact states."""

    lattice: LatticeConfig
    """A lattice of the family, of any size."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    electrons: EnsembleSettings
    """The electrons' temperature, and filling or chemical potential."""
    level: Level = "fast"
    """Cutoff and moments of the walk."""
    data: Path | None = None
    """Label set of exact states of these electrons; without it, some are made on a small crystal."""
    output: Path | None = None
    """Folder for the network and the report; results/calibrate-<date> by default."""
