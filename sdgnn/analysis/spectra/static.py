"""Structure factors of spins and of scalar fields on lattices, by fast Fourier transform."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.arrays import Numbers, as_tensor
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import frozen
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import nearest_image


def require_crystal(lattice: Lattice) -> tuple[int, ...]:
    """Unit cells along each primitive vector. Raises UserError on free lattices, which have no regular grid."""
    if lattice.shape is None:
        raise UserError(
            "a Fourier transform on a free lattice",
            allowed="crystals",
            fix="use structure_factor_at(values, lattice, q)",
        )
    return lattice.shape


def check_sites(given: Numbers, lattice: Lattice) -> Float[Tensor, "replica site *component"]:
    """``given`` as a tensor. Raises UserError unless (replica, site, ...) on ``lattice``, of one replica or more."""
    values = as_tensor(given, "values")
    if values.ndim < 2 or values.shape[1] != lattice.n_sites or len(values) == 0:
        raise UserError(
            f"values of shape {tuple(values.shape)}",
            allowed=f"(replica, {lattice.n_sites}, ...) for {lattice!r}, at least one replica",
        )
    return values


@lru_cache(maxsize=16)
def wave_vectors(lattice: Lattice, zones: int = 1) -> Float[np.ndarray, "q dim"]:
    """Wave vectors q that fit the periodic lattice, in the order of :func:`structure_factor`.

    q = sum_a m_a b_a with b_a the reciprocal vectors of the whole cell and 0 <= m_a < zones * shape_a (the last index
    fastest), folded into the Wigner-Seitz cell: for ``zones`` = 1 the first Brillouin zone. With a basis the structure
    factor is not periodic in the first zone; ``zones`` = n covers a zone n times as wide in each direction. Units:
    1 / nearest-neighbour distance. Read-only. Raises UserError on free lattices and for ``zones`` < 1.
    """
    shape = require_crystal(lattice)
    if zones < 1:
        raise UserError(f"zones = {zones}", allowed="whole numbers >= 1")
    whole = np.stack(np.meshgrid(*[np.arange(zones * n) for n in shape], indexing="ij"), axis=-1)
    grid = whole.reshape(-1, lattice.dim) @ lattice.reciprocal
    return frozen(nearest_image(grid, zones * lattice.reciprocal * np.array(shape)[:, None]))


def amplitudes(values: Numbers, lattice: Lattice, zones: int = 1) -> Complex[Tensor, "replica q *component"]:
    """A(q) = sum_i v_i exp(-i q . r_i) at :func:`wave_vectors` (q), by FFT, the phase of every basis site included."""
    values = check_sites(values, lattice)
    shape = require_crystal(lattice)
    replicas, components = values.shape[0], values.shape[2:]
    on_grid = values.reshape(replicas, *shape, lattice.n_basis, -1)
    axes = tuple(range(1, 1 + len(shape)))
    transformed = torch.fft.fftn(on_grid, dim=axes)
    if zones > 1:
        transformed = transformed.repeat(1, *[zones] * len(shape), 1, 1)
    transformed = transformed.reshape(replicas, -1, lattice.n_basis, max(1, math.prod(components)))
    phases = _basis_phases(lattice, zones).to(transformed)
    return torch.einsum("rqbc,qb->rqc", transformed, phases).reshape(replicas, -1, *components)


@lru_cache(maxsize=16)
def _basis_phases(lattice: Lattice, zones: int) -> Complex[Tensor, "q basis"]:
    """exp(-i q . d_b) of the basis sites at d_b."""
    assert lattice.basis is not None
    return torch.from_numpy(np.exp(-1j * wave_vectors(lattice, zones) @ lattice.basis.T))


def structure_factor(values: Numbers, lattice: Lattice, zones: int = 1) -> Float[Tensor, "replica q"]:
    """S(q) = (1/N) |sum_i v_i exp(-i q . r_i)|^2, summed over components, at :func:`wave_vectors`.

    values: (replica, site, 3) spins or (replica, site) a scalar field such as the chirality of each site. Returns
    (replica, q), without unit. With one site per cell, sum_q S(q) = sum_i |v_i|^2 (= N for spins). With a basis whose
    positions are whole multiples of primitive vectors / ``zones`` (honeycomb 3, kagome 2),
    sum_q S(q) = zones^dim sum_i |v_i|^2 / n_basis. Bragg peaks grow as N. Raises UserError on free lattices.
    """
    amplitude = amplitudes(values, lattice, zones)
    return amplitude.abs().square().reshape(*amplitude.shape[:2], -1).sum(-1) / lattice.n_sites


def structure_factor_at(values: Numbers, lattice: Lattice, q: Float[np.ndarray, "q dim"]) -> Float[Tensor, "replica q"]:
    """S(q) as in :func:`structure_factor` at any wave vectors (q, dim), by direct summation; free lattices too.

    On a periodic cell only combinations of ``lattice.reciprocal`` are free of boundary effects. Cost: sites times
    wave vectors.
    """
    values = check_sites(values, lattice)
    phase = torch.from_numpy(lattice.positions @ q.T).to(values.device)
    flat = values.reshape(*values.shape[:2], -1)
    real = torch.einsum("rsc,sq->rqc", flat, phase.cos().to(values.dtype))
    imaginary = torch.einsum("rsc,sq->rqc", flat, phase.sin().to(values.dtype))
    return (real.square() + imaginary.square()).sum(-1) / lattice.n_sites


def distance_to_peaks(
    q: Float[np.ndarray, "q dim"], lattice: Lattice, peaks: Float[np.ndarray, "peak dim"]
) -> Float[np.ndarray, " q"]:
    """|q - Q| to the nearest of the wave vectors ``peaks`` (peak, dim), modulo reciprocal lattice vectors."""
    shape = require_crystal(lattice)
    reciprocal = lattice.reciprocal * np.array(shape)[:, None]
    distances = [np.linalg.norm(nearest_image(q - peak, reciprocal), axis=1) for peak in peaks]
    return np.min(distances, axis=0)


def radial_average(
    factor: Float[Tensor, "replica q"],
    lattice: Lattice,
    peaks: Float[np.ndarray, "peak dim"] | None = None,
    width: float | None = None,
) -> tuple[Float[Tensor, " bin"], Float[Tensor, "replica bin"]]:
    """Mean of S(q) over shells of equal distance |q - Q| from the nearest of ``peaks`` (default: q = 0).

    factor: from :func:`structure_factor` with one zone; width: of a shell, by default the smallest distance between
    wave vectors of the lattice. Returns the mean distance in each shell that is not empty, and the mean of S(q) there.
    """
    q = wave_vectors(lattice)
    peaks = np.zeros((1, lattice.dim)) if peaks is None else peaks
    distance = distance_to_peaks(q, lattice, peaks)
    if width is None:
        width = float(np.linalg.norm(lattice.reciprocal, axis=1).min())
    return binned_mean(torch.from_numpy(distance), factor, width)


def binned_mean(
    distance: Float[Tensor, " point"], values: Float[Tensor, "replica point"], width: float
) -> tuple[Float[Tensor, " bin"], Float[Tensor, "replica bin"]]:
    """Means of ``distance`` and ``values`` over bins ((k - 1/2) width, (k + 1/2) width], empty bins left out."""
    if not width > 0:
        raise UserError(f"bins of width {width}", allowed="a positive width")
    _, index = torch.unique(torch.ceil(distance / width - 0.5 - 1e-9), return_inverse=True)
    index = index.to(values.device)
    distance = distance.to(values)
    zero = torch.zeros(int(index.max()) + 1, dtype=values.dtype, device=values.device)
    count = zero.index_add(0, index, torch.ones_like(distance))
    sums = zero.expand(len(values), -1).index_add(1, index, values)
    return zero.index_add(0, index, distance) / count, sums / count
