"""Domains that grow by known laws, written down without ``sdgnn``'s dynamics."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sdgnn import Lattice
from sdgnn.analysis import wave_vectors


def gaussian_field(lattice: Lattice, length: float, replicas: int, seed: int = 0, stretch: float = 1.0) -> Tensor:
    """Random field with C(r) = exp(-(x^2 / stretch^2 + y^2) / (2 length^2)); one site per cell."""
    q = wave_vectors(lattice) * np.array([stretch, 1.0])
    k = np.linalg.norm(q, axis=1).reshape(lattice.shape)
    noise = np.random.default_rng(seed).standard_normal((replicas, *lattice.shape))
    filtered = np.fft.ifftn(np.fft.fftn(noise, axes=(1, 2)) * np.exp(-(k**2) * length**2 / 4), axes=(1, 2)).real
    return torch.from_numpy(filtered.reshape(replicas, -1))


def glauber_chain(sites: int, replicas: int, times: list[int], seed: int = 0) -> Iterator[Tensor]:
    """Ising chain after a quench from infinite to zero temperature, heat bath on either half of the sites in turn.

    Each updated spin becomes the one to its left or right, so that s_i traces back to where a walker from i started: of
    variance 2 for every sweep. Two of them have met, and the spins agree, with the probability
    C(r, t) = erfc(r / sqrt(8 t)) (Glauber, J. Math. Phys. 4, 294 (1963), doi:10.1063/1.1703954, in our units of time).
    """
    generator = np.random.default_rng(seed)
    spins = generator.choice([-1, 1], size=(replicas, sites)).astype(np.int8)
    for sweep in range(times[-1] + 1):
        if sweep in times:
            yield torch.from_numpy(spins.copy())
        for half in (0, 1):
            side = generator.random((replicas, sites // 2)) < 0.5
            left, right = np.roll(spins, 1, axis=1)[:, half::2], np.roll(spins, -1, axis=1)[:, half::2]
            spins[:, half::2] = np.where(side, left, right)


def glauber_plane(size: int, replicas: int, times: list[int], seed: int = 0, kT: float = 0.0) -> Iterator[Tensor]:
    """Ising model on a square lattice after a quench to ``kT`` < 2.27, heat bath on either sublattice in turn."""
    generator = np.random.default_rng(seed)
    spins = generator.choice([-1, 1], size=(replicas, size, size)).astype(np.int8)
    even = (np.add.outer(np.arange(size), np.arange(size)) % 2 == 0)[None]
    for sweep in range(times[-1] + 1):
        if sweep in times:
            yield torch.from_numpy(spins.reshape(replicas, -1).copy())
        for sublattice in (even, ~even):
            around = sum(np.roll(spins, shift, axis) for axis in (1, 2) for shift in (-1, 1))
            if kT > 0:
                up = generator.random(spins.shape) < 1 / (1 + np.exp(-2 * around / kT))
                new = 2 * up.astype(np.int8) - 1
            else:
                coin = generator.choice(np.array([-1, 1], dtype=np.int8), size=spins.shape)
                new = np.where(around == 0, coin, np.sign(around))
            spins = np.where(sublattice, new, spins).astype(np.int8)


def cahn_hilliard(size: int, replicas: int, times: list[float], dt: float, seed: int = 0) -> Iterator[Tensor]:
    """d phi/dt = laplace(phi^3 - phi - laplace phi) from small noise of zero mean; semi-implicit, spectral.

    A conserved order parameter: domains grow as t^(1/3) (Lifshitz and Slyozov; Bray, doi:10.1080/00018739400101505).
    """
    noise = 0.1 * torch.from_numpy(np.random.default_rng(seed).standard_normal((replicas, size, size))).float()
    phi = noise - noise.mean((1, 2), keepdim=True)
    k = 2 * np.pi * np.fft.fftfreq(size)
    half = 2 * np.pi * np.fft.rfftfreq(size)
    square = torch.from_numpy(np.add.outer(k**2, half**2)).float()
    steps = [round(t / dt) for t in times]
    for step in range(steps[-1] + 1):
        if step in steps:
            yield phi.reshape(replicas, -1).double()
        nonlinear = torch.fft.rfft2(phi**3 - 3 * phi)  # the rest, 2 phi, is implicit (Eyre): any step is stable
        now = torch.fft.rfft2(phi)
        phi = torch.fft.irfft2((now - dt * square * nonlinear) / (1 + dt * square * (2 + square)), s=(size, size))
