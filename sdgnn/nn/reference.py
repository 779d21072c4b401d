"""The same network through e3nn: irreps, Wigner 3j symbols, gathers and scatters, for tests and benchmarks.

Written as the general tools suggest, with the weights of a :class:`~sdgnn.nn.network.Network` and nothing of its
products or layouts: features are (site, harmonic, irreps) with the irreps ``c x 0e + c x 0o + c x 1o + c x 1e`` of
spin rotation and time reversal (which takes the place of e3nn's parity), mixed by ``o3.Linear``, multiplied by
``o3.TensorProduct``. M. Geiger and T. Smidt, doi:10.48550/arXiv.2207.09453.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from e3nn import o3
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call
from torch_geometric.utils import scatter

from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn.graph import bonds_by_distance, continued
from sdgnn.nn.layers import Interaction, Linear
from sdgnn.nn.network import ENERGY_SCALE, Network, bond_functions

SPIN_MATRIX = ("0e", "0o", "1o", "1e")
"""Irreps of a spin matrix s + i p + (v + i w) . sigma."""

PATHS = {
    (0, 0, 0): 1, (1, 1, 0): -1, (2, 2, 0): 1, (3, 3, 0): -1,
    (0, 1, 1): 1, (1, 0, 1): 1, (2, 3, 1): 1, (3, 2, 1): 1,
    (0, 2, 2): 1, (2, 0, 2): 1, (1, 3, 2): -1, (3, 1, 2): -1, (2, 3, 2): -1, (3, 2, 2): -1,
    (0, 3, 3): 1, (3, 0, 3): 1, (1, 2, 3): 1, (2, 1, 3): 1, (2, 2, 3): 1, (3, 3, 3): -1,
}  # fmt: skip
"""Signs with which pairs of irreps enter a matrix product; 1 x 1 -> 0 is a dot, 1 x 1 -> 1 a cross product."""


def irreps(channels: int) -> o3.Irreps:
    """``channels`` spin matrices."""
    return o3.Irreps([(channels, irrep) for irrep in SPIN_MATRIX])


def coupling(first: int, second: int, out: int) -> Tensor:
    """Wigner 3j symbol scaled to the plain product, dot product or cross product of e3nn's vectors (x, y, z)."""
    symbol = o3.wigner_3j(first, second, out, dtype=torch.float64)
    entry = symbol[0, 1, 2] if first + second + out == 3 else symbol[0, 0, 0]
    return symbol / entry


