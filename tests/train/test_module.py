"""The moving average and the schedule against numbers computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from train.helpers import heisenberg_labels
from train.networks import small_network

from sdgnn.train import TrainSettings
from sdgnn.train.module import MovingAverage, TrainingModule
from sdgnn.train.objective import Objective, Scales


class Descent(pl.LightningModule):
    """One weight pulled towards 1, with its history."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        self.register_buffer("table", torch.arange(3))
        self.history: list[float] = []
        self.validated: list[float] = []

    def training_step(self, batch, index):
        return (self.weight - 1).square().sum()

    def on_train_batch_end(self, outputs, batch, index):
        self.history.append(self.weight.item())

    def validation_step(self, batch, index):
        self.validated.append(self.weight.item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_average_equals_hand_computed(decay, tmp_path):
    """w_1 = theta_1, then w <- d w + (1 - d) theta, d = min(decay, (1 + n) / (10 + n)); validated and kept."""
    module, data = Descent(), torch.utils.data.DataLoader(torch.zeros(7, 1))
    trainer = pl.Trainer(
        max_epochs=3, callbacks=[MovingAverage(decay)], accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(module, data, torch.utils.data.DataLoader(torch.zeros(1, 1)))
    assert module.history == pytest.approx([1 - 0.8**n for n in range(1, 22)], rel=1e-14)
    average, after_epoch = module.history[0], []
    for n, theta in enumerate(module.history):
        if n > 0:
            d = min(decay, (1 + n) / (10 + n))
            average = d * average + (1 - d) * theta
        if n % 7 == 6:
            after_epoch.append(average)
    assert module.validated == pytest.approx(after_epoch, rel=1e-14)
    assert module.weight.item() == pytest.approx(average, rel=1e-14)
    assert module.table.tolist() == [0, 1, 2]
    if decay > 0:
        assert abs(average - module.history[-1]) > 1e-6  # positive control: the average is not the last weight


def rates(warmup: float, final: float, steps: int) -> list[float]:
    settings = TrainSettings(warmup=warmup, final_rate=final)
    module = training_module(settings, steps, lambda: 0.0)
    return [module.rate(step) for step in range(steps)]


def training_module(settings: TrainSettings, steps: int, time_used: Callable[[], float]) -> TrainingModule:
    sets, objective = (
        [heisenberg_labels((4, 4), 1, 0)],
        Objective(Scales(1.0, 1.0, 1.0), torque=1.0, longitudinal=0.0, energy=0.0),
    )
    return TrainingModule(small_network(), objective, settings, sets, sets, steps, time_used)


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
    time_used = 0.0
    module = training_module(TrainSettings(warmup=0.0, final_rate=0.0), 101, lambda: time_used)
    assert module.rate(10) == pytest.approx((1 + math.cos(0.1 * math.pi)) / 2)
    time_used = 0.75
    assert module.rate(10) == pytest.approx((1 + math.cos(0.75 * math.pi)) / 2)
    time_used = 2.0
    assert module.rate(10) == pytest.approx(0)
