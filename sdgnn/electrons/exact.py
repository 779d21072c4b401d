"""Exact effective field of the s-d model by diagonalising the electrons' Hamiltonian."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.electrons.ensemble import check_ensemble, check_twists, phases
from sdgnn.electrons.filling import Occupations, occupations
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field, FieldResult, check_spins
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice


class ExactField(Field):
    """H_i = J <c+_i sigma c_i> from all eigenstates, in float64.

    Give ``mu`` (energy is the grand potential Omega = -kT ln Xi) or ``filling`` = N_e / (2 N_sites) (energy is the
    Helmholtz energy F = Omega + mu N_e); the field is the same expression in both, at that mu. kT >= 0 is the
    electrons' temperature.

    ``twists=(n_1, n_2)`` averages over boundary phases 2 pi m_a / n_a across the cell. With the spins repeated, this is
    exactly the n_1 x n_2 times larger lattice, per cell, at the cost of n_1 n_2 small diagonalisations (Lin, Zong and
    Ceperley, Phys. Rev. E 64, 016702, doi:10.1103/PhysRevE.64.016702); one mu is common to all twists.

        exact = sdgnn.ExactField(model, kT=0.05, filling=0.25)
        result = exact(spins)  # energy, field, density, mu

    Raises UserError unless exactly one of mu and filling is given, kT >= 0 and filling is in [0, 1].
    """

    def __init__(
        self,
        model: SDModel,
        kT: float,
        mu: float | None = None,
        filling: float | None = None,
        twists: Sequence[int] | None = None,
    ) -> None:
        self.ensemble = check_ensemble(kT, mu, filling)
        self.kT, self.mu, self.filling = self.ensemble
        self.model = model
        self.lattice = model.lattice
        self.twists = check_twists(twists, model.lattice.dim)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        states = [self._one(spins[r].to(torch.float64)) for r in range(len(spins))]
        energy, field, density, mu = (torch.stack(part) for part in zip(*states, strict=True))
        return FieldResult(energy, field, density, mu)

    def on(self, lattice: Lattice) -> ExactField:
        """Field of these electrons, with these twists, on another lattice."""
        model = SDModel.from_dict(lattice, self.model.to_dict())
        return ExactField(model, self.kT, self.mu, self.filling, self.twists)

    def chemical_potential(self, spins: Numbers) -> Float[Tensor, " replica"]:
        """The given mu, or the one that gives the filling."""
        spins = check_spins(spins, self.lattice).to(torch.float64)
        levels = [torch.linalg.eigvalsh(self.model.matrix(spins, phase)) for phase in phases(self.twists)]
        return occupations(torch.cat(levels, dim=1), *self.ensemble).mu

    def _one(self, spins: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Energy, field (site, 3), density (site,) and mu of one state (site, 3), averaged over twists."""
        n = self.lattice.n_sites
        (mu, f, energy), solved = eigenstates(self.model, spins, self.twists, *self.ensemble)
        field, density = spins.new_zeros(n, 3), spins.new_zeros(n)
        for share, (_, states) in zip(f[0].chunk(len(solved)), solved, strict=True):
            up, down = states[0::2], states[1::2]
            mixed = (share * down * up.conj()).sum(-1)
            n_up, n_down = (share * up.abs() ** 2).sum(-1), (share * down.abs() ** 2).sum(-1)
            field += torch.stack([2 * mixed.real, 2 * mixed.imag, n_up - n_down], dim=-1)
            density += n_up + n_down
        return energy[0] / len(solved), self.model.exchange * field / len(solved), density / len(solved), mu[0]

    def __repr__(self) -> str:
        twists = f", twists={self.twists}" if max(self.twists) > 1 else ""
        return f"ExactField({self.ensemble}{twists}) of {self.model!r}"


def eigenstates(
    model: SDModel,
    spins: Float[Tensor, "site 3"],
    twists: Sequence[int],
    kT: float,
    mu: float | None,
    filling: float | None,
) -> tuple[Occupations, list[tuple[Float[Tensor, " level"], Complex[Tensor, "orbital level"]]]]:
    """Levels and eigenstates of H of one state with each twist, and how electrons fill the levels of all together."""
    solved = [tuple(torch.linalg.eigh(model.matrix(spins[None], phase)[0])) for phase in phases(twists)]
    return occupations(torch.cat([levels for levels, _ in solved])[None], kT, mu, filling), solved
