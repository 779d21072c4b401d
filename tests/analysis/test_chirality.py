"""Scalar chirality: closed forms, symmetries and the site map."""

from __future__ import annotations

import math

import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import mean_absolute_chirality, mean_chirality, scalar_chirality, site_chirality
from sdgnn.common.errors import UserError

FULL = 4 / (3 * math.sqrt(3))


def test_tetrahedral_order_has_the_closed_value_on_every_triangle(tetrahedral):
    lattice = Lattice.triangular(6, 4)
    spins = tetrahedral(lattice)
    chirality = scalar_chirality(spins, lattice)
    assert chirality.shape == (1, 2 * lattice.n_sites)
    assert torch.allclose(chirality.abs(), torch.full_like(chirality, FULL), atol=1e-14)
    assert (chirality.sign() == chirality[0, 0].sign()).all()
    mirrored = spins * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    assert torch.allclose(scalar_chirality(mirrored, lattice), -chirality, atol=1e-14)


def test_three_spins_by_hand():
    """x, y, z on a triangle counter-clockwise make +1; the sense of the sites decides the sign."""
    lattice = Lattice.triangular(5, 5)
    corners = torch.from_numpy(lattice.triangles[0].copy())
    spins = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).repeat(1, lattice.n_sites, 1)
    spins[0, corners] = torch.eye(3, dtype=torch.float64)
    assert scalar_chirality(spins, lattice)[0, 0] == pytest.approx(1.0)
    spins[0, corners.flip(0)] = torch.eye(3, dtype=torch.float64)
    assert scalar_chirality(spins, lattice)[0, 0] == pytest.approx(-1.0)


def test_coplanar_states_have_none(three_sublattice):
    lattice = Lattice.triangular(6, 6)
    assert scalar_chirality(three_sublattice(lattice), lattice).abs().max() < 1e-14


def test_even_under_rotation_odd_under_time_reversal(rotation):
    for lattice in (Lattice.triangular(5, 4), Lattice.square(4, 4), Lattice.kagome(3, 3), Lattice.honeycomb(3, 3)):
        spins = sdgnn.spins.random(lattice, 2, seed=1)
        chirality = scalar_chirality(spins, lattice)
        assert torch.allclose(scalar_chirality(spins @ rotation.T, lattice), chirality, atol=1e-13)
        assert torch.allclose(scalar_chirality(-spins, lattice), -chirality, atol=1e-15)


def test_means_of_two_domains(tetrahedral):
    """Reversing the spins in half of the lattice cancels the mean, not the mean absolute value.

    A sharp wall reverses one or two corners of its triangles, which changes the sign of chi alone.
    """
    lattice = Lattice.triangular(16, 4)
    spins = tetrahedral(lattice).clone()
    spins[:, : lattice.n_sites // 2] *= -1
    assert mean_chirality(spins, lattice).abs()[0] < 1e-14
    assert mean_absolute_chirality(spins, lattice)[0] == pytest.approx(FULL)


def test_site_map_keeps_the_mean():
    lattice = Lattice.triangular(5, 6)
    spins = sdgnn.spins.random(lattice, 3, seed=2)
    field = site_chirality(spins, lattice)
    assert field.shape == (3, 30)
    assert torch.allclose(field.mean(-1), mean_chirality(spins, lattice), atol=1e-14)
    by_hand = scalar_chirality(spins, lattice)[:, (lattice.triangles == 7).any(axis=1)].mean(-1)
    assert torch.allclose(field[:, 7], by_hand, atol=1e-14)


def test_errors():
    with pytest.raises(UserError, match="two-dimensional"):
        scalar_chirality(sdgnn.spins.random(Lattice.chain(4)), Lattice.chain(4))
    with pytest.raises(UserError, match="spins of shape"):
        mean_chirality(sdgnn.spins.random(Lattice.square(4, 4)), Lattice.square(5, 4))
