"""Domain lengths of stripes, random fields of known correlation and textures with walls."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quenches import gaussian_field

from sdgnn import Lattice
from sdgnn.analysis import length_from_correlation, length_from_structure_factor, site_chirality
from sdgnn.analysis.domains.lengths import first_crossing
from sdgnn.common.errors import UserError


def test_crossing_is_interpolated():
    r = torch.tensor([0.0, 1.0, 2.0, 4.0], dtype=torch.float64)
    values = torch.tensor([[1.0, 0.8, 0.4, -0.4], [1.0, 0.9, 0.8, 0.7], [1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    assert first_crossing(r, values, 0.5).tolist() == pytest.approx([1.75, math.inf, 0.5])
    assert first_crossing(r, values, 0.0).tolist() == pytest.approx([3.0, math.inf, 1.0])


@pytest.mark.parametrize("length", [4.0, 8.0])
def test_gaussian_fields_have_their_closed_lengths(length):
    """Half height at l sqrt(2 ln 2); moments of S ~ exp(-k^2 l^2 / 2): <k> = sqrt(pi / 2) / l, <k^2> = 2 / l^2,
    and with S^2 <k> = sqrt(pi) / (2 l), of about 80 modes, whose S^2 scatter by sqrt(5): 3 %.

    About (128 / (2 l))^2 >= 64 independent patches in each of 24 replicas leave a statistical error below 2 %.
    """
    lattice = Lattice.triangular(128, 128)
    field = gaussian_field(lattice, length, replicas=24)
    half = length_from_correlation(field, lattice).mean()
    first = length_from_structure_factor(field, lattice, moment=1).mean()
    second = length_from_structure_factor(field, lattice, moment=2).mean()
    squared = length_from_structure_factor(field, lattice, power=2).mean()
    assert squared.item() == pytest.approx(4 * math.pi * length / math.sqrt(math.pi), rel=0.09)
    assert half.item() == pytest.approx(length * math.sqrt(2 * math.log(2)), rel=0.05)
    assert first.item() == pytest.approx(2 * math.pi * length / math.sqrt(math.pi / 2), rel=0.04)
    assert second.item() == pytest.approx(2 * math.pi * length / math.sqrt(2), rel=0.04)


@pytest.mark.parametrize("width", [4, 8, 16])
def test_stripes_have_lengths_in_proportion_to_their_width(width):
    """On a chain of domains of w sites, C(r) = 1 - 2 r / w up to r = w: half height at w / 4, zero at w / 2."""
    chain = Lattice.chain(128)
    field = torch.from_numpy(np.where(np.arange(128) // width % 2 == 0, 1.0, -1.0))[None]
    assert length_from_correlation(field, chain, level=0.5, width=1.0).item() == pytest.approx(width / 4, rel=1e-12)
    assert length_from_correlation(field, chain, level=0.0, width=1.0).item() == pytest.approx(width / 2, rel=1e-12)


@pytest.mark.parametrize("moment", [1, 2])
@pytest.mark.parametrize("period", [8, 16, 32])
def test_a_cosine_has_its_period_as_length(moment, period):
    lattice = Lattice.square(64, 32)
    field = torch.from_numpy(np.cos(2 * math.pi * lattice.positions[:, 0] / period))[None]
    assert length_from_structure_factor(field, lattice, moment=moment).item() == pytest.approx(period, rel=1e-10)


def test_lengths_double_with_the_pattern():
    """The same pattern of random domains drawn at twice the scale: L doubles, whatever the definition."""
    small, large = Lattice.square(64, 64), Lattice.square(128, 128)
    pattern = torch.sign(gaussian_field(small, 5.0, replicas=6, seed=4)).reshape(6, 64, 64)
    doubled = pattern.repeat_interleave(2, 1).repeat_interleave(2, 2).reshape(6, -1)
    pattern = pattern.reshape(6, -1)
    for level in (0.5, 0.2):
        ratio = length_from_correlation(doubled, large, level) / length_from_correlation(pattern, small, level)
        assert torch.allclose(ratio, torch.full_like(ratio, 2.0), rtol=0.06)
    one = length_from_structure_factor(pattern, small, cutoff=math.pi / 2)
    two = length_from_structure_factor(doubled, large, cutoff=math.pi / 4)
    assert torch.allclose(two / one, torch.full_like(one, 2.0), rtol=0.06)


def test_spin_order_and_its_chirality(tetrahedral, m_points):
    """Tetrahedral stripes of both chiralities: peaks broadened around M have the length of the chirality stripes."""
    lattice = Lattice.triangular(64, 16)
    column = np.arange(lattice.n_sites) // 16
    lengths = []
    for width in (8, 16):
        spins = tetrahedral(lattice).clone()
        spins[:, torch.from_numpy(column // width % 2 == 1)] *= -1
        field = site_chirality(spins, lattice)
        by_spins = length_from_correlation(spins, lattice, order=m_points)
        by_peaks = length_from_structure_factor(spins, lattice, order=m_points, cutoff=1.0)
        lengths.append(torch.cat([length_from_correlation(field, lattice), by_spins, by_peaks]))
    assert torch.allclose(lengths[1] / lengths[0], torch.full((3,), 2.0, dtype=torch.float64), rtol=0.3)


def test_perfect_order_has_no_domain_length(tetrahedral, m_points):
    lattice = Lattice.triangular(8, 8)
    spins = tetrahedral(lattice)
    assert length_from_correlation(spins, lattice, order=m_points).item() == math.inf
    assert length_from_structure_factor(spins, lattice, order=m_points).item() > 1e6
    assert length_from_correlation(spins, lattice).item() < 1


def test_a_field_that_vanishes_has_no_length():
    """A ferromagnet has no chirality: neither definition invents a length."""
    lattice = Lattice.triangular(6, 6)
    field = site_chirality(torch.ones(2, 36, 3, dtype=torch.float64) / math.sqrt(3), lattice).round(decimals=12)
    assert torch.isnan(length_from_correlation(field, lattice)).all()
    assert torch.isnan(length_from_structure_factor(field, lattice)).all()


def test_errors():
    lattice = Lattice.square(4, 4)
    field = torch.ones(1, 16, dtype=torch.float64)
    for call in (
        lambda: length_from_correlation(field, lattice, level=1.0),
        lambda: length_from_correlation(field, lattice, width=0.0),
        lambda: length_from_structure_factor(field, lattice, moment=3),
        lambda: length_from_structure_factor(field, lattice, power=0),
        lambda: length_from_structure_factor(field, lattice, cutoff=0.0),
    ):
        with pytest.raises(UserError):
            call()