class MatrixProduct(nn.Module):
    """(a + b . sigma)(a' + b' . sigma), channel by channel."""

    def __init__(self, channels: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.product = o3.TensorProduct(
            irreps(channels),
            irreps(channels),
            irreps(channels),
            [(*path, "uuu", True) for path in PATHS],
            irrep_normalization="none",
            path_normalization="none",
            internal_weights=False,
            shared_weights=True,
        )
        degree = [o3.Irrep(irrep).l for irrep in SPIN_MATRIX]
        weights = []
        for (first, second, out), sign in PATHS.items():
            l1, l2, l3 = degree[first], degree[second], degree[out]
            symbol, plain = o3.wigner_3j(l1, l2, l3, dtype=torch.float64), coupling(l1, l2, l3)
            weights += [sign * float(plain.norm() / symbol.norm() * torch.sign((plain * symbol).sum()))] * channels
        self.register_buffer("weights", torch.tensor(weights, dtype=dtype), persistent=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Irreps in, irreps out."""
        return self.product(a, b, self.weights)


@dataclass(frozen=True)
class Edges:
    """Bonds as torch-geometric lists them."""

    there: Int[Tensor, " bond"]
    """Site at which the bond ends."""
    here: Int[Tensor, " bond"]
    """Site at which it starts."""
    strength: Float[Tensor, "bond 1"]
    """Falls from 1 to 0 where a bond ends."""
    harmonics: Float[Tensor, "bond harmonic"]
    """Lattice harmonics in the direction of the bond."""
    spaces: list[int]
    """Number of harmonics that share their weights."""
    n_sites: int
    n_directions: int

    @classmethod
    def of(cls, network: Network, lattice: Lattice, dtype: torch.dtype) -> Edges:
        """Bonds by distance."""
        bonds, strength = bonds_by_distance(network.family, lattice, network.settings.hopping)
        values, space, _ = continued(network.directions, bonds.vector)
        return cls(
            there=torch.from_numpy(bonds.target),
            here=torch.from_numpy(bonds.source),
            strength=torch.from_numpy(strength).to(dtype)[:, None],
            harmonics=torch.from_numpy(values).to(dtype),
            spaces=np.bincount(space).tolist(),
            n_sites=lattice.n_sites,
            n_directions=len(network.directions),
        )

    def collect(self, values: Float[Tensor, "bond *values"]) -> Float[Tensor, "site *values"]:
        """Sums over the bonds that start at a site."""
        return scatter(values, self.here, dim=0, dim_size=self.n_sites, reduce="sum")


class Layer(nn.Module):
    """:class:`sdgnn.nn.layers.Interaction` with its weights, on e3nn's irreps."""

    _channel: Tensor

    def __init__(self, layer: Interaction, channels: int, edges: Edges, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.channels, self.edges = layer, channels, edges
        spin_matrices = irreps(channels)
        self.widen = o3.Linear(spin_matrices, spin_matrices * 3, internal_weights=False, shared_weights=True)
        self.narrow = o3.Linear(spin_matrices * 2, spin_matrices, internal_weights=False, shared_weights=True)
        self.multiply = MatrixProduct(channels, dtype)
        channel = torch.cat([torch.arange(channels).repeat_interleave(ir.dim) for _, ir in spin_matrices])
        self.register_buffer("_channel", channel, persistent=False)

    def forward(
        self, features: Float[Tensor, "site harmonic component"], functions: Float[Tensor, "bond function"]
    ) -> Float[Tensor, "site harmonic component"]:
        """h <- h + gate * W [A B, A B C]."""
        dtype, count, edges = features.dtype, self.channels, self.edges
        size = features.square().sum((1, 2)) / (8 * count * edges.n_directions)
        normal = features * torch.rsqrt(size + 0.1)[:, None, None]
        own = self._mix(self.widen, self.layer.own, normal, 1, 3)[edges.here]
        message = self._mix(self.widen, self.layer.message, normal, 1, 3)[edges.there]
        weight = (functions @ self.layer.bond.to(dtype)).view(-1, 3, count).index_select(2, self._channel).flatten(1)
        factors = torch.einsum("bh,bhk->bk", edges.harmonics, own)
        factors = factors + weight * torch.einsum("bh,bhk->bk", edges.harmonics, message)
        a, b, c = factors.chunk(3, dim=-1)
        ab = self.multiply(a, b)
        products = torch.cat([ab, self.multiply(ab, c)], dim=-1) * edges.strength
        collected = edges.collect(edges.harmonics[..., None] * products[:, None])
        update = self._mix(self.narrow, self.layer.out, collected, 2, 1)
        scalars = normal[:, 0, :count]
        gate = 2 * torch.sigmoid(scalars @ self.layer.gate.to(dtype) + self.layer.gate_bias.to(dtype))
        return features + update * gate.index_select(1, self._channel)[:, None]

    def _mix(self, linear: o3.Linear, layer: Linear, features: Tensor, blocks_in: int, blocks_out: int) -> Tensor:
        """A linear map with own weights for every irrep and space of harmonics."""
        mixed = []
        for k, part in enumerate(features.split(self.edges.spaces, dim=1)):
            # o3.Linear divides by the square root of its inputs, and wants one matrix for each pair of equal irreps
            scaled = layer.weight[:, k].to(features.dtype) * (self.channels * blocks_in) ** 0.5
            matrices = [
                block
                for rows in scaled.chunk(blocks_in, dim=1)
                for irrep in rows
                for block in irrep.chunk(blocks_out, dim=1)
            ]
            mixed.append(linear(part, torch.cat([matrix.flatten() for matrix in matrices])))
        return torch.cat(mixed, dim=1)


class Reference(nn.Module):
    """Site energies of a network on one lattice."""

    def __init__(self, network: Network, lattice: Lattice, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype
        self.edges = Edges.of(network, lattice, dtype)
        channels = network.settings.channels
        layers = [layer for layer in network.layers if isinstance(layer, Interaction)]
        self.layers = nn.ModuleList(Layer(layer, channels, self.edges, dtype) for layer in layers)
        self.cross = coupling(1, 1, 1).to(dtype)

    def forward(self, spins: Float[Tensor, "site 3"]) -> Float[Tensor, " site"]:
        """e_i without the constant per site."""
        network, edges = self.network, self.edges
        here, there = spins[edges.here], spins[edges.there]
        functions = bond_functions((here * there).sum(-1), network.settings.bond_functions) * edges.strength
        functions = torch.cat(
            [functions * (edges.strength - 1) ** power for power in range(network.settings.strength_powers + 1)], dim=1
        )
        features = edges.collect(edges.harmonics[..., None] * self._embed(here, there, functions)[:, None])
        out = edges.collect(functions) / edges.n_directions @ network.pair.to(self.dtype)
        for layer, readout in zip(self.layers, network.readouts, strict=True):
            features = layer(features, functions)
            scalars = features[None, :, 0, : network.settings.channels]
            out = out + readout(scalars[0])
        return ENERGY_SCALE * out[:, 0] + (spins.square().sum(-1) - 1) / 2 * out[:, 1]

    def _embed(self, here: Tensor, there: Tensor, functions: Tensor) -> Float[Tensor, "bond component"]:
        scalar, first, second, twist = torch.einsum("bf,tfc->tbc", functions, self.network.embedding.to(self.dtype))
        vector = torch.einsum("bc,bi->bci", first, here) + torch.einsum("bc,bi->bci", second, there)
        axial = torch.einsum("bc,bi,bj,ijk->bck", twist, here, there, self.cross)
        return torch.cat([scalar, torch.zeros_like(scalar), vector.flatten(1), axial.flatten(1)], dim=1)


class ReferenceField(Field):
    """Energy and field of a network on any lattice that it takes, evaluated through e3nn.

    Slow. Equal to ``network.on(lattice)`` to rounding, gradients in the network's weights included.
    """

    def __init__(self, network: Network, lattice: Lattice, dtype: torch.dtype = torch.float32) -> None:
        network.check_family(lattice)
        self.network, self.lattice, self.dtype = network, lattice, dtype
        self._reference = Reference(network, lattice, dtype)

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        return torch.stack([self._reference(state.to(self.dtype)) for state in spins])

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        weights = {name: weight.detach() for name, weight in self._reference.named_parameters()}
        energies, fields = [], []
        for state in spins:
            at = state.detach().to(self.dtype).requires_grad_()
            with torch.enable_grad():
                energy = functional_call(self._reference, weights, (at,)).sum()
                (slope,) = torch.autograd.grad(energy, at)
            energies.append(energy.detach())
            fields.append(-slope)
        constant = self.lattice.n_sites * float(self.network.constant.detach())
        return FieldResult(energy=torch.stack(energies) + constant, field=torch.stack(fields))
