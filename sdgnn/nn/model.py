"""What every learned model is: local energies of spins on a lattice family, summed and differentiated for the field."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.errors import UserError
from sdgnn.lattice import Lattice, margins
from sdgnn.memory import Counted
from sdgnn.nn.potentials import Potentials

PROBE = 1024
"""Sites, about, of the crystal on which memory is counted."""

if TYPE_CHECKING:
    from sdgnn.nn.bound import NetworkField
    from sdgnn.nn.settings import Settings


class Model(nn.Module, ABC):
    """E(S) = sum_i [e_i(S) + c], with e_i a function of the spins within :attr:`reach` of site i and c a constant.

    A concrete model says how e_i follows from spins and the lattice's tables; binding to a lattice, training, judging,
    simulating, saving and loading are the same for all kinds. ``lattice`` fixes the family (primitive vectors and
    basis), not the size.
    """

    constant: nn.Parameter
    """c, the energy per site that is added to every e_i."""

    def __init__(self, settings: Settings, lattice: Lattice) -> None:
        super().__init__()
        self.settings = settings
        self.family = lattice
        self.provenance: dict[str, Any] = {}
        self.constant = nn.Parameter(torch.zeros((), dtype=torch.float64))

    @property
    @abstractmethod
    def reach(self) -> float:
        """Distance, in nearest-neighbour distances, that a site's energy sees; the field sees twice as far."""

    def margin(self, lattice: Lattice) -> Int[np.ndarray, " dim"]:
        """Cells of a crystal along each axis on whose spins a site's field depends: those within twice the reach, since
        it depends on energies within the reach and these on spins within the reach of them."""
        return margins(lattice, 2 * self.reach)

    @abstractmethod
    def tables(self, lattice: Lattice, replicas: int, device: torch.device, dtype: torch.dtype) -> Any:
        """What :meth:`forward` needs to know of ``replicas`` copies of ``lattice`` side by side."""

    @abstractmethod
    def forward(self, spins: Float[Tensor, "site 3"], tables: Any) -> Float[Tensor, " site"]:
        """Site energies e_i without the constant, in units of t."""

    def bytes_per_site(self, lattice: Lattice, dtype: torch.dtype) -> float:
        """Memory that energy and field of ``lattice`` take for each site: torch's tensors, counted on a small piece."""
        from sdgnn.nn.bound import NetworkField
        from sdgnn.spins import random

        piece = probe(lattice)
        field = NetworkField(self, piece, dtype, math.inf)
        with Counted() as counted:
            field(random(piece, seed=0).to(device=self.constant.device, dtype=dtype))
        return counted.peak / piece.n_sites

    @property
    def n_parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.parameters())

    def on(self, lattice: Lattice, dtype: torch.dtype = torch.float32, *, memory: float | None = None) -> NetworkField:
        """The field of this model on a lattice of its family, evaluated in tiles within ``memory`` (GB).

        Raises UserError on another family.
        """
        from sdgnn.nn.bound import NetworkField

        return NetworkField(self, lattice, dtype, memory)

    def potentials(self, field: NetworkField) -> Potentials:
        """The energies behind ``field``, this model on a lattice, and how they make it: here H = -dE/dS."""
        return Potentials((field.site_energies,))

    def save(self, path: str | os.PathLike[str], provenance: dict[str, Any] | None = None) -> Path:
        """Write settings, lattice family, weights and provenance to one file; see :mod:`sdgnn.nn.storage`."""
        from sdgnn.nn.storage import save

        return save(self, Path(path), provenance)

    def check_family(self, lattice: Lattice) -> None:
        """Raises UserError unless ``lattice`` has the primitive vectors and basis of this model's family."""
        if not self.family.same_family(lattice):
            raise UserError(
                f"a network for {self.family.name} lattices on {lattice!r}",
                allowed=f"lattices with the primitive vectors and basis of {self.family!r}, of any size",
                fix="train a network for that lattice",
            )


def probe(lattice: Lattice) -> Lattice:
    """A crystal of the same family with about :data:`PROBE` sites; other lattices themselves."""
    if not lattice.is_crystal:
        return lattice
    side = max(2, round((PROBE / lattice.n_basis) ** (1 / lattice.dim)))
    return lattice.resized(*[side] * lattice.dim)
