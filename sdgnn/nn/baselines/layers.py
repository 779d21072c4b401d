"""Layers of message passing networks whose features are spin matrices, multiplied along bonds.

Features are (8, harmonic, site, channel): eight components of a + b . sigma, the 2x2 complex matrices that spin-1/2
electrons see along their paths, for every site and harmonic of the bond direction (:class:`.graph.Graph`). The
components are irreps of spin rotation and time reversal, in e3nn's notation ``0e + 0o + 1o + 1e`` with parity standing
for time reversal:

===== ========= ======= ==================
index component irrep   example
===== ========= ======= ==================
0     Re a      0e      S_i . S_j
1     Im a      0o      S_i . (S_j x S_k)
2-4   Re b      1o      S_i
5-7   Im b      1e      S_i x S_j
===== ========= ======= ==================

The set is closed under the matrix product, which therefore commutes with SO(3)_spin x time reversal.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.nn.baselines.graph import Features, Graph

IRREP = (0, 1, 2, 2, 2, 3, 3, 3)
"""Irrep (0e, 0o, 1o, 1e) of each component."""
SMOOTHING = 0.05
"""Rounds off sqrt((1 + S_i . S_j) / 2), the hopping of an electron that follows the spins, at opposite spins."""
ENERGY_SCALE = 0.1
"""Energy per site, in units of t, that one unit of the readout stands for; sets the size of the untrained network."""


def zeros(*shape: int) -> nn.Parameter:
    """Weights that start at 0."""
    return nn.Parameter(torch.zeros(*shape, dtype=torch.float32, device="cpu"))


def normal(generator: torch.Generator, *shape: int) -> Float[Tensor, " ..."]:
    """Independent normal numbers of variance 1."""
    return torch.randn(*shape, generator=generator, dtype=torch.float32, device="cpu")


def multiply(a: Float[Tensor, "8 ..."], b: Float[Tensor, "8 ..."]) -> Float[Tensor, "8 ..."]:
    """(a + b . sigma)(a' + b' . sigma) = a a' + b . b' + (a b' + a' b + i b x b') . sigma, element by element."""
    s, p, vx, vy, vz, wx, wy, wz = a.unbind(0)
    S, P, Vx, Vy, Vz, Wx, Wy, Wz = b.unbind(0)
    return torch.stack(
        [
            s * S - p * P + vx * Vx + vy * Vy + vz * Vz - wx * Wx - wy * Wy - wz * Wz,
            s * P + p * S + vx * Wx + vy * Wy + vz * Wz + wx * Vx + wy * Vy + wz * Vz,
            s * Vx + vx * S - p * Wx - wx * P - (vy * Wz - vz * Wy + wy * Vz - wz * Vy),
            s * Vy + vy * S - p * Wy - wy * P - (vz * Wx - vx * Wz + wz * Vx - wx * Vz),
            s * Vz + vz * S - p * Wz - wz * P - (vx * Wy - vy * Wx + wx * Vy - wy * Vx),
            s * Wx + p * Vx + vx * P + wx * S + (vy * Vz - vz * Vy) - (wy * Wz - wz * Wy),
            s * Wy + p * Vy + vy * P + wy * S + (vz * Vx - vx * Vz) - (wz * Wx - wx * Wz),
            s * Wz + p * Vz + vz * P + wz * S + (vx * Vy - vy * Vx) - (wx * Wy - wy * Wx),
        ]
    )


def bond_functions(overlap: Float[Tensor, " ..."], count: int) -> Float[Tensor, "... function"]:
    """Chebyshev polynomials T_0 ... T_(count-2) of u = S_i . S_j and a smooth sqrt((1 + u) / 2)."""
    functions = [torch.ones_like(overlap), overlap]
    while len(functions) < count - 1:
        functions.append(2 * overlap * functions[-1] - functions[-2])
    aligned = ((1 + overlap) / 2).square() + SMOOTHING**2
    return torch.stack([*functions, aligned.pow(0.25)], dim=-1)


class Linear(nn.Module):
    """Mixes channels with own weights for every irrep (0e, 0o, 1o, 1e) and space of harmonics."""

    _irrep: Tensor

    def __init__(self, spaces: int, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(generator, 4, spaces, inputs, outputs) * scale / inputs**0.5)
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

    def __init__(self, spaces: int, channels: int, functions: tuple[int, ...], generator: torch.Generator) -> None:
        super().__init__()
        self.own = Linear(spaces, channels, 3 * channels, generator)
        self.message = Linear(spaces, channels, 3 * channels, generator)
        self.bond = nn.Parameter(self.first_functions(0.1 * normal(generator, *functions, 3 * channels), generator))
        self.out = Linear(spaces, 2 * channels, channels, generator, scale=0.1)
        self.gate = nn.Parameter(normal(generator, channels, channels) / channels**0.5)
        self.gate_bias = zeros(channels)

    def first_functions(self, weights: Tensor, generator: torch.Generator) -> Tensor:
        """Weights of functions on bonds that training begins with, from small random ones: the constant is 1."""
        weights[0] = 1.0
        return weights

    def factors(self, own: Features, message: Features, weight: Tensor, graph: Graph) -> Float[Tensor, "8 ... factors"]:
        """[A, B, C] on bonds, from what is linear in the features and the messages' weights (bond, channel)."""
        return graph.leaving(own) + graph.arriving(message) * weight

    def collected(self, products: Float[Tensor, "8 ... channel"], graph: Graph) -> Features:
        """By site, what was multiplied on bonds."""
        return graph.collect(products * graph.terms[:, :1])

    def forward(self, features: Features, graph: Graph, functions: Float[Tensor, "bond function"]) -> Features:
        """Harmonics in, harmonics out; ``functions`` of S_i . S_j on bonds."""
        dtype, space = features.dtype, graph.space
        size = features.square().sum(1).mean((0, 2)) / graph.n_directions
        normalised = features * torch.rsqrt(size + 0.1)[:, None]
        weight = functions @ self.bond.to(dtype).flatten(0, -2)
        factors = self.factors(self.own(normalised, space), self.message(normalised, space), weight, graph)
        a, b, c = factors.unflatten(-1, (3, -1)).movedim(-2, 0).contiguous()  # products of rows without gaps are faster
        ab = multiply(a, b)
        update = self.out(self.collected(torch.cat([ab, multiply(ab, c)], dim=-1), graph), space)
        gate = 2 * torch.sigmoid(normalised[0, 0] @ self.gate.to(dtype) + self.gate_bias.to(dtype))
        return features + update * gate


class SiteReadout(nn.Module):
    """Two numbers per site from the time-even scalars without direction: linear and, in parallel, one hidden layer."""

    def __init__(self, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        self.linear = zeros(channels, 2)
        self.hidden = nn.Parameter(normal(generator, channels, channels) / channels**0.5)
        self.bias = zeros(channels)
        self.out = nn.Parameter(normal(generator, channels, 2) * 0.1 / channels**0.5)

    def forward(self, scalars: Float[Tensor, "site channel"]) -> Float[Tensor, "site 2"]:
        """Scalars in, numbers out."""
        dtype = scalars.dtype
        hidden = nn.functional.silu(scalars @ self.hidden.to(dtype) + self.bias.to(dtype))
        return scalars @ self.linear.to(dtype) + hidden @ self.out.to(dtype)


def site_energies(numbers: Float[Tensor, "site 2"], spins: Float[Tensor, "site 3"]) -> Float[Tensor, " site"]:
    """a_i + b_i (|S_i|^2 - 1) / 2: on unit spins b gives the part of the field along the spin, -b_i S_i, and leaves
    energies and torques to a."""
    return ENERGY_SCALE * numbers[:, 0] + (spins.square().sum(-1) - 1) / 2 * numbers[:, 1]
