"""A network of two energies, for fields that are no gradients: electrons that lag behind, baths, pumping."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.seeds import check_seed
from sdgnn.fields import Field
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.baselines.bound import SiteField
from sdgnn.nn.baselines.equivariant import EquivariantNetwork
from sdgnn.nn.baselines.site_model import SiteModel
from sdgnn.nn.potentials import Potentials, gradient_and_twist
from sdgnn.nn.settings import EquivariantSettings, TwoEnergiesSettings


class TwoEnergies(SiteModel):
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
        self, lattice: Lattice, dtype: torch.dtype = torch.float32, bonds: Bonds | None = None, *,
        memory: float | None = None,
    ) -> TwoEnergiesField:  # fmt: skip
        """The field on a lattice: crystals, free positions and given bonds as for one network. Raises UserError."""
        first = self.energy_a.on(lattice, dtype, bonds, memory=memory)
        return TwoEnergiesField(self, (first, self.energy_b.on(lattice, dtype, bonds, memory=memory)))

    def potentials(self, field: Field) -> Potentials:
        """E_A and E_B, and H = G_A + S x G_B."""
        assert isinstance(field, TwoEnergiesField)
        networks = [part for part in field.parts if isinstance(part, SiteField)]
        return Potentials(tuple(part.site_energies for part in networks), gradient_and_twist)

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError on crystals of another family, and on positions without bonds or of another dimension."""
        self.energy_a.check_family(lattice)

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        return self.energy_a.tables(lattice, replicas, device, dtype)

    def bytes_per_site(self, lattice: Lattice, dtype: torch.dtype) -> float:
        """That of one of the two networks."""
        return self.energy_a.bytes_per_site(lattice, dtype)

    def forward(self, spins: Float[Tensor, "site 3"], tables: Any) -> Float[Tensor, " site"]:
        """Site energies of E_A without the constant per site, in units of t."""
        return self.energy_a(spins, tables)

    def __repr__(self) -> str:
        s = self.settings
        return (
            f"Network of two energies for {self.family.name} lattices: {s.layers} layers, {s.channels} channels each, "
            f"{self.n_parameters} weights; cutoff {self.cutoff} bonds, halo {2 * self.cutoff}; "
            f"{self.told_electrons()}"
        )


@unchanging
class TwoEnergiesField(SiteSum):
    """Field H = G_A + S x G_B and energy E_A of two fields that conserve energy, with the constant of their network.

    ``parts`` are E_A and E_B, each with its own field G = -dE/dS, on one lattice.
    """

    network: TwoEnergies

    def __init__(self, network: TwoEnergies, parts: tuple[SiteSum, SiteSum]) -> None:
        self.network, self.parts, self.lattice = network, parts, parts[0].lattice

    @property
    def has_energy(self) -> bool:
        return False

    @property
    def made_of(self) -> tuple[Field, ...]:
        return self.parts

    @property
    def halo(self) -> float | None:  # type: ignore[override]
        """The larger one of the two."""
        first, second = (part.halo for part in self.parts)
        return None if first is None or second is None else max(first, second)

    def on(self, lattice: Lattice) -> TwoEnergiesField:
        first, second = self.parts
        return TwoEnergiesField(self.network, (first.on(lattice), second.on(lattice)))

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        (energies, first), (_, second) = (part.by_site(spins, time) for part in self.parts)
        field = gradient_and_twist(spins.detach(), (first, second))
        return energies + float(self.network.constant.detach()), field

    def __repr__(self) -> str:
        return f"{self.network!r}; E_A: {self.parts[0]!r}; E_B: {self.parts[1]!r}"
