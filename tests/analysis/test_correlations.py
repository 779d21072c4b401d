"""Correlations in real space against direct pair sums and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import (
    correlation,
    displacements,
    local_correlation,
    local_nematicity,
    radial_correlation,
    spin_correlation,
)
from sdgnn.analysis.spectra.static import structure_factor, wave_vectors
from sdgnn.common.errors import UserError


def test_fft_equals_the_sum_over_pairs(lattice, spins):
    got = correlation(spins, lattice)
    vectors = displacements(lattice)
    s = spins.numpy()
    for entry in range(0, len(vectors), 3):
        b = entry // (lattice.n_sites // lattice.n_basis) // lattice.n_basis
        source = np.arange(b, lattice.n_sites, lattice.n_basis)
        target = lattice.find(lattice.positions[source] + vectors[entry])
        assert np.allclose(got[:, entry], (s[:, source] * s[:, target]).sum(-1).mean(-1), atol=1e-12)


def test_parseval_and_zero_distance(lattice, spins):
    pairs = correlation(spins, lattice)
    assert torch.allclose(pairs.mean(-1), (spins.mean(1) ** 2).sum(-1), atol=1e-12)
    r, radial = radial_correlation(spins, lattice)
    assert r[0] == 0 and torch.allclose(radial[:, 0], torch.ones(3, dtype=torch.float64), atol=1e-12)


def test_the_structure_factor_is_the_transform_of_the_correlation(lattice, spins):
    """Wiener-Khinchin: S(q) = (1 / n_basis) sum_r C(r) cos(q . r) over all displacements, basis included."""
    phase = np.cos(wave_vectors(lattice) @ displacements(lattice).T)
    transform = correlation(spins, lattice) @ torch.from_numpy(phase).T / lattice.n_basis
    assert torch.allclose(transform, structure_factor(spins, lattice), atol=1e-11)


def test_shells_agree_with_the_correlation_function(lattice):
    """Two routes: bonds of each shell, and the transform picked out at the shell's distance."""
    lattice = lattice.resized(*[3] * lattice.dim)
    spins = sdgnn.spins.random(lattice, replicas=2, seed=6)
    pairs, r = correlation(spins, lattice), np.linalg.norm(displacements(lattice), axis=1)
    shell = lattice.shell_distances(1)[0]
    expected = pairs[:, np.abs(r - shell) < 1e-6].mean(-1)
    assert torch.allclose(spin_correlation(spins, lattice)[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("shells", [1, 3])
def test_closed_forms_by_shell(tetrahedral, three_sublattice, shells):
    lattice = Lattice.triangular(6, 6)
    tetra = spin_correlation(tetrahedral(lattice), lattice, shells)[0]
    sixty = spin_correlation(three_sublattice(lattice), lattice, shells)[0]
    assert torch.allclose(tetra, torch.tensor([-1 / 3, -1 / 3, 1.0], dtype=torch.float64)[:shells])
    assert torch.allclose(sixty, torch.tensor([-0.5, 1.0, -0.5], dtype=torch.float64)[:shells])


def test_the_envelope_of_perfect_order_is_one(tetrahedral, three_sublattice, m_points, k_points):
    lattice = Lattice.triangular(12, 12)
    for state, order in ((tetrahedral, m_points), (three_sublattice, k_points)):
        _, envelope = radial_correlation(state(lattice), lattice, order=order)
        assert torch.allclose(envelope, torch.ones_like(envelope), atol=1e-12)
        _, wrong = radial_correlation(state(lattice), lattice)
        assert (wrong[0, 1:] < 0.9).any()


def test_float32_keeps_its_dtype():
    lattice = Lattice.kagome(3, 3)
    spins = sdgnn.spins.random(lattice, dtype=torch.float32)
    r, values = radial_correlation(spins, lattice)
    assert values.dtype == torch.float32 and r.dtype == torch.float32
    assert spin_correlation(spins, lattice).dtype == structure_factor(spins, lattice).dtype == torch.float32


def test_nematicity_tells_stripes_along_x_from_stripes_along_y():
    """+1 and -1 in the two stripe orders, 0 in the ferromagnet and in Neel order, and odd under a quarter turn of any
    state, under which the mean of all bonds, the positive control, is even."""
    lattice = Lattice.square(6, 6)
    x, y = lattice.positions.round().astype(int).T
    axis = torch.tensor([0.6, 0.0, 0.8]).double()
    for signs, expected in ((y % 2, 1.0), (x % 2, -1.0), (0 * x, 0.0), ((x + y) % 2, 0.0)):
        spins = torch.from_numpy(1 - 2 * signs)[:, None].double() * axis
        assert local_nematicity(spins[None], lattice).numpy() == pytest.approx(expected)
    spins = sdgnn.spins.random(lattice, replicas=2, seed=3)
    turned = spins[:, lattice.find(np.stack([y, -x], axis=1).astype(float))]
    before, after = (local_nematicity(s, lattice).mean(1) for s in (spins, turned))
    assert torch.allclose(after, -before, atol=1e-12) and before.abs().min() > 1e-3
    assert torch.allclose(*(local_correlation(s, lattice).mean(1) for s in (spins, turned)), atol=1e-12)
    with pytest.raises(UserError, match="in the plane"):
        local_nematicity(torch.ones(1, 27, 3), Lattice.cubic(3, 3, 3))
