"""Equivariant layers on directed bonds: linear maps, products of spin matrices along bonds, and the readout.

Features are (8, direction, site, channel): eight components of a spin matrix (see :mod:`sdgnn.nn.spin_matrices`) for
every site and bond direction. Their second axis holds directions, or lattice harmonics after the orthogonal
transform of :class:`sdgnn.nn.directions.Directions`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.nn.bond_products import Neighbours, bond_products
from sdgnn.nn.spin_matrices import IRREP

Features = Float[Tensor, "8 direction site _"]


@dataclass(frozen=True)
class Tables:
    """What a network needs to know of a lattice, for a number of replicas treated as one set of sites."""

    neighbours: Neighbours
    harmonics: Float[Tensor, "direction direction"]
    """Columns are lattice harmonics."""

    def directional(self, features: Features) -> Features:
        """From harmonics to directions."""
        return _mix(self.harmonics, features)

    def harmonic(self, features: Features) -> Features:
        """From directions to harmonics."""
        return _mix(self.harmonics.T, features)


def _mix(matrix: Tensor, features: Tensor) -> Tensor:
    components, directions, sites, channels = features.shape
    return torch.matmul(matrix, features.reshape(components, directions, -1)).view(-1, directions, sites, channels)


class Linear(nn.Module):
    """Mixes channels with own weights for every irrep (0e, 0o, 1o, 1e) and space of lattice harmonics."""

    _space: Tensor
    _irrep: Tensor

    def __init__(self, space: Tensor, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1) -> None:
        super().__init__()
        spaces = int(space.max()) + 1
        weight = torch.randn(4, spaces, inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight * scale / inputs**0.5)
        self.register_buffer("_space", space, persistent=False)
        self.register_buffer("_irrep", torch.tensor(IRREP), persistent=False)

    def forward(self, features: Features) -> Features:
        """Harmonics in, harmonics out."""
        components, harmonics, sites, channels = features.shape
        weight = self.weight.to(features.dtype)[self._irrep][:, self._space]
        flat = torch.bmm(
            features.reshape(components * harmonics, sites, channels), weight.view(components * harmonics, channels, -1)
        )
        return flat.view(components, harmonics, sites, -1)


class Interaction(nn.Module):
    """One round of messages: h <- h + gate * W [A B, A B C].

    The factors A, B, C on the directed bond i -> j are linear in the features of site i and, times learned functions
    of S_i . S_j, in those of site j; W and the maps inside the factors mix channels and directions. The gate is
    a function of the time-even scalars of site i.
    """

    def __init__(self, space: Tensor, channels: int, bond_functions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.own = Linear(space, channels, 3 * channels, generator)
        self.message = Linear(space, channels, 3 * channels, generator)
        bond = torch.randn(bond_functions, 3 * channels, generator=generator) * 0.1
        bond[0] = 1.0
        self.bond = nn.Parameter(bond)
        self.out = Linear(space, 2 * channels, channels, generator, scale=0.1)
        self.gate = nn.Parameter(torch.randn(channels, channels, generator=generator) / channels**0.5)
        self.gate_bias = nn.Parameter(torch.zeros(channels))

    def forward(
        self, features: Features, tables: Tables, bond_functions: Float[Tensor, "direction site function"]
    ) -> Features:
        """Harmonics in, harmonics out."""
        dtype = features.dtype
        size = features.square().mean((0, 1, 3))
        normal = features * torch.rsqrt(size + 0.1)[:, None]
        own, message = tables.directional(self.own(normal)), tables.directional(self.message(normal))
        products = bond_products(own, message, bond_functions @ self.bond.to(dtype), tables.neighbours)
        update = self.out(tables.harmonic(products))
        gate = 2 * torch.sigmoid(normal[0, 0] @ self.gate.to(dtype) + self.gate_bias.to(dtype))
        return features + update * gate


class Readout(nn.Module):
    """Two numbers per site from the time-even scalars without direction: linear and, in parallel, one hidden layer."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.zeros(channels, 2))
        self.hidden = nn.Parameter(torch.randn(channels, channels, generator=generator) / channels**0.5)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.out = nn.Parameter(torch.randn(channels, 2, generator=generator) * 0.1 / channels**0.5)

    def forward(self, features: Features) -> Float[Tensor, "site 2"]:
        """Harmonics in, numbers out."""
        scalars = features[0, 0]
        dtype = scalars.dtype
        hidden = nn.functional.silu(scalars @ self.hidden.to(dtype) + self.bias.to(dtype))
        return scalars @ self.linear.to(dtype) + hidden @ self.out.to(dtype)
