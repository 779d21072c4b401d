"""Orientation of domain walls, from the gradient of a smoothed map."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.analysis.spectra.static import amplitudes, wave_vectors
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


def smoothed_gradient(
    values: Float[Tensor, "replica site"], lattice: Lattice, width: float = 2.0
) -> Float[Tensor, "replica cell dim"]:
    """Gradient of ``values`` smoothed by exp(-r^2 / (2 w^2)), w = ``width``, at the origin of every unit cell; by FFT.

    Smoothing over less than about one nearest-neighbour distance shows the lattice's own directions. Raises UserError
    on free lattices and on a width that is not positive.
    """
    if not width > 0:
        raise UserError(f"smoothing over {width}", allowed="a positive width, in nearest-neighbour distances")
    amplitude = amplitudes(values, lattice)
    assert lattice.shape is not None
    q = torch.tensor(wave_vectors(lattice), device="cpu").to(values)
    damped = amplitude * torch.exp(-0.5 * width**2 * q.square().sum(-1)) / lattice.n_basis
    gradient = (1j * damped[..., None] * q).reshape(len(values), *lattice.shape, lattice.dim)
    in_space = torch.fft.ifftn(gradient, dim=tuple(range(1, 1 + len(lattice.shape)))).real
    return in_space.reshape(len(values), -1, lattice.dim)


def wall_orientations(
    values: Float[Tensor, "replica site"], lattice: Lattice, width: float = 2.0, bins: int = 36
) -> tuple[Float[np.ndarray, " bin"], Float[Tensor, "replica bin"]]:
    """Share of wall length by the direction of the wall's normal, relative to walls of all directions alike.

    Returns the middles of the bins, angles in [0, pi) from the x axis, and (replica, bin) densities of mean 1. Each
    cell counts with the modulus of :func:`smoothed_gradient`, whose integral across a wall is the jump there:
    ``values`` should be phases, such as the sign of ``site_chirality(spins, lattice)``. nan without walls. Two
    dimensions.
    """
    angle, weight = _normals(values, lattice, width)
    index = (torch.remainder(angle, math.pi) / math.pi * bins).long().clamp(max=bins - 1)
    sums = weight.new_zeros(len(weight), bins).scatter_add(1, index, weight)
    return (np.arange(bins) + 0.5) * math.pi / bins, sums * bins / sums.sum(-1, keepdim=True)


def wall_harmonic(
    values: Float[Tensor, "replica site"], lattice: Lattice, fold: int, width: float = 2.0
) -> Complex[Tensor, " replica"]:
    """<exp(i n a)> over the walls with a the angle of the normal and n = ``fold``, weighted as by their length.

    Zero for walls of all directions alike. On a lattice of n-fold symmetry the real part is positive where walls have
    their normals along x and its images, negative where they stand half-way between; ``fold`` is even.
    """
    if fold < 2 or fold % 2:
        raise UserError(f"a harmonic of fold {fold}", allowed="2, 4, 6, ...: a wall has no front")
    angle, weight = _normals(values, lattice, width)
    return (weight * torch.exp(1j * fold * angle)).sum(-1) / weight.sum(-1)


def _normals(
    values: Float[Tensor, "replica site"], lattice: Lattice, width: float
) -> tuple[Float[Tensor, "replica cell"], Float[Tensor, "replica cell"]]:
    """Angle and modulus of the smoothed gradient."""
    if lattice.dim != 2:
        raise UserError(f"wall orientations on a {lattice.dim}-dimensional lattice", allowed="two-dimensional lattices")
    x, y = smoothed_gradient(values, lattice, width).unbind(-1)
    return torch.atan2(y, x), torch.hypot(x, y)
