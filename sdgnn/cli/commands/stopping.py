"""Signals of a scheduler that wants a command to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sdgnn.common.errors import Terminated

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
"""What schedulers send before they kill: SIGTERM, or what a job asked for (Slurm: ``--signal=USR1@60``); SIGHUP comes
from a terminal or a connection that is closed."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Within the block the first of :data:`SIGNALS` raises Terminated, so that what is finished is saved.

    Later ones are ignored: saving is not interrupted. So are those that the process ignored before, as after ``nohup``.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(f"ended by {signal.Signals(number).name}")

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
