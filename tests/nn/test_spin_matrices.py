"""Products of spin matrices against complex 2x2 matrices, e3nn's coupling coefficients and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sdgnn.nn.spin_matrices import IRREP, multiply, path_products

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


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


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-4)])
@pytest.mark.parametrize("elements", [1, 7, 3000])
def test_compiled_products_equal_plain_ones(dtype: torch.dtype, tolerance: float, elements: int) -> None:
    """Cubic products of standard normal numbers reach ~100; float32 keeps 1e-4 of 100 x 64 x 6e-8."""
    factors = numbers(8, elements, 3, 5, dtype=dtype)
    a, b, c = factors.unbind(2)
    expected = torch.stack([multiply(a, b), multiply(multiply(a, b), c)], dim=2)
    torch.testing.assert_close(path_products(factors), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("elements", [3, 3000])
def test_compiled_slopes_equal_those_of_plain_products(elements: int) -> None:
    factors = numbers(8, elements, 3, 4).requires_grad_()
    weight = numbers(8, elements, 2, 4, seed=1)
    (slope,) = torch.autograd.grad((path_products(factors) * weight).sum(), factors)
    a, b, c = factors.unbind(2)
    plain = torch.stack([multiply(a, b), multiply(multiply(a, b), c)], dim=2)
    (expected,) = torch.autograd.grad((plain * weight).sum(), factors)
    torch.testing.assert_close(slope, expected, rtol=1e-12, atol=1e-12)
