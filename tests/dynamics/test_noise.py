"""The noise: normal, uncorrelated, and a function of seed, replica, step and site alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sdgnn.dynamics.integrators.noise import Purpose, normal

SIGMAS = 5


def test_normal_distribution():
    numbers = normal(11, range(20), 3, range(1000), Purpose.BEFORE).ravel()
    n = numbers.size
    assert abs(numbers.mean()) < SIGMAS / np.sqrt(n)
    assert abs(numbers.var() - 1) < SIGMAS * np.sqrt(2 / n)
    assert abs((numbers**4).mean() - 3) < SIGMAS * np.sqrt(96 / n)
    assert stats.kstest(numbers, "norm").pvalue > 1e-6
    assert stats.kstest(1.02 * numbers + 0.02, "norm").pvalue < 1e-6


@pytest.mark.parametrize(
    "other",
    [
        lambda: normal(7, range(4), 6, range(3000), Purpose.BEFORE),
        lambda: normal(8, range(4), 5, range(3000), Purpose.BEFORE),
        lambda: normal(7, range(1, 5), 5, range(3000), Purpose.BEFORE),
        lambda: normal(7, range(4), 5, range(1, 3001), Purpose.BEFORE),
        lambda: normal(7, range(4), 5, range(3000), Purpose.AFTER),
        lambda: normal(7, range(4), 5, range(3000), Purpose.PROBE),
        lambda: np.roll(normal(7, range(4), 5, range(3000), Purpose.BEFORE), 1, axis=-1),
    ],
    ids=["step", "seed", "replica", "site", "kick", "probe", "component"],
)
def test_no_correlations(other):
    """Neighbouring steps, seeds, replicas, sites, streams and components are independent (also in their squares)."""
    here, there = normal(7, range(4), 5, range(3000), Purpose.BEFORE), other()
    n = here.size
    assert abs((here * there).mean()) < SIGMAS / np.sqrt(n)
    assert abs(((here**2 - 1) * (there**2 - 1)).mean()) < SIGMAS * 2 / np.sqrt(n)
    assert abs((here * here).mean()) > SIGMAS / np.sqrt(n)


@given(
    seed=st.integers(0, 2**64 - 1),
    replica=st.integers(0, 2**63 - 1),
    step=st.integers(0, 2**63 - 1),
    first=st.integers(0, 30),
    count=st.integers(1, 30),
)
def test_any_part_is_the_part_of_the_whole(seed, replica, step, first, count):
    """A process with some of the sites, or a run of one replica, meets the same bits."""
    whole = normal(seed, [3, replica] if replica != 3 else [replica], step, range(60), Purpose.TRIAL)
    part = normal(seed, [replica], step, range(first, first + count), Purpose.TRIAL)
    assert np.array_equal(whole[-1, first : first + count], part[0])
    assert np.isfinite(whole).all()


def test_sites_must_be_contiguous():
    with pytest.raises(ValueError, match="contiguous"):
        normal(0, [0], 0, range(0, 10, 2), Purpose.BEFORE)
