"""Growth exponents of quenches whose laws are known, and errors against the scatter of independent data."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.quenches import cahn_hilliard, gaussian_field, glauber_chain, glauber_plane

from sdgnn import Lattice
from sdgnn.analysis import length_from_correlation
from sdgnn.analysis.domains.clusters import length_from_clusters, length_from_walls, site_graph
from sdgnn.analysis.domains.growth import (
    delayed_exponent,
    growth_exponent,
    law_exponent,
    local_exponent,
    offset_exponent,
    route_spread,
)
from sdgnn.common.errors import UserError

TIMES = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128]
TIME = np.array(TIMES, dtype=np.float64)


MEMORY = np.linalg.cholesky(np.exp(-np.abs(np.subtract.outer(np.log(TIME), np.log(TIME))) / 0.7))
"""Makes noise that is correlated over a factor of two in time, as that of one replica is, from independent noise."""


def power_laws(exponent, replicas=6, noise=0.0, seed=0, offset=0.0):
    """L = (L_0 + 1.7 t^n) exp(noise)."""
    scatter = np.random.default_rng(seed).standard_normal((replicas, len(TIME))) @ MEMORY.T
    return torch.from_numpy((offset + 1.7 * TIME**exponent) * np.exp(noise * scatter))


def held(values, errors, true):
    """Share of intervals of one error that hold the truth."""
    return float(np.mean(np.abs(np.array(values) - true) < errors))


@pytest.mark.parametrize("exponent", [1 / 3, 0.5, 1.0])
def test_a_power_law_is_found_with_no_error(exponent):
    found = growth_exponent(TIME, power_laws(exponent))
    assert found.value == pytest.approx(exponent, abs=1e-12) and found.prefactor == pytest.approx(1.7)
    assert max(found.error, found.drift, found.drift_error) < 1e-12 and found.window == (1.0, 128.0)
    assert not found.drifts and str(found) == f"{exponent:.3f} +- 0.000 (t = 1 to 128)"
    time, local, error = local_exponent(TIME, power_laws(exponent))
    assert np.allclose(local, exponent, atol=1e-12) and np.allclose(error, 0, atol=1e-12)
    assert time.min() >= 2 and time.max() <= 64


@pytest.mark.parametrize("replicas", [4, 8])
def test_one_error_holds_the_slope_of_the_window(replicas):
    """Of 200 sets, as many as Student's t says, 61 % for 4 replicas and 65 % for 8, known to 3.4 %. Beside an offset
    the slope is that of the lengths without noise, far from the law's. Of laws without one, 5 % seem to drift."""
    t = {4: 0.609, 8: 0.649}[replicas]
    for offset in (0.0, 1.0):
        law = growth_exponent(TIME, power_laws(0.5, 2, offset=offset)).value
        fits = [growth_exponent(TIME, power_laws(0.5, replicas, 0.1, seed, offset)) for seed in range(200)]
        assert held([f.value for f in fits], [f.error for f in fits], law) == pytest.approx(t, abs=0.1)
        assert np.mean([f.error**2 for f in fits]) == pytest.approx(np.var([f.value for f in fits], ddof=1), rel=0.35)
        assert (np.mean([f.drifts for f in fits]) < 0.12) if offset == 0 else abs(law - 0.5) > 0.05


def test_a_law_that_is_no_power_says_so_in_place_of_its_error():
    """L = 4 + 1.7 t: the drift of the parabola is the difference of the slopes of both halves, which cubes change."""
    lengths = 4 + power_laws(1.0, 8, 0.02)
    bent = growth_exponent(TIME, lengths)
    early, late = (growth_exponent(TIME, lengths, window).value for window in ((1, 11), (11, 128)))
    assert bent.drifts and bent.drift == pytest.approx(late - early, rel=0.15) and bent.drift > 20 * bent.drift_error
    assert str(bent) == f"{bent.value:.3f}, drifting by {bent.drift:+.3f} +- {bent.drift_error:.3f} (t = 1 to 128)"
    assert growth_exponent(TIME, torch.from_numpy(4 + TIME)[None].repeat(4, 1)).drifts, "without any noise"
    single = growth_exponent(TIME, lengths[:1])
    assert math.isnan(single.error) and math.isnan(single.drift_error) and not single.drifts


@pytest.mark.parametrize("exponent", [1 / 3, 0.5, 1.0])
def test_an_offset_does_not_change_the_exponent_of_a_fit_that_has_one(exponent):
    """A plain power misses each of these laws by more than 0.1."""
    lengths = power_laws(exponent, offset=4)
    found = offset_exponent(TIME, lengths)
    assert found.value == pytest.approx(exponent, abs=1e-5) and found.error < 1e-5
    assert found.offset == pytest.approx(4, abs=1e-3) and found.prefactor == pytest.approx(1.7, abs=1e-3)
    assert abs(growth_exponent(TIME, lengths).value - exponent) > 0.1
    assert offset_exponent(TIME, lengths, window=(1, 64)).value == pytest.approx(exponent, abs=1e-5)


@pytest.mark.parametrize(("exponent", "offset"), [(0.5, 4.0), (1 / 3, 2.0)])
def test_one_error_of_a_fit_with_an_offset_holds_the_law(exponent, offset):
    """Of 120 sets of 8 replicas 65 % by Student's t, known to 4.4 %."""
    fits = [offset_exponent(TIME, power_laws(exponent, 8, 0.06, seed, offset)) for seed in range(120)]
    assert held([f.value for f in fits], [f.error for f in fits], exponent) == pytest.approx(0.65, abs=0.13)


