"""Hall and longitudinal conductivity: the Kubo formula, from all eigenstates and from double Chebyshev moments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.sparse
import scipy.special
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.electrons.densities import DensityOfStates
from sdgnn.electrons.ensemble import check_ensemble, check_twists, phases
from sdgnn.electrons.exact import eigenstates
from sdgnn.electrons.expansion import SMOOTH
from sdgnn.electrons.hamiltonian import SDModel, sparse_tensor
from sdgnn.electrons.kpm.field import GIBIBYTE
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.recursion import chebyshev_vectors
from sdgnn.electrons.kpm.scaled import ScaledHamiltonian, hopping_tables
from sdgnn.electrons.kpm.spectrum import Spectrum, blocks, check_moments, check_vectors
from sdgnn.fields import check_spins

CLOSE = 1e-4
"""Levels closer than this part of kT have the slope of the Fermi function between them, to 1e-8 of it."""


def velocities(model: SDModel, twist: Sequence[float] | None = None) -> tuple[scipy.sparse.csr_array, ...]:
    """v_a = i [H, r_a], of each axis a, as (orbital, orbital) matrices, in t times distance.

    (v_a)_ij = i H_ij (r_j - r_i)_a, a matrix between the spins of i and j, summed over the periodic images of a bond,
    so that v_a = dH(k)/dk_a; on crystals and on free lattices. Spin-orbit coupling is in H_ij and so in the velocity.
    ``twist`` as in :meth:`SDModel.orbital_matrix`.
    """
    hoppings = 1j * model.bond_matrices(twist)
    return tuple(model.on_orbitals(hoppings * step[:, None, None]) for step in model.bonds.vector.T)


def conductivity(
    model: SDModel,
    spins: Numbers,
    kT: float,
    mu: float | None = None,
    filling: float | None = None,
    broadening: float = 0.1,
    twists: Sequence[int] | None = None,
) -> Float[Tensor, "replica dim dim"]:
    """Static conductivity sigma_ab (current along a, electric field along b) from all eigenstates, in e^2/h.

        sigma_ab = (2 pi / V) Re sum_nm F(e_n, e_m) i <n|v_a|m><m|v_b|n> / (e_n - e_m + i eta)
        F(e, e') = (f(e) - f(e')) / (e' - e),   F(e, e) = -df/de

    with V the volume of the cell and hbar = 1: linear response to a field switched on as exp(eta t), without vertex
    corrections (Bastin et al., J. Phys. Chem. Solids 32, 1811, doi:10.1016/S0022-3697(71)80147-6). In d dimensions
    the unit is e^2/h times distance^(2 - d).

    ``broadening`` eta (in t) is the rate at which electrons forget: sigma_xx grows as 1/eta in an ideal metal, and
    means something on a finite lattice only while eta exceeds the spacing of levels. In a gap of width D, sigma_xy is
    the Chern number to about (eta/D)^2 once the lattice, or the number of ``twists``, is large; the sum over all
    boundary phases is what is quantised. kT, mu, filling and twists as in :class:`~sdgnn.electrons.ExactField`, but
    kT > 0.

        sigma = sdgnn.electrons.conductivity(model, spins, kT=0.03, filling=0.25, broadening=0.02, twists=(4, 4))

    Raises UserError as ExactField does, and where kT or broadening are not positive.
    """
    check_ensemble(kT, mu, filling)
    _check_widths(kT, broadening)
    spins = check_spins(spins, model.lattice).to(torch.float64)
    counts = check_twists(twists, model.lattice.dim)
    rows = []
    for state in spins:
        (fermi, *_), solved = eigenstates(model, state.cpu(), counts, kT, mu, filling)
        total = torch.zeros(model.lattice.dim, model.lattice.dim, dtype=torch.float64, device="cpu")
        for phase, (levels, states) in zip(phases(counts), solved, strict=True):
            currents = [_between(velocity, states) for velocity in velocities(model, phase)]
            weight = torch.from_numpy(_response(levels.numpy(), float(fermi), kT, broadening))
            for a, first in enumerate(currents):
                for b, second in enumerate(currents):
                    total[a, b] += (weight * first * second.T).real.sum()
        rows.append(total / len(solved))
    return 2 * math.pi / _volume(model) * torch.stack(rows)


@dataclass(frozen=True)
class ConductivityMoments:
    """mu_mn = Tr[v_a T_m(H~) v_b T_n(H~)] of each state: conductivities at any kT, mu and broadening.

    Double Chebyshev moments of Garcia, Covaci and Rappoport, Phys. Rev. Lett. 114, 116602,
    doi:10.1103/PhysRevLett.114.116602. See :func:`conductivity_moments`.
    """

    double: Complex[Tensor, "replica dim dim moment moment"]
    """(replica, dim, dim, moment, moment) mu_mn over the volume of the cell."""
    density_of_states: DensityOfStates
    """Density of states from the same vectors."""

    __repr__ = one_line

    def conductivity(
        self, kT: float, mu: float | None = None, filling: float | None = None, broadening: float = 0.1
    ) -> Float[Tensor, "replica dim dim"]:
        """sigma_ab of :func:`conductivity`, in e^2/h, with the sum over states as Re sum_mn C_mn mu_mn.

        C_mn are the Chebyshev coefficients of i F(e, e') / (e - e' + i eta) as a function of both energies, which is
        the integral over the energy of Kubo and Bastin done beforehand. They decay as exp(-w m / scale), where w is
        the smaller of eta and pi kT and scale half the width of the spectrum: what is left out falls alike, and no
        kernel is needed.

        Raises UserError as :func:`conductivity` does, and with too few moments for w: fewer than 2 scale / w.
        """
        check_ensemble(kT, mu, filling)
        _check_widths(kT, broadening)
        count = self.double.shape[-1]
        if mu is None:
            assert filling is not None
            levels = self.density_of_states.chemical_potential(kT, filling).tolist()
        else:
            levels = [mu] * len(self.double)
        found = []
        for (low, high), fermi, moments in zip(
            self.density_of_states.bounds.tolist(), levels, self.double, strict=True
        ):
            centre, scale = (low + high) / 2, (high - low) / 2
            needed = SMOOTH * scale / min(broadening, math.pi * kT)
            if count < needed:
                raise UserError(
                    f"{count} moments at kT = {kT:g} and a broadening of {broadening:g}",
                    allowed=f"at least {math.ceil(needed)} moments",
                    fix="a larger broadening or kT needs fewer",
                )
            nodes = centre + scale * np.cos(math.pi * (np.arange(2 * count) + 0.5) / (2 * count))
            c = scipy.fft.dctn(_response(nodes, fermi, kT, broadening), type=2)[:count, :count] / (2 * count) ** 2
            c[0] /= 2
            c[:, 0] /= 2
            # the response takes (e_n, e_m), the moments have v_a, m, v_b, n
            found.append(torch.einsum("nm,abmn->ab", torch.from_numpy(c), moments).real)
        return 2 * math.pi * torch.stack(found)


def conductivity_moments(
    model: SDModel,
    spins: Numbers,
    moments: int = 256,
    vectors: int | None = 32,
    seed: int = 0,
    twists: Sequence[int] | None = None,
    memory: float = GIBIBYTE,
) -> ConductivityMoments:
    """Double moments from <T_m v_a r | v_b T_n r> with probing vectors r (None for the full trace, without noise).

    The cost is that of dim^2 products of (moments x orbitals) matrices for each vector: linear in the sites, quadratic
    in the moments. ``memory`` bounds the bytes of the T_m v_a r and v_b T_n r that are kept at once; it must hold those
    of one vector. ``vectors``, ``seed`` and ``twists`` as in :class:`~sdgnn.electrons.KPMField`; the noise is relative
    to the scale of sigma_xx, and its size shows by trying other seeds.

        moments = sdgnn.electrons.conductivity_moments(model, spins, moments=512, vectors=64)
        sigma = moments.conductivity(kT=0.05, filling=0.25, broadening=0.1)  # (replica, dim, dim)

    Raises UserError on spins that do not fit, and on numbers out of range.
    """
    spins = check_spins(spins, model.lattice).to("cpu", torch.float64)
    check_moments(moments)
    dim, orbitals = model.lattice.dim, model.n_orbitals
    one = 2 * dim * moments * orbitals * 16
    if not memory >= one:
        raise UserError(f"memory of {memory:g} bytes", allowed=f"at least {one:g} for one vector")
    probe = Probe.of(model.lattice, check_vectors(vectors), seed=seed)
    counts = check_twists(twists, dim)
    spectrum = Spectrum.of(model, spins, hopping_tables(model, counts))
    double = torch.zeros(len(spins), dim, dim, moments, moments, dtype=torch.complex128, device="cpu")
    trace = torch.zeros(len(spins), moments, dtype=torch.float64, device="cpu")
    for twist, (phase, hamiltonian) in enumerate(zip(phases(counts), spectrum.hamiltonians, strict=True)):
        currents = [sparse_tensor(velocity) for velocity in velocities(model, phase)]
        for replica in range(len(spins)):
            scaled = hamiltonian.one(replica)
            for psi in blocks(probe, twist, 1, width=min(int(memory // one), 16)):
                start = psi.reshape(orbitals, -1)
                left = [_terms(scaled, (v @ start).reshape(psi.shape), moments) for v in currents]
                plain = _terms(scaled, psi, moments)
                trace[replica] += (plain @ psi.reshape(-1).conj()).real
                for b, v in enumerate(currents):
                    hopped = v @ plain.reshape(moments, orbitals, -1).transpose(0, 1).flatten(1)
                    right = hopped.reshape(orbitals, moments, -1).transpose(0, 1).flatten(1)
                    for a in range(dim):
                        double[replica, a, b] += left[a].conj() @ right.T
    share = probe.weight / len(spectrum.hamiltonians)
    states = DensityOfStates(spectrum.bounds, share / model.lattice.n_sites * trace)
    return ConductivityMoments(share / _volume(model) * double, states)


def _response(levels: np.ndarray, mu: float, kT: float, broadening: float) -> Complex[np.ndarray, "level level"]:
    """i F(e, e') / (e - e' + i eta) of all pairs of levels."""
    f = scipy.special.expit((mu - levels) / kT)
    difference = levels[:, None] - levels
    middle = scipy.special.expit((mu - (levels[:, None] + levels) / 2) / kT)
    close = np.abs(difference) < CLOSE * kT
    slope = np.where(close, middle * (1 - middle) / kT, (f - f[:, None]) / np.where(close, 1.0, difference))
    return 1j * slope / (difference + 1j * broadening)


def _terms(hamiltonian: ScaledHamiltonian, psi: Tensor, count: int) -> Complex[Tensor, "moment entry"]:
    """T_m psi of one state for m < ``count``, each flattened."""
    found = torch.empty(count, psi.numel(), dtype=torch.complex128, device="cpu")
    for row, vectors in zip(found, chebyshev_vectors(hamiltonian, psi), strict=False):
        row.copy_(vectors.reshape(-1))
    return found


def _between(velocity: scipy.sparse.csr_array, states: Complex[Tensor, "orbital level"]) -> Tensor:
    """<n|v|m> (level, level)."""
    return states.mH @ (sparse_tensor(velocity) @ states)


def _volume(model: SDModel) -> float:
    return abs(float(np.linalg.det(model.lattice.cell)))


def _check_widths(kT: float, broadening: float) -> None:
    """Raises UserError unless both are positive."""
    if not kT > 0:
        raise UserError(f"a conductivity at kT = {kT:g}", allowed="kT > 0")
    if not (broadening > 0 and math.isfinite(broadening)):
        raise UserError(f"broadening {broadening:g}", allowed="a positive energy, in t")
