"""The equivariant network: local energies of spins on a lattice, summed, differentiated for the effective field."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.errors import UserError
from sdgnn.lattice import Bonds, Lattice, cells_crossed
from sdgnn.nn.bond_products import Neighbours
from sdgnn.nn.bound import NetworkField
from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.compiled.function import Boxed, rounds
from sdgnn.nn.directions import Directions
from sdgnn.nn.graph import BondedField, Graph, check_graph
from sdgnn.nn.layers import Geometry, Interaction, Readout, Tables
from sdgnn.nn.model import Model, probe
from sdgnn.nn.settings import NetworkSettings

ENERGY_SCALE = 0.1
"""Energy per site, in units of t, that one unit of the readout stands for; sets the size of the untrained network."""

SMOOTHING = 0.05
"""Rounds off sqrt((1 + S_i . S_j) / 2), the hopping of an electron that follows the spins, at opposite spins."""


SMALL_ROWS = 16
"""Rows of numbers in boxes that do not grow with channels: spins, their slopes, masks."""

TABLE_BYTES = 32
"""Bytes of tables for each place of a box: its site, whether the box owns it, its part in rims."""


class Network(Model):
    """E(S) = sum_i e_i(S), with e_i a function of the spins within ``layers + 1`` bonds of site i.

    Features live on directed bonds as spin matrices and are multiplied along paths (:mod:`sdgnn.nn.layers`), which
    keeps E exactly invariant under SO(3)_spin x time reversal x translations x point group, spins and lattice turning
    independently. A site's energy is a_i + b_i (|S_i|^2 - 1) / 2 with two such functions a and b: on unit spins b gives
    the part of the field along the spin, -b_i S_i, and leaves energies and torques to a.

    One network serves every size of its lattice family: bind it with :meth:`on`.

    ``lattice`` fixes the family (its size does not matter), ``seed`` the initial weights. Raises UserError on
    lattices whose bond directions are not equivalent.
    """

    settings: NetworkSettings

    def __init__(self, settings: NetworkSettings, lattice: Lattice, seed: int = 0) -> None:
        super().__init__(settings, lattice)
        self.directions = Directions.of(lattice)
        generator = torch.Generator().manual_seed(seed)
        spaces = self.directions.n_spaces
        channels, functions = settings.channels, settings.bond_functions * (1 + settings.strength_powers)
        self.embedding = nn.Parameter(0.5 * torch.randn(4, functions, channels, generator=generator))
        self.pair = nn.Parameter(torch.zeros(functions, 2))
        self.layers = nn.ModuleList(Interaction(spaces, channels, functions, generator) for _ in range(settings.layers))
        self.readouts = nn.ModuleList(Readout(channels, generator) for _ in range(settings.layers))

    @property
    def reach(self) -> float:
        """Distance that a site's energy sees: ``layers + 1`` bonds, each as long as nearest neighbours are apart or,
        where bonds follow the hopping, up to its cutoff."""
        hopping = self.settings.hopping
        return (self.settings.layers + 1) * (1 if hopping is None else hopping.cutoff)

    def margin(self, lattice: Lattice) -> Int[np.ndarray, " dim"]:
        """As for any model, but no more cells than bonds between nearest neighbours cross where these are the bonds."""
        cells = super().margin(lattice)
        if self.settings.hopping is not None:
            return cells
        return np.minimum(cells, 2 * (self.settings.layers + 1) * cells_crossed(lattice))

    def on(
        self, lattice: Lattice, dtype: torch.dtype = torch.float32, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, *, memory: float | None = None,
    ) -> NetworkField:  # fmt: skip
        """The field of this network on a lattice.

        Crystals are evaluated in tiles whose evaluation takes at most ``memory`` GB besides spins and result, see
        :class:`~sdgnn.nn.bound.NetworkField`; free positions and ``bonds`` of one's own stay whole.

        Crystals of its family take fixed neighbour tables. Free positions of the same dimension (crystals with
        vacancies among them) and any lattice with ``bonds`` of its own, each given from either end, take the graph
        path of :mod:`sdgnn.nn.graph`. Without ``bonds``, those on free positions follow from distances. ``strengths``,
        one number for each of ``bonds`` and 1 by default, say how strong they are: t_ij / t of disordered hopping.
        Networks whose bonds follow the hopping (``settings.hopping``) take the graph path, on crystals too.

        Raises UserError on crystals of another family, on bonds or strengths that do not fit, and on strengths alone.
        """
        if bonds is not None:
            return BondedField(self, lattice, bonds, dtype, strengths)
        if strengths is not None:
            raise UserError("strengths of no bonds", allowed="bonds and their strengths")
        return NetworkField(self, lattice, dtype, memory)

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError on crystals of another family, and on free positions where there is no graph path."""
        if self.settings.hopping is None and lattice.is_crystal:
            super().check_family(lattice)
        else:
            check_graph(self.directions, self.family, lattice)
            Graph.by_distance(self.directions, self.family, lattice, self.settings.hopping)

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Geometry | Boxed:
        """``replicas`` copies of the lattice side by side: the graph of free positions, on the CPU boxes of a crystal,
        elsewhere tables of its neighbours."""
        if not lattice.is_crystal or self.settings.hopping is not None or self.settings.strength_powers:
            graph = Graph.by_distance(self.directions, self.family, lattice, self.settings.hopping)
            return graph.repeat(replicas, device, dtype)
        boxed = Boxed.of(lattice, self.directions, replicas, device, dtype)
        return self.neighbours(lattice, replicas, device, dtype) if boxed is None else boxed

    def bytes_per_site(self, lattice: Lattice, dtype: torch.dtype) -> float:
        """Memory that energy and field of ``lattice`` take for each site, counted from the arrays of the loops.

        In boxes: features after each layer and two slopes of them, functions on bonds with their slopes, and a few
        rows more; see :mod:`sdgnn.nn.compiled.function`. Elsewhere torch's tensors are counted.
        """
        piece = probe(lattice)
        tables = self.tables(piece, 1, self.constant.device, dtype)
        if not isinstance(tables, Boxed):
            return super().bytes_per_site(lattice, dtype)
        settings = self.settings
        width = 8 * tables.n_directions * settings.channels
        functions = settings.bond_functions * tables.n_directions
        rows = (settings.layers + 3) * width + 2 * functions + 3 * settings.channels + SMALL_ROWS
        places = len(tables.boxes) * STRIDE / piece.n_sites
        return places * (rows * dtype.itemsize + TABLE_BYTES)

    def neighbours(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Tables:
        """Tables of neighbours of ``replicas`` copies of a crystal side by side."""
        neighbour, present = self.directions.neighbours(lattice)
        start = torch.arange(replicas)[:, None] * lattice.n_sites
        return Tables(
            Neighbours(
                site=(torch.from_numpy(neighbour)[:, None] + start).flatten(1).to(device),
                present=torch.from_numpy(present).repeat(1, replicas).to(device=device, dtype=dtype),
                opposite=torch.from_numpy(self.directions.opposite).to(device),
            ),
            harmonics=torch.from_numpy(self.directions.harmonics).to(device=device, dtype=dtype),
            space=torch.from_numpy(self.directions.space).to(device),
        )

    def forward(self, spins: Float[Tensor, "site 3"], geometry: Geometry | Boxed) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant per site (``constant``), in units of t."""
        if isinstance(geometry, Boxed):
            scalars, sums = rounds(geometry, spins, SMOOTHING, self.embedding, self.layers)
        else:
            scalars, sums = self._rounds(spins, geometry)
        out = sums / geometry.n_directions @ self.pair.to(spins.dtype)
        for of_layer, readout in zip(scalars, self.readouts, strict=True):
            out = out + readout(of_layer)
        length = (spins.square().sum(-1) - 1) / 2
        return ENERGY_SCALE * out[:, 0] + length * out[:, 1]

    def _rounds(self, spins: Tensor, geometry: Geometry) -> tuple[Iterable[Tensor], Tensor]:
        """Time-even scalars without direction (site, channel) after each layer; bond functions summed at each site."""
        here, there = geometry.ends(spins)
        functions = of_strength(
            bond_functions((here * there).sum(-1), self.settings.bond_functions),
            geometry.present,
            self.settings.strength_powers,
        )
        features = geometry.harmonic(self._embed(here, there, functions))
        scalars = []
        for layer in self.layers:
            features = layer(features, geometry, functions)
            scalars.append(features[0, 0])
        return scalars, geometry.collect(functions)

    def _embed(self, here: Tensor, there: Tensor, functions: Tensor) -> Tensor:
        """First features of bond i -> j: functions of S_i . S_j times 1 (0e), S_i and S_j (1o), S_i x S_j (1e)."""
        scalar, first, second, twist = torch.einsum("...f,tfc->t...c", functions, self.embedding.to(here.dtype))
        odd = first * here.movedim(-1, 0)[..., None] + second * there.movedim(-1, 0)[..., None]
        even = twist * torch.linalg.cross(here, there, dim=-1).movedim(-1, 0)[..., None]
        return torch.cat([scalar[None], torch.zeros_like(scalar)[None], odd, even])

    def __repr__(self) -> str:
        s = self.settings
        return (
            f"Network for {self.family.name} lattices: {s.layers} layers, {s.channels} channels, "
            f"{self.n_parameters} weights; energies reach {s.layers + 1} bonds, fields {2 * s.layers + 2}"
        )


def of_strength(
    functions: Float[Tensor, "*bond function"], strength: Float[Tensor, "*bond"], powers: int
) -> Float[Tensor, "*bond term"]:
    """Functions on bonds times s, s (s - 1), ..., s (s - 1)^powers of their strength s; 0 where there is no bond."""
    terms = [functions * strength[..., None]]
    for _ in range(powers):
        terms.append(terms[-1] * (strength[..., None] - 1))
    return torch.cat(terms, dim=-1)


def bond_functions(overlap: Float[Tensor, "..."], count: int) -> Float[Tensor, "... function"]:
    """Chebyshev polynomials T_0 ... T_(count-2) of u = S_i . S_j and a smooth sqrt((1 + u) / 2)."""
    functions = [torch.ones_like(overlap), overlap]
    while len(functions) < count - 1:
        functions.append(2 * overlap * functions[-1] - functions[-2])
    aligned = ((1 + overlap) / 2).square() + SMOOTHING**2
    return torch.stack([*functions, aligned.pow(0.25)], dim=-1)
