"""Networks that were tried beside the package's: other norms, l = 2, rounds without messages, sides of bonds, pairs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.lattice import Lattice
from sdgnn.nn import Network, NetworkSettings
from sdgnn.nn.bond_products import Neighbours, bond_products
from sdgnn.nn.directions import Directions
from sdgnn.nn.layers import Geometry, Interaction, Linear, Tables
from sdgnn.nn.network import ENERGY_SCALE, bond_functions
from sdgnn.nn.spin_matrices import IRREP, multiply


class OnTables(Network):
    """The package's network by tensor operations on tables of neighbours, so that its parts can be exchanged."""

    interaction: type[Interaction] = Interaction

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        for layer in self.layers:
            layer.__class__ = self.interaction

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        return self.neighbours(lattice, replicas, device, dtype)


class Normed(Interaction):
    """A round of messages whose features are divided by a norm of another kind: see :meth:`size`."""

    def size(self, square: Float[Tensor, "8 site channel"]) -> Tensor:
        """Mean square by which features are divided, from their squares averaged over directions."""
        return square.mean((0, 2))[None, :, None]  # of all components and channels of a site: the package's

    def forward(self, features: Tensor, geometry: Geometry, bond_functions: Tensor) -> Tensor:
        dtype, space = features.dtype, geometry.space
        size = self.size(features.square().sum(1) / geometry.n_directions)
        normal = features * torch.rsqrt(size + 0.1)[:, None]
        weight = bond_functions @ self.bond.to(dtype)
        update = self.out(geometry.products(self.own(normal, space), self.message(normal, space), weight), space)
        gate = 2 * torch.sigmoid(normal[0, 0] @ self.gate.to(dtype) + self.gate_bias.to(dtype))
        return features + update * gate


class NotNormed(Normed):
    def size(self, square: Tensor) -> Tensor:
        return square.new_full((1, 1, 1), 0.9)


class NormedByChannel(Normed):
    def size(self, square: Tensor) -> Tensor:
        return square.mean(0, keepdim=True)


class NormedByIrrep(Normed):
    def size(self, square: Tensor) -> Tensor:
        groups = torch.tensor(IRREP)
        means = torch.stack([square[groups == k].mean((0, 2)) for k in range(4)])
        return means[groups][:, :, None]


def on_tables(of: type[Interaction]) -> type[OnTables]:
    """The network with rounds of another class."""
    return type(of.__name__, (OnTables,), {"interaction": of})


class LocalRounds(Network):
    """Every second round, the first included, without messages: deeper at the reach of half as many layers."""

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        for layer in list(self.layers)[::2]:
            layer.message.weight.requires_grad_(False).zero_()


QUADRUPOLE_IRREP = (0, 1, *(2,) * 3, *(3,) * 3, *(4,) * 5, *(5,) * 5)
"""0e, 0o, 1o, 1e, 2e, 2o: irreps of the components of a complex 3 x 3 matrix, real parts even under time reversal."""


def _cartesian() -> Float[Tensor, "18 2 3 3"]:
    """Orthonormal real and imaginary 3 x 3 matrices: unit, antisymmetric, symmetric traceless."""
    unit = torch.eye(3, dtype=torch.float64) / 3**0.5
    turn = torch.zeros(3, 3, 3, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        turn[i, j, k], turn[i, k, j] = 0.5**0.5, -(0.5**0.5)
    e = torch.eye(3, dtype=torch.float64)
    pairs = [torch.outer(e[a], e[b]) + torch.outer(e[b], e[a]) for a, b in ((0, 1), (1, 2), (2, 0))]
    diagonal = [torch.diag(torch.tensor(d, dtype=torch.float64)) for d in ((1.0, -1.0, 0.0), (-1.0, -1.0, 2.0))]
    five = torch.stack([m / m.norm() for m in (*pairs, *diagonal)])
    basis = torch.zeros(18, 2, 3, 3, dtype=torch.float64)
    basis[0, 0], basis[1, 1] = unit, unit
    basis[2:5, 1], basis[5:8, 0] = turn, turn
    basis[8:13, 0], basis[13:18, 1] = five, five
    return basis


CARTESIAN = _cartesian()


class QuadrupoleLinear(nn.Module):
    """A linear map with own weights for six irreps and every space of lattice harmonics."""

    def __init__(self, spaces: int, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, spaces, inputs, outputs, generator=generator) * scale / inputs**0.5)

    def forward(self, features: Float[Tensor, "18 harmonic site channel"], space: Tensor) -> Tensor:
        weight = self.weight.to(features.dtype)[torch.tensor(QUADRUPOLE_IRREP)][:, space]
        return torch.bmm(features.flatten(0, 1), weight.flatten(0, 1)).unflatten(0, (18, -1))


