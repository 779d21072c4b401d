"""A learned model bound to a lattice: a field like any other."""

from __future__ import annotations

import copy
import math
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.errors import UserError
from sdgnn.fields import Cost, Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.memory import GB, check_memory
from sdgnn.nn.baselines.tiles import Tile, tiles

if TYPE_CHECKING:
    from sdgnn.nn.baselines.site_model import SiteModel

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""

MEMORY = 2.0
"""GB that evaluating a crystal may take unless told otherwise. A fixed number: tiles decide about rounding."""


class SiteField(Field):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a learned model on one lattice.

    Crystals whose evaluation would take more than ``memory`` (GB, :data:`MEMORY` by default) besides spins and result
    are evaluated tile by tile, equal to the whole to rounding; free positions and chosen bonds stay whole.
    Computes in ``dtype`` where the network's weights are; results have that dtype and the device of the spins.
    """

    def __init__(
        self, network: SiteModel, lattice: Lattice, dtype: torch.dtype = torch.float32, memory: float | None = None
    ) -> None:
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        self.memory = MEMORY if memory is None else check_memory(memory)
        self._constant_weights: list[nn.Parameter] = []
        self._tables: dict[tuple[int, torch.device], Any] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        device = self.network.constant.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return self.network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    @property
    def sees(self) -> float | None:  # type: ignore[override]
        """Twice the reach of energies, on crystals."""
        return 2 * self.network.reach if type(self) is SiteField and self.lattice.is_crystal else None

    def on(self, lattice: Lattice) -> SiteField:
        return SiteField(self.network, lattice, self.dtype, self.memory)

    def by_site(
        self, spins: Float[Tensor, "replica site 3"]
    ) -> tuple[Float[Tensor, "replica site"], Float[Tensor, "replica site 3"]]:
        energies, field = self._by_tile(spins)
        return energies.double() + float(self.network.constant.detach()), field

    def evaluate(self, spins: Float[Tensor, "replica site 3"]) -> FieldResult:
        energies, field = self._by_tile(spins)
        total = energies.sum(-1, dtype=torch.float64) + self.lattice.n_sites * float(self.network.constant.detach())
        return FieldResult(energy=total.to(self.dtype), field=field)

    def _by_tile(self, spins: Tensor) -> tuple[Tensor, Tensor]:
        """Site energies without the constant, and field, tile by tile where there are tiles."""
        whole, parts = self._tiles
        field = spins.new_empty(spins.shape, dtype=self.dtype)
        energies = spins.new_empty(spins.shape[:2], dtype=self.dtype)
        for replicas in torch.arange(len(spins), device="cpu").split(self._at_once):
            rows = slice(int(replicas[0]), int(replicas[-1]) + 1)
            if not parts:
                energy, slope = self._slopes(spins[rows])
                energies[rows], field[rows] = energy.to(spins.device), -slope.to(spins.device)
            for tile in parts:
                energy, slope = whole._slopes(spins[rows, tile.sites])
                core = tile.sites[tile.core]
                energies[rows, core] = energy[:, tile.core].to(spins.device)
                field[rows, core] = -slope[:, tile.core].to(spins.device)
        return energies, field

    def cost(self, spins: Float[Tensor, "replica site 3"]) -> Cost:
        """Time of one tile, times the number of tiles and replicas; memory counted from arrays."""
        whole, parts = self._tiles
        at_once = min(self._at_once, len(spins))
        piece = spins[:at_once, parts[0].sites] if parts else spins[:at_once]
        whole._slopes(piece)  # makes tables
        start = time.perf_counter()
        energy, _ = whole._slopes(piece)
        float(energy.sum())
        seconds = time.perf_counter() - start
        work = at_once * whole.lattice.n_sites * self.bytes_per_site
        result = 4 * spins.shape[0] * spins.shape[1] * self.dtype.itemsize
        index = 9 * sum(len(tile.sites) for tile in parts)
        return Cost(seconds * max(1, len(parts)) * len(spins) / at_once, work + result + index)

    @cached_property
    def bytes_per_site(self) -> float:
        """Memory that evaluating takes for each site of a tile, or of the lattice where it stays whole."""
        return self.network.bytes_per_site(self.lattice, self.dtype)

    @property
    def _at_once(self) -> int:
        """Replicas evaluated together."""
        return max(1, CHUNK // self.lattice.n_sites)

    @cached_property
    def _tiles(self) -> tuple[SiteField, list[Tile]]:
        if not self.lattice.is_crystal or self.memory == math.inf:
            return self, []
        largest = self.memory * GB / self.bytes_per_site
        lattice, parts = tiles(self.lattice, self.network.margin(self.lattice), largest)
        if lattice.n_sites > largest:
            needed = lattice.n_sites * self.bytes_per_site / GB
            raise UserError(
                f"{self.memory:g} GB of memory for a network on {self.lattice!r}",
                allowed=f"at least {math.ceil(100 * needed) / 100:g} GB, for {lattice.n_sites} sites at once",
                fix="raise memory, or use a network with fewer channels or a shorter reach",
            )
        return (SiteField(self.network, lattice, self.dtype, math.inf) if parts else self), parts

    def _slopes(self, spins: Tensor) -> tuple[Tensor, Tensor]:
        """The same in one piece."""
        network = self._constant_network
        device = network.constant.device
        flat = spins.detach().to(device=device, dtype=self.dtype).reshape(-1, 3).requires_grad_()
        with torch.enable_grad():
            site = network(flat, self._tables_for(len(spins), device))
            (slope,) = torch.autograd.grad(site.sum(), flat)
        return site.detach().view(spins.shape[:2]), slope.view(spins.shape)

    @property
    def _constant_network(self) -> SiteModel:
        """The network with the same weights, in the same memory, as constants: no slopes in them are ever made."""
        weights = list(self.network.parameters())
        if [weight.data_ptr() for weight in weights] != [weight.data_ptr() for weight in self._constant_weights]:
            self._constant_weights = [nn.Parameter(weight.detach(), requires_grad=False) for weight in weights]
            constants = {id(weight): same for weight, same in zip(weights, self._constant_weights, strict=True)}
            self._constants = copy.deepcopy(self.network, constants)
        return self._constants

    def _tables_for(self, replicas: int, device: torch.device) -> Any:
        if (replicas, device) not in self._tables:
            self._tables[replicas, device] = self.network.tables(self.lattice, replicas, device, self.dtype)
        return self._tables[replicas, device]

    def __repr__(self) -> str:
        return f"{self.network!r}; bound to {self.lattice!r} in {str(self.dtype).removeprefix('torch.')}"
