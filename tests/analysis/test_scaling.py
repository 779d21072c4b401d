"""Collapse and Porod's tail of random domains in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quenches import gaussian_field, glauber_plane

from sdgnn import Lattice
from sdgnn.analysis import length_from_correlation, radial_average, radial_correlation
from sdgnn.analysis.domains.clusters import length_from_walls, site_graph
from sdgnn.analysis.domains.scaling import collapse_correlation, collapse_structure_factor, porod_tail
from sdgnn.analysis.spectra.static import structure_factor
from sdgnn.common.errors import UserError

LATTICE = Lattice.triangular(160, 160)
SCALES = (6.0, 9.0, 12.0)


@pytest.fixture(scope="module")
def domains():
    """Signs of Gaussian fields of three lengths l, drawn independently: (time, replica, site)."""
    return torch.stack([gaussian_field(LATTICE, length, 16, seed=k).sign() for k, length in enumerate(SCALES)])


def test_curves_of_one_law_collapse(domains):
    """C = (2/pi) asin(exp(-x^2/2)) at x = r / l for each l: variance explained by the errors, up to its own scatter.

    Neighbouring points of a curve are correlated, so that the ratio scatters like that of a few degrees of freedom.
    """
    distance, values = zip(*[radial_correlation(d, LATTICE) for d in domains])
    found = collapse_correlation(distance[0], torch.stack(values), torch.tensor(SCALES))
    assert found.quality < 3 and found.spread < 0.02
    law = 2 / math.pi * np.arcsin(np.exp(-(found.x**2) / 2))
    assert np.abs(found.curves - law).max() < 0.04  # bins of half a lattice spacing, l = 6
    wrong = collapse_correlation(distance[0], torch.stack(values), torch.tensor(SCALES) ** 0.8)
    assert wrong.quality > 20 and wrong.spread > 3 * found.spread


def test_quality_is_one_for_noise_alone():
    """Independent noise of different size at each time: m / (m - 2) = 1.08 for 3 times of 10 replicas, +- 0.08."""
    r = torch.linspace(0, 3, 301)
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 10, 301)))
    values = 1 + 0.01 * torch.tensor([1.0, 2.0, 3.0])[:, None, None] * noise
    values[..., 0] = 1.0
    found = collapse_correlation(r, values, torch.ones(3), x=np.linspace(0.1, 2.9, 281))
    assert found.quality == pytest.approx(27 / 25, abs=0.25)


def test_structure_factors_of_one_law_collapse(domains):
    k, factor = zip(*[radial_average(structure_factor(d, LATTICE), LATTICE) for d in domains])
    grid = np.linspace(1, 6, 20)
    found = collapse_structure_factor(k[0], torch.stack(factor), torch.tensor(SCALES), 2, x=grid)
    assert found.quality < 3 and found.spread < 0.05
    wrong = collapse_structure_factor(k[0], torch.stack(factor), torch.tensor(SCALES) ** 0.8, 2, x=grid)
    assert wrong.quality > max(5, 3 * found.quality)
    default = collapse_structure_factor(k[0], torch.stack(factor), torch.tensor(SCALES), 2)
    assert default.x[0] == pytest.approx(float(k[0][1]) * 12) and default.x[-1] < float(k[0][-1]) * 6


def test_a_quench_collapses_by_a_length_that_does_not_come_from_its_correlation():
    times = [16, 32, 64]
    lattice = Lattice.square(256, 256)
    states = [s.double() for s in glauber_plane(256, 6, times)]
    distance, values = zip(*[radial_correlation(s, lattice) for s in states])
    walls = torch.stack([length_from_walls(s.long(), site_graph(lattice)).mean() for s in states])
    found = collapse_correlation(distance[0], torch.stack(values), walls)
    constant = collapse_correlation(distance[0], torch.stack(values), torch.full((3,), walls[1]))
    assert found.spread < 0.02 and constant.spread > 5 * found.spread and constant.quality > 10 * found.quality


def test_porod_tail_counts_walls(domains):
    """S = 8 n w / k^3 with walls of length w = 1 / (2 l) per area and n = 2 / sqrt(3) sites per area.

    On a lattice S is the sum over all images of k; at |k| = 1.25 the six images at 6 to 8.5 add 3 per cent,
    and the next order in 1 / (k l)^2 as much at the other end.
    """
    for values, scale in zip(domains, SCALES):
        k, factor = radial_average(structure_factor(values, LATTICE), LATTICE)
        tail = porod_tail(k, factor, window=(3 / scale, 1.25), dim=2)
        assert tail.exponent == pytest.approx(3, abs=0.1) and tail.error < 0.05
        assert tail.amplitude == pytest.approx(8 * 2 / math.sqrt(3) / (2 * scale), rel=0.08)
    smooth = gaussian_field(LATTICE, 4.0, 16)
    k, factor = radial_average(structure_factor(smooth, LATTICE), LATTICE)
    assert porod_tail(k, factor, window=(0.9, 1.25), dim=2).exponent > 10


def test_lengths_measured_from_the_curves_themselves(domains):
    lengths = torch.stack([length_from_correlation(d, LATTICE).mean() for d in domains])
    distance, values = zip(*[radial_correlation(d, LATTICE) for d in domains])
    found = collapse_correlation(distance[0], torch.stack(values), lengths)
    assert found.curves[:, np.abs(found.x - 1).argmin()] == pytest.approx(0.5, abs=0.03)


def test_errors():
    r = torch.linspace(0, 10, 21)
    values = torch.rand(2, 3, 21)
    with pytest.raises(UserError, match="2 of either"):
        collapse_correlation(r, values[:, :1], torch.tensor([1.0, 2.0]))
    with pytest.raises(UserError, match="every time has values"):
        collapse_correlation(r, values, torch.tensor([1.0, 9.0]))
    with pytest.raises(UserError, match="at least 3"):
        porod_tail(r, values[0], (0.1, 0.4), dim=2)
