"""Electrons that lag behind moving spins: the exact field of the s-d model to first order in the spins' speed."""

from __future__ import annotations

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.electrons.filling import grand_potential, occupation
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

CLOSE = 1e-6
"""Levels closer than this (in units of t) count as equal in (f_n - f_m) / (e_n - e_m)."""


class LaggingElectrons(Field):
    """H_i = J Tr[(rho_eq + rho_1) sigma_i]: electrons that relax at a finite rate to equilibrium with the spins.

    With electrons that obey d rho / dt = -i [H, rho] - rate (rho - rho_eq(S)), and rho_eq that of kT and mu for the
    spins as they are, the part of first order in dS/dt is, between eigenstates n and m of H(S),

        rho_1,nm = - (f_n - f_m) / (e_n - e_m) <n| dH/dt |m> / (rate + i (e_n - e_m)),

    with f' where e_n = e_m, dH/dt = -J sum_i dS_i/dt . sigma_i, and dS/dt = -S x H_eq, precession in the field
    H_eq of rho_eq. The real part of the last factor dissipates (Gilbert damping that depends on the texture and couples
    sites) and makes a field that is even under time reversal, the imaginary part a Berry-curvature field that is odd.
    Damping from electrons of first order in the spins' speed: S. Bhattacharjee, L. Nordstroem and J. Fransson,
    Phys. Rev. Lett. 108, 057204 (2012), doi:10.1103/PhysRevLett.108.057204. Holds where spins turn slowly against
    ``rate`` (in t / hbar).

        field = sdgnn.electrons.LaggingElectrons(model, kT=0.1, mu=-3.0, rate=0.3)

    The energy is the grand potential of the electrons in equilibrium, which this field is not the slope of. Float64.
    Raises UserError unless kT and rate are positive and mu is finite.
    """

    def __init__(self, model: SDModel, kT: float, mu: float, rate: float) -> None:
        for what, value in (("electron temperature kT", kT), ("relaxation rate", rate)):
            if not 0 < value < float("inf"):
                raise UserError(f"{what} {value}", allowed="a number > 0")
        if not abs(mu) < float("inf"):
            raise UserError(f"chemical potential {mu}", allowed="a finite number")
        self.model, self.lattice = model, model.lattice
        self.kT, self.mu, self.rate = float(kT), float(mu), float(rate)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        states = [self._one(state) for state in spins.to(torch.float64)]
        energy, field, density = (torch.stack(part) for part in zip(*states, strict=True))
        return FieldResult(energy, field, density, mu=energy.new_full((len(spins),), self.mu))

    @property
    def has_energy(self) -> bool:
        return False

    def on(self, lattice: Lattice) -> LaggingElectrons:
        """Field of these electrons on another lattice."""
        return LaggingElectrons(SDModel.from_dict(lattice, self.model.to_dict()), self.kT, self.mu, self.rate)

    def _one(self, spins: Float[Tensor, "site 3"]) -> tuple[Tensor, Tensor, Tensor]:
        """Energy, field (site, 3) and density (site,) of one state."""
        levels, states = torch.linalg.eigh(self.model.matrix(spins[None])[0])
        mu = levels.new_full((1,), self.mu)
        f = occupation(levels[None], mu, self.kT)[0]
        equilibrium = (states * f) @ states.mH
        velocity = -torch.linalg.cross(spins, self.model.exchange * polarisation(equilibrium))
        slope = states.mH @ torch.block_diag(*self.model.exchange_blocks(velocity[None])[0]) @ states
        gap = levels[:, None] - levels
        steepness = -(f * (1 - f)) / self.kT
        far = gap.abs() > CLOSE
        quotient = torch.where(far, (f[:, None] - f) / gap.where(far, 1.0), (steepness[:, None] + steepness) / 2)
        lag = states @ (-quotient * slope / (self.rate + 1j * gap)) @ states.mH
        density = equilibrium.diagonal().real.unflatten(0, (-1, 2)).sum(-1)
        field = self.model.exchange * polarisation(equilibrium + lag)
        return grand_potential(levels[None], mu, self.kT)[0], field, density

    def __repr__(self) -> str:
        return f"LaggingElectrons(kT={self.kT:g}, mu={self.mu:g}, rate={self.rate:g}) of {self.model!r}"


def polarisation(rho: Complex[Tensor, "orbital orbital"]) -> Float[Tensor, "site 3"]:
    """Tr[rho sigma_i] of a density matrix whose orbitals are up and down on each site."""
    up, down = torch.arange(0, len(rho), 2, device="cpu"), torch.arange(1, len(rho), 2, device="cpu")
    mixed = rho[down, up]
    return torch.stack([2 * mixed.real, 2 * mixed.imag, (rho[up, up] - rho[down, down]).real], dim=-1)
