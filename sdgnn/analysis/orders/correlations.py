"""Correlations in real space of spins and of scalar fields: by neighbour shell and by distance."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sdgnn.analysis.spectra.static import binned_mean, check_sites, require_crystal
from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import frozen
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import inner_radius, nearest_image


@lru_cache(maxsize=8)
def _shell_bonds(lattice: Lattice, shells: int) -> tuple[tuple[Int[Tensor, " bond"], Int[Tensor, " bond"]], ...]:
    """Sites at either end of the bonds of each shell."""
    bonds = lattice.bonds(shells)
    members = [bonds.shell == n for n in range(shells)]
    return tuple((torch.from_numpy(bonds.source[m]), torch.from_numpy(bonds.target[m])) for m in members)


def spin_correlation(spins: Numbers, lattice: Lattice, shells: int = 1) -> Float[Tensor, "replica shell"]:
    """<S_i . S_j>_n, the mean over all bonds of neighbour shell n = 1 ... ``shells`` of a crystal; (replica, shell).

    Takes spins (replica, site, 3) or any other field on the sites (replica, site). Raises UserError on free lattices.
    """
    spins = check_sites(spins, lattice)
    flat = spins.reshape(*spins.shape[:2], -1)
    means = []
    for source, target in _shell_bonds(lattice, shells):
        ends = flat[:, source.to(spins.device)], flat[:, target.to(spins.device)]
        means.append((ends[0] * ends[1]).sum(-1).mean(-1))
    return torch.stack(means, dim=-1)


@lru_cache(maxsize=8)
def displacements(lattice: Lattice) -> Float[np.ndarray, "displacement dim"]:
    """r_j - r_i of the entries of :func:`correlation`, each the shortest periodic image; read-only."""
    shape = require_crystal(lattice)
    assert lattice.basis is not None and lattice.vectors is not None
    cells = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, lattice.dim)
    between = lattice.basis[None, :] - lattice.basis[:, None]
    vectors = between[:, :, None] + (cells @ lattice.vectors)[None, None]
    return frozen(nearest_image(vectors.reshape(-1, lattice.dim), lattice.cell))


def correlation(values: Numbers, lattice: Lattice) -> Float[Tensor, "replica displacement"]:
    """C(r) = <v_i . v_j> over all pairs with r_j - r_i = r, by FFT, at :func:`displacements`; (replica, displacement).

    values: (replica, site, 3) spins or (replica, site) a scalar field. Displacements run over (basis b of i, basis b'
    of j, cell): n_basis^2 times the number of cells, so that mean(C) = |mean(v)|^2. No mean is subtracted.
    Raises UserError on free lattices.
    """
    values = check_sites(values, lattice)
    shape = require_crystal(lattice)
    axes = tuple(range(1, 1 + len(shape)))
    on_grid = values.reshape(values.shape[0], *shape, lattice.n_basis, -1)
    transformed = torch.fft.rfftn(on_grid, dim=axes)
    products = torch.einsum("r...bc,r...dc->rbd...", transformed.conj(), transformed)
    summed = torch.fft.irfftn(products, s=shape, dim=tuple(range(3, 3 + len(shape))))
    return summed.reshape(values.shape[0], -1) * (lattice.n_basis / lattice.n_sites)


def radial_correlation(
    values: Numbers,
    lattice: Lattice,
    order: Float[np.ndarray, "peak dim"] | None = None,
    width: float = 0.5,
) -> tuple[Float[Tensor, " distance"], Float[Tensor, "replica distance"]]:
    """C(r) as a function of distance, and for a modulated order its envelope f(r).

    ``order`` lists the wave vectors Q (peak, dim) of an order with C(r) = c(r) f(|r|), c(r) = mean_Q cos(Q . r): the
    Neel state on a square lattice has (pi, pi), 120 degrees on a triangular lattice K, tetrahedral order its three M
    points. In each bin of distances, f is the least-squares amplitude sum c C / sum c^2
    (bins where c vanishes are left out). By default Q = 0, c = 1 and
    f is the mean of C(r) over the bin.

    Returns the mean distances (distance,) of the bins, ``width`` wide (nearest-neighbour distances), up to half the
    shortest period of the cell, and the values (replica, distance), the first at distance 0.
    """
    vectors = displacements(lattice)
    distance = np.linalg.norm(vectors, axis=1)
    kept = np.flatnonzero(distance <= inner_radius(lattice.cell))
    modulation = np.ones(len(kept)) if order is None else np.cos(vectors[kept] @ order.T).mean(axis=1)
    pairs = correlation(values, lattice)
    chosen = pairs[:, torch.from_numpy(kept).to(pairs.device)]
    c = torch.from_numpy(modulation).to(pairs)
    r = torch.from_numpy(distance[kept])
    distances, projected = binned_mean(r, chosen * c, width)
    _, norm = binned_mean(r, (c * c)[None], width)
    seen = norm[0] > 1e-6
    return distances[seen], projected[:, seen] / norm[:, seen]


PARALLEL = 0.5
"""S_i . S_j above which a bond, or the mean of a site's bonds, counts as ferromagnetic."""


