"""A network of two energies, for fields that are no gradients: electrons that lag behind, baths, pumping."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.seeds import check_seed
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field
from sdgnn.fields.protocol import Combination, unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.baselines.site_model import SiteField
from sdgnn.nn.model import Model
from sdgnn.nn.potentials import Potentials, combined
from sdgnn.nn.settings import EquivariantSettings, TwoEnergiesSettings


class TwoEnergies(Model):
    """H_i = -dE_A/dS_i + S_i x (-dE_B/dS_i), with E_A and E_B two equivariant networks of the same size.

    The second part turns what is downhill in E_B by a right angle about the spin, so it does work around closed paths.
    Both energies are invariant under SO(3)_spin x time reversal x translations x point group. Hence H turns with the
    spins and moves with the lattice; its first part is odd under time reversal, as every field in equilibrium, and its
    second part even, as torques of electrons that dissipate or are driven.

    For a single spin this holds every torque: a tangent field on a sphere is the sum of a gradient and a turned
    gradient (Helmholtz and Hodge). For several spins it is a restriction, see ``docs/nonequilibrium.md``. Two
    potentials for driven s-d electrons: P. Zhang and G.-W. Chern, npj Comput. Mater. 9, 32 (2023),
    doi:10.1038/s41524-023-00990-0.

    The energy that it reports is E_A, which its dynamics do not conserve. ``lattice`` and ``seed`` as for
    :class:`~sdgnn.nn.baselines.equivariant.EquivariantNetwork`, with the same errors.
    """

    settings: TwoEnergiesSettings
    torques_cancel = False

    def __init__(self, settings: TwoEnergiesSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice)
        size = EquivariantSettings(
            layers=settings.layers, channels=settings.channels, bond_functions=settings.bond_functions
        )
        other = int(np.random.SeedSequence(entropy=check_seed(seed), spawn_key=(1,)).generate_state(1)[0])
        self.energy_a = EquivariantNetwork(size, lattice, seed)
        self.energy_b = EquivariantNetwork(size, lattice, other)
        self.cutoff = self.energy_a.cutoff
        for part in (self.energy_a, self.energy_b):
            part.constant.requires_grad_(False)  # the whole has one of its own

    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> TwoEnergiesField:  # fmt: skip
        """The field on a lattice: crystals, free positions and given bonds as for one network. Raises UserError."""
        lattice = self.lattice_alone(lattice, kT=kT, filling=filling, mu=mu)
        first, second = (
            network.on(lattice, dtype, bonds=bonds, strengths=strengths, memory=memory)
            for network in (self.energy_a, self.energy_b)
        )
        return TwoEnergiesField(self, (first, second))

    def potentials(self, field: Field) -> Potentials:
        """E_A and E_B, and H = G_A + S x G_B."""
        assert isinstance(field, TwoEnergiesField)
        return Potentials(tuple(part.site_energies for part in field.parts if isinstance(part, SiteField)))

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError on crystals of another family, and on positions without bonds or of another dimension."""
        self.energy_a.check_family(lattice)

    def __repr__(self) -> str:
        s = self.settings
        return self.described("Network of two energies", f"{s.layers} layers, {s.channels} channels each")


@unchanging
class TwoEnergiesField(Combination, SiteSum):  # type: ignore[misc, override]
    """Field H = G_A + S x G_B and energy E_A of two fields that conserve energy, with the constant of their network.

    ``parts`` are E_A and E_B, each with its own field G = -dE/dS, on one lattice.
    """

    network: TwoEnergies
    parts: tuple[SiteSum, ...]

    def __init__(self, network: TwoEnergies, parts: tuple[SiteSum, ...]) -> None:
        self.network, self.parts, self.lattice = network, parts, parts[0].lattice

    part = SiteSum.part

    def of(self, parts: tuple[Any, ...]) -> TwoEnergiesField:
        return TwoEnergiesField(self.network, parts)

    @property
    def has_energy(self) -> bool:
        return False

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        (energies, first), (_, second) = (part.by_site(spins, time) for part in self.parts)
        field = combined(spins.detach(), (first, second))
        return energies + float(self.network.constant.detach()), field

    def __repr__(self) -> str:
        return f"{self.network!r}; E_A: {self.parts[0]!r}; E_B: {self.parts[1]!r}"
