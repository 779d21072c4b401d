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
from sdgnn.electrons.spin_orbit import SpinOrbit, as_spin_orbit, spin_orbit_vectors
from sdgnn.lattice import Bonds, Lattice
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE

PAULI = frozen(np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]], dtype=np.complex128))
"""(3, 2, 2) sigma_x, sigma_y, sigma_z."""

GAP = 1.2
"""Crystals of nearest-neighbour distance 1 have no second shell within this distance."""


class SDModel:
    """H = - sum_<ij> [c+_i (t_ij + i lambda_ij . sigma) c_j + h.c.] - J sum_i S_i . (c+_i sigma c_i).

    ========== ================ =====================================================================
    symbol     argument         meaning
    ========== ================ =====================================================================
    t_ij       ``hopping``      t_n of the bond's neighbour shell n (``hopping[n-1]``), or a function t(r)
                                of its length; every periodic image is its own bond
    lambda_ij  ``spin_orbit``   spin-orbit coupling, a real vector for each bond with lambda_ji = - lambda_ij:
                                one :class:`.SpinOrbit` or several, which add up; none by default
    delta_ij   ``disorder``     makes it (t_ij + i lambda_ij . sigma) (1 + delta_ij), a number drawn for each
                                bond; None for none
    J          ``exchange``     local exchange; sigma are Pauli matrices (no factor 1/2)
    S_i        ``spins``        (replica, site, 3) classical spins
    ========== ================ =====================================================================

    A shell that has spin-orbit coupling alone has t_n = 0. With spin-orbit coupling, E(S) stays the same under time
    reversal, E(-S) = E(S), and under operations of the lattice that turn the spins too; not if spins alone are turned.

    Units t_1 = 1. Orbital ``2 i + s`` is spin s (0 up, 1 down) on site i. A function of the length
    (:class:`.ExponentialHopping`) holds on all lattices. Neighbour shells are those of crystals; crystals
    with vacancies (:meth:`~sdgnn.lattice.Lattice.without`) have t_1 alone, between sites at the nearest-neighbour
    distance 1; on other free positions, UserError is raised. So it is on spin-orbit coupling that the lattice cannot
    have: with a function of the length, with vacancies and by anything but the direction of nearest neighbours.
    Source: Chern, Fan, Zhang, Zhang, arXiv:2602.18213.
    """

    def __init__(
        self,
        lattice: Lattice,
        hopping: Sequence[float] | ExponentialHopping | Mapping[str, Any] = (1.0,),
        exchange: float = 3.0,
        disorder: BondDisorder | Mapping[str, Any] | None = None,
        spin_orbit: SpinOrbit | Mapping[str, Any] | Sequence[Any] = (),
    ) -> None:
        self.hopping = as_hopping(hopping)
        self.disorder = as_disorder(disorder)
        self.spin_orbit = as_spin_orbit(spin_orbit)
        try:
            self.exchange = float(exchange)
        except (TypeError, ValueError) as error:
            raise UserError(f"exchange {exchange!r}", allowed="a number") from error
        if not np.isfinite(self.exchange):
            raise UserError(f"exchange {self.exchange}", allowed="finite hopping and a finite exchange")
        if not lattice.is_crystal and isinstance(self.hopping, tuple):
            _check_vacancies(lattice, len(self.hopping))
        self.lattice = lattice
        self._cell_vectors = self._checked_spin_orbit() if self.spin_orbit else None
        self._hoppings: dict[tuple[float, ...] | None, Tensor] = {}

    @property
    def n_orbitals(self) -> int:
        """Dimension of H: two spin orbitals per site."""
        return 2 * self.lattice.n_sites

    @property
    def has_spin_orbit(self) -> bool:
        """Whether hopping turns the electrons' spins."""
        return bool(self.spin_orbit)

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
            return self.lattice.bonds(self._shells)
        bonds = self.lattice.bonds_within(1.0)
        return replace(bonds, shell=np.zeros_like(bonds.shell))

    @property
    def _shells(self) -> int:
        """Neighbour shells in which electrons hop."""
        assert isinstance(self.hopping, tuple)
        return max(len(self.hopping), *[term.neighbours for term in self.spin_orbit], 1)

    def _checked_spin_orbit(self) -> Float[np.ndarray, "bond 3"]:
        """lambda_ij of the bonds of a single unit cell; of all bonds on free lattices."""
        if isinstance(self.hopping, ExponentialHopping):
            raise UserError("spin-orbit coupling with hopping that depends on the distance",
                            allowed="hopping by neighbour shell")  # fmt: skip
        if self.lattice.is_crystal:
            cell = self.lattice.resized(*[1] * self.lattice.dim)
            return spin_orbit_vectors(cell, cell.bonds(self._shells), self.spin_orbit)
        for term in self.spin_orbit:
            if term.neighbours > 1 or term.kind in ("own", "kane-mele"):
                raise UserError(
                    f"spin-orbit coupling {term} on {self.lattice!r}",
                    allowed="rashba, dresselhaus or radial between nearest neighbours of crystals with vacancies",
                )
        return spin_orbit_vectors(self.lattice, self.bonds, self.spin_orbit)

    @cached_property
    def spin_orbit_vectors(self) -> Float[np.ndarray, "bond 3"] | None:
        """(bond, 3) lambda_ij of each of :attr:`bonds`, disorder included; None without spin-orbit coupling."""
        if self._cell_vectors is None:
            return None
        repeated = np.tile(self._cell_vectors, (len(self.bonds) // len(self._cell_vectors), 1))
        return frozen(repeated if self.disorder is None else repeated * (1 + self.disorder.draw(self.bonds))[:, None])

    @cached_property
    def amplitudes(self) -> Float[np.ndarray, " bond"]:
        """(bond,) t_ij of each of :attr:`bonds`, disorder included; positive where H has -t_ij."""
        if isinstance(self.hopping, ExponentialHopping):
            amplitude = self.hopping(np.linalg.norm(self.bonds.vector, axis=1))
        else:
            amplitude = np.pad(self.hopping, (0, self._shells - len(self.hopping)))[self.bonds.shell]
        return frozen(amplitude if self.disorder is None else amplitude * (1 + self.disorder.draw(self.bonds)))

    @property
    def strengths(self) -> Float[np.ndarray, " bond"]:
        """(bond,) t_ij / t, with t the hopping of nearest neighbours, as networks take it."""
        self._refuse_spin_orbit("strengths of bonds")
        unit = self.hopping[0] if isinstance(self.hopping, tuple) else self.hopping.t
        if unit == 0:
            raise UserError("strengths of bonds without nearest-neighbour hopping", allowed="t that is not 0")
        return self.amplitudes / unit

    @cached_property
    def norms(self) -> Float[np.ndarray, " bond"]:
        """(bond,) |H_ij| = sqrt(t_ij^2 + |lambda_ij|^2), whatever the spin of the electron and the boundary phase."""
        if self.spin_orbit_vectors is None:
            return frozen(np.abs(self.amplitudes))
        return frozen(np.sqrt(self.amplitudes**2 + (self.spin_orbit_vectors**2).sum(1)))

    def hopping_matrix(self, twist: Sequence[float] | None = None) -> scipy.sparse.csr_array:
        """(site, site) spinless hopping part, with Bloch phases exp(i k . r_ij) on the bonds.

        ``twist`` holds the phase across the cell along each of its axes as a fraction of 2 pi; None means periodic.
        Raises UserError with spin-orbit coupling, where :meth:`orbital_matrix` has the hopping.
        """
        bonds, n = self.bonds, self.lattice.n_sites
        # a repeated pair (two images of one bond) is summed by the conversion
        hoppings = self.bond_hoppings(twist)
        return scipy.sparse.coo_array((hoppings, (bonds.source, bonds.target)), shape=(n, n)).tocsr()

    def orbital_matrix(self, twist: Sequence[float] | None = None) -> scipy.sparse.csr_array:
        """(orbital, orbital) hopping part between spin orbitals, complex128, with ``twist`` as above.

        Orbital 2 i + s is spin s on site i; without spin-orbit coupling, that is :meth:`hopping_matrix` for each spin.
        """
        return self.on_orbitals(self.bond_matrices(twist))

    def on_orbitals(self, blocks: Complex[np.ndarray, "bond 2 2"]) -> scipy.sparse.csr_array:
        """(orbital, orbital) matrix with one block between the spins of the ends of each bond, images summed."""
        spin = np.arange(2)
        row = np.broadcast_to((2 * self.bonds.source[:, None] + spin)[:, :, None], blocks.shape)
        column = np.broadcast_to((2 * self.bonds.target[:, None] + spin)[:, None, :], blocks.shape)
        matrix = scipy.sparse.coo_array((blocks.ravel(), (row.ravel(), column.ravel())), shape=(self.n_orbitals,) * 2)
        matrix = matrix.tocsr()
        matrix.eliminate_zeros()
        return matrix

    def bond_hoppings(
        self, twist: Sequence[float] | None = None
    ) -> Float[np.ndarray, " bond"] | Complex[np.ndarray, " bond"]:
        """(bond,) H_ij = -t_ij exp(i k . r_ij) of each bond, the same for both spins; real without ``twist``.

        Raises UserError with spin-orbit coupling, where :meth:`bond_matrices` has them.
        """
        self._refuse_spin_orbit("hopping without spin")
        return -self.amplitudes if twist is None else -self.amplitudes * self._phases(twist)

    def bond_matrices(self, twist: Sequence[float] | None = None) -> Complex[np.ndarray, "bond 2 2"]:
        """(bond, 2, 2) H_ij = -(t_ij + i lambda_ij . sigma) exp(i k . r_ij) of each bond from i to j."""
        matrices = -self.amplitudes[:, None, None] * np.eye(2, dtype=np.complex128)
        if self.spin_orbit_vectors is not None:
            matrices = matrices - 1j * np.einsum("bc,cst->bst", self.spin_orbit_vectors, PAULI)
        return matrices if twist is None else matrices * self._phases(twist)[:, None, None]

    def _phases(self, twist: Sequence[float]) -> Complex[np.ndarray, " bond"]:
        """exp(i k . r_ij) of each bond. Raises UserError unless there is one fraction of 2 pi for each axis."""
        if np.shape(twist) != (self.lattice.dim,):
            raise UserError(f"twist {twist}", allowed=f"{self.lattice.dim} fractions of 2 pi, one per cell axis")
        k = np.asarray(twist, dtype=np.float64) @ self.lattice.reciprocal
        return np.exp(1j * self.bonds.vector @ k)

    def _refuse_spin_orbit(self, what: str) -> None:
        """Raises UserError with spin-orbit coupling."""
        if self.has_spin_orbit:
            raise UserError(f"{what} of {self!r}", allowed="electrons without spin-orbit coupling")

    def _hopping(self, twist: Sequence[float] | None) -> Complex[Tensor, "orbital orbital"]:
        """:meth:`orbital_matrix` as a sparse tensor, built once for each twist."""
        key = None if twist is None else tuple(twist)
        if key not in self._hoppings:
            self._hoppings[key] = sparse_tensor(self.orbital_matrix(twist))
        return self._hoppings[key]

    def matrix(
        self, spins: Float[Tensor, "replica site 3"], twist: Sequence[float] | None = None
    ) -> Complex[Tensor, "replica orbital orbital"]:
        """Dense H(S), complex128."""
        hopping = self._hopping(twist).to(spins.device)
        replicas, n = len(spins), self.lattice.n_sites
        h = hopping.values().new_zeros(replicas, 2 * n, 2 * n)
        h[:, *hopping.indices()] = hopping.values()
        sites = torch.arange(n, device=spins.device)
        # indexing both sites puts their axis first
        exchange = self.exchange_blocks(spins.to(torch.float64)).transpose(0, 1)
        h.view(replicas, n, 2, n, 2)[:, sites, :, sites, :] += exchange
        return h

    def apply(
        self,
        spins: Float[Tensor, "replica site 3"],
        psi: Complex[Tensor, "replica site 2 vector"],
        twist: Sequence[float] | None = None,
    ) -> Complex[Tensor, "replica site 2 vector"]:
        """H(S) psi without forming H."""
        replicas, sites, _, vectors = psi.shape
        columns = psi.permute(1, 2, 0, 3).reshape(2 * sites, -1)
        hopped = self._hopping(twist).to(device=psi.device, dtype=psi.dtype) @ columns
        hopped = hopped.reshape(sites, 2, replicas, vectors).permute(2, 0, 1, 3)
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
        terms = [term.model_dump(mode="json", exclude_none=True) for term in self.spin_orbit]
        return {"hopping": hopping, "exchange": self.exchange, **disorder, **({"spin_orbit": terms} if terms else {})}

    @classmethod
    def from_dict(cls, lattice: Lattice, data: Mapping[str, Any]) -> SDModel:
        """The Hamiltonian that :meth:`to_dict` described, on ``lattice``. Raises UserError on other entries."""
        if {"hopping", "exchange"} <= data.keys() <= {"hopping", "exchange", "disorder", "spin_orbit"}:
            return cls(lattice, **data)
        raise UserError(
            f"a Hamiltonian of {', '.join(data) or 'nothing'}", allowed="hopping, exchange, disorder and spin_orbit"
        )

    def __repr__(self) -> str:
        if isinstance(self.hopping, tuple):
            hopping = str(list(self.hopping))
        else:
            hopping = f"{self.hopping.t:g} exp((1 - r) / {self.hopping.decay:g}) to {self.hopping.cutoff:g}"
        disorder = "" if self.disorder is None else f", {self.disorder.distribution} disorder {self.disorder.width:g}"
        terms = ", ".join(map(str, self.spin_orbit))
        spin_orbit = f", spin_orbit={terms}" if terms else ""
        return f"SDModel(hopping={hopping}{spin_orbit}{disorder}, exchange={self.exchange:g}) on {self.lattice!r}"


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
