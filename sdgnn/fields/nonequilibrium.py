"""Terms that are no gradients: a damping-like torque, the torque of a current, and exchange that is not mutual."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import finite
from sdgnn.common.errors import UserError
from sdgnn.fields.classical import Heisenberg
from sdgnn.fields.protocol import Field, Total, halo_of, on_lattice, part_of, unchanging
from sdgnn.fields.result import FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Lattice


@unchanging
class DampingLike(Field):
    """H_i = strength S_i x H'_i: spins relax towards the field H' (strength > 0) or are driven away from it (< 0).

    Add it to the field that they precess about,

        ExactField(model, kT=0.1, mu=-2.0) + DampingLike(ExactField(model, kT=0.1, mu=-1.0), strength=-0.5)

    for electrons of one chemical potential, pumped by electrons of another. With H' of the same bath it is Gilbert
    damping in Landau and Lifshitz's form. Where H' is odd under time reversal, H is even. No energy
    belongs to this torque; results say 0. Raises UserError on a strength that is not finite.
    """

    def __init__(self, towards: Field, strength: float) -> None:
        self.lattice = towards.lattice
        self.towards = towards
        self.strength = finite("strength of a damping-like torque", strength)

    @property
    def has_energy(self) -> bool:
        return False

    @property
    def made_of(self) -> tuple[Field, ...]:
        return (self.towards,)

    @property
    def halo(self) -> float | None:
        """Halo of the field that spins relax towards."""
        return halo_of(self.towards)

    def on(self, lattice: Lattice) -> DampingLike:
        """The torque on another lattice. Raises UserError where the field that spins relax towards has none."""
        return DampingLike(on_lattice(self.towards, lattice), self.strength)

    def part(self, lattice: Lattice, own: slice, total: Total) -> DampingLike:
        """The torque on a part of the crystal."""
        return DampingLike(part_of(self.towards, lattice, own, total), self.strength)

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        result = self.towards.evaluate(spins, time)
        field = self.strength * torch.linalg.cross(spins.to(result.field), result.field)
        return FieldResult(torch.zeros_like(result.energy), field)

    def __repr__(self) -> str:
        return f"DampingLike(strength={self.strength:g}, towards={self.towards!r})"


@unchanging
class Alignment(SiteSum):
    """H_i = coupling |M_i|^2 M_i with M_i = sum_j S_j / z over the z nearest neighbours: agreement counts twice.

    How strongly i listens to j depends on the surroundings of i, how strongly j listens to i on those of j: exchange
    that is not mutual, hence no gradient, though odd under time reversal as fields in equilibrium are. (On exchange
    that is not reciprocal: M. Fruchart, R. Hanai, P. B. Littlewood and V. Vitelli, Nature 592, 363 (2021),
    doi:10.1038/s41586-021-03375-9.) No energy belongs to this field; results say 0. Crystals only. Raises UserError on
    a coupling that is not finite.
    """

    def __init__(self, lattice: Lattice, coupling: float) -> None:
        self.lattice = lattice
        self.coupling = finite("coupling", coupling)
        self._mean = Heisenberg(lattice, [lattice.n_sites / len(lattice.bonds(1))])
        self.halo = self._mean.halo

    @property
    def has_energy(self) -> bool:
        return False

    def on(self, lattice: Lattice) -> Alignment:
        return Alignment(lattice, self.coupling)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        mean = self._mean.evaluate(spins, time).field
        field = self.coupling * mean.square().sum(-1, keepdim=True) * mean
        return spins.new_zeros(spins.shape[:2]), field

    def __repr__(self) -> str:
        return f"Alignment(coupling={self.coupling:g}) on {self.lattice!r}"


@unchanging
class SpinTransfer(SiteSum):
    """H_i = -S_i x D_i - beta D_i with D = (u . grad) S, so that spins obey dS/dt = -D + beta S x D + other torques.

    ``drift`` u, in nearest-neighbour distances per hbar / t, carries the texture along; ``beta`` is the non-adiabatic
    part. On the lattice D_i = (dim / z) sum_j (u . e_ij) S_j, over the z bonds e_ij from i to its nearest neighbours. A
    current is a direction of the lattice that time reversal turns round, so this field breaks the point group and, at
    fixed u, time reversal. No energy belongs to this field; results say 0. With Gilbert damping alpha: S. Zhang and Z.
    Li, Phys. Rev. Lett. 93, 127204 (2004), doi:10.1103/PhysRevLett.93.127204.

    Raises UserError on a drift that is not one finite number for each dimension, a beta that is not finite, and
    lattices on which the bonds of a site do not span all directions evenly.
    """

    def __init__(self, lattice: Lattice, drift: Sequence[float], beta: float = 0.0) -> None:
        self.lattice, self.drift, self.beta = lattice, tuple(map(float, drift)), float(beta)
        if len(self.drift) != lattice.dim or not np.isfinite([*self.drift, self.beta]).all():
            raise UserError(f"drift {drift} with beta {beta}", allowed=f"{lattice.dim} finite numbers and a finite one")
        bonds = lattice.bonds(1)
        spread, total = np.zeros((lattice.n_sites, lattice.dim, lattice.dim)), np.zeros((lattice.n_sites, lattice.dim))
        np.add.at(spread, bonds.source, bonds.vector[:, :, None] * bonds.vector[:, None])
        np.add.at(total, bonds.source, bonds.vector)
        even = len(bonds) / lattice.n_sites / lattice.dim
        if np.abs(spread - even * np.eye(lattice.dim)).max() > 1e-6 or np.abs(total).max() > 1e-6:
            raise UserError(
                f"a gradient from the nearest neighbours on {lattice!r}",
                allowed="lattices on which they lie evenly around every site (chain, square, triangular, cubic, ...)",
            )
        self._source = torch.tensor(bonds.source, device="cpu")
        self._target = torch.tensor(bonds.target, device="cpu")
        self._weight = torch.from_numpy(bonds.vector @ np.array(self.drift) / even)

        self.halo = float(np.linalg.norm(bonds.vector, axis=1).max())

    @property
    def has_energy(self) -> bool:
        return False

    def on(self, lattice: Lattice) -> SpinTransfer:
        return SpinTransfer(lattice, self.drift, self.beta)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        weight, device = self._weight.to(spins), spins.device
        there = weight[:, None] * spins[:, self._target.to(device)]
        carried = torch.zeros_like(spins).index_add(1, self._source.to(device), there)
        field = -torch.linalg.cross(spins, carried) - self.beta * carried
        return spins.new_zeros(spins.shape[:2]), field

    def __repr__(self) -> str:
        return f"SpinTransfer(drift={self.drift}, beta={self.beta:g}) on {self.lattice!r}"
