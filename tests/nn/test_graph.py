"""The graph path: equal to the crystal path on crystals, and with the same symmetries away from them."""

from __future__ import annotations

import pytest
import torch
from nn.test_symmetry import LATTICES, trained_like

from sdgnn import Lattice, spins
from sdgnn.nn import NetworkField

ROUNDING = 1e-10
"""Energies and slopes of order 1e3 in float64, sums of ~1e3 terms: 1e-12 is seen."""


def slopes(field: NetworkField, states: torch.Tensor) -> list[torch.Tensor]:
    """Energy, its slopes in the spins, and those of a weighted sum of site energies in every weight."""
    at = states.clone().requires_grad_()
    sites = field.site_energies(at)
    weighted = (sites * torch.linspace(0.5, 1.5, sites.numel(), dtype=torch.float64).view_as(sites)).sum()
    weights = [weight for name, weight in field.network.named_parameters() if name != "constant"]
    return [sites, *torch.autograd.grad(weighted, [at, *weights])]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_both_paths_are_equal_on_crystals(lattice: Lattice) -> None:
    """Site energies, fields and gradients in every weight, from positions alone and from given bonds."""
    network, states = trained_like(lattice), spins.random(lattice, replicas=2, seed=1)
    expected = slopes(network.on(lattice, torch.float64), states)
    assert all(float(value.abs().max()) > 1e-3 for value in expected)
    free = Lattice.free(lattice.positions, lattice.cell)
    for field in (network.on(free, torch.float64), network.on(lattice, torch.float64, lattice.bonds(1))):
        for value, other in zip(slopes(field, states), expected, strict=True):
            assert float((value - other).norm() / other.norm()) < ROUNDING
