"""An equivariant message passing network: spin matrices on directed bonds, multiplied along paths."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.extras import require
from sdgnn.common.seeds import torch_generator
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.lattice import Bonds, Lattice, cells_crossed
from sdgnn.nn.baselines.graph import Graph, bonds_by_distance, reversed_bonds
from sdgnn.nn.baselines.harmonics import BondHarmonics
from sdgnn.nn.baselines.layers import Interaction, SiteReadout, bond_functions, normal, site_energies, zeros
from sdgnn.nn.baselines.site_model import SiteField, SiteModel
from sdgnn.nn.settings import EquivariantSettings


class EquivariantNetwork(SiteModel):
    """E(S) = sum_i e_i(S), with e_i a function of the spins within ``layers + 1`` bonds of site i.

    Features live on directed bonds as spin matrices and are multiplied along paths
    (:mod:`sdgnn.nn.baselines.layers`), which keeps E exactly invariant under SO(3)_spin x time reversal x translations
    x point group, spins and lattice turning independently. Crystals, free positions and given bonds are all lists of
    bonds (:mod:`sdgnn.nn.baselines.graph`). Each site has two numbers, see
    :func:`~sdgnn.nn.baselines.layers.site_energies`.

    One network serves every size of its lattice family: bind it with :meth:`on`.

    ``lattice`` fixes the family (its size does not matter), ``seed`` the initial weights. Raises UserError on
    lattices whose bond directions are not equivalent, or carry harmonics of mixed degrees, and without
    ``pip install 'sdgnn[baselines]'``.
    """

    settings: EquivariantSettings

    def __init__(self, settings: EquivariantSettings, lattice: Lattice, seed: int = 0) -> None:
        require("baselines", "the equivariant network")
        super().__init__(settings, lattice)
        self.cutoff = (settings.layers + 1) * (1 if settings.hopping is None else settings.hopping.cutoff)
        self.harmonics = BondHarmonics.of(lattice)
        generator = torch_generator(seed)
        channels, functions = settings.channels, settings.bond_functions * (1 + settings.strength_powers)
        self.embedding = nn.Parameter(0.5 * normal(generator, 4, functions, channels))
        self.pair = zeros(functions, 2)
        spaces = len(self.harmonics.degrees)
        self.layers = nn.ModuleList(
            Interaction(spaces, channels, (functions,), generator) for _ in range(settings.layers)
        )
        self.readouts = nn.ModuleList(SiteReadout(channels, generator) for _ in range(settings.layers))

    def halo_cells(self, lattice: Lattice) -> Int[np.ndarray, " dim"]:
        """Cells within twice the cutoff, at most as many as bonds between nearest neighbours cross where these are the
        bonds."""
        cells = super().halo_cells(lattice)
        if self.settings.hopping is not None:
            return cells
        cell = lattice.resized(*(1,) * lattice.dim)
        return np.minimum(cells, 2 * (self.settings.layers + 1) * cells_crossed(cell, cell.bonds(1)))

    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> SiteField:  # fmt: skip
        """The field of this network on a lattice.

        Crystals are evaluated in blocks whose evaluation takes at most ``memory`` GB besides spins and result, see
        :class:`~sdgnn.nn.baselines.site_model.SiteField`; free positions and ``bonds`` of one's own stay whole.

        Without ``bonds``, each given from either end, those between nearest neighbours follow from distances, or
        further ones where they follow the hopping (``settings.hopping``). Free positions are those of the same
        dimension, crystals with vacancies among them. ``strengths``, one number for each of ``bonds`` and 1 by
        default, say how strong they are: t_ij / t of disordered hopping.

        Raises UserError on crystals of another family, on electrons, on bonds or strengths that do not fit, and on
        strengths alone.
        """
        lattice = self.lattice_alone(lattice, kT=kT, filling=filling, mu=mu)
        if bonds is None:
            if strengths is not None:
                raise UserError("strengths of no bonds", allowed="bonds and their strengths")
            return SiteField(self, lattice, dtype, memory)
        if strengths is not None:
            _check_strengths(strengths, bonds, lattice)
        return SiteField(self, lattice, dtype, memory, self._graph(lattice, bonds, strengths))

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError on crystals of another family, and on positions without bonds or of another dimension."""
        if self.settings.hopping is None and lattice.is_crystal:
            super().check_family(lattice)
        else:
            self._graph(lattice, *bonds_by_distance(self.family, lattice, self.settings.hopping))

    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Graph:
        """The bonds of ``replicas`` copies of the lattice side by side."""
        graph = self._graph(lattice, *bonds_by_distance(self.family, lattice, self.settings.hopping))
        return graph.repeat(replicas, device, dtype)

    def _graph(self, lattice: Lattice, bonds: Bonds, strengths: Float[np.ndarray, " bond"] | None) -> Graph:
        """Bonds whose functions are multiplied by s, s (s - 1), ..., s (s - 1)^powers of their strengths s."""
        s = np.ones((len(bonds), 1)) if strengths is None else strengths[:, None]
        return Graph.of(self.harmonics, lattice, bonds, s * (s - 1) ** np.arange(self.settings.strength_powers + 1))

    def forward(self, spins: Float[Tensor, "site 3"], tables: Graph) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant per site (``constant``), in units of t."""
        here, there = tables.ends(spins)
        functions = tables.functions(bond_functions((here * there).sum(-1), self.settings.bond_functions))
        features = tables.collect(self._embed(here, there, functions))
        numbers = tables.sum(functions) / tables.n_directions @ self.pair.to(spins.dtype)
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            features = layer(features, tables, functions)
            numbers = numbers + readout(features[0, 0])
        return site_energies(numbers, spins)

    def _embed(
        self, here: Float[Tensor, "bond 3"], there: Float[Tensor, "bond 3"], functions: Float[Tensor, "bond function"]
    ) -> Float[Tensor, "8 bond channel"]:
        """First features of bond i -> j: functions of S_i . S_j times 1 (0e), S_i and S_j (1o), S_i x S_j (1e)."""
        scalar, first, second, twist = torch.einsum("bf,tfc->tbc", functions, self.embedding.to(here.dtype))
        odd = first * here.T[..., None] + second * there.T[..., None]
        even = twist * torch.linalg.cross(here, there).T[..., None]
        return torch.cat([scalar[None], torch.zeros_like(scalar)[None], odd, even])

    def __repr__(self) -> str:
        s = self.settings
        return self.described("Equivariant network", f"{s.layers} layers, {s.channels} channels")


def _check_strengths(strengths: np.ndarray, bonds: Bonds, lattice: Lattice) -> None:
    """Raises UserError unless every bond has one finite strength, the same from either end."""
    if strengths.shape != (len(bonds),) or not np.isfinite(strengths).all():
        raise UserError(
            f"strengths of shape {strengths.shape} for {len(bonds)} bonds", allowed="one finite number for each bond"
        )
    if not np.allclose(strengths, strengths[reversed_bonds(bonds, lattice)]):
        raise UserError("strengths that differ from one end of a bond to the other", allowed="one strength per bond")