class Quadrupoles(OnTables):
    """Features with l = 2 too: complex 3 x 3 matrices, products of which hold l = 0, 1, 2 of either time parity."""

    interaction = Normed

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        generator = torch.Generator().manual_seed(seed)
        channels, spaces = settings.channels, self.directions.n_spaces
        self.tensors = nn.Parameter(0.5 * torch.randn(3, settings.bond_functions, channels, generator=generator))
        for layer in self.layers:
            layer.own = QuadrupoleLinear(spaces, channels, 3 * channels, generator)
            layer.message = QuadrupoleLinear(spaces, channels, 3 * channels, generator)
            layer.out = QuadrupoleLinear(spaces, 2 * channels, channels, generator, scale=0.1)

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        tables = super().tables(lattice, replicas, device, dtype)
        return _QuadrupoleTables(tables.neighbours, tables.harmonics, tables.space)

    def _embed(self, here: Tensor, there: Tensor, functions: Tensor) -> Tensor:
        vectors = super()._embed(here, there, functions)
        weights = torch.einsum("...f,tfc->t...c", functions, self.tensors.to(here.dtype))
        even = torch.zeros(5, *vectors.shape[1:], dtype=here.dtype)
        for weight, (a, b) in zip(weights, ((here, here), (here, there), (there, there)), strict=True):
            five = torch.einsum("...i,...j,mij->m...", a, b, CARTESIAN[8:13, 0].to(here.dtype))
            even = even + weight * five[..., None]
        return torch.cat([vectors, even, torch.zeros_like(even)])


@dataclass(frozen=True)
class _QuadrupoleTables(Tables):
    """Tables whose products are those of 3 x 3 matrices."""

    def harmonic(self, features: Tensor) -> Tensor:
        return torch.einsum("dh,kdnc->khnc", self.harmonics, features)

    def products(self, own: Tensor, message: Tensor, weight: Tensor) -> Tensor:
        own, message = (torch.einsum("dh,khnc->kdnc", self.harmonics, x) for x in (own, message))
        along = torch.stack([message[:, d, site] for d, site in enumerate(self.neighbours.site)], dim=1)
        factors = (own + weight * along) * self.neighbours.present[..., None]
        basis = CARTESIAN.to(own.dtype)
        a, b, c = torch.einsum("k...,ktij->tij...", factors, basis).chunk(3, dim=-1)
        ab = _matmul(a, b)
        both = torch.cat([ab, _matmul(ab, c)], dim=-1)
        return self.harmonic(torch.einsum("tij...,ktij->k...", both, basis))


def _matmul(a: Tensor, b: Tensor) -> Tensor:
    """Products of complex 3 x 3 matrices (2, 3, 3, ...), real and imaginary parts first."""

    def real(x: Tensor, y: Tensor) -> Tensor:
        return (x[:, :, None] * y[None]).sum(1)

    return torch.stack([real(a[0], b[0]) - real(a[1], b[1]), real(a[0], b[1]) + real(a[1], b[0])])


def handed_maps(directions: Directions) -> tuple[Float[Tensor, "map flag flag"], Float[Tensor, " map"]]:
    """The maps between flags that commute with the point group of a lattice in the plane, and how many share an output.

    Sums over both sides of a bond and their differences carry lattice harmonics each; the two sets mix where a space of
    harmonics has two dimensions, by a quarter turn within it.
    """
    maps, shared = [], []
    both, side = np.ones(2) / 2**0.5, np.array([1, -1]) / 2**0.5
    for space in range(directions.n_spaces):
        wave = directions.harmonics[:, directions.space == space]
        for left in (both, side):
            for right in (both, side):
                if left is right:
                    inner = wave @ wave.T
                elif wave.shape[1] == 2:
                    inner = wave @ np.array([[0, -1], [1, 0]]) @ wave.T
                else:
                    continue
                maps.append(np.kron(inner, np.outer(left, right)))
                shared.append(wave.shape[1])
    return torch.tensor(np.array(maps)), torch.tensor(shared, dtype=torch.float32)


class Handed(nn.Module):
    """A linear map between features of directed bonds seen from their left or right side."""

    def __init__(
        self, directions: Directions, inputs: int, outputs: int, generator: torch.Generator, scale: float = 1
    ) -> None:
        super().__init__()
        self._maps, shared = handed_maps(directions)
        weight = torch.randn(4, len(self._maps), inputs, outputs, generator=generator)
        self.weight = nn.Parameter(weight * scale / (inputs * shared[:, None, None]) ** 0.5)

    def forward(self, features: Float[Tensor, "8 flag site channel"]) -> Tensor:
        maps = self._maps.to(features.dtype)
        matrix = torch.einsum("kfg,tkcd->tfcgd", maps, self.weight.to(features.dtype)).flatten(3).flatten(1, 2)
        rows = features.permute(0, 2, 1, 3).flatten(2)
        return torch.bmm(rows, matrix[torch.tensor(IRREP)]).unflatten(-1, (len(maps[0]), -1)).permute(0, 2, 1, 3)


