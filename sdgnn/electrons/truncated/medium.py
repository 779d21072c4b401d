"""Electrons among random spins: their coherent medium, its chemical potential and couplings of pairs of spins in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from jaxtyping import Complex, Float

from sdgnn.common.errors import UserError
from sdgnn.electrons.bands import band, bloch_matrices
from sdgnn.electrons.hamiltonian import SDModel

MESH = {1: 1125, 2: 125, 3: 45}
"""Momenta along each axis, by dimension; odd, so that each displacement has its opposite."""

COLDEST = 0.01
"""kT below which electrons count as that warm: colder ones couple spins beyond what the mesh holds."""

HIGHEST = 8.0
"""Largest Matsubara frequency, in half widths of the spectrum: sums over G^2 G^2 have converged as its third power."""

CONVERGED, ITERATIONS = 1e-10, 2000
"""Change of the self-energy, in t, at which its iteration ends, and steps after which it ends anyway."""

LADDER = 1 / 3
"""-<(n.s)(m.s)(n.s)> = m.s / 3, averaged over random n: what a spin between two others passes on, reversed."""


@dataclass(frozen=True)
class Medium:
    """Electrons among spins S_i that are random and independent, averaged over them (coherent potential).

    With z = mu + i w_n, w_n = (2n + 1) pi kT, and H_k the hopping between sublattices at momentum k::

        G(k) = 1 / (z - Sigma - H_k),    Sigma = J^2 g,    1/g = 1/G_ii + Sigma,

    where G_ii is the mean of G(k) over momenta and sublattices: a site of the medium whose Sigma is replaced by
    -J S_i . sigma scatters by the matrix t_i = -J (1 - J^2 g^2) S_i . sigma, zero on average (Soven, Phys. Rev. 156,
    809, doi:10.1103/PhysRev.156.809; for local moments Gyorffy et al., J. Phys. F 15, 1337,
    doi:10.1088/0305-4608/15/6/018). For J -> 0, Sigma = 0 and t_i = -J S_i . sigma.

    Crystals without disorder whose sublattices are equivalent, so that one Sigma is that of all of them, and electrons
    without spin-orbit coupling, which would make couplings of pairs matrices; others raise UserError.
    """

    model: SDModel
    kT: float
    """Electrons' temperature, in t."""

    def __post_init__(self) -> None:
        model, lattice = self.model, self.model.lattice
        if not model.is_uniform:
            raise UserError(
                f"the medium of random spins of {model!r}", allowed="crystals without disorder of their bonds"
            )
        if model.has_spin_orbit:
            raise UserError(f"the medium of random spins of {model!r}", allowed="electrons without spin-orbit coupling")
        small = lattice.resized(*[4] * lattice.dim)
        reached = {int(operation.sites[0]) % lattice.n_basis for operation in small.point_group}
        if len(reached) < lattice.n_basis:
            raise UserError(
                f"the medium of random spins on {lattice!r}", allowed="crystals whose sublattices are equivalent"
            )

    @property
    def mesh(self) -> tuple[int, ...]:
        """Momenta along each axis."""
        return (MESH[self.model.lattice.dim],) * self.model.lattice.dim

    def chemical_potential(self, filling: float) -> float:
        """mu at which the medium holds 2 ``filling`` electrons per site; infinite for none and for all of them."""
        if not 0 < filling < 1:
            return math.copysign(math.inf, filling - 0.5)
        levels, weights = self._levels()
        centre, margin = float(weights @ levels), 2 * self._scale + 40 * self._warm
        return scipy.optimize.brentq(
            lambda mu: self._filling(mu, levels, weights) - filling, centre - margin, centre + margin, xtol=1e-7
        )

    def couplings(self, mu: float) -> Float[np.ndarray, "*cell n_basis n_basis"]:
        """K(d)_ab of spin a of a cell with spin b of the cell d away, d modulo the mesh; E = -1/2 sum K_ij S_i . S_j.

        Pairs of electrons go from one spin to the other and back, past others that both see::

            K(q) = -2 kT sum_n T_n P_n(q) / (1 + T_n P_n(q) / 3),    T_n = J^2 (1 - J^2 g^2)^2,

        with P_n(d)_ab = G_ab(d) G_ba(-d), none for a site with itself (generalised perturbation method: Ducastelle and
        Gautier, J. Phys. F 6, 2039, doi:10.1088/0305-4608/6/11/005; with the vertex corrections of Velicky, Phys. Rev.
        184, 614, doi:10.1103/PhysRev.184.614, for which the mean over a spin between them is -1/3). For J -> 0 this is
        2 J^2 times the susceptibility of free electrons (Ruderman and Kittel, Phys. Rev. 96, 99,
        doi:10.1103/PhysRev.96.99).
        """
        axes = tuple(range(len(self.mesh)))
        identity = np.eye(self.model.lattice.n_basis)
        opposite = tuple(np.ix_(*[-np.arange(n) % n for n in self.mesh]))
        here: Any = (*(0,) * len(self.mesh), *np.diag_indices(len(identity)))
        hopping = bloch_matrices(self.model, self.mesh)
        total = np.zeros(hopping.shape, dtype=np.complex128)
        if math.isfinite(mu):
            z = mu + 1j * self._frequencies()
            sigma, local = self._self_energy(z, *self._levels())
            bath = 1 / (1 / local + sigma)
            strength = (self.model.exchange * (1 - (self.model.exchange * bath) ** 2)) ** 2
            for moved, t in zip(z - sigma, strength, strict=True):
                green = np.fft.ifftn(_inverse(moved * identity - hopping), axes=axes)
                pair = green * green[opposite].swapaxes(-1, -2)
                pair[here] = 0
                pair = t * np.fft.fftn(pair, axes=axes)
                total += pair @ _inverse(identity + LADDER * pair)
        found = -4 * self._warm * np.fft.ifftn(total, axes=axes).real
        found[here] = 0
        return found

    @property
    def _warm(self) -> float:
        return max(self.kT, COLDEST)

    @property
    def _scale(self) -> float:
        """Half the width of the spectrum."""
        lowest, highest = band(self.model)
        return (highest - lowest) / 2 + abs(self.model.exchange)

    def _frequencies(self) -> Float[np.ndarray, " frequency"]:
        count = math.ceil(HIGHEST * self._scale / (2 * math.pi * self._warm))
        return (2 * np.arange(count) + 1) * math.pi * self._warm

    def _levels(self) -> tuple[Float[np.ndarray, " level"], Float[np.ndarray, " level"]]:
        """Different levels of the hopping, and the share of each."""
        hopping = bloch_matrices(self.model, self.mesh)
        single = hopping.shape[-1] == 1
        levels, counts = np.unique(
            np.round(hopping.real.ravel() if single else np.linalg.eigvalsh(hopping).ravel(), 7), return_counts=True
        )
        return levels, counts / counts.sum()

    def _self_energy(
        self, z: Complex[np.ndarray, " frequency"], levels: np.ndarray, weights: np.ndarray
    ) -> tuple[Complex[np.ndarray, " frequency"], Complex[np.ndarray, " frequency"]]:
        """Sigma and G_ii, from half-damped iteration."""
        square = self.model.exchange**2
        sigma = square / z
        local = np.empty_like(sigma)
        going = np.arange(len(z))
        for _ in range(ITERATIONS):
            local[going] = (1 / ((z - sigma)[going, None] - levels)) @ weights
            new = square / (1 / local[going] + sigma[going])
            change = np.abs(new - sigma[going])
            sigma[going] = (sigma[going] + new) / 2
            going = going[change > CONVERGED]
            if not len(going):
                break
        return sigma, local

    def _filling(self, mu: float, levels: np.ndarray, weights: np.ndarray) -> float:
        """1/2 + 2 kT sum_n Re G_ii; beyond the largest frequency Re G_ii = (mu - mean level) / w^2."""
        frequencies = self._frequencies()
        _, local = self._self_energy(mu + 1j * frequencies, levels, weights)
        beyond = 2 * math.pi * self._warm * len(frequencies)
        tail = (mu - float(weights @ levels)) / (math.pi * beyond)
        return 0.5 + 2 * self._warm * float(local.real.sum()) + tail


def _inverse(matrices: Complex[np.ndarray, "*cell n n"]) -> Complex[np.ndarray, "*cell n n"]:
    """Inverses of small matrices."""
    return 1 / matrices if matrices.shape[-1] == 1 else np.linalg.inv(matrices)
