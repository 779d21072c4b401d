"""Equivariant layers on directed bonds: linear maps, and messages multiplied as spin matrices along bonds.

Features are (8, harmonic, site, channel): eight components of a spin matrix (see
:mod:`sdgnn.nn.baselines.spin_matrices`) for every site and lattice harmonic, whose values in the directions of its
bonds are those of :class:`sdgnn.nn.baselines.graph.Graph`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.nn.baselines.graph import Features, Graph
from sdgnn.nn.baselines.spin_matrices import IRREP, multiply


class Linear(nn.Module):
    """Mixes channels with own weights for every irrep (0e, 0o, 1o, 1e) and space of lattice harmonics."""

    _irrep: Tensor

    def __init__(self, spaces: int, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1) -> None:
        super().__init__()
        weight = torch.randn(4, spaces, inputs, outputs, generator=generator, dtype=torch.float32, device="cpu")
        self.weight = nn.Parameter(weight * scale / inputs**0.5)
        self.register_buffer("_irrep", torch.tensor(IRREP, device="cpu"), persistent=False)

    def forward(self, features: Features, space: Int[Tensor, " harmonic"]) -> Features:
        """Harmonics in, harmonics out; ``space`` to which each harmonic belongs."""
        components, harmonics, sites, channels = features.shape
        weight = self.weight.to(features.dtype)[self._irrep][:, space]
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

    def __init__(self, spaces: int, channels: int, bond_functions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.own = Linear(spaces, channels, 3 * channels, generator)
        self.message = Linear(spaces, channels, 3 * channels, generator)
        bond = torch.randn(bond_functions, 3 * channels, generator=generator, dtype=torch.float32, device="cpu") * 0.1
        bond[0] = 1.0
        self.bond = nn.Parameter(bond)
        self.out = Linear(spaces, 2 * channels, channels, generator, scale=0.1)
        self.gate = nn.Parameter(
            torch.randn(channels, channels, generator=generator, dtype=torch.float32, device="cpu") / channels**0.5
        )
        self.gate_bias = nn.Parameter(torch.zeros(channels, dtype=torch.float32, device="cpu"))

    def forward(self, features: Features, graph: Graph, functions: Float[Tensor, "bond function"]) -> Features:
        """Harmonics in, harmonics out; ``functions`` of S_i . S_j on bonds."""
        dtype, space = features.dtype, graph.space
        size = features.square().sum(1).mean((0, 2)) / graph.n_directions
        normal = features * torch.rsqrt(size + 0.1)[:, None]
        message = graph.arriving(self.message(normal, space)) * (functions @ self.bond.to(dtype))
        factors = graph.leaving(self.own(normal, space)) + message
        a, b, c = factors.unflatten(-1, (3, -1)).movedim(-2, 0).contiguous()  # products of rows without gaps are faster
        ab = multiply(a, b)
        products = torch.cat([ab, multiply(ab, c)], dim=-1) * graph.strength[:, None]
        update = self.out(graph.collect(products), space)
        gate = 2 * torch.sigmoid(normal[0, 0] @ self.gate.to(dtype) + self.gate_bias.to(dtype))
        return features + update * gate
