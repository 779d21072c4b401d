"""Terms that are no gradients: a damping-like torque, and exchange that is not mutual."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

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
    damping in Landau and Lifshitz's form. Where H' is odd under time reversal, H is even. It has no energy; 0 stands
    for it. Raises UserError on a strength that is not finite.
    """

    def __init__(self, towards: Field, strength: float) -> None:
        self.lattice = towards.lattice
        self.towards = towards
        self.strength = _finite("strength of a damping-like torque", strength)

    @property
    def has_energy(self) -> bool:
        return False

    @property
    def made_of(self) -> tuple[Field, ...]:
        return (self.towards,)

    @property
    def halo(self) -> float | None:
        """As far as the field that spins relax towards."""
        return halo_of(self.towards)

    def on(self, lattice: Lattice) -> DampingLike:
        """The same torque on another lattice, where that field is there. Raises UserError."""
        return DampingLike(on_lattice(self.towards, lattice), self.strength)

    def part(self, lattice: Lattice, own: slice, total: Total) -> DampingLike:
        """The same on a part of the crystal."""
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
    doi:10.1038/s41586-021-03375-9.) It has no energy; 0 stands for it. Crystals only. Raises UserError on a coupling
    that is not finite.
    """

    def __init__(self, lattice: Lattice, coupling: float) -> None:
        self.lattice = lattice
        self.coupling = _finite("coupling", coupling)
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


def _finite(what: str, value: float) -> float:
    if not abs(float(value)) < float("inf"):
        raise UserError(f"{what} {value}", allowed="a finite number")
    return float(value)
