"""A message passing network that knows distances only: what is lost when bond directions are not told apart."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.extras import require
from sdgnn.common.seeds import torch_generator
from sdgnn.lattice import Lattice
from sdgnn.nn.baselines.graph import Features, Graph
from sdgnn.nn.baselines.harmonics import BondHarmonics
from sdgnn.nn.baselines.layers import Interaction, SiteReadout, bond_functions, normal, site_energies, zeros
from sdgnn.nn.baselines.site_model import SiteModel
from sdgnn.nn.settings import DistancesSettings


class DistanceInteraction(Interaction):
    """One round of messages: h <- h + gate * W [A B, A B C], the factors A, B, C linear in

        own_i + sum_j phi(|r_ij|, S_i . S_j) message_j

    with products of spin matrices. On a crystal, a function of the distance is one number for each shell.
    """

    def first_functions(self, weights: Tensor, generator: torch.Generator) -> Tensor:
        """Weights of functions on bonds that training begins with: random constants for each shell."""
        shells, _, width = weights.shape
        weights[:, 0] += normal(generator, shells, width) * 0.5
        return weights

    def factors(self, own: Features, message: Features, weight: Tensor, graph: Graph) -> Float[Tensor, "8 ... factors"]:
        """[A, B, C] on sites."""
        # one neighbour of all sites after the other: faster than all at once
        for neighbour, phi in zip(graph.neighbours.T, weight.view(*graph.neighbours.shape, -1).unbind(1), strict=True):
            own = own + phi * message[:, :, neighbour]
        return own

    def collected(self, products: Float[Tensor, "8 ... channel"], graph: Graph) -> Features:
        """The products, which stand on sites."""
        return products


class Distances(SiteModel):
    """Messages between sites as in :class:`~sdgnn.nn.baselines.equivariant.EquivariantNetwork`, but weighted by
    functions of the distance alone.

    Exactly invariant under the same group, and under more: it cannot tell apart two arrangements of neighbours at equal
    distances, such as a straight path and a bent one. Stands for graph networks that are given bond lengths only.

    ``lattice`` fixes the family (a crystal), ``seed`` the initial weights. Raises UserError on other lattices, and
    without ``pip install 'sdgnn[baselines]'``.
    """

    settings: DistancesSettings

    def __init__(self, settings: DistancesSettings, lattice: Lattice, seed: int = 0) -> None:
        require("baselines", "the network of distances")
        super().__init__(settings, lattice)
        if not lattice.is_crystal:
            raise UserError(f"a network on {lattice!r}", allowed="crystals (perfect lattices with a basis)")
        generator = torch_generator(seed)
        shells, channels = settings.shells, settings.channels
        self.cutoff = settings.layers * float(lattice.shell_distances(shells)[-1])
        bonds, counts = lattice.bonds(shells), np.zeros((lattice.n_sites, shells), dtype=np.int64)
        np.add.at(counts, (bonds.source, bonds.shell), 1)
        self._neighbours = int(counts.max(0).sum())
        self.embedding = nn.Parameter(0.5 * normal(generator, 2, channels))
        self.pair = zeros(shells, settings.bond_functions, 2)
        functions = (shells, settings.bond_functions)
        self.layers = nn.ModuleList(
            DistanceInteraction(1, channels, functions, generator) for _ in range(settings.layers)
        )
        self.readouts = nn.ModuleList(SiteReadout(channels, generator) for _ in range(settings.layers))

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Graph:
        """Bonds to neighbours, 1 for the shell of each, without directions."""
        bonds = lattice.bonds(self.settings.shells)
        shells = np.eye(self.settings.shells)[bonds.shell]
        without = BondHarmonics(lattice.dim, degrees=(0,), dimensions=(1,))
        return Graph.of(without, lattice, bonds, shells).repeat(replicas, device, dtype)

    def forward(self, spins: Float[Tensor, "site 3"], tables: Graph) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""
        dtype = spins.dtype
        here, there = tables.ends(spins)
        functions = tables.functions(bond_functions((here * there).sum(-1), self.settings.bond_functions))
        out = tables.sum(functions) @ self.pair.to(dtype).flatten(0, 1) / self._neighbours
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
        return self.described("Distances-only network", f"{s.layers} layers, {s.channels} channels, {s.shells} shells")
