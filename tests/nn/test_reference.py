"""The network against its e3nn reference: energies, fields, gradients in every weight."""

from __future__ import annotations

import pytest
import torch
from e3nn import o3
from nn.test_graph import disordered, distance, slopes
from nn.test_symmetry import LATTICES, trained_like

from sdgnn import Lattice, spins
from sdgnn.nn.reference import MatrixProduct, ReferenceField, irreps
from sdgnn.nn.spin_matrices import multiply

ROUNDING = 1e-10


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
@pytest.mark.parametrize("perfect", [True, False], ids=["crystal", "disordered"])
def test_the_network_equals_its_reference(lattice: Lattice, perfect: bool) -> None:
    network = trained_like(lattice).double()
    place = lattice if perfect else disordered(lattice)
    states = spins.random(place, replicas=2, seed=1)
    found = slopes(network.on(place, torch.float64), states)
    expected = slopes(ReferenceField(network, place, torch.float64), states)
    for value, other in zip(found, expected, strict=True):
        assert distance(value, other) < ROUNDING


def test_energy_and_field_of_the_reference() -> None:
    lattice = LATTICES[1]
    network, states = trained_like(lattice), spins.random(lattice, replicas=2, seed=1)
    found, expected = (
        network.on(lattice, torch.float64)(states),
        ReferenceField(network, lattice, torch.float64)(states),
    )
    assert distance(found.energy, expected.energy) < ROUNDING
    assert distance(found.field, expected.field) < ROUNDING


def test_the_matrix_product_is_equivariant_and_the_fast_one() -> None:
    """e3nn's own representation matrices turn factors and product alike."""
    product = MatrixProduct(3, torch.float64)
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 5, 24, generator=generator, dtype=torch.float64)
    turn = irreps(3).D_from_matrix(-o3.rand_matrix(dtype=torch.float64))
    torch.testing.assert_close(product(a @ turn.T, b @ turn.T), product(a, b) @ turn.T)

    def components(features: torch.Tensor) -> torch.Tensor:
        parts = [features[:, part].view(5, 3, -1).movedim(-1, 0) for part in irreps(3).slices()]
        return torch.cat(parts)

    torch.testing.assert_close(multiply(components(a), components(b)), components(product(a, b)))
