"""Means of correlated samples: autocorrelation times of processes that have them in closed form, and honest errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray
from scipy.signal import lfilter

from sdgnn.analysis import autocorrelation_time, equilibrium
from sdgnn.analysis.statistics.equilibrium import autocorrelation_function, estimate
from sdgnn.common.errors import UserError


def process(rho, replicas, times, seed=0):
    """x(t) = rho x(t-1) + sqrt(1 - rho^2) xi, stationary: rho_k = rho^k, tau = (1 + rho) / (1 - rho), variance 1."""
    drawn = np.random.default_rng(seed).standard_normal((replicas, times))
    drawn[:, 1:] *= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], drawn, axis=1)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, -0.3])
def test_autocorrelation_of_an_autoregressive_process(rho):
    """Within 4 of Sokal's relative errors sqrt(2 (2 W + 1) / samples), W = 5 tau; never below 1."""
    values = process(rho, 8, 20_000)
    tau = max(1.0, (1 + rho) / (1 - rho))
    error = np.sqrt(2 * (10 * tau + 1) / values.size)
    assert autocorrelation_time(values) == pytest.approx(tau, rel=4 * error)
    assert autocorrelation_function(values)[:4] == pytest.approx(rho ** np.arange(4.0), abs=0.03)


def test_autocorrelation_by_hand():
    values = np.array([[1.0, 2.0, 3.0, 6.0], [0.0, -1.0, -4.0, 1.0]])
    deviation = values - 1.0
    sums = [np.mean([deviation[:, k:4] * deviation[:, : 4 - k]]) for k in range(4)]
    assert autocorrelation_function(values) == pytest.approx(np.array(sums) / sums[0])


def test_errors_cover_the_truth():
    """Of 300 means, 68 % lie within one error; errors that take the samples for independent (control) cover 27 %."""
    found = [estimate(process(0.8, 4, 1000, seed=seed)) for seed in range(300)]
    inside = np.mean([abs(entry.mean) < entry.error for entry in found])
    assert inside == pytest.approx(0.683, abs=0.08)  # 3 standard errors of a share of 300
    naive = np.mean([abs(entry.mean) < 1 / np.sqrt(4000) for entry in found])
    assert naive == pytest.approx(0.261, abs=0.08)  # a third of an error
    assert all(entry.reliable for entry in found)


def test_replicas_that_have_not_mixed_are_told():
    mixed = process(0.5, 4, 1000)
    assert estimate(mixed).r_hat < 1.01
    apart = mixed + np.array([0.0, 0.0, 1.0, 1.0])[:, None]
    assert estimate(apart).r_hat > 1.05
    assert np.isnan(estimate(mixed[:1]).r_hat)
    assert not estimate(process(0.95, 1, 500)).reliable


def test_settings_are_kept_apart():
    """Replicas of one kT and damping are pooled; times carry their unit; the start is left out."""
    values = process(0.5, 6, 4000).T
    values[:, 3:] += 10.0
    values[:800] += 1000.0
    data = xarray.Dataset(
        {"energy": (("time", "replica"), values), "spins": (("time", "replica", "site"), values[..., None])},
        coords={
            "time": np.arange(4000) * 0.5, "kT": ("replica", [0.1] * 3 + [0.2] * 3), "damping": ("replica", [0.3] * 6)
        },
    )  # fmt: skip
    found = equilibrium(data, discard=0.2)
    assert found["kT"].values.tolist() == [0.1, 0.2]
    assert found["energy_mean"].values == pytest.approx([0.0, 10.0], abs=0.1)
    assert found["energy_autocorrelation_time"].values == pytest.approx([1.5, 1.5], rel=0.2)
    assert found["energy_effective"].values == pytest.approx([3200, 3200], rel=0.2)
    assert "spins_mean" not in found
    with pytest.raises(UserError, match="from 0 to below 1"):
        equilibrium(data, discard=1.0)
    with pytest.raises(UserError, match="without numbers"):
        equilibrium(data[["spins"]])


def test_samples_that_do_not_move_or_are_no_numbers():
    constant = estimate(np.full((2, 10), 3.0))
    assert (constant.mean, constant.error, constant.autocorrelation_time) == (3.0, 0.0, 1.0)
    assert np.isnan(estimate(np.array([[1.0]])).error)
    for bad in (np.empty((2, 0)), np.array([[1.0, np.nan]])):
        with pytest.raises(UserError, match="all of them finite"):
            estimate(bad)
