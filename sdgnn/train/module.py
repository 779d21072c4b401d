"""The training step as a Lightning module, with its schedule, weight average and progress bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint, WeightAveraging
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.progress import progress_bar
from sdgnn.data import LabelSet
from sdgnn.fields import Field
from sdgnn.nn import Model
from sdgnn.train.batches import Batch
from sdgnn.train.binding import bind
from sdgnn.train.metrics import Tally
from sdgnn.train.objective import Objective
from sdgnn.train.settings import TrainSettings

MONITOR = "validation/torque_r2"
"""The number by which the best weights are chosen and early stopping decides."""


class TrainingModule(pl.LightningModule):
    """One network trained on batches of several lattices at once.

    Logs torque R^2, torque RMSE and the energy RMSE per site (after a constant shift) under ``train/`` (over the epoch,
    weights as they were) and ``validation/`` (averaged weights), and the loss and learning rate per step.
    """

    def __init__(
        self, network: Model, objective: Objective, settings: TrainSettings, training: Sequence[LabelSet],
        validation: Sequence[LabelSet], steps: int, time_used: Callable[[], float],
    ) -> None:  # fmt: skip
        super().__init__()
        self.network = network
        self._objective, self._settings, self._steps = objective, settings, steps
        self._time_used = time_used
        self._sets = {"train": tuple(training), "validation": tuple(validation)}
        self._bound: dict[str, list[Field]] = {}
        self._tally = Tally()

    def on_fit_start(self) -> None:
        """Bind the network to every lattice, once it is where it will be trained."""
        self._bound = {
            stage: [bind(self.network, labels, self._settings.torch_dtype) for labels in sets]
            for stage, sets in self._sets.items()
        }

    def on_train_epoch_start(self) -> None:
        self._train_tally = Tally()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        loss, field = self._objective(
            self.network.potentials(self._bound["train"][batch.which]),
            batch.spins,
            self.network.constant,
            batch.field,
            batch.energy,
        )
        if not torch.isfinite(loss):
            raise UserError(
                f"training diverged: loss {float(loss.detach()):g} at step {self.global_step}",
                fix="lower learning_rate or clip",
            )
        self._train_tally.add(batch.spins, field, batch.field)
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=False, batch_size=len(batch.spins))
        return loss

    def on_train_epoch_end(self) -> None:
        self._log("train", self._train_tally)

    def on_validation_epoch_start(self) -> None:
        self._tally = Tally()

    def validation_step(self, batch: Batch, index: int) -> None:
        result = self._bound["validation"][batch.which](batch.spins)
        self._tally.add(batch.spins, result.field, batch.field, result.energy, batch.energy)

    def on_validation_epoch_end(self) -> None:
        self._log("validation", self._tally)

    def _log(self, stage: str, tally: Tally) -> None:
        metrics = tally.metrics()
        for name in ("torque_r2", "torque_rmse", "energy_rmse_shifted", "angle_mean"):
            value = getattr(metrics, name)
            if not math.isnan(value):
                self.log(f"{stage}/{name}", value, batch_size=1)

    def configure_optimizers(self) -> Any:
        constant = self.network.constant
        decayed = [weight for weight in self.network.parameters() if weight is not constant]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": [constant], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self._settings.learning_rate, weight_decay=self._settings.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.rate(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate(self, step: int) -> float:
        """Learning rate after ``step`` steps as a fraction of its peak: a linear rise, then half a cosine.

        The cosine follows the share of the steps or of the time limit, whichever is larger.
        """
        rise = self._settings.warmup * self._steps
        if step < rise:
            return (step + 1) / (rise + 1)
        fraction = min(1.0, max((step - rise) / max(1.0, self._steps - 1 - rise), self._time_used()))
        final = self._settings.final_rate
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * fraction))


class MovingAverage(WeightAveraging):
    """Exponential moving average w <- d w + (1 - d) theta after each step, d = min(decay, (1 + n) / (10 + n)).

    n counts the updates before; the first one copies theta. Validation runs with, and checkpoints hold, the average.
    """

    def __init__(self, decay: float) -> None:
        def average(mean: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
            n = float(count)
            return mean + (1 - min(decay, (1 + n) / (10 + n))) * (current - mean)

        # buffers are tables that training does not change
        super().__init__(use_buffers=False, avg_fn=average)


class Keep(Checkpoint):
    """Writes ``last.safetensors`` after every epoch and ``best.safetensors`` after each best validation.

    Validations count that are better than ``score``, that before training.
    """

    def __init__(self, folder: Path, score: float) -> None:
        self.last, self.best = folder / "last.safetensors", folder / "best.safetensors"
        self.score, self.epoch = score, -1

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        score = float(trainer.callback_metrics.get(MONITOR, math.nan))
        if score > self.score:
            self.score, self.epoch = score, trainer.current_epoch
            trainer.save_checkpoint(self.best)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.save_checkpoint(self.last)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score, self.epoch = state_dict["score"], state_dict["epoch"]


class ProgressBar(pl.Callback):
    """Steps done, time left, and the last validation's torque R^2."""

    def __init__(self) -> None:
        self._shown = ExitStack()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert trainer.max_epochs is not None
        steps = trainer.max_epochs * int(trainer.num_training_batches)
        self._advance = self._shown.enter_context(progress_bar("training", steps, "steps", trainer.global_step))

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        self._advance(trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if (r2 := trainer.callback_metrics.get(MONITOR)) is not None:
            self._advance(trainer.global_step, f"torque R² {float(r2):.4f}")

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._shown.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._shown.close()
