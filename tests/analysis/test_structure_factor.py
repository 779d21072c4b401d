"""Structure factors against direct sums, closed forms and sum rules."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import radial_average, site_chirality, structure_factor_at, wave_vectors
from sdgnn.analysis.spectra.static import distance_to_peaks, structure_factor
from sdgnn.common.errors import UserError


def peaks_of(factor: torch.Tensor, lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    chosen = np.flatnonzero(factor[0].numpy() > 1e-9)
    return wave_vectors(lattice)[chosen], factor[0].numpy()[chosen]


@pytest.mark.parametrize("zones", [1, 2, 3])
def test_fft_equals_the_direct_sum(lattice, spins, zones):
    q = wave_vectors(lattice, zones)
    direct = structure_factor_at(spins, lattice, q)
    assert torch.allclose(structure_factor(spins, lattice, zones), direct, atol=1e-11)


@pytest.mark.parametrize("lattice", [Lattice.honeycomb(3, 4), Lattice.kagome(4, 3)], ids=lambda lattice: lattice.name)
def test_a_wrong_basis_phase_would_be_seen(lattice):
    """Positive control: with basis positions a little off, the direct sum differs."""
    spins = sdgnn.spins.random(lattice, 2, seed=1)
    corner = Lattice.crystal(lattice.vectors, lattice.basis * 0.9, lattice.shape)
    q = wave_vectors(lattice)
    assert (structure_factor(spins, lattice) - structure_factor_at(spins, corner, q)).abs().max() > 1e-2


def test_scalar_field_equals_the_direct_sum(lattice, spins):
    scalar = spins[..., 0]
    direct = structure_factor_at(scalar, lattice, wave_vectors(lattice))
    assert torch.allclose(structure_factor(scalar, lattice), direct, atol=1e-11)


@pytest.mark.parametrize(
    ("lattice", "zones"),
    [
        (Lattice.chain(9), 1),
        (Lattice.square(4, 6), 1),
        (Lattice.triangular(5, 6), 1),
        (Lattice.cubic(2, 3, 4), 1),
        (Lattice.honeycomb(4, 5), 3),
        (Lattice.kagome(4, 5), 2),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_sum_rule(lattice, zones):
    spins = sdgnn.spins.random(lattice, 2, seed=3)
    total = structure_factor(spins, lattice, zones).sum(-1)
    expected = zones**lattice.dim * lattice.n_sites / lattice.n_basis
    assert torch.allclose(total, torch.full_like(total, expected), rtol=1e-12, atol=0)


def test_wave_vectors_fit_the_cell_and_lie_in_the_first_zone(lattice):
    q = wave_vectors(lattice)
    turns = q @ lattice.cell.T / (2 * math.pi)
    assert np.allclose(turns, np.round(turns), atol=1e-9)
    reciprocal = lattice.reciprocal * np.array(lattice.shape)[:, None]
    steps = np.stack(np.meshgrid(*[[-2, -1, 0, 1, 2]] * lattice.dim), -1).reshape(-1, lattice.dim) @ reciprocal
    images = np.linalg.norm(q[:, None] + steps, axis=-1).min(axis=1)
    assert np.allclose(np.linalg.norm(q, axis=-1), images, atol=1e-6)
    assert len(np.unique(np.round(q, 6), axis=0)) == len(q)


def test_ferromagnet_peaks_at_gamma(lattice):
    spins = torch.tensor([0.6, 0.0, 0.8], dtype=torch.float64).expand(1, lattice.n_sites, 3)
    factor = structure_factor(spins, lattice)
    assert factor[0, 0] == pytest.approx(lattice.n_sites, rel=1e-12)
    if lattice.n_basis == 1:
        assert factor[0, 1:].abs().max() < 1e-12


def test_neel_peaks_at_the_corner_of_the_zone():
    lattice = Lattice.square(6, 4)
    sign = 1.0 - 2.0 * (lattice.positions.sum(1) % 2)
    spins = torch.from_numpy(sign[:, None] * np.array([0.0, 0.6, 0.8]))[None]
    q, weight = peaks_of(structure_factor(spins, lattice), lattice)
    assert np.allclose(np.abs(q), math.pi) and weight == pytest.approx([24.0])


@pytest.mark.parametrize("size", [4, 12])
def test_tetrahedral_peaks_at_the_three_m_points(tetrahedral, m_points, size):
    lattice = Lattice.triangular(size, size)
    q, weight = peaks_of(structure_factor(tetrahedral(lattice), lattice), lattice)
    assert np.allclose(weight, size**2 / 3)
    assert len(q) == 3 and np.allclose(distance_to_peaks(q, lattice, m_points), 0, atol=1e-9)
    assert np.allclose(np.linalg.norm(q, axis=1), 2 * math.pi / math.sqrt(3))


def test_120_degrees_peaks_at_the_two_k_points(three_sublattice, k_points):
    lattice = Lattice.triangular(6, 9)
    q, weight = peaks_of(structure_factor(three_sublattice(lattice), lattice), lattice)
    assert np.allclose(weight, 27) and len(q) == 2
    assert np.allclose(distance_to_peaks(q, lattice, k_points), 0, atol=1e-9)


def test_chirality_of_tetrahedral_order_peaks_at_gamma(tetrahedral):
    lattice = Lattice.triangular(8, 8)
    factor = structure_factor(site_chirality(tetrahedral(lattice), lattice), lattice)
    assert factor[0, 0] == pytest.approx(64 * 16 / 27) and factor[0, 1:].abs().max() < 1e-12


def test_translations_and_spin_rotations_change_nothing(lattice, spins, rotation):
    moved = torch.empty_like(spins)
    moved[:, torch.from_numpy(lattice.translation(*[1] * lattice.dim))] = spins
    reference = structure_factor(spins, lattice)
    assert torch.allclose(structure_factor(moved, lattice), reference, atol=1e-12)
    assert torch.allclose(structure_factor(spins @ rotation.T, lattice), reference, atol=1e-12)


def test_radial_average_is_the_mean_over_rings():
    lattice = Lattice.square(16, 16)
    factor = torch.from_numpy(np.linalg.norm(wave_vectors(lattice), axis=1))[None]
    k, mean = radial_average(factor, lattice)
    assert torch.allclose(mean[0], k, atol=1e-12) and k[0] == 0
    assert (k.diff() > 0).all() and k.max() <= math.pi * math.sqrt(2) + 1e-9


def test_errors():
    free = Lattice.free(np.random.default_rng(0).uniform(size=(5, 2)), np.eye(2))
    spins = sdgnn.spins.random(free)
    with pytest.raises(UserError, match="structure_factor_at"):
        structure_factor(spins, free)
    total = float((spins.sum(1) ** 2).sum() / 5)
    assert structure_factor_at(spins, free, np.zeros((1, 2)))[0, 0] == pytest.approx(total)
    with pytest.raises(UserError, match="values of shape"):
        structure_factor(spins, Lattice.square(4, 4))
    with pytest.raises(UserError, match="zones"):
        wave_vectors(Lattice.square(4, 4), 0)
