"""The section that describes electrons: temperature, filling or chemical potential, and how they are solved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator
from pydantic import Field as Key

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.physics import HamiltonianConfig
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, NotNegative, Positive, Seed
from sdgnn.electrons.levels import Level
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from sdgnn.electrons import ExactField, KPMField, TruncatedField
    from sdgnn.electrons.hamiltonian import SDModel
    from sdgnn.fields import Field

    ElectronsField = ExactField | KPMField | TruncatedField
    """What a section of electrons builds."""

Twists = tuple[Count, ...] | None


class EnsembleConfig(Config):
    """Electrons of one temperature, and of one filling or chemical potential."""

    solver: str
    """Name of the solver."""
    kT: NotNegative = 0.05
    """Electron temperature."""
    filling: Annotated[float, Key(ge=0, le=1)] | None = None
    """N_e / (2 N_sites); give this or mu."""
    mu: float | None = None
    """Chemical potential; give this or filling."""

    @model_validator(mode="after")
    def _one_ensemble(self) -> EnsembleConfig:
        if (self.filling is None) == (self.mu is None):
            raise UserError(f"filling = {self.filling} with mu = {self.mu}", allowed="exactly one of the two")
        return self

    def build(self, model: SDModel) -> ElectronsField:
        """The field of ``model``."""
        raise NotImplementedError


class ExactConfig(EnsembleConfig):
    """Electrons by diagonalisation."""

    solver: Literal["exact"] = "exact"
    """Diagonalisation, at the cube of the sites; the solver where none is named."""
    twists: Twists = None
    """Boundary phases averaged along each axis, for example [2, 2]; none for periodic."""

    def build(self, model: SDModel) -> ExactField:
        """The field of ``model``."""
        from sdgnn.electrons import ExactField

        return ExactField(model, self.kT, self.mu, self.filling, twists=self.twists)


class KPMSettings(Config):
    """What the kernel polynomial method takes beside the ensemble."""

    moments: Annotated[int, Key(ge=4, multiple_of=2)] = 500
    """Terms of the Chebyshev expansion, an even number."""
    vectors: Count | None = 128
    """Probing vectors for each state; none for the full trace."""
    seed: Seed = 0
    """Seed of their phases."""
    tolerance: Positive | None = None
    """Root mean square error of a component of the field; moments and vectors are then chosen for each state."""
    probing: Literal["coloured", "plain"] = "coloured"
    """Vectors on sites that are far apart, or on all sites."""
    precision: Literal["float64", "float32"] = "float64"
    """Precision of the recursion."""


class KPMConfig(KPMSettings, EnsembleConfig):
    """Electrons by the kernel polynomial method."""

    solver: Literal["kpm"] = "kpm"
    """The kernel polynomial method: cost linear in the sites, with an error that moments and vectors make smaller."""
    twists: Twists = None
    """Boundary phases averaged along each axis, for example [2, 2]; none for periodic."""

    def build(self, model: SDModel) -> KPMField:
        """The field of ``model``."""
        import torch

        from sdgnn.electrons import KPMField

        settings = {name: getattr(self, name) for name in KPMSettings.model_fields if name != "precision"}
        dtype = torch.float32 if self.precision == "float32" else torch.float64
        return KPMField(model, self.kT, self.mu, self.filling, twists=self.twists, dtype=dtype, **settings)


class TruncatedSettings(Config):
    """What the field of local moments takes beside the ensemble."""

    cutoff: Count | None = None
    """Bonds from the centre of a ball to its edge; that of level fast by default."""
    moments: Annotated[int, Key(ge=3)] | None = None
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


class TruncatedConfig(TruncatedSettings, EnsembleConfig):
    """Electrons by local moments."""

    solver: Literal["truncated"] = "truncated"
    """Moments of a ball around each site: cost linear in the sites, no noise, an error that cutoff and moments make
    smaller; the field of the infinite crystal."""

    def build(self, model: SDModel) -> TruncatedField:
        """The field of ``model``."""
        from sdgnn.electrons import TruncatedField

        return TruncatedField(model, self.kT, self.mu, self.filling, self.cutoff, self.moments, self.level)


class OfHamiltonian(EnsembleConfig):
    """Electrons with their Hamiltonian."""

    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""

    def on(self, lattice: Lattice) -> Field:
        """The field on ``lattice``."""
        return self.build(self.hamiltonian.build(lattice))


class ExactModelConfig(ExactConfig, OfHamiltonian):
    """The same of a Hamiltonian by diagonalisation."""


class KPMModelConfig(KPMConfig, OfHamiltonian):
    """The same of a Hamiltonian by the kernel polynomial method."""


class TruncatedModelConfig(TruncatedConfig, OfHamiltonian):
    """The same of a Hamiltonian by local moments."""

    pair_tail: bool = False
    """Add the couplings of pairs of spins beyond the balls (weak exchange, disordered spins), unless they make up less
    than a hundredth of the squared torque of random spins."""

    def on(self, lattice: Lattice) -> Field:
        """The field on ``lattice``."""
        from sdgnn.electrons.truncated import with_pair_tail

        field = self.build(self.hamiltonian.build(lattice))
        return with_pair_tail(field) if self.pair_tail else field


def solver_of(given: Any) -> Any:
    """What tells sections of electrons apart."""
    return str(given.get("solver", "exact")) if isinstance(given, dict) else getattr(given, "solver", None)


Electrons = Annotated[
    Annotated[ExactConfig, Tag("exact")]
    | Annotated[KPMConfig, Tag("kpm")]
    | Annotated[TruncatedConfig, Tag("truncated")],
    Discriminator(solver_of),
]
"""Electrons by any solver, told apart by the key ``solver``; exact where none is named."""

ModelElectrons = Annotated[
    Annotated[ExactModelConfig, Tag("exact")]
    | Annotated[KPMModelConfig, Tag("kpm")]
    | Annotated[TruncatedModelConfig, Tag("truncated")],
    Discriminator(solver_of),
]
"""The same with their Hamiltonian."""
