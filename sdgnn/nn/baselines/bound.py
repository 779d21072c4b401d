"""A learned model bound to a lattice: a field like any other."""

from __future__ import annotations

import copy
import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB, check_memory
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Lattice
from sdgnn.lattice.blocks import Block, blocks

if TYPE_CHECKING:
    from sdgnn.nn.baselines.graph import Graph
    from sdgnn.nn.baselines.site_model import SiteModel

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""

MEMORY = 2.0
"""GB that evaluating a crystal may take unless told otherwise. A fixed number: blocks decide about rounding."""


@unchanging
class SiteField(SiteSum):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a learned model on one lattice.

    Crystals whose evaluation would take more than ``memory`` (GB, :data:`MEMORY` by default) besides spins and result
    are evaluated block by block, equal to the whole to rounding; free positions and bonds of one's own (``graph``, in
    place of those that the network finds) stay whole.
    Computes in ``dtype`` where the network's weights are; fields have that dtype and the device of the spins. Weights
    are those of the network at every call, however they were changed. Threads may share a field.
    """

    def __init__(
        self, network: SiteModel, lattice: Lattice, dtype: torch.dtype = torch.float32, memory: float | None = None,
        graph: Graph | None = None,
    ) -> None:  # fmt: skip
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        self.memory = MEMORY if memory is None else check_memory(memory)
        self._graph = graph
        self._made: tuple[list[Tensor], SiteModel] | None = None
        self._tables: dict[tuple[int, torch.device], Any] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        device = self.network.constant.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return self.network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    @property
    def halo(self) -> float | None:  # type: ignore[override]
        """Twice the cutoff of energies, on crystals with the bonds that the network finds."""
        return 2 * self.network.cutoff if self._graph is None and self.lattice.is_crystal else None

    def on(self, lattice: Lattice) -> SiteField:
        """The same network on another lattice. Raises UserError on bonds of one's own, which are those of this one."""
        if self._graph is not None:
            raise UserError(
                f"bonds of {self.lattice!r} on {lattice!r}",
                allowed="networks that find their bonds",
                fix="network.on(lattice, bonds=, strengths=) with the bonds of that lattice",
            )
        return SiteField(self.network, lattice, self.dtype, self.memory)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        energies, field = self._by_block(spins)
        return energies.double() + float(self.network.constant.detach()), field

    def _by_block(self, spins: Tensor) -> tuple[Tensor, Tensor]:
        """Site energies without the constant, and field, block by block where there are blocks."""
        whole, parts = self._blocks
        field = spins.new_empty(spins.shape, dtype=self.dtype)
        energies = spins.new_empty(spins.shape[:2], dtype=self.dtype)
        for replicas in torch.arange(len(spins), device="cpu").split(self._at_once):
            rows = slice(int(replicas[0]), int(replicas[-1]) + 1)
            if not parts:
                energy, slope = self._slopes(spins[rows])
                energies[rows], field[rows] = energy.to(spins.device), -slope.to(spins.device)
            for block in parts:
                energy, slope = whole._slopes(spins[rows, block.sites])
                core = block.sites[block.core]
                energies[rows, core] = energy[:, block.core].to(spins.device)
                field[rows, core] = -slope[:, block.core].to(spins.device)
        return energies, field

    @cached_property
    def bytes_per_site(self) -> float:
        """Memory that evaluating takes for each site of a block, or of the lattice where it stays whole."""
        return self.network.bytes_per_site(self.lattice, self.dtype)

    @property
    def _at_once(self) -> int:
        """Replicas evaluated together."""
        return max(1, CHUNK // self.lattice.n_sites)

    @cached_property
    def _blocks(self) -> tuple[SiteField, list[Block]]:
        if self._graph is not None or not self.lattice.is_crystal or self.memory == math.inf:
            return self, []
        largest = self.memory * GB / self.bytes_per_site
        lattice, parts = blocks(self.lattice, self.network.halo_cells(self.lattice), largest)
        if lattice.n_sites > largest:
            needed = lattice.n_sites * self.bytes_per_site / GB
            raise UserError(
                f"{self.memory:g} GB of memory for a network on {self.lattice!r}",
                allowed=f"at least {math.ceil(100 * needed) / 100:g} GB, for {lattice.n_sites} sites at once",
                fix="raise memory, or use a network with fewer channels or a shorter cutoff",
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
        """The network with the same numbers, in the same memory, as constants: no slopes in weights are ever made.

        Made anew where a number is kept elsewhere than before. Threads that come together each make one, all alike.
        """
        weights, made = list(self.network.parameters()), self._made
        numbers: list[Tensor] = [*weights, *self.network.buffers()]
        if made is None or [*map(_place, numbers)] != [*map(_place, made[0])]:
            same: dict[int, Any] = {id(w): nn.Parameter(w.detach(), requires_grad=False) for w in weights}
            same |= {id(buffer): buffer for buffer in self.network.buffers()}
            held = [same[id(number)] for number in numbers]  # no other number comes to lie where these are
            self._made = made = held, copy.deepcopy(self.network, same)
        return made[1]

    def _tables_for(self, replicas: int, device: torch.device) -> Any:
        found = self._tables.get((replicas, device))
        if found is None:
            if self._graph is None:
                found = self.network.tables(self.lattice, replicas, device, self.dtype)
            else:
                found = self._graph.repeat(replicas, device, self.dtype)
            self._tables[replicas, device] = found
        return found

    def __repr__(self) -> str:
        return f"{self.network!r}; bound to {self.lattice!r} in {str(self.dtype).removeprefix('torch.')}"


def _place(number: Tensor) -> tuple[int, torch.dtype]:
    """Where a tensor is kept, and as what."""
    return number.data_ptr(), number.dtype