class HandedRound(nn.Module):
    """A round of messages between flags."""

    def __init__(self, directions: Directions, channels: int, functions: int, generator: torch.Generator) -> None:
        super().__init__()
        self.own = Handed(directions, channels, 3 * channels, generator)
        self.message = Handed(directions, channels, 3 * channels, generator)
        bond = torch.randn(functions, 3 * channels, generator=generator) * 0.1
        bond[0] = 1.0
        self.bond = nn.Parameter(bond)
        self.out = Handed(directions, 2 * channels, channels, generator, scale=0.1)

    def forward(self, features: Tensor, neighbours: Neighbours, functions: Tensor) -> Tensor:
        normal = features * torch.rsqrt(features.square().mean((0, 1, 3)) + 0.1)[:, None]
        weight = functions @ self.bond.to(features.dtype)
        return features + self.out(bond_products(self.own(normal), self.message(normal), weight, neighbours))


class Flags(Network):
    """Features on flags, directed bonds with a side: the whole regular representation of the plane's point groups, so
    that turns to the left and to the right are told apart within one product."""

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        generator = torch.Generator().manual_seed(seed)
        size = self.directions, settings.channels, settings.bond_functions
        self.layers = nn.ModuleList(HandedRound(*size, generator) for _ in range(settings.layers))

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        tables = self.neighbours(lattice, replicas, device, dtype)
        one = tables.neighbours
        opposite = one.opposite.repeat_interleave(2) * 2 + torch.arange(2).repeat(len(one.opposite))
        return tables, Neighbours(one.site.repeat_interleave(2, 0), one.present.repeat_interleave(2, 0), opposite)

    def _rounds(self, spins: Tensor, geometry: Any) -> tuple[Iterable[Tensor], Tensor]:
        tables, neighbours = geometry
        here, there = tables.ends(spins)
        functions = bond_functions((here * there).sum(-1), self.settings.bond_functions)
        features = self._embed(here, there, functions).repeat_interleave(2, 1)
        scalars = []
        for layer in self.layers:
            features = layer(features, neighbours, functions.repeat_interleave(2, 0))
            scalars.append(features[0].sum(0) / len(features[0]) ** 0.5)
        return scalars, functions.sum(0)

    def forward(self, spins: Tensor, geometry: Any) -> Tensor:
        scalars, sums = self._rounds(spins, geometry)
        out = sums / len(self.directions) @ self.pair.to(spins.dtype)
        for of_layer, readout in zip(scalars, self.readouts, strict=True):
            out = out + readout(of_layer)
        return ENERGY_SCALE * out[:, 0] + (spins.square().sum(-1) - 1) / 2 * out[:, 1]


class BothSides(Interaction):
    """A round whose factors are seen from either side of the bond; their products are summed over the sides.

    Features stay those of bonds. What the sides differ in is a quarter turn within spaces of two harmonics.
    """

    def __init__(self, spaces: int, channels: int, bond_functions: int, generator: torch.Generator) -> None:
        super().__init__(spaces, channels, bond_functions, generator)
        self.own_side = Linear(spaces, channels, 3 * channels, generator)
        self.message_side = Linear(spaces, channels, 3 * channels, generator)

    def forward(self, features: Tensor, geometry: Geometry, bond_functions: Tensor) -> Tensor:
        assert isinstance(geometry, Tables)
        space, one = geometry.space, geometry.neighbours
        normal = features * torch.rsqrt(features.square().sum(1).mean((0, 2)) / len(space) + 0.1)[:, None]
        turn = torch.zeros(len(space), len(space), dtype=features.dtype)
        for k in range(len(space) - 1):
            if space[k] == space[k + 1]:
                turn[k, k + 1], turn[k + 1, k] = -1, 1

        def sides(map_: Linear, side: Linear) -> Tensor:
            even, odd = map_(normal, space), torch.einsum("hk,tknc->thnc", turn, side(normal, space))
            waves = torch.cat([even + odd, even - odd], 2)
            both = torch.einsum("dh,thnc->tdnc", geometry.harmonics, waves)
            return torch.cat(both.chunk(2, 2), 1)

        weight = (bond_functions @ self.bond.to(features.dtype)).repeat(2, 1, 1)
        flags = Neighbours(one.site.repeat(2, 1), one.present.repeat(2, 1), torch.cat([one.opposite, one.opposite]))
        products = bond_products(sides(self.own, self.own_side), sides(self.message, self.message_side), weight, flags)
        update = self.out(geometry.harmonic(sum(products.chunk(2, 1)) / 2**0.5), space)
        gate = 2 * torch.sigmoid(normal[0, 0] @ self.gate.to(features.dtype) + self.gate_bias.to(features.dtype))
        return features + update * gate


