"""Heisenberg exchange that depends on distance, for lattices without neighbour shells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.fields.classical import BondSum
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Lattice


@unchanging
class DistanceHeisenberg(SiteSum):
    """E = - sum_<ij> J(r_ij) S_i . S_j, with field H_i = sum_j J(r_ij) S_j, on any lattice.

    J is linear between the values ``couplings`` (in units of t) at ``distances``, constant below the first of these,
    and 0 at ``cutoff`` and beyond. Every periodic image is its own bond. Raises UserError unless the distances increase
    up to the cutoff, with one finite coupling each.
    """

    def __init__(self, lattice: Lattice, distances: Sequence[float], couplings: Sequence[float], cutoff: float) -> None:
        self.lattice = lattice
        self.distances, self.couplings = tuple(map(float, distances)), tuple(map(float, couplings))
        self.halo = self.cutoff = float(cutoff)
        knots = np.array([0.0, *self.distances, self.cutoff])
        increase = bool((np.diff(knots) > 0).all()) and np.isfinite(knots).all()
        if not increase or len(self.couplings) != len(self.distances) or not np.isfinite(self.couplings).all():
            raise UserError(
                f"{len(self.couplings)} couplings at distances {list(self.distances)}, cutoff {self.cutoff:g}",
                allowed="distances that increase from above 0 to below the cutoff, one finite coupling for each",
            )
        bonds = lattice.bonds_within(self.cutoff)
        length = np.linalg.norm(bonds.vector, axis=1)
        values = np.interp(length, knots[1:], [*self.couplings, 0.0])
        self._sum = BondSum(bonds, values[:, None], lattice.n_sites)
        self.linear = self._sum.is_mutual

    def pairs(self) -> Int[np.ndarray, "pair 2"]:
        return self._sum.pairs()

    def on(self, lattice: Lattice) -> DistanceHeisenberg:
        return DistanceHeisenberg(lattice, self.distances, self.couplings, self.cutoff)

    def by_site(self, spins: Float[Tensor, "replica site 3"], time: Time) -> BySite:
        field = torch.zeros_like(spins)
        for neighbour, coupling in self._sum.columns(spins):
            field = field + coupling * neighbour
        return -0.5 * (spins * field).sum(2), field

    def __repr__(self) -> str:
        return f"DistanceHeisenberg({len(self.couplings)} couplings to {self.cutoff:g}) on {self.lattice!r}"
