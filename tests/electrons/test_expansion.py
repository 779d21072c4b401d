"""Chebyshev expansions against the functions themselves, their derivatives and the exact chemical potential."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev

from sdgnn.electrons.expansion import Expansion, jackson
from sdgnn.electrons.filling import occupations

X = np.linspace(-1, 1, 2001)
CENTRE, SCALE, MU = -1.5, 7.5, -3.2
ENERGY = CENTRE + SCALE * X


def test_no_kernel_at_kT_01_and_an_error_below_1e_9_with_500_moments() -> None:
    expansion = Expansion(CENTRE, SCALE, kT=0.1, moments=500)
    assert expansion.resolved
    fermi = 1 / (np.exp((ENERGY - MU) / 0.1) + 1)
    omega = -0.1 * np.log1p(np.exp(-(ENERGY - MU) / 0.1))
    assert np.abs(chebyshev.chebval(X, expansion.occupation(MU)) - fermi).max() < 1e-9
    assert np.abs(chebyshev.chebval(X, expansion.grand_potential(MU)) - omega).max() < 1e-9
    assert expansion.truncation(MU) < 1e-9


@pytest.mark.parametrize("kT", [0.0, 0.1, 1.0])
def test_occupation_is_minus_the_slope_of_the_grand_potential_in_mu(kT: float) -> None:
    expansion = Expansion(CENTRE, SCALE, kT, moments=50)
    # central differences: error ~ step^2 m^2, and rounding 1e-15 / step
    step = 1e-5
    slope = (expansion.grand_potential(MU + step) - expansion.grand_potential(MU - step)) / (2 * step)
    np.testing.assert_allclose(-slope, expansion.occupation(MU), atol=1e-8)


def test_at_zero_temperature_the_kernel_smooths_over_its_width() -> None:
    moments = 400
    expansion = Expansion(CENTRE, SCALE, kT=0.0, moments=moments)
    assert not expansion.resolved
    step = (ENERGY < MU).astype(float)
    far = np.abs(ENERGY - MU) > 6 * np.pi * SCALE / moments
    found = chebyshev.chebval(X, expansion.occupation(MU))
    assert np.abs(found - step)[far].max() < 1e-3
    assert found.min() > -1e-12  # a positive kernel does not ring, where plain coefficients do by 9 %
    ringing = chebyshev.chebval(X, expansion.occupation(MU) / jackson(moments))
    assert ringing.min() < -0.08


def test_truncation_is_the_error_of_the_slope() -> None:
    # over the levels of a cosine band, whose nodes are equidistant in the angle
    expansion = Expansion(CENTRE, SCALE, kT=0.1, moments=100)
    x = np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)
    slope = chebyshev.chebval(x, chebyshev.chebder(expansion.grand_potential(MU))) / SCALE
    fermi = 1 / (np.exp((CENTRE + SCALE * x - MU) / 0.1) + 1)
    assert expansion.truncation(MU) == pytest.approx(np.sqrt(np.mean((slope - fermi) ** 2)), rel=1e-3)
    # and over a single level, what the kernel of its density of states leaves of the others is little
    at = chebyshev.chebvander(np.array([0.3]), 99)[0]
    local = abs(np.interp(0.3, x[::-1], (slope - fermi)[::-1]))
    assert expansion.truncation(MU, at) < 3 * max(local, expansion.truncation(MU))


@pytest.mark.parametrize("kT", [0.0, 0.1])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_chemical_potential_of_exact_moments(kT: float, share: float) -> None:
    levels = CENTRE + SCALE * np.sort(np.random.default_rng(0).uniform(-0.95, 0.95, 400))
    expansion = Expansion(CENTRE, SCALE, kT, moments=1000)
    moments = chebyshev.chebvander((levels - CENTRE) / SCALE, 999).sum(0)
    exact = float(occupations(torch.from_numpy(levels)[None], kT, filling=share).mu)
    found = expansion.chemical_potential(moments, share)
    # 400 levels are 0.036 apart; at kT = 0 the kernel is pi scale / moments = 0.024 wide
    assert found == pytest.approx(exact, abs=1e-6 if kT else 0.05)


@pytest.mark.parametrize("kT", [0.0, 1e-16, 1e-4, 0.02])
@pytest.mark.parametrize("plain", [False, True])
def test_in_a_gap_mu_is_in_its_middle_whatever_rings(kT: float, plain: bool) -> None:
    """Levels on both sides of [-1, 1] in equal number: N(mu) of 500 moments rings about N_e all over the gap."""
    side = np.random.default_rng(1).uniform(1, 6, 30)
    levels = np.concatenate([-side, side])
    expansion = Expansion(0.0, 7.5, kT, moments=500, plain=plain)
    moments = chebyshev.chebvander(levels / 7.5, 499).sum(0)
    assert abs(expansion.chemical_potential(moments, 0.5)) < np.pi * 7.5 / 500


@pytest.mark.parametrize("kT", [0.0, 1e-16, 0.1, 1e6])
@pytest.mark.parametrize("filling", [1e-300, 1e-17, 1e-12, 1e-6, 1 - 1e-12, 1 - 2**-53])
@pytest.mark.parametrize("plain", [False, True])
def test_almost_no_electrons_and_almost_no_holes_have_a_finite_mu(kT: float, filling: float, plain: bool) -> None:
    """Outside of all levels but for the width of the kernel, and N(mu) is the number of electrons to rounding."""
    levels = CENTRE + SCALE * np.linspace(-0.9, 0.9, 50)
    expansion = Expansion(CENTRE, SCALE, kT, moments=200, plain=plain)
    moments = chebyshev.chebvander((levels - CENTRE) / SCALE, 199).sum(0)
    mu = expansion.chemical_potential(moments, filling)
    assert np.isfinite(mu)
    assert expansion.occupation(mu) @ moments == pytest.approx(50 * filling, abs=1e-11)
    assert np.sign(mu - CENTRE) == np.sign(filling - 0.5)
    assert abs(mu - CENTRE) > 0.9 * SCALE - np.pi * SCALE / 200
