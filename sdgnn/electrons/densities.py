"""Densities of states, of the whole lattice and of single sites, by the kernel polynomial method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.electrons.ensemble import check_ensemble, check_twists
from sdgnn.electrons.expansion import Expansion, expansions_of, jackson
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.recursion import chebyshev_moments
from sdgnn.electrons.kpm.scaled import hopping_tables
from sdgnn.electrons.kpm.spectrum import Spectrum, blocks, check_moments, check_vectors
from sdgnn.fields import check_spins


@dataclass(frozen=True)
class DensityOfStates:
    """D(e) = sum_n w_n delta(e - e_n) of each state, or of each of its sites, from Chebyshev moments.

        D(e) = (g_0 mu_0 + 2 sum_{0<m<moments} g_m mu_m T_m(x)) / (pi scale sqrt(1 - x^2)),   x = (e - centre) / scale

    with the Jackson kernel g_m: positive, its integral over e is the number of states, 2 per site, and a level looks
    like a Gaussian of width :attr:`resolution` (Weisse et al., Rev. Mod. Phys. 78, 275,
    doi:10.1103/RevModPhys.78.275). Source of the moments: :func:`density_of_states`, :func:`local_density_of_states`.
    """

    bounds: Float[Tensor, "replica 2"]
    """(replica, 2) lowest and highest energies, in t."""
    moments: Float[Tensor, "replica *site moment"]
    """(replica, moment) or (replica, site, moment): mu_m = sum_n w_n T_m(x_n), with mu_0 = 2."""

    __repr__ = one_line

    @property
    def resolution(self) -> Float[Tensor, " replica"]:
        """(replica,) pi scale / moments, the standard deviation of a level in the middle of the spectrum, in t."""
        return np.pi * (self.bounds[:, 1] - self.bounds[:, 0]) / (2 * self.moments.shape[-1])

    def energies(self, count: int) -> Float[Tensor, " energy"]:
        """``count`` energies, evenly spaced over the spectra of all states."""
        return torch.linspace(
            float(self.bounds[:, 0].min()), float(self.bounds[:, 1].max()), count, dtype=torch.float32, device="cpu"
        ).to(self.moments)

    def __call__(self, energies: Float[Tensor, " energy"]) -> Float[Tensor, "replica *site energy"]:
        """D(e) in states per t and site; zero outside of the bounds."""
        energies = torch.as_tensor(energies, device="cpu").to(self.moments)
        found = []
        for (low, high), moments in zip(self.bounds.tolist(), self.moments, strict=True):
            x = (2 * energies - low - high) / (high - low)
            inside = x.abs() < 1
            angle = torch.acos(x.clamp(-1, 1))
            m = torch.arange(moments.shape[-1], device="cpu").to(moments)
            kernel = torch.from_numpy(jackson(len(m))) * torch.where(m > 0, 2.0, 1.0)
            values = (kernel * moments) @ torch.cos(m[:, None] * angle)
            width = np.pi * (high - low) / 2 * (1 - x**2).clamp(min=0).sqrt()
            found.append(torch.where(inside, values / torch.where(inside, width, 1.0), 0.0))
        return torch.stack(found)

    def density(
        self, kT: float, mu: float | Sequence[float] | Float[Tensor, " replica"]
    ) -> Float[Tensor, " replica *site"]:
        """Electrons per site, in [0, 2]: the integral of f(e) D(e), expanded as kernel polynomial fields do."""
        given = torch.as_tensor(mu, dtype=torch.float64, device="cpu").expand(len(self.bounds)).tolist()
        for one in given:
            check_ensemble(kT, one, None)
        rows = [e.occupation(one) for e, one in zip(self._expansions(kT), given, strict=True)]
        return torch.stack([m @ torch.from_numpy(row) for m, row in zip(self.moments, rows, strict=True)])

    def chemical_potential(self, kT: float, filling: float) -> Float[Tensor, " replica"]:
        """mu (replica,) at which the mean of :meth:`density` is 2 ``filling``.

        From the same moments, :class:`~sdgnn.electrons.KPMField` finds the same mu.
        """
        check_ensemble(kT, None, filling)
        moments = self.moments.reshape(len(self.bounds), -1, self.moments.shape[-1]).mean(1).numpy()
        found = [e.chemical_potential(m, filling) for e, m in zip(self._expansions(kT), moments, strict=True)]
        return torch.tensor(found, dtype=torch.float64, device="cpu")

    def _expansions(self, kT: float) -> list[Expansion]:
        return expansions_of(self.bounds, kT, self.moments.shape[-1])


def density_of_states(
    model: SDModel,
    spins: Numbers,
    moments: int = 512,
    vectors: int | None = None,
    seed: int = 0,
    twists: Sequence[int] | None = None,
) -> DensityOfStates:
    """D(e) per site, from the trace over ``vectors`` probing vectors (None for the full trace, which has no noise).

        states = sdgnn.electrons.density_of_states(model, spins, moments=256, vectors=72)
        energies = states.energies(400)
        print(states(energies), states.chemical_potential(kT=0.05, filling=0.25))

    ``vectors``, ``seed`` and ``twists`` as in :class:`~sdgnn.electrons.KPMField`. Raises UserError on spins that do
    not fit the lattice, and on numbers of moments, vectors or twists out of range.
    """
    spins = check_spins(spins, model.lattice)
    check_moments(moments)
    probe = Probe.of(model.lattice, check_vectors(vectors), seed=seed)
    counts = check_twists(twists, model.lattice.dim)
    spectrum = Spectrum.of(model, spins, hopping_tables(model, counts))
    total = torch.zeros(len(spins), moments, dtype=torch.float64, device="cpu")
    for twist, hamiltonian in enumerate(spectrum.hamiltonians):
        for psi in blocks(probe, twist, len(spins)):
            total += chebyshev_moments(hamiltonian, psi, moments).sum(-1).cpu()
    share = probe.weight / (len(spectrum.hamiltonians) * model.lattice.n_sites)
    return DensityOfStates(spectrum.bounds, share * total)


def local_density_of_states(
    model: SDModel,
    spins: Numbers,
    sites: Sequence[int],
    moments: int = 512,
    twists: Sequence[int] | None = None,
) -> DensityOfStates:
    """D_i(e) = sum_n |<i|n>|^2 delta(e - e_n), both spins together, of each of the ``sites``, without noise.

        local = sdgnn.electrons.local_density_of_states(model, spins, sites=[0, 7])
        print(local.resolution, local(local.energies(400)).shape)  # (replica, site, energy)

    Raises UserError as :func:`density_of_states` does, and on indices that name no site.
    """
    spins = check_spins(spins, model.lattice)
    check_moments(moments)
    n = model.lattice.n_sites
    chosen = [int(site) for site in sites]
    if not chosen or not all(0 <= site < n for site in chosen):
        raise UserError(f"sites {chosen}", allowed=f"one or more from 0 to {n - 1}")
    counts = check_twists(twists, model.lattice.dim)
    spectrum = Spectrum.of(model, spins, hopping_tables(model, counts))
    found = torch.zeros(len(spins), len(chosen), moments, dtype=torch.float64, device="cpu")
    for k, site in enumerate(chosen):
        unit = torch.zeros(1, n, 2, 2, dtype=torch.complex128, device="cpu")
        unit[0, site] = torch.eye(2, dtype=torch.float32, device="cpu")
        psi = unit.expand(len(spins), -1, -1, -1)
        for hamiltonian in spectrum.hamiltonians:
            found[:, k] += chebyshev_moments(hamiltonian, psi, moments).sum(-1).cpu()
    return DensityOfStates(spectrum.bounds, found / len(spectrum.hamiltonians))
