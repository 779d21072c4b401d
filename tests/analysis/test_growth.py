"""Growth exponents of quenches whose laws are known, and errors against the scatter of independent data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from analysis.quenches import cahn_hilliard, gaussian_field, glauber_chain, glauber_plane

from sdgnn import Lattice
from sdgnn.analysis import length_from_correlation
from sdgnn.analysis.clusters import length_from_clusters, length_from_walls, site_graph
from sdgnn.analysis.growth import growth_exponent, local_exponent, offset_exponent
from sdgnn.errors import UserError

TIMES = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128]
TIME = np.array(TIMES, dtype=np.float64)


def power_laws(exponent, replicas=6, noise=0.0, seed=0):
    scatter = np.random.default_rng(seed).standard_normal((replicas, len(TIME)))
    return torch.from_numpy(1.7 * TIME**exponent * np.exp(noise * scatter))


@pytest.mark.parametrize("exponent", [1 / 3, 0.5, 1.0])
def test_a_power_law_is_found_with_no_error(exponent):
    found = growth_exponent(TIME, power_laws(exponent))
    assert found.value == pytest.approx(exponent, abs=1e-12) and found.prefactor == pytest.approx(1.7)
    assert max(found.replica_error, found.window_error, found.error) < 1e-12 and found.window == (1.0, 128.0)
    time, local, error = local_exponent(TIME, power_laws(exponent))
    assert np.allclose(local, exponent, atol=1e-12) and np.allclose(error, 0, atol=1e-12)
    assert time.min() >= 2 and time.max() <= 64


def test_replica_error_is_the_scatter_of_independent_data():
    """Mean bootstrap variance of n over 60 sets = (1 - 1/12) of the true variance, each known to about 1/sqrt(120)."""
    fits = [growth_exponent(TIME, power_laws(0.5, 12, 0.2, seed), samples=300) for seed in range(60)]
    true = np.var([fit.value for fit in fits], ddof=1)
    told = np.mean([fit.replica_error**2 for fit in fits]) * 12 / 11
    assert 0.55 < told / true < 1.8
    assert np.mean([fit.value for fit in fits]) == pytest.approx(0.5, abs=4 * math.sqrt(true / 60))


def test_window_error_tells_of_a_law_that_is_no_power():
    bent = growth_exponent(TIME, torch.from_numpy(4 + TIME)[None].repeat(4, 1))
    assert (
        bent.replica_error < 1e-12
        and bent.window_error > 0.05
        and bent.error == pytest.approx(bent.window_error, rel=0.2)
    )
    single = growth_exponent(TIME, torch.from_numpy(4 + TIME)[None])
    assert math.isnan(single.replica_error) and single.window_error == pytest.approx(bent.window_error, rel=0.2)


@pytest.mark.parametrize("exponent", [1 / 3, 0.5, 1.0])
def test_an_offset_does_not_change_the_exponent_of_a_fit_that_has_one(exponent):
    """The exponents that are tried are a hundredth apart; a plain power misses each of these laws by more than 0.1."""
    lengths = 4 + power_laws(exponent)
    found = offset_exponent(TIME, lengths)
    assert found.value == pytest.approx(exponent, abs=0.01) and found.error < 0.01
    assert found.offset == pytest.approx(4, abs=0.15) and found.prefactor == pytest.approx(1.7, abs=0.15)
    assert abs(growth_exponent(TIME, lengths).value - exponent) > 0.1
    assert offset_exponent(TIME, lengths, window=(1, 64)).value == pytest.approx(exponent, abs=0.01)


def test_the_error_of_a_fit_with_an_offset_covers_the_scatter_of_independent_data():
    """Windows shorter than the whole one scatter more: the error is an upper bound, by at most a factor of 5."""
    laws = [4 + power_laws(0.8, 12, 0.1, seed) for seed in range(60)]
    fits = [offset_exponent(TIME, law, samples=200) for law in laws]
    true = np.var([fit.value for fit in fits], ddof=1)
    assert 1 < np.mean([fit.error**2 for fit in fits]) / true < 25
    assert np.mean([fit.value for fit in fits]) == pytest.approx(0.8, abs=0.01 + 4 * math.sqrt(true / 60))


def test_dense_times_weigh_no_more_than_sparse_ones():
    """L bends at t = 10: as many decades before as after, but ten times as many measurements after."""
    dense = np.unique(np.concatenate([np.geomspace(1, 10, 20), np.geomspace(10, 100, 200)]))
    bent = torch.from_numpy(np.where(dense < 10, dense**0.25, 10**0.25 * (dense / 10) ** 0.75))[None]
    even = np.geomspace(1, 100, 201)
    plain = torch.from_numpy(np.where(even < 10, even**0.25, 10**0.25 * (even / 10) ** 0.75))[None]
    assert growth_exponent(dense, bent).value == pytest.approx(growth_exponent(even, plain).value, abs=0.005)


def test_local_exponent_follows_a_crossover():
    """L = t^(1/2) + t/100: d ln L / d ln t rises from 1/2 to 1 as (t^(1/2) / 2 + t/100) / L."""
    time = np.geomspace(1, 1e6, 121)
    lengths = torch.from_numpy(time**0.5 + time / 100)[None]
    at, local, _ = local_exponent(time, lengths, factor=1.5)
    exact = (at**0.5 / 2 + at / 100) / (at**0.5 + at / 100)
    assert np.abs(local - exact).max() < 0.003 and local[0] < 0.52 and local[-1] > 0.94


def test_ising_chain():
    """C = erfc(r / sqrt(8 t)): the half height is at L = 0.4769 sqrt(8 t), amplitude included; domains of about L sites
    in 5 x 10^5 leave 1 %."""
    chain = Lattice.chain(2**15)
    states = glauber_chain(2**15, 16, TIMES)
    lengths = torch.stack([length_from_correlation(s.double(), chain, width=1.0) for s in states], 1)
    assert lengths.mean(0).numpy()[4:] == pytest.approx(0.476936 * np.sqrt(8 * TIME[4:]), rel=0.02)
    found = growth_exponent(TIME, lengths, window=(8, 128))
    assert found.value == pytest.approx(0.5, abs=max(0.01, 3 * found.error)) and found.error < 0.02
    _, local, error = local_exponent(TIME, lengths)
    assert (np.abs(local[2:] - 0.5) < 4 * error[2:] + 0.01).all()


def test_ising_plane():
    """Curvature drives t^(1/2), by correlation, walls and clusters alike, but for early corrections of 0.03."""
    lattice, graph = Lattice.square(256, 256), site_graph(Lattice.square(256, 256))
    states = list(glauber_plane(256, 6, TIMES))
    routes = [lambda s: length_from_correlation(s.double(), lattice)]
    routes += [lambda s: length_from_walls(s, graph), lambda s: length_from_clusters(s, graph)]
    for route in routes:
        found = growth_exponent(TIME, torch.stack([route(s) for s in states], 1), window=(8, 128))
        assert found.value == pytest.approx(0.5, abs=0.05) and 1e-3 < found.error < 0.06
        assert abs(found.value - 1 / 3) > 3 * found.error and abs(found.value - 1) > 10 * found.error


def test_conserved_order_parameter():
    """Cahn-Hilliard: t^(1/3), approached from below; walls as wide as a tenth of L cost 0.02 at these times."""
    times = [57, 80, 113, 160, 226, 320, 453, 640, 905, 1280]
    lattice, graph = Lattice.square(128, 128), site_graph(Lattice.square(128, 128))
    states = list(cahn_hilliard(128, 6, times, dt=0.5))
    zero = torch.stack([length_from_correlation(s, lattice, level=0.0) for s in states], 1)
    walls = torch.stack([length_from_walls(s.sign().long(), graph) for s in states], 1)
    for lengths in (zero, walls):
        found = growth_exponent(np.array(times, dtype=np.float64), lengths)
        assert found.value == pytest.approx(1 / 3, abs=0.03)
        assert abs(found.value - 0.5) > 5 * found.error


def test_linear_growth_in_closed_form():
    """Signs of Gaussian fields of correlation length l = 2 + t / 8: C = (2/pi) asin(exp(-r^2/2l^2)).

    Half height at l sqrt(ln 2); walls of length 1 / (2 l) per area, 4/pi times that on the lattice.
    """
    lattice, graph = Lattice.triangular(128, 128), site_graph(Lattice.triangular(128, 128))
    time = np.array([0.0, 8.0, 16.0, 24.0, 32.0])
    scale = 2 + time / 8
    fields = [gaussian_field(lattice, size, 24, seed=k).sign() for k, size in enumerate(scale)]
    half = torch.stack([length_from_correlation(f, lattice) for f in fields], 1)
    walls = torch.stack([length_from_walls(f.long(), graph) for f in fields], 1)
    assert half.mean(0).numpy() == pytest.approx(scale * math.sqrt(math.log(2)), rel=0.04)
    assert walls.mean(0).numpy() == pytest.approx(2 * scale * math.pi / 4, rel=0.04)
    found = growth_exponent(time + 16, half)  # as if the origin of time were known
    assert found.value == pytest.approx(1, abs=3 * found.error) and found.error < 0.05


def test_errors():
    lengths = power_laws(0.5)
    with pytest.raises(UserError, match="from 2 times"):
        growth_exponent(TIME, lengths, window=(3, 4))
    lengths[2, 5:] = math.inf
    assert growth_exponent(TIME, lengths).window == (1.0, 6.0)
    with pytest.raises(UserError, match="factor > 1"):
        local_exponent(TIME, lengths, factor=1.0)
