"""Energies of the bonds, exact and by the kernel polynomial method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.electrons.densities import density_of_states
from sdgnn.electrons.ensemble import check_ensemble, check_twists, phases
from sdgnn.electrons.exact import eigenstates
from sdgnn.electrons.expansion import expansions_of
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.scaled import hopping_tables
from sdgnn.electrons.kpm.spectrum import Spectrum, blocks, check_moments, check_vectors, expanded
from sdgnn.fields import check_spins


def bond_energies(
    model: SDModel,
    spins: Numbers,
    kT: float,
    mu: float | None = None,
    filling: float | None = None,
    moments: int | None = None,
    vectors: int | None = None,
    seed: int = 0,
    twists: Sequence[int] | None = None,
) -> Float[Tensor, "replica bond"]:
    """E_ij = <c+_i H_ij c_j + h.c.> = -t_ij sum_s <c+_is c_js + h.c.> of each of ``model.bonds``, in t.

    With spin-orbit coupling H_ij = -(t_ij + i lambda_ij . sigma), whole.

    Bonds are listed from either end, with the same energy. Half of their sum is the kinetic energy; with the exchange
    energy it makes up <H> = 1/2 sum_b E_b - sum_i S_i . H_i, H_i = J <c+_i sigma c_i> the field.

    Without ``moments`` from all eigenstates. With them, from the columns f(H) r of the density matrix with probing
    vectors r, rho ~ sum_r f(H) |r><r|, f expanded as in :class:`~sdgnn.electrons.KPMField`, whose ``vectors`` (None
    for all unit vectors, without noise), ``seed``, ``filling``, ``mu`` and ``twists`` these are. The noise falls with
    the distance of sites of one colour, as the field's does.

        energies = sdgnn.electrons.bond_energies(model, spins, kT=0.05, filling=0.25)
        lengths = np.linalg.norm(model.bonds.vector, axis=1)  # of the same bonds

    Raises UserError as ExactField and KPMField do.
    """
    check_ensemble(kT, mu, filling)
    spins = check_spins(spins, model.lattice).to(torch.float64)
    counts = check_twists(twists, model.lattice.dim)
    hoppings = [torch.from_numpy(model.bond_matrices(phase)).to(spins.device) for phase in phases(counts)]
    energy = torch.zeros(len(spins), len(model.bonds), dtype=torch.float64, device=spins.device)
    if moments is None:
        for total, state in zip(energy, spins, strict=True):
            occupied, solved = eigenstates(model, state, counts, kT, mu, filling)
            for hopping, f, (_, states) in zip(hoppings, occupied.f[0].chunk(len(solved)), solved, strict=True):
                psi = states.reshape(1, -1, 2, states.shape[-1])
                total += _energies(model, hopping, f * psi, psi)[0]
        return energy / len(hoppings)
    check_moments(moments)
    if mu is None:
        assert filling is not None
        levels = (
            density_of_states(model, spins, moments, vectors, seed, counts).chemical_potential(kT, filling).tolist()
        )
    else:
        levels = [mu] * len(spins)
    spectrum = Spectrum.of(model, spins, hopping_tables(model, counts))
    c = np.stack([e.occupation(m) for e, m in zip(expansions_of(spectrum.bounds, kT, moments), levels, strict=True)])
    coefficients = torch.from_numpy(c).to(spins.device)
    probe = Probe.of(model.lattice, check_vectors(vectors), seed=seed)
    for twist, (hamiltonian, hopping) in enumerate(zip(spectrum.hamiltonians, hoppings, strict=True)):
        for psi in blocks(probe, twist, len(spins)):
            psi = psi.to(spins.device)
            energy += _energies(model, hopping, expanded(hamiltonian, coefficients, psi), psi)
    energy *= probe.weight / len(hoppings)
    return (energy + energy[:, model.bonds.reversed]) / 2


def _energies(model: SDModel, hopping: Tensor, rho: Tensor, vectors: Tensor) -> Float[Tensor, "replica bond"]:
    """2 Re tr H_ij rho_ji, for rho = sum_v |rho_v><v|: the two as (replica, site, 2, vector)."""
    source, target = (torch.tensor(end, device=rho.device) for end in (model.bonds.source, model.bonds.target))
    if not model.has_spin_orbit:
        products = [
            hopping[part, 0, 0] * (rho[:, target[part]] * vectors[:, source[part]].conj()).sum((2, 3))
            for part in torch.arange(len(source), device=rho.device).split(4096)
        ]
    else:
        products = [
            torch.einsum("bst,rbtv,rbsv->rb", hopping[part], rho[:, target[part]], vectors[:, source[part]].conj())
            for part in torch.arange(len(source), device=rho.device).split(4096)
        ]
    return 2 * torch.cat(products, dim=1).real
