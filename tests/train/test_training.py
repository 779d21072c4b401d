"""The moving average and the schedule against numbers computed by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from sdgnn.train import TrainSettings
from sdgnn.train.training import moving_average, schedule


class Weight(nn.Module):
    """One weight and a table that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.register_buffer("table", torch.arange(3))


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_average_equals_hand_computed(decay):
    """w_1 = theta_1, then w <- d w + (1 - d) theta, d = min(decay, (1 + n) / (10 + n)); theta_n = 1 - 0.8^n."""
    model = Weight()
    averaged = AveragedModel(model, avg_fn=moving_average(decay))
    average = 0.0
    for n in range(21):
        theta = 1 - 0.8 ** (n + 1)
        with torch.no_grad():
            model.weight.fill_(theta)
        averaged.update_parameters(model)
        d = min(decay, (1 + n) / (10 + n)) if n else 0.0
        average = d * average + (1 - d) * theta
        assert averaged.module.weight.item() == pytest.approx(average, rel=1e-14)
    assert averaged.module.table.tolist() == [0, 1, 2]
    if decay > 0:
        assert abs(average - theta) > 1e-6  # positive control: the average is not the last weight


def rates(warmup: float, final: float, steps: int) -> list[float]:
    settings = TrainSettings(warmup=warmup, final_rate=final)
    return [schedule(settings, step, steps, time_used=0.0) for step in range(steps)]


def test_schedule_rises_linearly_then_follows_half_a_cosine():
    rate = rates(0.2, 0.1, 101)
    rise = [(k + 1) / 21.2 for k in range(21)]
    assert rate[:21] == pytest.approx(rise)
    assert max(rate) <= 1 and max(rate) > 0.99
    assert rate[-1] == pytest.approx(0.1, rel=1e-12)
    assert all(a > b for a, b in pairwise(rate[22:]))
    middle = rates(0.0, 0.1, 101)
    assert middle[0] == 1 and middle[50] == pytest.approx(0.55)
    assert middle[25] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_schedule_of_very_short_runs_is_finite(steps):
    for warmup in (0.0, 0.05, 0.9):
        assert all(0 < rate <= 1 for rate in rates(warmup, 0.01, steps))


def test_schedule_completes_when_time_runs_out_first():
    """At three quarters of the time after a tenth of the steps, the rate is that of three quarters of the cosine."""
    settings = TrainSettings(warmup=0.0, final_rate=0.0)
    assert schedule(settings, 10, 101, time_used=0.0) == pytest.approx((1 + math.cos(0.1 * math.pi)) / 2)
    assert schedule(settings, 10, 101, time_used=0.75) == pytest.approx((1 + math.cos(0.75 * math.pi)) / 2)
    assert schedule(settings, 10, 101, time_used=2.0) == pytest.approx(0)
