"""Scalar chirality S_i . (S_j x S_k) on the triangles of a lattice."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.fields.protocol import check_spins
from sdgnn.lattice import Lattice


def triangle_sites(lattice: Lattice) -> Int[Tensor, "triangle 3"]:
    """``lattice.triangles`` as a tensor. Raises UserError unless the lattice is two-dimensional."""
    return torch.tensor(lattice.triangles, device="cpu")


def corner_spins(
    spins: Numbers, lattice: Lattice
) -> tuple[
    Float[Tensor, "replica triangle 3"], Float[Tensor, "replica triangle 3"], Float[Tensor, "replica triangle 3"]
]:
    """Spins at the first, second and third corner of every triangle."""
    spins = check_spins(spins, lattice)
    a, b, c = triangle_sites(lattice).to(spins.device).unbind(-1)
    return spins[:, a], spins[:, b], spins[:, c]


def triple_product(
    a: Float[Tensor, "*batch 3"], b: Float[Tensor, "*batch 3"], c: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch"]:
    """a . (b x c)."""
    return (a * torch.linalg.cross(b, c)).sum(-1)


def scalar_chirality(spins: Numbers, lattice: Lattice) -> Float[Tensor, "replica triangle"]:
    """chi = S_i . (S_j x S_k) for every triangle of ``lattice.triangles``, its sites counter-clockwise::

        spins = sdgnn.spins.tetrahedral(lattice)
        sdgnn.analysis.scalar_chirality(spins, lattice).abs()  # 0.7698 everywhere

    Returns (replica, triangle), between -1 and 1; +-4 / (3 sqrt(3)) = +-0.7698 in tetrahedral order. The triangles are
    a Delaunay triangulation: on the triangular lattice the elementary ones, on square plaquettes and on the hexagons
    of kagome and honeycomb the polygon is cut into triangles in the same way in every cell. Invariant under global
    rotations of the spins, odd under time reversal S -> -S. Raises UserError unless two-dimensional.
    """
    return triple_product(*corner_spins(spins, lattice))


def mean_chirality(spins: Numbers, lattice: Lattice) -> Float[Tensor, " replica"]:
    """Mean of the scalar chirality over all triangles, (replica,)."""
    return scalar_chirality(spins, lattice).mean(-1)


def mean_absolute_chirality(spins: Numbers, lattice: Lattice) -> Float[Tensor, " replica"]:
    """Mean of |chi| over all triangles, (replica,): measures chiral order whatever the sign of the domains."""
    return scalar_chirality(spins, lattice).abs().mean(-1)


def site_chirality(spins: Numbers, lattice: Lattice) -> Float[Tensor, "replica site"]:
    """Mean scalar chirality of the triangles that meet at each site, (replica, site): the map used for domains."""
    chirality = scalar_chirality(spins, lattice)
    corners = triangle_sites(lattice).to(chirality.device)
    total = chirality.new_zeros(len(chirality), lattice.n_sites)
    for corner in corners.unbind(-1):
        total = total.index_add(1, corner, chirality)
    count = torch.bincount(corners.flatten(), minlength=lattice.n_sites)
    return total / count
