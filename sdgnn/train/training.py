"""Epochs of training: AdamW on shuffled batches, its schedule, the average of the weights, and their checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel

from sdgnn.common.errors import UserError
from sdgnn.common.processes import first_alone, from_first, number_of_processes, together, total
from sdgnn.common.progress import progress_bar
from sdgnn.data import LabelSet
from sdgnn.nn import Model
from sdgnn.train import checkpoint
from sdgnn.train.batches import number_of_batches, shuffled
from sdgnn.train.binding import bind
from sdgnn.train.curves import Draw, Logger, curves
from sdgnn.train.metrics import Metrics, Tally, judge_all
from sdgnn.train.objective import Objective
from sdgnn.train.settings import TrainSettings

LAST, BEST = (Path("checkpoints") / f"{name}.safetensors" for name in ("last", "best"))
"""Training states in the folder of a training: the one that is gone on from, and that of the best score."""
LOG_EVERY = 10
"""Steps between two points of the curves of loss and learning rate."""


class Training:
    """A network in training, and what a checkpoint holds: weights, their average, AdamW's moments, and the scores.

    A score is the torque R^2 of the averaged weights on the validation sets after an epoch.
    """

    def __init__(
        self, network: Model, objective: Objective, settings: TrainSettings, training: Sequence[LabelSet],
        validation: Sequence[LabelSet], folder: Path,
    ) -> None:  # fmt: skip
        self.device = device_of(settings.device)
        self.network = network.to(self.device)
        with torch.no_grad():  # what was measured before may differ by roundings of another machine
            for numbers in network.state_dict().values():
                numbers.copy_(from_first(numbers))
        self.average = AveragedModel(network, self.device, moving_average(settings.ema))
        averaged = cast(Model, self.average.module)
        constant = network.constant
        decayed = [weight for weight in network.parameters() if weight is not constant]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": [constant], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        self.scores: list[float] = []
        self.seconds = 0.0
        self.last, self.best = folder / LAST, folder / BEST
        self._objective, self._settings, self._training, self._folder = objective, settings, training, folder
        dtype = settings.torch_dtype
        self._fields = [bind(network, labels, dtype) for labels in training]
        self._validation = [(bind(averaged, labels, dtype), labels) for labels in validation]
        self._sizes = [len(labels) for labels in training]
        self.steps_per_epoch = number_of_batches(self._sizes, settings.batch, number_of_processes()[0])

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the best score; 0 before the first."""
        return 1 + max(range(len(self.scores)), key=self.scores.__getitem__, default=-1)

    @property
    def ended(self) -> bool:
        """Whether epochs, patience or time are used up."""
        settings, done = self._settings, len(self.scores)
        return (
            done >= settings.epochs
            or (settings.patience is not None and done - self.best_epoch >= settings.patience)
            or (done > 0 and self.time_used >= 1)
        )

    @property
    def time_used(self) -> float:
        """Share of the time limit; 0 where there is none."""
        return self.seconds / (60 * self._settings.minutes) if self._settings.minutes else 0.0

    def run(self, progress: bool, logger: Logger | None = None) -> None:
        """All epochs that are left, from the last checkpoint where there is one. Writes curves and checkpoints.

        The ``logger`` is told what TensorBoard is.

        Raises UserError on a loss that is not finite.
        """
        if self.last.exists():
            self._restore(*checkpoint.read(self.last))
        earlier, start = self.seconds, time.monotonic()
        done, steps = len(self.scores) * self.steps_per_epoch, self._settings.epochs * self.steps_per_epoch
        settings = {"training": self._settings.model_dump(), "network": self.network.settings.model_dump()}
        with (
            curves(self._folder / "tensorboard", done, logger, settings) as draw,
            progress_bar("training", steps, "steps", done, progress) as to,
        ):
            while not self.ended:
                self._epoch(draw, to, lambda: earlier + time.monotonic() - start)

    def _epoch(self, draw: Draw, advance: Callable[..., None], clock: Callable[[], float]) -> None:
        """Train on every state once, validate, and write checkpoints."""
        settings, tally = self._settings, Tally()
        step = len(self.scores) * self.steps_per_epoch
        note = f"torque R² {self.scores[-1]:.4f}" if self.scores else ""
        order = shuffled(self._sizes, settings.batch, settings.seed, len(self.scores), *number_of_processes())
        for which, states in order:
            self.seconds = clock()
            rate = settings.learning_rate * schedule(
                settings, step, settings.epochs * self.steps_per_epoch, self.time_used
            )
            loss = self._step(which, states, rate, tally, step)
            if step % LOG_EVERY == 0:
                draw({"train/loss": loss, "train/learning_rate": rate}, step)
            step += 1
            advance(step, note)
        found = judge_all(self._validation)
        score = float(from_first(torch.tensor(found.torque_r2, dtype=torch.float64, device="cpu")))
        draw(_shown("train", tally.metrics()) | _shown("validation", found), step)
        self.scores.append(score)
        self.seconds = clock()
        advance(step, f"torque R² {score:.4f}")
        with first_alone() as mine:
            if mine:
                for path in (self.best, self.last) if self.best_epoch == len(self.scores) else (self.last,):
                    checkpoint.write(path, self._state(), {"scores": self.scores, "seconds": self.seconds})

    def _step(self, which: int, states: Tensor, rate: float, tally: Tally, step: int) -> float:
        """One step of AdamW on states of a label set; the loss."""
        labels, dtype = self._training[which], self._settings.torch_dtype
        spins, field = (values[states].to(self.device, dtype) for values in (labels.spins, labels.field))
        # energies keep float64: subtracting two large ones must not cost digits
        energy = None if labels.energy is None else labels.energy[states].to(self.device)
        potentials = self.network.potentials(self._fields[which])
        loss, predicted = self._objective(potentials, spins, self.network.constant, field, energy)
        if not torch.isfinite(loss):
            raise UserError(
                f"training diverged: loss {float(loss.detach()):g} at step {step}", fix="lower learning_rate or clip"
            )
        self.optimizer.zero_grad()
        loss.backward()
        weights = [weight for weight in self.network.parameters() if weight.grad is not None]
        share_gradients(weights)
        clip_grad_norm_(weights, self._settings.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.average.update_parameters(self.network)
        tally.add(spins, predicted, field)
        return float(loss.detach())

    def _state(self) -> dict[str, Tensor]:
        """All numbers that the next step depends on."""
        return {
            **{f"network.{name}": value for name, value in self.network.state_dict().items()},
            **{f"average.{name}": value for name, value in self.average.state_dict().items()},
            **{
                f"optimizer.{number}.{name}": value
                for number, moments in self.optimizer.state_dict()["state"].items()
                for name, value in moments.items()
            },
        }

    def _restore(self, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        self.network.load_state_dict(_named(tensors, "network."))
        self.average.load_state_dict(_named(tensors, "average."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _named(tensors, "optimizer.").items():
            number, _, what = name.partition(".")
            moments.setdefault(int(number), {})[what] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        self.scores, self.seconds = header["scores"], header["seconds"]

    def best_weights(self) -> dict[str, Tensor]:
        """The averaged weights with the best score, from their file."""
        return _named(checkpoint.read(self.best)[0], "average.module.")


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with ``prefix``, which is taken off."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def schedule(settings: TrainSettings, step: int, steps: int, time_used: float) -> float:
    """Learning rate after ``step`` of ``steps`` as a fraction of its peak: a linear rise, then half a cosine.

    The cosine follows the share of the steps or of the time limit, whichever is larger.
    """
    rise = settings.warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    fraction = min(1.0, max((step - rise) / max(1.0, steps - 1 - rise), time_used))
    return settings.final_rate + (1 - settings.final_rate) * 0.5 * (1 + math.cos(math.pi * fraction))


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average w <- d w + (1 - d) theta after each step, d = min(decay, (1 + n) / (10 + n)).

    n counts the updates before; the first one copies theta (``AveragedModel`` does).
    """

    def average(mean: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        n = float(count)
        return mean + (1 - min(decay, (1 + n) / (10 + n))) * (current - mean)

    return average


def share_gradients(weights: Sequence[Tensor]) -> None:
    """The mean of the gradients over the processes that train together, in place."""
    if together():
        for weight in weights:
            assert weight.grad is not None
            weight.grad = total(weight.grad) / number_of_processes()[0]


def device_of(setting: str) -> torch.device:
    """The CPU, or the GPU of this process. Raises UserError where one is asked for and there is none."""
    if torch.cuda.is_available() and setting != "cpu":
        return torch.device("cuda", torch.cuda.current_device())
    if setting == "gpu":
        raise UserError("training on a GPU where there is none", allowed="device: cpu, or auto")
    return torch.device("cpu")


def _shown(stage: str, metrics: Metrics) -> dict[str, float]:
    """The numbers of an epoch that are known, by the names of their curves."""
    names = ("torque_r2", "torque_rmse", "energy_rmse_shifted", "angle_mean")
    return {f"{stage}/{name}": value for name in names if not math.isnan(value := getattr(metrics, name))}
