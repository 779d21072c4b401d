"""Models whose site energies are functions of spins and tables of the lattice, evaluated in blocks."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.memory import Counted
from sdgnn.fields import Field
from sdgnn.lattice import Lattice, halo_cells
from sdgnn.nn.baselines.bound import SiteField
from sdgnn.nn.model import Model
from sdgnn.nn.potentials import Potentials

PROBE = 1024
"""Sites, about, of the crystal on which memory is counted."""


class SiteModel(Model):
    """e_i from spins and tables of a lattice: kinds say what the tables are and how energies follow."""

    def halo_cells(self, lattice: Lattice) -> Int[np.ndarray, " dim"]:
        """Cells of a crystal along each axis on whose spins a site's field depends: those within twice the cutoff,
        since it depends on energies within the cutoff and these on spins within the cutoff of them."""
        return halo_cells(lattice, 2 * self.cutoff)

    @abstractmethod
    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        """What :meth:`forward` needs to know of ``replicas`` copies of ``lattice`` side by side."""

    @abstractmethod
    def forward(self, spins: Float[Tensor, "site 3"], tables: Any) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""

    def bytes_per_site(self, lattice: Lattice, dtype: torch.dtype) -> float:
        """Memory that energy and field of ``lattice`` take for each site: torch's tensors, counted on a small piece."""
        from sdgnn.spins import random

        piece = probe(lattice)
        field = SiteField(self, piece, dtype, math.inf)
        with Counted() as counted:
            field(random(piece, seed=0).to(device=self.constant.device, dtype=dtype))
        return counted.peak / piece.n_sites

    def on(self, lattice: Lattice, dtype: torch.dtype = torch.float32, *, memory: float | None = None) -> Field:
        return SiteField(self, lattice, dtype, memory)

    def potentials(self, field: Field) -> Potentials:
        """H = -dE/dS of one energy."""
        assert isinstance(field, SiteField)
        return Potentials((field.site_energies,))


def probe(lattice: Lattice) -> Lattice:
    """A crystal of the same family with about :data:`PROBE` sites; other lattices themselves."""
    if not lattice.is_crystal:
        return lattice
    side = max(2, round((PROBE / lattice.n_basis) ** (1 / lattice.dim)))
    return lattice.resized(*[side] * lattice.dim)
