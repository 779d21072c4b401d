"""Sections of electrons: how they are solved, alone or with their Hamiltonian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Discriminator

from sdgnn.cli.config.physics import HamiltonianConfig
from sdgnn.common.settings import by_default
from sdgnn.electrons.solvers import ExactElectrons, KPMElectrons, SolvedElectrons, TruncatedElectrons
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from sdgnn.electrons.hamiltonian import SDModel
    from sdgnn.fields import Field


class OfHamiltonian(SolvedElectrons):
    """Electrons with their Hamiltonian."""

    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""

    def on(self, lattice: Lattice) -> Field:
        """The field on ``lattice``."""
        return self.build(self.hamiltonian.build(lattice))

    def build(self, model: SDModel) -> Field:
        """The field of ``model``."""
        raise NotImplementedError


class ExactModelConfig(ExactElectrons, OfHamiltonian):
    """The same of a Hamiltonian by diagonalisation."""


class KPMModelConfig(KPMElectrons, OfHamiltonian):
    """The same of a Hamiltonian by the kernel polynomial method."""


class TruncatedModelConfig(TruncatedElectrons, OfHamiltonian):
    """The same of a Hamiltonian by local moments."""

    pair_tail: bool = False
    """Add the couplings of pairs of spins beyond the balls (weak exchange, disordered spins), unless they make up less
    than a hundredth of the squared torque of random spins."""

    def on(self, lattice: Lattice) -> Field:
        """The field on ``lattice``."""
        from sdgnn.electrons.truncated import with_pair_tail

        field = self.build(self.hamiltonian.build(lattice))
        return with_pair_tail(field) if self.pair_tail else field


Electrons = Annotated[
    Annotated[ExactElectrons | KPMElectrons | TruncatedElectrons, Discriminator("solver")],
    by_default("solver", "exact"),
]
"""Electrons by any solver, told apart by the key ``solver``; exact where none is named."""

ModelElectrons = Annotated[
    Annotated[ExactModelConfig | KPMModelConfig | TruncatedModelConfig, Discriminator("solver")],
    by_default("solver", "exact"),
]
"""The same with their Hamiltonian."""
