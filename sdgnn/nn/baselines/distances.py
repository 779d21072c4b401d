"""A message passing network that knows distances only: what is lost when bond directions are not told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.seeds import torch_generator
from sdgnn.lattice import Lattice
from sdgnn.nn.baselines.bond_functions import bond_functions
from sdgnn.nn.baselines.layers import Linear
from sdgnn.nn.baselines.readout import Readout, site_energies
from sdgnn.nn.baselines.site_model import SiteModel
from sdgnn.nn.baselines.spin_matrices import multiply
from sdgnn.nn.settings import DistancesSettings


@dataclass(frozen=True)
class ShellTables:
    """Neighbours of every site, shell by shell; sites with fewer neighbours in a shell than others have empty slots."""

    site: Int[Tensor, "slot site"]
    """Neighbour in each slot; the site itself in an empty one."""
    present: Float[Tensor, "slot site"]
    """1 where there is a neighbour, 0 where not."""
    shell: Int[Tensor, " slot"]
    """Shell of each slot."""
    space: Int[Tensor, " 1"]
    """The one space of weights: features have no direction."""


def shell_tables(lattice: Lattice, shells: int, replicas: int, device: torch.device, dtype: torch.dtype) -> ShellTables:
    """Tables of ``replicas`` copies of the lattice side by side."""
    bonds = lattice.bonds(shells)
    group = bonds.source * shells + bonds.shell
    first = np.searchsorted(group, group)
    rank = np.arange(len(bonds)) - first
    widths = [int(rank[bonds.shell == n].max()) + 1 for n in range(shells)]
    slot = np.concatenate([[0], np.cumsum(widths)[:-1]])[bonds.shell] + rank
    site = np.broadcast_to(np.arange(lattice.n_sites), (sum(widths), lattice.n_sites)).copy()
    present = np.zeros(site.shape)
    site[slot, bonds.source] = bonds.target
    present[slot, bonds.source] = 1
    start = torch.arange(replicas, device="cpu")[:, None] * lattice.n_sites
    return ShellTables(
        site=(torch.from_numpy(site)[:, None] + start).flatten(1).to(device),
        present=torch.from_numpy(present).repeat(1, replicas).to(device=device, dtype=dtype),
        shell=torch.from_numpy(np.repeat(np.arange(shells), widths)).to(device),
        space=torch.zeros(1, dtype=torch.int64, device=device),
    )


class DistanceInteraction(nn.Module):
    """One round of messages: h <- h + gate * W [A B, A B C], the factors A, B, C linear in

        own_i + sum_j phi(|r_ij|, S_i . S_j) message_j

    with products of spin matrices (:mod:`sdgnn.nn.baselines.spin_matrices`). On a crystal, a function of the distance
    is one number for each shell.
    """

    def __init__(self, settings: DistancesSettings, generator: torch.Generator) -> None:
        super().__init__()
        channels = settings.channels
        self.own = Linear(1, channels, 3 * channels, generator)
        self.message = Linear(1, channels, 3 * channels, generator)
        bond = 0.1 * torch.randn(
            settings.shells,
            settings.bond_functions,
            3 * channels,
            generator=generator,
            dtype=torch.float32,
            device="cpu",
        )
        bond[:, 0] += (
            torch.randn(settings.shells, 3 * channels, generator=generator, dtype=torch.float32, device="cpu") * 0.5
        )
        self.bond = nn.Parameter(bond)
        self.out = Linear(1, 2 * channels, channels, generator, scale=0.1)
        self.gate = nn.Parameter(
            torch.randn(channels, channels, generator=generator, dtype=torch.float32, device="cpu") / channels**0.5
        )
        self.gate_bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32, device="cpu"))

    def forward(
        self,
        features: Float[Tensor, "8 1 site channel"],
        tables: ShellTables,
        functions: Float[Tensor, "slot site function"],
    ) -> Float[Tensor, "8 1 site channel"]:
        """Features of the next layer."""
        dtype = features.dtype
        size = features.square().mean((0, 1, 3))
        normal = features * torch.rsqrt(size + 0.1)[:, None]
        message = self.message(normal, tables.space)
        factors = self.own(normal, tables.space)
        weight = torch.bmm(functions, self.bond.to(dtype)[tables.shell])
        for neighbour, phi in zip(tables.site, weight, strict=True):
            factors = factors + phi * message[:, :, neighbour]
        a, b, c = factors.chunk(3, dim=-1)
        ab = multiply(a, b)
        update = self.out(torch.cat([ab, multiply(ab, c)], dim=-1), tables.space)
        gate = 2 * torch.sigmoid(normal[0, 0] @ self.gate.to(dtype) + self.gate_bias.to(dtype))
        return features + update * gate


class Distances(SiteModel):
    """Messages between sites as in :class:`~sdgnn.nn.baselines.equivariant.EquivariantNetwork`, but weighted by
    functions of the distance alone.

    Exactly invariant under the same group, and under more: it cannot tell apart two arrangements of neighbours at equal
    distances, such as a straight path and a bent one. Stands for graph networks that are given bond lengths only.

    ``lattice`` fixes the family (a crystal), ``seed`` the initial weights.
    """

    settings: DistancesSettings

    def __init__(self, settings: DistancesSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice)
        if not lattice.is_crystal:
            raise UserError(f"a network on {lattice!r}", allowed="crystals (perfect lattices with a basis)")
        generator = torch_generator(seed)
        self.cutoff = settings.layers * float(lattice.shell_distances(settings.shells)[-1])
        self.embedding = nn.Parameter(
            0.5 * torch.randn(2, settings.channels, generator=generator, dtype=torch.float32, device="cpu")
        )
        self.pair = nn.Parameter(
            torch.zeros(settings.shells, settings.bond_functions, 2, dtype=torch.float32, device="cpu")
        )
        self.layers = nn.ModuleList(DistanceInteraction(settings, generator) for _ in range(settings.layers))
        self.readouts = nn.ModuleList(Readout(settings.channels, generator) for _ in range(settings.layers))

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> ShellTables:
        """Neighbours by shell."""
        return shell_tables(lattice, self.settings.shells, replicas, device, dtype)

    def forward(self, spins: Float[Tensor, "site 3"], tables: ShellTables) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""
        dtype = spins.dtype
        overlap = (spins * spins[tables.site]).sum(-1)
        functions = bond_functions(overlap, self.settings.bond_functions) * tables.present[..., None]
        out = torch.bmm(functions, self.pair.to(dtype)[tables.shell]).sum(0) / len(tables.shell)
        scalar, vector = self.embedding.to(dtype)
        features = torch.cat(
            [scalar.expand(1, len(spins), -1), spins.new_zeros(1, len(spins), len(scalar)),
             spins.T[:, :, None] * vector, spins.new_zeros(3, len(spins), len(scalar))]
        )[:, None]  # fmt: skip
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            features = layer(features, tables, functions)
            out = out + readout(features[0, 0])
        return site_energies(out, spins)

    def __repr__(self) -> str:
        s = self.settings
        return (
            f"Distances-only network for {self.family.name} lattices: {s.layers} layers, {s.channels} channels, "
            f"{s.shells} shells, {self.n_parameters} weights; cutoff {self.cutoff:.3g}, "
            f"halo {2 * self.cutoff:.3g}; {self.told_electrons()}"
        )
