"""The compiled inner loop against plain tensor operations and finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdgnn import Lattice
from sdgnn.nn.bond_products import Neighbours, bond_products, plain_bond_products
from sdgnn.nn.directions import Directions

WHOLE = Lattice.triangular(3, 4)
GAPS = Lattice.kagome(3, 3)
"""On kagome, every site lacks two of the six directions."""


def neighbours_on(lattice: Lattice, dtype: torch.dtype = torch.float64) -> Neighbours:
    directions = Directions.of(lattice)
    target, present = directions.neighbours(lattice)
    return Neighbours(
        torch.from_numpy(target), torch.from_numpy(present).to(dtype), torch.from_numpy(directions.opposite)
    )


def inputs(lattice: Lattice, channels: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """own, message and weight, standard normal."""
    generator = torch.Generator().manual_seed(0)
    shape = (len(Directions.of(lattice)), lattice.n_sites, 3 * channels)
    return [torch.randn(*lead, *shape, generator=generator, dtype=dtype).requires_grad_() for lead in ((8,), (8,), ())]


@pytest.mark.parametrize("lattice", [WHOLE, GAPS], ids=repr)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-3)])
def test_values_and_slopes_equal_those_of_tensor_operations(
    lattice: Lattice, dtype: torch.dtype, tolerance: float
) -> None:
    """Cubic products of sums of two normal numbers reach ~1e3; float32 keeps 1e3 x 64 terms x 6e-8 ~ 4e-3 of them."""
    neighbours, arguments = neighbours_on(lattice, dtype), inputs(lattice, 5, dtype)
    compiled = bond_products(*arguments, neighbours)
    plain = plain_bond_products(*arguments, neighbours)
    torch.testing.assert_close(compiled, plain, rtol=tolerance, atol=tolerance)
    along = torch.randn(plain.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    slopes = torch.autograd.grad((compiled * along).sum(), arguments)
    expected = torch.autograd.grad((plain * along).sum(), arguments)
    for slope, other in zip(slopes, expected, strict=True):
        torch.testing.assert_close(slope, other, rtol=10 * tolerance, atol=10 * tolerance)


def test_slopes_equal_finite_differences() -> None:
    lattice = Lattice.honeycomb(2, 2)
    neighbours = neighbours_on(lattice)
    along = torch.randn(8, 6, lattice.n_sites, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda own, message, weight: (bond_products(own, message, weight, neighbours) * along).sum(), inputs(lattice, 1)
    )


def test_threads_do_not_change_a_bit() -> None:
    """Sites are independent, so their division among threads cannot matter."""
    lattice = Lattice.triangular(24, 24)
    neighbours, arguments = neighbours_on(lattice), inputs(lattice, 4)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = bond_products(*arguments, neighbours)
            results.append([out, *torch.autograd.grad(out.square().sum(), arguments)])
    finally:
        torch.set_num_threads(before)
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


def test_missing_bonds_give_nothing_and_take_nothing() -> None:
    neighbours, arguments = neighbours_on(GAPS), inputs(GAPS, 2)
    out = bond_products(*arguments, neighbours)
    missing = neighbours.present == 0
    assert missing.any()
    assert out[:, missing].abs().max() == 0
    own, _, weight = torch.autograd.grad(out.square().sum(), arguments)
    assert own[:, missing].abs().max() == 0
    assert weight[missing].abs().max() == 0