def parallel_bonds(spins: Numbers, lattice: Lattice) -> Float[Tensor, " replica"]:
    """Share of the nearest-neighbour bonds with S_i . S_j > :data:`PARALLEL`, (replica,).

    1/4 in random states, where S_i . S_j is uniform in [-1, 1]. Raises UserError on free lattices.
    """
    spins = check_sites(spins, lattice)
    _, products = _products(spins, lattice)
    return (products > PARALLEL).to(spins.dtype).mean(1)


def closest_neighbour(spins: Numbers, lattice: Lattice) -> Float[Tensor, "replica site"]:
    """max_j S_i . S_j over the nearest neighbours j of each site; (replica, site), -1 without neighbours.

    Raises UserError on free lattices.
    """
    spins = check_sites(spins, lattice)
    source, products = _products(spins, lattice)
    lowest = products.new_full((len(spins), lattice.n_sites), -1.0)
    return lowest.scatter_reduce(1, source.expand(len(spins), -1), products, "amax")


def parallel_sites(spins: Numbers, lattice: Lattice) -> Bool[Tensor, "replica site"]:
    """Sites with a neighbour j of S_i . S_j > :data:`PARALLEL`, (replica, site): those of ferromagnetic regions.

    A spin turned over in Neel order makes five on the square lattice. Regions are the clusters of such sites::

        marked = sdgnn.analysis.parallel_sites(spins, lattice)
        sdgnn.analysis.cluster_areas(marked.long(), sdgnn.analysis.site_graph(lattice), phase=1)  # largest first

    Raises UserError on free lattices.
    """
    return closest_neighbour(spins, lattice) > PARALLEL


def local_correlation(values: Numbers, lattice: Lattice) -> Float[Tensor, "replica site"]:
    """(1/z) sum_j S_i . S_j over the z nearest neighbours j of each site; (replica, site), 0 without neighbours.

    +1 within a ferromagnetic puddle, -1 in Neel order. Raises UserError on free lattices.
    """
    return _mean_of_bonds(check_sites(values, lattice), lattice)


def local_nematicity(values: Numbers, lattice: Lattice) -> Float[Tensor, "replica site"]:
    """(1/z) sum_j cos(2 theta_ij) S_i . S_j over the z nearest neighbours j, theta_ij the angle of the bond to x::

        stripes = sdgnn.analysis.local_nematicity(spins, sdgnn.Lattice.square(8, 8))

    On a square lattice half the difference between the mean S_i . S_j of the bonds along x and of those along y: +1
    where rows of parallel spins run along x, -1 where they run along y, the two orders that an antiferromagnetic second
    neighbour makes (Chandra, Coleman and Larkin, Phys. Rev. Lett. 64, 88 (1990), doi:10.1103/PhysRevLett.64.88); 0 in
    ferromagnetic and Neel order. On lattices of three or six bond directions the sign tells one of three nematic phases
    from the other two. Returns (replica, site). Raises UserError unless the lattice is a crystal in the plane.
    """
    values = check_sites(values, lattice)
    if lattice.dim != 2:
        raise UserError(f"directions of bonds on {lattice!r}", allowed="crystals in the plane")
    x, y = lattice.bonds(1).vector.T
    return _mean_of_bonds(values, lattice, torch.from_numpy((x**2 - y**2) / (x**2 + y**2)))


def _mean_of_bonds(
    values: Float[Tensor, "replica site *component"], lattice: Lattice, weight: Float[Tensor, " bond"] | None = None
) -> Float[Tensor, "replica site"]:
    """(1/z) sum_j w_ij v_i . v_j over the nearest neighbours, w = 1 by default; 0 without neighbours."""
    source, products = _products(values, lattice)
    if weight is not None:
        products = products * weight.to(products)
    count = torch.bincount(source, minlength=lattice.n_sites).clamp(min=1)
    return products.new_zeros(len(values), lattice.n_sites).index_add(1, source, products) / count


def _products(
    values: Float[Tensor, "replica site *component"], lattice: Lattice
) -> tuple[Int[Tensor, " bond"], Float[Tensor, "replica bond"]]:
    """First site i and v_i . v_j of each bond between nearest neighbours, both ways."""
    flat = values.reshape(*values.shape[:2], -1)
    ((source, target),) = _shell_bonds(lattice, 1)
    source, target = source.to(values.device), target.to(values.device)
    return source, (flat[:, source] * flat[:, target]).sum(-1)
