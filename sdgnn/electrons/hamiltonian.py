"""The s-d exchange Hamiltonian of electrons hopping on a lattice of classical spins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.frozen import frozen
from sdgnn.electrons.hopping import BondDisorder, ExponentialHopping, as_disorder, as_hopping
from sdgnn.lattice import Bonds, Lattice
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE

GAP = 1.2
"""Crystals of nearest-neighbour distance 1 have no second shell within this distance."""


class SDModel:
    """H = - sum_<ij> t_ij (c+_i c_j + h.c.) - J sum_i S_i . (c+_i sigma c_i).

    ========= ================ =====================================================================
    symbol    argument         meaning
    ========= ================ =====================================================================
    t_ij      ``hopping``      t_n of the bond's neighbour shell n (``hopping[n-1]``), or a function t(r)
                               of its length; every periodic image is its own bond
    delta_ij  ``disorder``     makes it t_ij (1 + delta_ij), a number drawn for each bond; None for none
    J         ``exchange``     local exchange; sigma are Pauli matrices (no factor 1/2)
    S_i       ``spins``        (replica, site, 3) classical spins
    ========= ================ =====================================================================

    Units t_1 = 1. Orbital ``2 i + s`` is spin s (0 up, 1 down) on site i. A function of the length
    (:class:`.ExponentialHopping`) holds on all lattices. Neighbour shells are those of crystals; crystals
    with vacancies (:meth:`~sdgnn.lattice.Lattice.without`) have t_1 alone, between sites at the nearest-neighbour
    distance 1; on other free positions, UserError is raised.
    Source: Chern, Fan, Zhang, Zhang, arXiv:2602.18213.
    """

    def __init__(
        self,
        lattice: Lattice,
        hopping: Sequence[float] | ExponentialHopping | Mapping[str, Any] = (1.0,),
        exchange: float = 3.0,
        disorder: BondDisorder | Mapping[str, Any] | None = None,
    ) -> None:
        self.hopping = as_hopping(hopping)
        self.disorder = as_disorder(disorder)
        try:
            self.exchange = float(exchange)
        except (TypeError, ValueError) as error:
            raise UserError(f"exchange {exchange!r}", allowed="a number") from error
        if not np.isfinite(self.exchange):
            raise UserError(f"exchange {self.exchange}", allowed="finite hopping and a finite exchange")
        if not lattice.is_crystal and isinstance(self.hopping, tuple):
            _check_vacancies(lattice, len(self.hopping))
        self.lattice = lattice
        self._hoppings: dict[tuple[float, ...] | None, Tensor] = {}

    @property
    def n_orbitals(self) -> int:
        """Dimension of H: two spin orbitals per site."""
        return 2 * self.lattice.n_sites

    @property
    def is_uniform(self) -> bool:
        """Whether all unit cells of a crystal have the same hopping."""
        return self.lattice.is_crystal and self.disorder is None

    @cached_property
    def bonds(self) -> Bonds:
        """Bonds along which electrons hop."""
        if isinstance(self.hopping, ExponentialHopping):
            return self.lattice.bonds_within(self.hopping.cutoff)
        if self.lattice.is_crystal:
            return self.lattice.bonds(len(self.hopping))
        bonds = self.lattice.bonds_within(1.0)
        return replace(bonds, shell=np.zeros_like(bonds.shell))

    @cached_property
    def amplitudes(self) -> Float[np.ndarray, " bond"]:
        """(bond,) t_ij of each of :attr:`bonds`, disorder included; positive where H has -t_ij."""
        if isinstance(self.hopping, ExponentialHopping):
            amplitude = self.hopping(np.linalg.norm(self.bonds.vector, axis=1))
        else:
            amplitude = np.array(self.hopping)[self.bonds.shell]
        return frozen(amplitude if self.disorder is None else amplitude * (1 + self.disorder.draw(self.bonds)))

    @property
    def strengths(self) -> Float[np.ndarray, " bond"]:
        """(bond,) t_ij / t, with t the hopping of nearest neighbours, as networks take it."""
        unit = self.hopping[0] if isinstance(self.hopping, tuple) else self.hopping.t
        if unit == 0:
            raise UserError("strengths of bonds without nearest-neighbour hopping", allowed="t that is not 0")
        return self.amplitudes / unit

    def hopping_matrix(self, twist: Sequence[float] | None = None) -> scipy.sparse.csr_array:
        """(site, site) spinless hopping part, with Bloch phases exp(i k . r_ij) on the bonds.

        ``twist`` holds the phase across the cell along each of its axes as a fraction of 2 pi; None means periodic.
        """
        bonds, n = self.bonds, self.lattice.n_sites
        # a repeated pair (two images of one bond) is summed by the conversion
        hoppings = self.bond_hoppings(twist)
        return scipy.sparse.coo_array((hoppings, (bonds.source, bonds.target)), shape=(n, n)).tocsr()

    def bond_hoppings(
        self, twist: Sequence[float] | None = None
    ) -> Float[np.ndarray, " bond"] | Complex[np.ndarray, " bond"]:
        """(bond,) H_ij = -t_ij exp(i k . r_ij) of each bond from i to j; real without ``twist``."""
        if twist is None:
            return -self.amplitudes
        if np.shape(twist) != (self.lattice.dim,):
            raise UserError(f"twist {twist}", allowed=f"{self.lattice.dim} fractions of 2 pi, one per cell axis")
        k = np.asarray(twist, dtype=np.float64) @ self.lattice.reciprocal
        return -self.amplitudes * np.exp(1j * self.bonds.vector @ k)

    def _hopping(self, twist: Sequence[float] | None) -> Complex[Tensor, "site site"]:
        """:meth:`hopping_matrix` as a sparse complex128 tensor, built once for each twist."""
        key = None if twist is None else tuple(twist)
        if key not in self._hoppings:
            self._hoppings[key] = sparse_tensor(self.hopping_matrix(twist).astype(np.complex128))
        return self._hoppings[key]

    def matrix(
        self, spins: Float[Tensor, "replica site 3"], twist: Sequence[float] | None = None
    ) -> Complex[Tensor, "replica orbital orbital"]:
        """Dense H(S), complex128."""
        hopping = self._hopping(twist).to_dense().to(spins.device)
        exchange = self.exchange_blocks(spins.to(torch.float64))
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
        return hopped + torch.einsum("rsab,rsbv->rsav", self.exchange_blocks(spins).to(psi.dtype), psi)

    def exchange_blocks(self, spins: Float[Tensor, "replica site 3"]) -> Complex[Tensor, "replica site 2 2"]:
        """- J S_i . sigma of each site."""
        x, y, z = (-self.exchange * spins).unbind(-1)
        return torch.stack(
            [torch.stack([z + 0j, x - 1j * y], dim=-1), torch.stack([x + 1j * y, -z + 0j], dim=-1)], dim=-2
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers that name this Hamiltonian, without the lattice."""
        hopping = list(self.hopping) if isinstance(self.hopping, tuple) else self.hopping.model_dump()
        disorder = {} if self.disorder is None else {"disorder": self.disorder.model_dump()}
        return {"hopping": hopping, "exchange": self.exchange, **disorder}

    @classmethod
    def from_dict(cls, lattice: Lattice, data: Mapping[str, Any]) -> SDModel:
        """The Hamiltonian that :meth:`to_dict` described, on ``lattice``. Raises UserError on other entries."""
        if {"hopping", "exchange"} <= data.keys() <= {"hopping", "exchange", "disorder"}:
            return cls(lattice, **data)
        raise UserError(f"a Hamiltonian of {', '.join(data) or 'nothing'}", allowed="hopping, exchange and disorder")

    def __repr__(self) -> str:
        if isinstance(self.hopping, tuple):
            hopping = str(list(self.hopping))
        else:
            hopping = f"{self.hopping.t:g} exp((1 - r) / {self.hopping.decay:g}) to {self.hopping.cutoff:g}"
        disorder = "" if self.disorder is None else f", {self.disorder.distribution} disorder {self.disorder.width:g}"
        return f"SDModel(hopping={hopping}{disorder}, exchange={self.exchange:g}) on {self.lattice!r}"


def sparse_tensor(matrix: scipy.sparse.sparray) -> Tensor:
    """A sparse matrix of scipy, without repeated entries, as a sparse tensor on the CPU."""
    entries = matrix.tocoo()
    place = torch.from_numpy(np.stack([entries.row, entries.col]).astype(np.int64))
    values, size = torch.from_numpy(entries.data), entries.shape
    return torch.sparse_coo_tensor(place, values, size, is_coalesced=True, check_invariants=True, device="cpu")


def _check_vacancies(lattice: Lattice, hoppings: int) -> None:
    """Raises UserError unless every pair of sites about as near as nearest neighbours is at distance 1."""
    length = np.linalg.norm(lattice.bonds_within(GAP).vector, axis=1)
    if hoppings > 1 or not np.allclose(length, 1, atol=LENGTH_TOLERANCE):
        raise UserError(
            f"{hoppings} hopping(s) on a free lattice with bonds of length {length.min(initial=1):g} to "
            f"{length.max(initial=1):g}",
            allowed="crystals; crystals with vacancies, with one hopping; a function of distance on any positions",
            fix=f"where hopping is one number, pairs nearer than {GAP} must be at distance 1; "
            "or give an ExponentialHopping",
        )
