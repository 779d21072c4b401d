"""Curves of a training as it goes: TensorBoard's, and those of any logger that the caller brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sdgnn.common.extras import missing
from sdgnn.common.processes import is_first

Draw = Callable[[Mapping[str, float], int], None]
"""Takes named numbers and the step that they belong to."""


@runtime_checkable
class Logger(Protocol):
    """What takes the curves of a training: any logger of Lightning, or an object with the same two methods.

        class Printed:
            def log_hyperparams(self, params):
                print(params)

            def log_metrics(self, metrics, step):
                print(step, metrics)

    Where the object has a method ``finalize(status)`` it is called at the end, with ``"success"`` or ``"failed"``.
    """

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Numbers by name, as ``validation/torque_r2``, after so many steps of the optimiser."""

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Settings of the training and of the network, once at the start."""


@contextmanager
def curves(folder: Path, done: int, logger: Logger | None, settings: dict[str, Any]) -> Iterator[Draw]:
    """Draws into TensorBoard's ``folder``, where it is installed, and into the ``logger``, by the first process alone.

    TensorBoard's points after the ``done`` steps of a resumed run go; a logger is told nothing twice, but may have been
    told of steps that a killed run did after its last checkpoint.
    """
    if not is_first():
        yield lambda numbers, step: None
        return
    with ExitStack() as held:
        writer = None
        if not missing("train"):
            from torch.utils.tensorboard import SummaryWriter

            writer = held.enter_context(SummaryWriter(str(folder), purge_step=done + 1 if done else None))
        if logger is not None:
            held.push(lambda kind, error, trace: _finish(logger, kind is None))
            logger.log_hyperparams(settings)

        def draw(numbers: Mapping[str, float], step: int) -> None:
            if writer is not None:
                for name, value in numbers.items():
                    writer.add_scalar(name, value, step)
            if logger is not None:
                logger.log_metrics(dict(numbers), step)

        yield draw


def _finish(logger: Logger, well: bool) -> None:
    """Tell a logger that has files or connections to close."""
    finalize = getattr(logger, "finalize", None)
    if finalize is not None:
        finalize("success" if well else "failed")
