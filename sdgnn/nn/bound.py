"""A learned model bound to a lattice: a field like any other."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn.model import Model
from sdgnn.nn.tiles import Tile, tiles

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""


class NetworkField(Field):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a learned model on one lattice.

    Crystals of more than :data:`~sdgnn.nn.tiles.TILE` sites are evaluated tile by tile, equal to the whole to rounding.
    Computes in ``dtype`` where the network's weights are; results have that dtype and the device of the spins.
    """

    def __init__(self, network: Model, lattice: Lattice, dtype: torch.dtype = torch.float32) -> None:
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        self._tables: dict[tuple[int, torch.device], Any] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        device = self.network.constant.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return self.network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        per_site, slopes = zip(
            *(self._tiled(part) for part in spins.split(max(1, CHUNK // self.lattice.n_sites))), strict=True
        )
        energy = torch.cat([part.sum(-1, dtype=torch.float64) for part in per_site])
        energy = energy + self.lattice.n_sites * float(self.network.constant.detach())
        return FieldResult(
            energy=energy.to(device=spins.device, dtype=self.dtype), field=-torch.cat(slopes).to(spins.device)
        )

    def _tiled(self, spins: Tensor) -> tuple[Tensor, Tensor]:
        """Site energies (replica, site) and their sum's slopes (replica, site, 3), tile by tile on large crystals."""
        whole, parts = self._tiles
        if not parts:
            return self._slopes(spins)
        energies = spins.new_zeros(spins.shape[:2], dtype=self.dtype)
        slopes = spins.new_zeros(spins.shape, dtype=self.dtype)
        for tile in parts:
            energy, slope = whole._slopes(spins[:, tile.sites])
            core = tile.sites[tile.core]
            energies[:, core] = energy[:, tile.core].to(spins.device)
            slopes[:, core] = slope[:, tile.core].to(spins.device)
        return energies, slopes

    @cached_property
    def _tiles(self) -> tuple[NetworkField, list[Tile]]:
        lattice, parts = tiles(self.lattice, self.network.reach)
        return (NetworkField(self.network, lattice, self.dtype) if parts else self), parts

    def _slopes(self, spins: Tensor) -> tuple[Tensor, Tensor]:
        """The same in one piece."""
        device = self.network.constant.device
        weights = {name: weight.detach() for name, weight in self.network.named_parameters()}
        flat = spins.detach().to(device=device, dtype=self.dtype).reshape(-1, 3).requires_grad_()
        with torch.enable_grad():
            site = functional_call(self.network, weights, (flat, self._tables_for(len(spins), device)))
            (slope,) = torch.autograd.grad(site.sum(), flat)
        return site.detach().view(spins.shape[:2]), slope.view(spins.shape)

    def _tables_for(self, replicas: int, device: torch.device) -> Any:
        if (replicas, device) not in self._tables:
            self._tables[replicas, device] = self.network.tables(self.lattice, replicas, device, self.dtype)
        return self._tables[replicas, device]

    def __repr__(self) -> str:
        return f"{self.network!r}; bound to {self.lattice!r} in {str(self.dtype).removeprefix('torch.')}"
