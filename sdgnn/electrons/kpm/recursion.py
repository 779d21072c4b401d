"""Chebyshev recursion T_{m+1} = 2 H T_m - T_{m-1} on blocks of vectors: the vectors, their moments and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.electrons.kpm.engine import Recursion
from sdgnn.electrons.kpm.plain_recursion import PlainRecursion
from sdgnn.electrons.kpm.scaled import ScaledHamiltonian


def recursion(hamiltonian: ScaledHamiltonian) -> Recursion[Any]:
    """The recursion of H~: compiled loops on the CPU, tensor operations on other devices."""
    if hamiltonian.local.device.type == "cpu":
        from sdgnn.electrons.kpm.compiled_recursion import CompiledRecursion

        return CompiledRecursion(hamiltonian)
    return PlainRecursion(hamiltonian)


def chebyshev_vectors(
    hamiltonian: ScaledHamiltonian, psi: Complex[Tensor, "replica site 2 vector"]
) -> Iterator[Complex[Tensor, "replica site 2 vector"]]:
    """T_0(H~) psi, T_1(H~) psi, T_2(H~) psi, ... without end.

    Each is a new tensor of the precision of H~; only the last two are kept.
    """
    engine = recursion(hamiltonian)
    before = engine.pack(psi)
    yield engine.unpack(before, psi.shape)
    last = engine.first(before)
    while True:
        yield engine.unpack(last, psi.shape)
        before, last = last, engine.next(last, before)


def chebyshev_moments(
    hamiltonian: ScaledHamiltonian, psi: Complex[Tensor, "replica site 2 vector"], count: int
) -> Float[Tensor, "replica moment vector"]:
    """mu_m = <psi| T_m(H~) |psi> for m < ``count`` (even, at least 4), in float64, from count / 2 products with H~.

    mu_2k = 2 <T_k psi|T_k psi> - mu_0 and mu_2k+1 = 2 <T_k+1 psi|T_k psi> - mu_1 (Weisse et al.,
    Rev. Mod. Phys. 78, 275, doi:10.1103/RevModPhys.78.275).
    """
    engine = recursion(hamiltonian)
    return engine.forward(engine.pack(psi), count)[0][..., : psi.shape[-1]]


def reverse_weights(coefficients: Float[np.ndarray, "replica moment"]) -> Float[np.ndarray, "replica step 3"]:
    """Weights of the adjoint recursion of Omega = sum_m c_m mu_m, for an even number of moments.

    The moments are quadratic in alpha_k = T_k psi, so that dOmega = Re sum_k <w_k|d alpha_k> with

        w_k = 4 c_2k alpha_k + 2 c_2k+1 alpha_k+1 + 2 c_2k-1 alpha_k-1,

    where 2 c_1 in w_1 is replaced by c_1 - sum_{k>0} c_2k+1, since mu_1 is part of every odd moment. Rows are k = K,
    K-1, ..., 1 with K = moments / 2, columns the weights of alpha_k, alpha_k+1 and alpha_k-1; of row K only the last
    counts.
    """
    c = np.asarray(coefficients, dtype=np.float64)
    weights = np.zeros((len(c), c.shape[1] // 2, 3))
    weights[:, 1:, 0] = 4 * c[:, 2::2][:, ::-1]
    weights[:, 1:, 1] = 2 * c[:, 3::2][:, ::-1]
    weights[:, :, 2] = 2 * c[:, 1::2][:, ::-1]
    weights[:, -1, 2] = c[:, 1] - c[:, 3::2].sum(1)
    return weights
