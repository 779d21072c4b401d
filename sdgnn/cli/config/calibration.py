"""The configuration of calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field as Key
from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.common.errors import UserError
from sdgnn.common.settings import NotNegative


class Ensemble(Config):
    """Temperature, and filling or chemical potential, of electrons."""

    kT: NotNegative
    """Electron temperature."""
    filling: Annotated[float, Key(ge=0, le=1)] | None = None
    """N_e / (2 N_sites); give this or mu."""
    mu: float | None = None
    """Chemical potential; give this or filling."""

    @model_validator(mode="after")
    def _one_ensemble(self) -> Ensemble:
        if (self.filling is None) == (self.mu is None):
            raise UserError(f"filling = {self.filling} with mu = {self.mu}", allowed="exactly one of the two")
        return self


class CalibrateConfig(Config):
    """Factors of moments for one Hamiltonian, fitted to a handful of exact states."""

    lattice: LatticeConfig
    """A lattice of the family, of any size."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    electrons: Ensemble
    """The electrons' temperature, and filling or chemical potential."""
    level: Literal["fast", "accurate"] = "fast"
    """Cutoff and moments of the walk."""
    data: Path | None = None
    """Label set of exact states of these electrons; without it, some are made on a small crystal."""
    output: Path | None = None
    """Folder for the network and the report; results/calibrate-<date> by default."""