def test_lengths_that_saturate_have_no_exponent_beside_an_offset():
    """L = 4 - 2 t^(-1/2): the best exponent is none of 0.05 to 3, where an error of 0 would be told."""
    found = offset_exponent(TIME, torch.from_numpy(4 - 2 / np.sqrt(TIME)) * power_laws(0.0, 6, 0.001) / 1.7)
    assert math.isnan(found.value) and math.isnan(found.error)


def late(begin, replicas, noise=0.0, seed=0):
    """L = 1.7 (t - t_0)^(1/2) exp(noise)."""
    return torch.from_numpy(np.sqrt(TIME - begin) / np.sqrt(TIME)) * power_laws(0.5, replicas, noise, seed)


@pytest.mark.parametrize(
    ("bend", "parameter", "replicas"), [("offset", 0.0, 4), ("offset", 1.0, 8), ("delay", 0.8, 8), ("delay", -16.0, 4)]
)
def test_one_error_of_the_law_holds_it(bend, parameter, replicas):
    """68 % are aimed at, and 100 sets know a share to 4.7 %: between 54 and 82 % within three of these. The plain
    exponent misses bent laws nearly always, and where nothing bends one error of the bent law is the larger."""
    make = (lambda seed: late(parameter, replicas, 0.08, seed)) if bend == "delay" else (
        lambda seed: power_laws(0.5, replicas, 0.08, seed, parameter)
    )  # fmt: skip
    sets = [make(seed) for seed in range(100)]
    laws, plain = [law_exponent(TIME, one, bend=bend) for one in sets], [growth_exponent(TIME, one) for one in sets]
    assert 0.54 <= held([f.value for f in laws], [f.error for f in laws], 0.5) <= 0.82
    weight = np.mean([f.bend_weight for f in laws])
    if parameter == 0:
        wide = [offset_exponent(TIME, one).error for one in sets[:20]]
        assert weight < 0.6 and np.median([f.error for f in laws]) < np.median(wide)
    else:
        assert held([f.value for f in plain], [f.error for f in plain], 0.5) < 0.15 and weight > 0.6


@pytest.mark.parametrize("begin", [0.9, -5.0])
def test_a_late_begin_does_not_change_the_exponent_of_a_fit_that_has_one(begin):
    """The plain power is off by more than 0.05, upwards where growth begins late."""
    found = delayed_exponent(TIME, late(begin, 4))
    assert found.value == pytest.approx(0.5, abs=1e-5) and found.delay == pytest.approx(begin, abs=1e-3)
    assert found.error < 1e-5 and found.prefactor == pytest.approx(1.7, abs=1e-3)
    assert (growth_exponent(TIME, late(begin, 4)).value - 0.5) * np.sign(begin) > 0.05
    assert math.isnan(delayed_exponent(TIME, torch.from_numpy(np.exp(TIME / 100))[None].repeat(2, 1)).value)


def test_the_law_is_that_of_lengths_without_noise():
    for offset in (0.0, 4.0):
        found = law_exponent(TIME, power_laws(0.5, offset=offset), bend="offset")
        assert found.value == pytest.approx(0.5, abs=1e-4) and found.error < 1e-3
    assert found.bend_weight > 0.99 and str(found) == f"{found.value:.3f} +- {found.error:.3f}"
    saturated = torch.from_numpy(4 - 2 / np.sqrt(TIME)) * power_laws(0.0, 6, 0.001) / 1.7
    for nothing in (law_exponent(TIME, saturated, bend="offset"), law_exponent(TIME, power_laws(0.5, 1, 0.1))):
        assert math.isnan(nothing.value) and math.isnan(nothing.error)
    with pytest.raises(UserError, match="from 3 times"):
        law_exponent(TIME, power_laws(0.5), window=(1, 3))


def test_routes_of_one_law_agree_and_others_do_not():
    """Noise that both routes share, and a fifth of it of their own. Of routes with one n, 95 % pass; those apart by
    0.06 are seen to be so, and one error of the difference holds 0.06 in 65 % of 200 sets."""
    common = [power_laws(0.5, 8, 0.1, seed) for seed in range(200)]
    pairs = [torch.stack([one, 3 * one * power_laws(0.0, 8, 0.02, 1000 + k)]) for k, one in enumerate(common)]
    assert np.mean([route_spread(TIME, pair).disagree for pair in pairs]) < 0.12
    steeper = torch.from_numpy(np.stack([TIME**0.0, TIME**0.06]))[:, None]
    apart = [route_spread(TIME, pair * steeper) for pair in pairs]
    assert all(one.disagree for one in apart) and str(apart[0]).endswith("no single law")
    assert held([one.value for one in apart], [one.error for one in apart], 0.06) == pytest.approx(0.65, abs=0.1)
    single = route_spread(TIME, pairs[0][:, :1])
    assert not single.disagree and math.isnan(single.error) and abs(single.value) < 0.1
    with pytest.raises(UserError, match="between 1 routes"):
        route_spread(TIME, pairs[0][:1])


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
    assert (np.abs(local[2:] - 0.5) < 4 * error[2:] + 0.01).all() and error.max() < 0.03


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
    steps = 0.1 * np.arange(1, 8)  # 0.1 * 3 > 0.3
    assert growth_exponent(steps, lengths[:, :7], window=(0.1, 0.3)).window == (0.1, steps[2])
    lengths[2, 5:] = math.inf
    assert growth_exponent(TIME, lengths).window == (1.0, 6.0)
    with pytest.raises(UserError, match="factor > 1"):
        local_exponent(TIME, lengths, factor=1.0)
