"""Means, standard errors and the bootstrap against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn.analysis import jackknife, mean_and_error


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


def test_jackknife_of_a_mean_is_its_standard_error():
    values = torch.from_numpy(np.random.default_rng(1).standard_normal((6, 3)))
    estimate, error = jackknife(values, lambda sample: sample.mean(0))
    for found, known in zip((estimate, error), mean_and_error(values), strict=True):
        torch.testing.assert_close(found, known, rtol=1e-12, atol=0)


def test_jackknife_covers_the_truth_of_a_statistic_that_is_not_linear():
    """ln <x> of 8 exponential numbers of mean 1, 3000 times: Student's t with 7 degrees of freedom says 65 %, and
    ln <x> is skew, -1/16 on average with a scatter of 0.35."""
    values = torch.from_numpy(np.random.default_rng(2).exponential(size=(8, 3000)))
    estimate, error = jackknife(values, lambda sample: sample.mean(0).log())
    assert (estimate.abs() < error).double().mean().item() == pytest.approx(0.65, abs=0.04)
    assert error.square().mean().sqrt().item() == pytest.approx(estimate.std().item(), rel=0.1)


def test_one_replica_has_no_jackknife_error():
    estimate, error = jackknife(torch.ones(1, 3), lambda sample: sample.mean(0))
    assert estimate.tolist() == [1, 1, 1] and error.isnan().all()


def test_a_statistic_without_numbers_is_no_fault(recwarn):
    estimate, error = jackknife(torch.ones(3, 2), lambda sample: sample.new_zeros(0))
    assert estimate.shape == error.shape == (0,) and not recwarn.list
