"""Products of spin matrices against complex 2x2 matrices and e3nn's coupling coefficients."""

from __future__ import annotations

import numpy as np
import torch
from helpers.equivariant import PAULI
from torch import Tensor

from sdgnn.nn.baselines.layers import IRREP, multiply


def as_matrix(components: Tensor) -> np.ndarray:
    """(8,) components to a + b . sigma."""
    c = components.numpy()
    return (c[0] + 1j * c[1]) * np.eye(2) + np.einsum("k,kab->ab", c[2:5] + 1j * c[5:8], PAULI)


def numbers(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_product_is_the_matrix_product() -> None:
    a, b = numbers(8, seed=1), numbers(8, seed=2)
    np.testing.assert_allclose(as_matrix(multiply(a, b)), as_matrix(a) @ as_matrix(b), atol=1e-14)


def test_irreps_are_those_of_e3nn() -> None:
    """Every path of the product is e3nn's Wigner 3j up to a factor, and no path outside 0e + 0o + 1o + 1e appears."""
    from e3nn import o3

    irreps = o3.Irreps("0e + 0o + 1o + 1e")
    assert [k for k, ir in enumerate(irreps) for _ in range(ir.dim)] == list(IRREP)
    basis = torch.eye(8, dtype=torch.float64)
    table = torch.stack([torch.stack([multiply(left, right) for right in basis]) for left in basis])
    slices = irreps.slices()
    for (_, one), rows in zip(irreps, slices, strict=True):
        for (_, two), columns in zip(irreps, slices, strict=True):
            for (_, out), result in zip(irreps, slices, strict=True):
                block = table[rows, columns, result]
                if out not in one * two:
                    assert float(block.abs().max()) == 0
                    continue
                reference = o3.wigner_3j(one.l, two.l, out.l, dtype=torch.float64)
                factor = (block * reference).sum() / (reference * reference).sum()
                torch.testing.assert_close(block, factor * reference, atol=1e-12, rtol=0)