class TwoSided(OnTables):
    """The network with rounds of both sides."""

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        generator = torch.Generator().manual_seed(seed)
        size = self.directions.n_spaces, settings.channels, settings.bond_functions
        self.layers = nn.ModuleList(BothSides(*size, generator) for _ in range(settings.layers))


class Pairs(Network):
    """Features M_ij on pairs of sites up to two bonds apart, a site with itself included, and rounds of products
    M_ij <- sum_k A_ik B_kj within them: the purification of a density matrix with learned coefficients."""

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice, seed)
        generator = torch.Generator().manual_seed(seed)
        steps = np.round(self.directions.vectors @ np.linalg.inv(lattice.vectors)).astype(int)
        far = {tuple(map(int, a + b)) for a in steps for b in steps} | {tuple(map(int, a)) for a in steps}
        self.offsets = sorted(far)
        index = {offset: k for k, offset in enumerate(self.offsets)}
        length = np.round(np.linalg.norm(np.array(self.offsets) @ lattice.vectors, axis=1), 6)
        self.shell = torch.tensor(np.unique(length, return_inverse=True)[1])
        sums = [(index[a], index[b], tuple(np.add(a, b))) for a in index for b in index]
        self.triples = torch.tensor([(a, b, index[c]) for a, b, c in sums if c in index]).T
        self.itself = index[(0,) * lattice.dim]
        paths = torch.bincount(self.triples[2])
        self.scale = (1 / paths**0.5)[:, None, None]
        channels, shells, functions = settings.channels, int(self.shell.max()) + 1, settings.bond_functions

        def weights(*shape: int, scale: float) -> nn.Parameter:
            return nn.Parameter(scale * torch.randn(4, shells, *shape, generator=generator))

        self.embedding = weights(functions, channels, scale=0.5)
        self.layers = nn.ModuleList()
        self.maps = nn.ParameterList(
            weights(channels, channels, scale=scale / channels**0.5)
            for _ in range(settings.layers)
            for scale in (1, 1, 0.3)
        )
        bond = 0.1 * torch.randn(settings.layers, shells, functions, 2 * channels, generator=generator)
        bond[:, :, 0] = 1.0
        self.bond = nn.Parameter(bond)

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        assert lattice.shape is not None
        sites = torch.arange(lattice.n_sites * replicas).view(replicas, *lattice.shape)
        axes = tuple(range(1, lattice.dim + 1))
        return torch.stack([sites.roll([-k for k in offset], axes).flatten() for offset in self.offsets])

    def _map(self, weight: Tensor, features: Tensor) -> Tensor:
        """Channels mixed by irrep and shell."""
        full = weight.to(features.dtype)[torch.tensor(IRREP)][:, self.shell]
        return torch.einsum("kpnc,kpcd->kpnd", features, full)

    def forward(self, spins: Tensor, there: Tensor) -> Tensor:
        dtype, shell = spins.dtype, self.shell
        end = spins[there]
        here = spins.expand_as(end)
        functions = bond_functions((here * end).sum(-1), self.settings.bond_functions)
        scalar, first, second, twist = torch.einsum("pnf,tpfc->tpnc", functions, self.embedding.to(dtype)[:, shell])
        odd = first * here.movedim(-1, 0)[..., None] + second * end.movedim(-1, 0)[..., None]
        even = twist * torch.linalg.cross(here, end, dim=-1).movedim(-1, 0)[..., None]
        features = torch.cat([scalar[None], torch.zeros_like(scalar)[None], odd, even])
        out = torch.zeros(len(spins), 2, dtype=dtype)
        for layer, readout in enumerate(self.readouts):
            normal = features * torch.rsqrt(features.square().mean((0, 1, 3)) + 0.1)[:, None]
            left, right, back = list(self.maps)[3 * layer : 3 * layer + 3]
            weight = torch.einsum("pnf,pfc->pnc", functions, self.bond[layer].to(dtype)[shell])
            a, b = (self._map(w, normal) * part for w, part in zip((left, right), weight.chunk(2, -1), strict=True))
            step, rest, whole = self.triples
            paths = multiply(a[:, step], b[:, rest[:, None], there[step]])
            sums = torch.zeros_like(a).index_add_(1, whole, paths) * self.scale.to(dtype)
            features = features + self._map(back, sums)
            out = out + readout(features[0, self.itself])
        return ENERGY_SCALE * out[:, 0] + (spins.square().sum(-1) - 1) / 2 * out[:, 1]
