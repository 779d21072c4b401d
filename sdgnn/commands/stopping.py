"""Signals of a scheduler that wants a command to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sdgnn.errors import Terminated

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What schedulers send before they kill: SIGTERM, or what a job asked for (Slurm: ``--signal=USR1@60``)."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block the first of :data:`SIGNALS` raises Terminated, so that what is finished is saved.

    Later ones are ignored: saving is not interrupted.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(f"ended by {signal.Signals(number).name}")

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
