"""Densities of states and gaps: closed forms, all levels, and mu and densities of the fields."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdgnn import ExactField, KPMField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons.densities import density_of_states, local_density_of_states
from sdgnn.electrons.gap import spectral_gap
from sdgnn.electrons.kpm.field import KPMResult

KAGOME = SDModel(Lattice.kagome(2, 3), exchange=1.5)


def test_chain_in_closed_form() -> None:
    # 2 states per site at -2 cos k: D = 2 / (pi sqrt(4 - e^2)), constant but for bounds that are a hundredth wider as a
    # function of the angle in which the kernel smooths; with more sites than moments, these are of the infinite chain
    lattice = Lattice.chain(256)
    states = density_of_states(SDModel(lattice, exchange=0.0), spins.ferro(lattice), 200)
    energies = torch.linspace(-1, 1, 21, dtype=torch.float64)
    expected = 2 / (math.pi * (4 - energies**2).sqrt())
    assert float(states.resolution) == pytest.approx(0.033, abs=2e-3)
    torch.testing.assert_close(states(energies)[0], expected, atol=1e-5, rtol=0)


def test_sum_rules_of_the_square_lattice() -> None:
    # integrals of D, e D and e^2 D: 2 states, tr H = 0 and tr H^2 = 2 (4 t^2 + J^2) for each site; the kernel adds its
    # variance to the last
    lattice = Lattice.square(4, 6)
    state = spins.random(lattice, replicas=2, seed=1)
    model = SDModel(lattice, exchange=1.5)
    total = density_of_states(model, state, 400)
    local = local_density_of_states(model, state, [0, 7], 400)
    energies = total.energies(20001)
    variance = total.resolution.max().item() ** 2
    for values in (total(energies), *local(energies).unbind(1)):
        moments = [torch.trapezoid(values * energies**power, energies) for power in range(3)]
        torch.testing.assert_close(moments[0], torch.full((2,), 2.0).double(), atol=1e-4, rtol=0)
        torch.testing.assert_close(moments[1], torch.zeros(2).double(), atol=1e-3, rtol=0)
        torch.testing.assert_close(moments[2], torch.full((2,), 12.5).double(), atol=2 * variance, rtol=0)
        assert float(values.min()) >= -1e-12


@pytest.mark.parametrize("twists", [None, (2, 1)])
def test_densities_and_mu_are_those_of_the_fields(twists: tuple[int, int] | None) -> None:
    state = spins.random(KAGOME.lattice, replicas=2, seed=3)
    # pi kT moments / scale > 30: what is left out of the expansion is below rounding
    exact = ExactField(KAGOME, kT=0.2, filling=0.3, twists=twists)
    mu = exact.chemical_potential(state)
    states = density_of_states(KAGOME, state, 300, twists=twists)
    torch.testing.assert_close(states.chemical_potential(0.2, 0.3), mu, atol=1e-9, rtol=0)
    local = local_density_of_states(KAGOME, state, range(KAGOME.lattice.n_sites), 300, twists=twists)
    torch.testing.assert_close(local.density(0.2, mu), exact(state).density, atol=1e-9, rtol=0)
    torch.testing.assert_close(local.chemical_potential(0.2, 0.3), mu, atol=1e-9, rtol=0)
    torch.testing.assert_close(local.moments.mean(1), states.moments, atol=1e-12, rtol=0)
    # the same expansion where it does not resolve kT
    cold = KPMField(KAGOME, kT=0.0, filling=0.3, moments=60, vectors=None, twists=twists)(state)
    assert isinstance(cold, KPMResult)
    mu_cold = density_of_states(KAGOME, state, 60, twists=twists).chemical_potential(0.0, 0.3)
    torch.testing.assert_close(mu_cold, cold.mu, atol=1e-9, rtol=0)


def test_probing_vectors_spread_about_the_full_trace() -> None:
    lattice = Lattice.triangular(8, 8)
    model, state = SDModel(lattice), spins.random(lattice)
    full = density_of_states(model, state, 32).moments
    seeds = torch.stack([density_of_states(model, state, 32, vectors=8, seed=seed).moments for seed in range(20)])
    spread = seeds.std(0) / math.sqrt(20)
    assert float(spread.max()) > 1e-4
    assert bool(((seeds.mean(0) - full).abs() <= 5 * spread + 1e-12).all())


@pytest.mark.parametrize("twists", [None, (1, 2)])
@pytest.mark.parametrize("filling", [1 / 36, 0.25, 0.5, 35 / 36])
def test_gap_by_counting_levels(filling: float, twists: tuple[int, int] | None) -> None:
    state = spins.random(KAGOME.lattice, replicas=2, seed=5)
    # level by level of the dense matrices, on both sides of each
    exact = spectral_gap(KAGOME, state, filling, twists)
    counted = spectral_gap(KAGOME, state, filling, twists, tolerance=1e-7, dense=0)
    torch.testing.assert_close(counted.below, exact.below, atol=1e-7, rtol=0)
    torch.testing.assert_close(counted.above, exact.above, atol=1e-7, rtol=0)
    ground = ExactField(KAGOME, kT=0.0, filling=filling, twists=twists).chemical_potential(state)
    torch.testing.assert_close(exact.middle, ground, atol=1e-9, rtol=0)


@pytest.mark.parametrize("lattice", [Lattice.square(4, 4), Lattice.chain(302)], ids=repr)
def test_gaps_in_closed_form(lattice: Lattice) -> None:
    # uniform spins split a band from -2 dim to 2 dim by 2 J = 12; levels at k and -k have no gap. On the longer lattice
    # levels are counted
    model, state = SDModel(lattice, exchange=6.0), spins.ferro(lattice)
    half = spectral_gap(model, state, 0.5)
    assert float(half.width) == pytest.approx(12 - 4 * lattice.dim, abs=2e-4)
    assert float(half.middle) == pytest.approx(0.0, abs=2e-4)
    assert float(spectral_gap(model, state, 2 / model.n_orbitals).width) == pytest.approx(0.0, abs=2e-4)


def test_refusals() -> None:
    state = spins.random(KAGOME.lattice)
    with pytest.raises(UserError, match="a whole number with filled and empty levels"):
        spectral_gap(KAGOME, state, 0.3)
    with pytest.raises(UserError, match="a whole number with filled and empty levels"):
        spectral_gap(KAGOME, state, 1.0)
    with pytest.raises(UserError, match="tolerance"):
        spectral_gap(KAGOME, state, 0.5, tolerance=0.0)
    with pytest.raises(UserError, match="sites"):
        local_density_of_states(KAGOME, state, [18])
    with pytest.raises(UserError, match="moments"):
        density_of_states(KAGOME, state, moments=7)
    with pytest.raises(UserError, match="vectors"):
        density_of_states(KAGOME, state, vectors=0)
    assert np.isfinite(density_of_states(KAGOME, state, 8)(torch.tensor([-99.0, 0.0])).numpy()).all()
