"""Directions of walls: straight ones, discs, and random domains stretched along one axis."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quenches import gaussian_field

from sdgnn import Lattice
from sdgnn.analysis.domains.walls import smoothed_gradient, wall_harmonic, wall_orientations
from sdgnn.common.errors import UserError
from sdgnn.lattice.periodic import nearest_image


@pytest.mark.parametrize(
    "lattice", [Lattice.square(24, 20), Lattice.honeycomb(8, 12)], ids=lambda lattice: lattice.name
)
def test_gradient_of_a_wave(lattice):
    """cos(q . r) becomes -q sin(q . r) exp(-q^2 w^2 / 2), whatever the number of sites in a cell."""
    q = lattice.reciprocal @ np.zeros(2) + lattice.reciprocal[0] + 2 * lattice.reciprocal[1]
    wave = torch.from_numpy(np.cos(lattice.positions @ q))[None]
    origins = lattice.positions[:: lattice.n_basis] - lattice.basis[0]
    expected = -np.outer(np.sin(origins @ q), q) * math.exp(-0.5 * 1.5**2 * q @ q)
    found = smoothed_gradient(wave, lattice, width=1.5)[0].numpy()
    assert found == pytest.approx(expected, abs=2e-2 * np.abs(expected).max() if lattice.n_basis > 1 else 1e-12)


@pytest.mark.parametrize(
    ("winding", "angle"), [((1, 0), 0.0), ((0, 1), math.pi / 2), ((1, 1), math.pi / 4), ((1, -2), None)]
)
def test_straight_walls_have_one_direction(winding, angle):
    """Stripes across p x + q y: the normal stands along (p, q), though the walls follow the lattice in steps."""
    lattice = Lattice.square(96, 96)
    stripes = torch.from_numpy(np.sign(np.sin(2 * math.pi * (lattice.positions + 0.25) @ np.array(winding) / 96 * 2)))[
        None
    ]
    angle = math.atan2(winding[1], winding[0]) % math.pi if angle is None else angle
    at, density = wall_orientations(stripes, lattice)
    assert density.mean().item() == pytest.approx(1)
    near = np.abs((at - angle + math.pi / 2) % math.pi - math.pi / 2) < 2 * math.pi / 36
    assert density[0, near].sum() > 0.97 * density.sum()
    for fold in (2, 4, 6):
        assert complex(wall_harmonic(stripes, lattice, fold)[0]) == pytest.approx(np.exp(1j * fold * angle), abs=0.05)


def test_discs_have_walls_of_every_direction():
    """Discs of many sizes and places: one alone has facets along the lattice rows, wider than the smoothing."""
    lattice = Lattice.triangular(96, 96)
    generator = np.random.default_rng(0)
    apart = [
        np.linalg.norm(nearest_image(lattice.positions - generator.random(2), lattice.cell), axis=1) for _ in range(24)
    ]
    discs = torch.from_numpy(np.where(np.stack(apart) < generator.uniform(24, 36, size=(24, 1)), 1.0, -1.0))
    _, density = wall_orientations(discs, lattice, width=3.0, bins=18)
    assert (density.mean(0) - 1).abs().max() < 0.12
    assert max(abs(complex(wall_harmonic(discs, lattice, fold).mean())) for fold in (2, 4, 6)) < 0.03


def test_stretched_domains():
    """Gaussian gradients of variances 1/s^2 : 1, each counting with its modulus: (s^2 cos^2 + sin^2)^(-3/2).

    Some 8000 lengths of l in the walls leave 5 % in each of 12 bins, facets and smoothing as much.
    """
    lattice = Lattice.square(256, 256)
    values = gaussian_field(lattice, 12.0, 24, stretch=1.6).sign()
    at, density = wall_orientations(values, lattice, width=3.0, bins=12)
    law = (1.6**2 * np.cos(at) ** 2 + np.sin(at) ** 2) ** -1.5
    assert density.mean(0).numpy() == pytest.approx(law / law.mean(), rel=0.15)


def test_errors():
    square = Lattice.square(6, 6)
    field = torch.ones(1, 36, dtype=torch.float64)
    for call in (
        lambda: smoothed_gradient(field, square, width=0.0),
        lambda: wall_harmonic(field, square, fold=3),
        lambda: wall_orientations(torch.ones(1, 8, dtype=torch.float64), Lattice.chain(8)),
    ):
        with pytest.raises(UserError):
            call()
