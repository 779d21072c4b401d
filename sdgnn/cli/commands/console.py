"""What the commands tell their user, on standard error so that standard output carries results alone."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType

from sdgnn.common.processes import is_first

WIDTH = 120
"""Columns of tables where the output is no terminal."""

console = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else WIDTH)
"""Messages and tables."""


def say(text: RenderableType) -> None:
    """One message or table, from the first process; text is not wrapped, and its brackets are no markup."""
    if is_first():
        console.print(text, markup=False, soft_wrap=isinstance(text, str))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Announce a step and, when it is done, how long it took."""
    say(what)
    start = time.monotonic()
    yield
    say(f"  {time.monotonic() - start:.1f} s")


def warn(texts: Iterable[str]) -> None:
    """A line of warning for each text, once where several are the same."""
    for text in dict.fromkeys(texts):
        say(f"warning: {text}")


@contextmanager
def warnings_said() -> Iterator[None]:
    """Warnings in the block appear as one line of text each."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
