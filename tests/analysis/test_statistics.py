"""Means, standard errors and the bootstrap against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn.analysis import bootstrap, mean_and_error
from sdgnn.errors import UserError


def test_mean_and_error_by_hand():
    values = torch.tensor([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]], dtype=torch.float64)
    mean, error = mean_and_error(values)
    assert mean.tolist() == [3.0, 5.0]
    assert error.tolist() == pytest.approx([np.sqrt(7 / 3), 0.0])


def test_one_replica_has_no_error():
    mean, error = mean_and_error(torch.ones(1, 4))
    assert torch.isnan(error).all() and (mean == 1).all()


def test_error_bars_cover_the_truth():
    """Of 4000 means of 10 normal numbers, 68 % lie within one error for many replicas; Student's t with 9: 65.7 %."""
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((10, 4000)))
    mean, error = mean_and_error(values)
    assert ((mean.abs() < error).double().mean().item()) == pytest.approx(0.657, abs=0.03)


def test_bootstrap_of_a_mean():
    """Exact for infinitely many samples: sqrt((n - 1) / n) times the standard error; 4000 samples leave 1.1 %."""
    values = torch.from_numpy(np.random.default_rng(1).standard_normal((6, 3)))
    mean, error = mean_and_error(values)
    estimate, spread = bootstrap(values, lambda sample: sample.mean(0), samples=4000, seed=2)
    assert torch.equal(estimate, mean)
    assert torch.allclose(spread, error * np.sqrt(5 / 6), rtol=0.05)
    again = bootstrap(values, lambda sample: sample.mean(0), samples=4000, seed=2)[1]
    assert torch.equal(spread, again)


def test_bootstrap_needs_replicas():
    with pytest.raises(UserError, match="at least 2"):
        bootstrap(torch.ones(1, 3), lambda sample: sample.mean(0))
