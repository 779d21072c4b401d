"""A logger of the caller's is told the settings and every point that TensorBoard draws, and how the training ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.labels import heisenberg_labels
from helpers.small_networks import small_baseline

from sdgnn.common.errors import UserError
from sdgnn.train import TrainSettings, fit

LABELS = [heisenberg_labels((4, 4), 12, seed) for seed in (0, 1)]
SETTINGS = TrainSettings(epochs=2, batch=1)


class Recorded:
    """Keeps what is logged, as loggers of Lightning are told."""

    def __init__(self) -> None:
        self.settings: list[dict[str, Any]] = []
        self.points: list[tuple[str, float, int | None]] = []

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        self.settings.append(params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.points += [(name, value, step) for name, value in metrics.items()]


class Closing(Recorded):
    """One that has something to close."""

    ended: str | None = None

    def finalize(self, status: str) -> None:
        self.ended = status


def drawn(folder: Path) -> list[tuple[str, float, int]]:
    """The points in TensorBoard's files."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(name, point.value, point.step) for name in events.Tags()["scalars"] for point in events.Scalars(name)]


def test_a_logger_is_told_what_tensorboard_draws(tmp_path: Path) -> None:
    """TensorBoard keeps single precision. 24 steps: ten-step curves at 0, 10 and 20, the rest after 12 and 24."""
    logger = Closing()
    fit(small_baseline(), LABELS[:1], LABELS[1:], SETTINGS, tmp_path, logger=logger)
    expected = drawn(tmp_path)
    assert {(name, step) for name, _, step in expected} >= {("train/loss", 20), ("validation/torque_r2", 24)}
    assert sorted((name, step) for name, _, step in logger.points) == sorted((name, step) for name, _, step in expected)
    told = {(name, step): value for name, value, step in logger.points}
    for name, value, step in expected:
        assert told[name, step] == pytest.approx(value, rel=1e-6, abs=1e-12)
    assert [one["training"]["epochs"] for one in logger.settings] == [2]
    assert logger.settings[0]["network"]["kind"] == small_baseline().settings.kind
    assert logger.ended == "success"


def test_a_resumed_training_tells_what_is_new(tmp_path: Path) -> None:
    """The first one is stopped by its logger in the second epoch: what follows the checkpoint is told again."""

    class Stopping(Closing):
        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
            super().log_metrics(metrics, step)
            if step == 20:
                raise KeyboardInterrupt

    stopped, resumed = Stopping(), Recorded()
    with pytest.raises(KeyboardInterrupt):
        fit(small_baseline(), LABELS[:1], LABELS[1:], SETTINGS, tmp_path, logger=stopped)
    assert stopped.ended == "failed"
    fit(small_baseline(), LABELS[:1], LABELS[1:], SETTINGS, tmp_path, resume=True, logger=resumed)
    assert {step for _, _, step in stopped.points} == {0, 10, 12, 20}
    assert {step for _, _, step in resumed.points} == {20, 24}
    assert resumed.points[0][0] == "train/loss"


@pytest.mark.parametrize("given", ["wandb", print, object()], ids=["a name", "a function", "an object"])
def test_what_is_no_logger_is_refused(given: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"logger .*log_metrics\(metrics, step\) and log_hyperparams"):
        undecorated(fit)(small_baseline(), LABELS[:1], LABELS[1:], SETTINGS, tmp_path / "new", logger=given)
    assert not (tmp_path / "new").exists()


def undecorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as users have it, without the tests' checks of types."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function
