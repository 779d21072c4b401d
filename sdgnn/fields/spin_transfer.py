"""The torque of an electric current on a texture, in the form of Zhang and Li."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import unchanging
from sdgnn.fields.schedules import Time
from sdgnn.fields.site_sums import BySite, SiteSum
from sdgnn.lattice import Lattice


@unchanging
class SpinTransfer(SiteSum):
    """H_i = -S_i x D_i - beta D_i with D = (u . grad) S, so that spins obey dS/dt = -D + beta S x D + other torques.

    ``drift`` u, in nearest-neighbour distances per hbar / t, carries the texture along; ``beta`` is the non-adiabatic
    part. On the lattice D_i = (dim / z) sum_j (u . e_ij) S_j, over the z bonds e_ij from i to its nearest neighbours. A
    current is a direction of the lattice that time reversal turns round, so this field breaks the point group and,
    at fixed u, time reversal. It has no energy; 0 stands for it. With Gilbert damping alpha: S. Zhang and Z. Li, Phys.
    Rev. Lett. 93, 127204 (2004), doi:10.1103/PhysRevLett.93.127204.

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
