"""Settings of electrons with the solver that finds their field, which a configuration checks before any is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sdgnn.common.settings import Count, NotNegative, dtype_of
from sdgnn.electrons.settings import EnsembleSettings, KPMSettings, TruncatedSettings

if TYPE_CHECKING:
    from sdgnn.electrons.exact import ExactField
    from sdgnn.electrons.hamiltonian import SDModel
    from sdgnn.electrons.kpm.field import KPMField
    from sdgnn.electrons.truncated.field import TruncatedField

Twists = tuple[Count, ...] | None


class SolvedElectrons(EnsembleSettings):
    """Electrons of one ensemble, solved in one way."""

    kT: NotNegative = 0.05
    """Electron temperature, in units of t."""


class ExactElectrons(SolvedElectrons):
    """Electrons by diagonalisation."""

    twists: Twists = None
    """Boundary phases averaged along each axis, for example [2, 2]; none for periodic."""
    solver: Literal["exact"] = "exact"
    """Diagonalisation, at the cube of the sites; the solver where none is named."""

    def build(self, model: SDModel) -> ExactField:
        """The field of ``model``."""
        from sdgnn.electrons.exact import ExactField

        return ExactField(model, self.kT, self.mu, self.filling, self.twists)


class KPMElectrons(KPMSettings, SolvedElectrons):
    """Electrons by the kernel polynomial method."""

    twists: Twists = None
    """Boundary phases averaged along each axis, for example [2, 2]; none for periodic."""
    solver: Literal["kpm"] = "kpm"
    """The kernel polynomial method: cost linear in the sites, with an error that moments and vectors make smaller."""

    def build(self, model: SDModel) -> KPMField:
        """The field of ``model``."""
        from sdgnn.electrons.kpm.field import KPMField

        settings = {name: getattr(self, name) for name in KPMSettings.model_fields if name != "precision"}
        return KPMField(
            model, self.kT, self.mu, self.filling, twists=self.twists, dtype=dtype_of(self.precision), **settings
        )


class TruncatedElectrons(TruncatedSettings, SolvedElectrons):
    """Electrons by local moments."""

    solver: Literal["truncated"] = "truncated"
    """Moments of a ball around each site: cost linear in the sites, no noise, an error that cutoff and moments make
    smaller; the field of the infinite crystal."""

    def build(self, model: SDModel) -> TruncatedField:
        """The field of ``model``."""
        from sdgnn.electrons.truncated.field import TruncatedField

        return TruncatedField(model, self.kT, self.mu, self.filling, self.cutoff, self.moments, self.level)
