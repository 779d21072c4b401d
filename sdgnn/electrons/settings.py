"""Settings of the electrons' solvers, which a configuration checks before any of them is loaded."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, NotNegative, Positive, Precision, Seed, Settings
from sdgnn.electrons.levels import LEVELS, Level

Filling = Annotated[float, Field(ge=0, le=1)]


class EnsembleSettings(Settings):
    """Electrons of one temperature, and of one filling or chemical potential."""

    kT: NotNegative
    """Electron temperature, in units of t."""
    filling: Filling | None = None
    """N_e / (2 N_sites); give this or mu."""
    mu: float | None = None
    """Chemical potential, in units of t; give this or filling."""

    @model_validator(mode="after")
    def _one_ensemble(self) -> EnsembleSettings:
        if (self.filling is None) == (self.mu is None):
            raise UserError(f"filling = {self.filling} with mu = {self.mu}", allowed="exactly one of the two")
        return self


class KPMSettings(Settings):
    """What the kernel polynomial method takes beside the ensemble and twists."""

    moments: Annotated[int, Field(ge=4, multiple_of=2)] = 500
    """Terms of the Chebyshev expansion, an even number."""
    vectors: Count | None = 128
    """Probing vectors for each state; none for the full trace."""
    seed: Seed = 0
    """Seed of their phases."""
    tolerance: Positive | None = None
    """Root mean square error of a component of the field; moments and vectors are then chosen for each state."""
    probing: Literal["coloured", "plain"] = "coloured"
    """Vectors on sites that are far apart, or on all sites."""
    precision: Precision = "float64"
    """Precision of the recursion."""


class TruncatedSettings(Settings):
    """What the field of local moments takes beside the ensemble."""

    cutoff: Count | None = None
    """Bonds from the centre of a ball to its edge; that of level fast by default."""
    moments: Annotated[int, Field(ge=3)] | None = None
    """Moments computed of a walk, on average over the two of a site, an odd number; those of level fast by default."""
    level: Level | None = None
    """Both by name, in place of numbers."""

    @model_validator(mode="after")
    def _one_size(self) -> TruncatedSettings:
        if self.moments is not None and self.moments % 2 == 0:
            raise UserError(f"moments = {self.moments}", allowed="an odd number: 2 m + 1 for m steps")
        if self.level is not None and (self.cutoff, self.moments) != (None, None):
            raise UserError(
                f"level = {self.level} with cutoff = {self.cutoff} and moments = {self.moments}",
                allowed="a level, or numbers of your own",
            )
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Cutoff and moments, by number or level."""
        cutoff, moments = LEVELS[self.level or "fast"]
        return self.cutoff or cutoff, self.moments or moments
