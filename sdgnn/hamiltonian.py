"""The s-d exchange Hamiltonian of electrons hopping on a lattice of classical spins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.errors import UserError
from sdgnn.lattice import Bonds, Lattice
from sdgnn.neighbours import LENGTH_TOLERANCE

GAP = 1.2
"""Crystals of nearest-neighbour distance 1 have no second shell within this distance."""


class SDModel:
    """H = - sum_n t_n sum_<ij>_n (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i).

    ========= ================ =====================================================================
    symbol    argument         meaning
    ========= ================ =====================================================================
    t_n       ``hopping[n-1]`` hopping of neighbour shell n; every periodic image is its own bond
    J         ``exchange``     local exchange; sigma are Pauli matrices (no factor 1/2)
    S_i       ``spins``        (replica, site, 3) classical spins
    ========= ================ =====================================================================

    Units t_1 = 1. Orbital ``2 i + s`` is spin s (0 up, 1 down) on site i. Crystals with vacancies
    (:meth:`~sdgnn.lattice.Lattice.without`) have t_1 alone, between sites at the nearest-neighbour distance 1; on other
    free positions, where hopping would depend on distance, UserError is raised.
    Source: Chern, Fan, Zhang, Zhang, arXiv:2602.18213.
    """

    def __init__(self, lattice: Lattice, hopping: Sequence[float] = (1.0,), exchange: float = 3.0) -> None:
        try:
            self.hopping = tuple(float(t) for t in hopping)
            self.exchange = float(exchange)
        except (TypeError, ValueError) as error:
            raise UserError(f"hopping {hopping!r} with exchange {exchange!r}", allowed="numbers") from error
        if not self.hopping or not np.isfinite(self.hopping).all() or not np.isfinite(self.exchange):
            raise UserError(
                f"hopping {list(self.hopping)} with exchange {self.exchange}",
                allowed="one finite hopping per neighbour shell, nearest first, and a finite exchange",
            )
        if not lattice.is_crystal:
            _check_vacancies(lattice, len(self.hopping))
        self.lattice = lattice
        self._hoppings: dict[tuple[float, ...] | None, Tensor] = {}

    @property
    def n_orbitals(self) -> int:
        """Dimension of H: two spin orbitals per site."""
        return 2 * self.lattice.n_sites

    @cached_property
    def _bonds(self) -> Bonds:
        if self.lattice.is_crystal:
            return self.lattice.bonds(len(self.hopping))
        bonds = self.lattice.bonds_within(1.0)
        return replace(bonds, shell=np.zeros_like(bonds.shell))

    def hopping_matrix(self, twist: Sequence[float] | None = None) -> scipy.sparse.csr_array:
        """(site, site) spinless hopping part, with Bloch phases exp(i k . r_ij) on the bonds.

        ``twist`` holds the phase across the cell along each of its axes as a fraction of 2 pi; None means periodic.
        """
        bonds = self._bonds
        amplitude = -np.array(self.hopping)[bonds.shell]
        if twist is not None:
            if np.shape(twist) != (self.lattice.dim,):
                raise UserError(f"twist {twist}", allowed=f"{self.lattice.dim} fractions of 2 pi, one per cell axis")
            k = np.asarray(twist, dtype=np.float64) @ self.lattice.reciprocal
            amplitude = amplitude * np.exp(1j * bonds.vector @ k)
        n = self.lattice.n_sites
        # a repeated pair (two images of one bond) is summed by the conversion
        return scipy.sparse.coo_array((amplitude, (bonds.source, bonds.target)), shape=(n, n)).tocsr()

    def _hopping(self, twist: Sequence[float] | None) -> Tensor:
        """The same as a sparse complex128 tensor, built once for each twist."""
        key = None if twist is None else tuple(twist)
        if key not in self._hoppings:
            matrix = self.hopping_matrix(twist).astype(np.complex128).tocoo()
            self._hoppings[key] = torch.sparse_coo_tensor(
                torch.from_numpy(np.stack([matrix.row, matrix.col])),
                torch.from_numpy(matrix.data),
                size=matrix.shape,
                is_coalesced=True,
                check_invariants=True,
            )
        return self._hoppings[key]

    def matrix(
        self, spins: Float[Tensor, "replica site 3"], twist: Sequence[float] | None = None
    ) -> Complex[Tensor, "replica orbital orbital"]:
        """Dense H(S), complex128."""
        hopping = self._hopping(twist).to_dense().to(spins.device)
        exchange = self._exchange_blocks(spins.to(torch.float64))
        replicas, n = len(spins), self.lattice.n_sites
        h = hopping.new_zeros(replicas, n, 2, n, 2)
        sites = torch.arange(n, device=spins.device)
        for a in range(2):
            h[:, :, a, :, a] = hopping
            for b in range(2):
                h[:, sites, a, sites, b] += exchange[:, :, a, b]
        return h.reshape(replicas, 2 * n, 2 * n)

    def apply(
        self,
        spins: Float[Tensor, "replica site 3"],
        psi: Complex[Tensor, "replica site 2 vector"],
        twist: Sequence[float] | None = None,
    ) -> Complex[Tensor, "replica site 2 vector"]:
        """H(S) psi without forming H."""
        replicas, sites, _, vectors = psi.shape
        columns = psi.permute(1, 0, 2, 3).reshape(sites, -1)
        hopped = self._hopping(twist).to(device=psi.device, dtype=psi.dtype) @ columns
        hopped = hopped.reshape(sites, replicas, 2, vectors).permute(1, 0, 2, 3)
        return hopped + torch.einsum("rsab,rsbv->rsav", self._exchange_blocks(spins).to(psi.dtype), psi)

    def _exchange_blocks(self, spins: Tensor) -> Tensor:
        """- J S_i . sigma as (replica, site, 2, 2)."""
        x, y, z = (-self.exchange * spins).unbind(-1)
        return torch.stack(
            [torch.stack([z + 0j, x - 1j * y], dim=-1), torch.stack([x + 1j * y, -z + 0j], dim=-1)], dim=-2
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers that name this Hamiltonian, without the lattice."""
        return {"hopping": list(self.hopping), "exchange": self.exchange}

    def __repr__(self) -> str:
        return f"SDModel(hopping={list(self.hopping)}, exchange={self.exchange:g}) on {self.lattice!r}"


def _check_vacancies(lattice: Lattice, hoppings: int) -> None:
    """Raises UserError unless every pair of sites about as near as nearest neighbours is at distance 1."""
    length = np.linalg.norm(lattice.bonds_within(GAP).vector, axis=1)
    if hoppings > 1 or not np.allclose(length, 1, atol=LENGTH_TOLERANCE):
        raise UserError(
            f"{hoppings} hopping(s) on a free lattice with bonds of length {length.min(initial=1):g} to "
            f"{length.max(initial=1):g}",
            allowed="crystals; crystals with vacancies, with one hopping",
            fix=f"on free positions, pairs nearer than {GAP} must be at distance 1",
        )
