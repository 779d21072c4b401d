"""Equivariant layers on directed bonds: linear maps, products of spin matrices along bonds, and the readout.

Features are (8, direction, site, channel): eight components of a spin matrix (see :mod:`sdgnn.nn.spin_matrices`) for
every site and bond direction. Their second axis holds directions, or lattice harmonics after the orthogonal
transform of :class:`sdgnn.nn.directions.Directions`. How harmonics and bonds are tied is the one thing that differs
between crystals (:class:`Tables`) and graphs (:class:`sdgnn.nn.graph.Graph`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.nn.bond_products import Neighbours, bond_products
from sdgnn.nn.spin_matrices import IRREP

Features = Float[Tensor, "8 _ site _"]


class Geometry(ABC):
    """What layers need to know of a lattice, for a number of replicas treated as one set of sites.

    Quantities on bonds have the leading shape (direction, site) on crystals and (bond,) on graphs.
    """

    present: Tensor
    """(*bond) 1 where there is a bond, 0 where not; in between for bonds that are about to leave."""
    space: Int[Tensor, " harmonic"]
    """Space of lattice harmonics, hence weights, to which each harmonic belongs."""
    n_directions: int
    """Number of bond directions of the crystal."""

    @abstractmethod
    def ends(self, spins: Float[Tensor, "site 3"]) -> tuple[Tensor, Tensor]:
        """(*bond, 3) spins at which each bond starts and ends."""

    @abstractmethod
    def collect(self, values: Tensor) -> Tensor:
        """(site, value) sums of (*bond, value) over the bonds that start at a site."""

    @abstractmethod
    def harmonic(self, features: Tensor) -> Features:
        """Harmonics (8, harmonic, site, channel) of features (8, *bond, channel)."""

    @abstractmethod
    def products(self, own: Features, message: Features, weight: Tensor) -> Features:
        """Products A B and A B C of the factors [A, B, C] = own + weight message' on every bond; message' are the
        features of the site at which the bond ends, in the direction of the bond. Harmonics in, harmonics out."""


@dataclass(frozen=True)
class Tables(Geometry):
    """A crystal: one table of neighbours for each bond direction."""

    neighbours: Neighbours
    harmonics: Float[Tensor, "direction direction"]
    """Columns are lattice harmonics."""
    space: Int[Tensor, " direction"]

    @property
    def present(self) -> Tensor:  # type: ignore[override]
        return self.neighbours.present

    @property
    def n_directions(self) -> int:  # type: ignore[override]
        return len(self.harmonics)

    def ends(self, spins: Float[Tensor, "site 3"]) -> tuple[Tensor, Tensor]:
        there = spins[self.neighbours.site]
        return spins.expand_as(there), there

    def collect(self, values: Float[Tensor, "direction site value"]) -> Float[Tensor, "site value"]:
        return values.sum(0)

    def harmonic(self, features: Features) -> Features:
        return _mix(self.harmonics.T, features)

    def products(self, own: Features, message: Features, weight: Float[Tensor, "direction site factors"]) -> Features:
        own, message = _mix(self.harmonics, own), _mix(self.harmonics, message)
        return self.harmonic(bond_products(own, message, weight, self.neighbours))


def _mix(matrix: Tensor, features: Tensor) -> Tensor:
    components, directions, sites, channels = features.shape
    return torch.matmul(matrix, features.reshape(components, directions, -1)).view(-1, directions, sites, channels)


class Linear(nn.Module):
    """Mixes channels with own weights for every irrep (0e, 0o, 1o, 1e) and space of lattice harmonics."""

    _irrep: Tensor

    def __init__(self, spaces: int, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1) -> None:
        super().__init__()
        weight = torch.randn(4, spaces, inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight * scale / inputs**0.5)
        self.register_buffer("_irrep", torch.tensor(IRREP), persistent=False)

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
        bond = torch.randn(bond_functions, 3 * channels, generator=generator) * 0.1
        bond[0] = 1.0
        self.bond = nn.Parameter(bond)
        self.out = Linear(spaces, 2 * channels, channels, generator, scale=0.1)
        self.gate = nn.Parameter(torch.randn(channels, channels, generator=generator) / channels**0.5)
        self.gate_bias = nn.Parameter(torch.zeros(channels))

    def forward(self, features: Features, geometry: Geometry, bond_functions: Tensor) -> Features:
        """Harmonics in, harmonics out; ``bond_functions`` (*bond, function)."""
        dtype, space = features.dtype, geometry.space
        size = features.square().sum(1).mean((0, 2)) / geometry.n_directions
        normal = features * torch.rsqrt(size + 0.1)[:, None]
        weight = bond_functions @ self.bond.to(dtype)
        update = self.out(geometry.products(self.own(normal, space), self.message(normal, space), weight), space)
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

    def forward(self, scalars: Float[Tensor, "site channel"]) -> Float[Tensor, "site 2"]:
        """Scalars in, numbers out."""
        dtype = scalars.dtype
        hidden = nn.functional.silu(scalars @ self.hidden.to(dtype) + self.bias.to(dtype))
        return scalars @ self.linear.to(dtype) + hidden @ self.out.to(dtype)
