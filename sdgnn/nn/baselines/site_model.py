"""Models whose site energies follow from spins and tables of the lattice, and their fields, evaluated in blocks."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB, Counted, check_memory
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Bonds, Lattice, halo_cells
from sdgnn.lattice.blocks import Block, blocks
from sdgnn.nn.model import Model
from sdgnn.nn.potentials import Potentials

CHUNK = 4096
"""Sites evaluated at once; more replicas wait, so memory does not grow with their number."""
MEMORY = 2.0
"""GB that evaluating a crystal may take unless told otherwise. A fixed number: blocks decide about rounding."""
PROBE = 1024
"""Sites, about, of the crystal on which memory is counted."""

Module = TypeVar("Module", bound=nn.Module)


class SiteModel(Model):
    """e_i from spins and tables of a lattice: kinds say what the tables are and how energies follow."""

    def halo_cells(self, lattice: Lattice) -> Int[np.ndarray, " dim"]:
        """Cells of a crystal along each axis on whose spins a site's field depends: within twice the cutoff, since the
        field is a slope of energies within the cutoff, which depend on spins within the cutoff around them."""
        return halo_cells(lattice, 2 * self.cutoff)

    @abstractmethod
    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        """What :meth:`forward` needs to know of ``replicas`` copies of ``lattice`` side by side."""

    @abstractmethod
    def forward(self, spins: Float[Tensor, "site 3"], tables: Any) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""

    def on(
        self, lattice: Lattice | SDModel, dtype: torch.dtype = torch.float32, *, kT: float | None = None,
        filling: float | None = None, mu: float | None = None, bonds: Bonds | None = None,
        strengths: Float[np.ndarray, " bond"] | None = None, memory: float | None = None,
    ) -> SiteField:  # fmt: skip
        lattice = self.lattice_alone(lattice, kT=kT, filling=filling, mu=mu, bonds=bonds, strengths=strengths)
        return SiteField(self, lattice, dtype, memory)

    def potentials(self, field: Field) -> Potentials:
        """H = -dE/dS of one energy."""
        assert isinstance(field, SiteField)
        return Potentials((field.site_energies,))


@unchanging
class SiteField(SiteSum):
    """Energy sum_i e_i(S) + N c and field H_i = -dE/dS_i of a learned model on one lattice.

    Crystals whose evaluation would take more than ``memory`` (GB, :data:`MEMORY` by default) besides spins and result
    are evaluated block by block, equal to the whole to rounding; free positions and bonds of one's own (``tables`` of
    one copy of the lattice, in place of those that the network makes) stay whole.
    Computes in ``dtype`` where the network's weights are; fields have that dtype and the device of the spins. Weights
    are those of the network at every call, however they were changed. Threads may share a field.
    """

    def __init__(
        self, network: SiteModel, lattice: Lattice, dtype: torch.dtype = torch.float32, memory: float | None = None,
        tables: Any = None,
    ) -> None:  # fmt: skip
        network.check_family(lattice)
        self.network = network
        self.lattice = lattice
        self.dtype = dtype
        self.memory = MEMORY if memory is None else check_memory(memory)
        self._given = tables
        self._tables: dict[tuple[int, torch.device], Any] = {}

    def site_energies(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica site"]:
        """e_i without the constant per site, differentiable in spins and in the network's weights."""
        return self._energies(self.network, spins)

    @property
    def halo(self) -> float | None:  # type: ignore[override]
        """Twice the cutoff of energies, on crystals with the bonds that the network finds."""
        return 2 * self.network.cutoff if self._given is None and self.lattice.is_crystal else None

    def on(self, lattice: Lattice) -> SiteField:
        """The network on another lattice. Raises UserError where bonds were given, which belong to this lattice."""
        if self._given is not None:
            raise UserError(
                f"bonds of {self.lattice!r} on {lattice!r}",
                allowed="networks that find their bonds",
                fix="network.on(lattice, bonds=, strengths=) with the bonds of that lattice",
            )
        return SiteField(self.network, lattice, self.dtype, self.memory)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        whole, parts = self._blocks
        field = spins.new_empty(spins.shape, dtype=self.dtype)
        energies = spins.new_empty(spins.shape[:2], dtype=self.dtype)
        for first in range(0, len(spins), self._at_once):
            rows = slice(first, first + self._at_once)
            if not parts:
                energies[rows], field[rows] = self._slopes(spins[rows])
            for block in parts:
                energy, slope = whole._slopes(spins[rows, block.sites])
                core = block.sites[block.core]
                energies[rows, core], field[rows, core] = energy[:, block.core], slope[:, block.core]
        return energies.double() + float(self.network.constant.detach()), field

    @cached_property
    def bytes_per_site(self) -> float:
        """Memory that energy and field take for each site of a block, or of the lattice where it stays whole: torch's
        tensors, counted on a small piece of a crystal, or on all free positions."""
        from sdgnn.spins import random

        piece = self.lattice
        if piece.is_crystal:
            side = max(2, round((PROBE / piece.n_basis) ** (1 / piece.dim)))
            piece = piece.resized(*[side] * piece.dim)
        field = SiteField(self.network, piece, self.dtype, math.inf)
        with Counted() as counted:
            field(random(piece, seed=0).to(device=self.network.constant.device, dtype=self.dtype))
        return counted.peak / piece.n_sites

    @property
    def _at_once(self) -> int:
        """Replicas evaluated together."""
        return max(1, CHUNK // self.lattice.n_sites)

    @cached_property
    def _blocks(self) -> tuple[SiteField, list[Block]]:
        """The field on the crystal that all blocks share, and these; this field and none where the lattice is whole."""
        if self._given is not None or not self.lattice.is_crystal or self.memory == math.inf:
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
        """Site energies without the constant, and field, in one piece on the device of the spins."""
        at = spins.detach().to(device=self.network.constant.device, dtype=self.dtype).requires_grad_()
        with torch.enable_grad():
            site = self._energies(constants(self.network), at)
            (slope,) = torch.autograd.grad(site.sum(), at)
        return site.detach().to(spins.device), -slope.to(spins.device)

    def _energies(self, network: SiteModel, spins: Tensor) -> Tensor:
        """Site energies without the constant, where the weights are."""
        device = network.constant.device
        replicas, sites, _ = spins.shape
        flat = spins.to(device=device, dtype=self.dtype).reshape(-1, 3)
        return network(flat, self._tables_for(replicas, device)).view(replicas, sites)

    def _tables_for(self, replicas: int, device: torch.device) -> Any:
        found = self._tables.get((replicas, device))
        if found is None:
            if self._given is None:
                found = self.network.tables(self.lattice, replicas, device, self.dtype)
            else:
                found = self._given.repeat(replicas, device, self.dtype)
            self._tables[replicas, device] = found
        return found

    def __repr__(self) -> str:
        return f"{self.network!r}, {str(self.dtype).removeprefix('torch.')}, on {self.lattice!r}"


def constants(module: Module) -> Module:
    """A module with the same numbers, in the same memory, as constants: no slopes in weights are ever made."""
    twin = copy.copy(module)
    twin._parameters = {name: None if w is None else w.detach() for name, w in module._parameters.items()}  # type: ignore[misc]
    twin._modules = {name: None if part is None else constants(part) for name, part in module._modules.items()}
    return twin
