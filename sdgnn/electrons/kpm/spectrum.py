"""Spectra of a batch of states as Chebyshev moments: what states, bonds and conductivity begin with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.bounds import spectral_bounds
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.recursion import chebyshev_vectors
from sdgnn.electrons.kpm.scaled import HoppingTable, ScaledHamiltonian

BLOCK = 64
"""Vectors that are carried at once."""


@dataclass(frozen=True)
class Spectrum:
    """Bounds of the spectra of a batch of states, and H~ = (H - centre) / scale with each twist."""

    bounds: Float[Tensor, "replica 2"]
    """(replica, 2) lowest and highest energies."""
    hamiltonians: tuple[ScaledHamiltonian, ...]
    """H~ with each twist."""

    @classmethod
    def of(cls, model: SDModel, spins: Float[Tensor, "replica site 3"], hoppings: Sequence[HoppingTable]) -> Spectrum:
        """Spectra of checked spins with each of the ``hoppings`` (twists), in the precision of these."""
        bounds = spectral_bounds(model, spins, hoppings)
        return cls(bounds, tuple(ScaledHamiltonian.of(model, spins, bounds, hopping) for hopping in hoppings))


def check_moments(moments: int) -> int:
    """``moments``. Raises UserError unless it is even and at least 4."""
    if moments < 4 or moments % 2:
        raise UserError(f"{moments} moments", allowed="an even number >= 4")
    return int(moments)


def check_vectors(vectors: int | None) -> int | None:
    """``vectors``. Raises UserError on fewer than one."""
    if vectors is not None and vectors < 1:
        raise UserError(f"{vectors} vectors", allowed="a whole number >= 1, or None for the full trace")
    return vectors


def blocks(
    probe: Probe, twist: int, replicas: int, width: int = BLOCK
) -> Iterator[Complex[Tensor, "replica site 2 vector"]]:
    """The probe's vectors, the same for each replica, at most ``width`` at a time."""
    for start in range(0, probe.count, width):
        psi = probe.vectors(start, min(start + width, probe.count), twist)
        yield psi.expand(replicas, -1, -1, -1)


def expanded(
    hamiltonian: ScaledHamiltonian,
    coefficients: Float[Tensor, "replica moment"],
    psi: Complex[Tensor, "replica site 2 vector"],
) -> Complex[Tensor, "replica site 2 vector"]:
    """sum_m c_m T_m(H~) psi."""
    total = torch.zeros_like(psi)
    for c, vectors in zip(coefficients.T, chebyshev_vectors(hamiltonian, psi), strict=False):
        total = total + c[:, None, None, None] * vectors
    return total
