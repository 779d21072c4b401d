"""What the commands tell their user, on standard error so that standard output carries results alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType

console = Console(stderr=True, highlight=False)
"""Messages and progress."""


def say(text: RenderableType) -> None:
    """One message or table; text is not wrapped, and its brackets are no markup."""
    console.print(text, markup=False, soft_wrap=isinstance(text, str))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Announce a step and, when it is done, how long it took."""
    say(what)
    start = time.monotonic()
    yield
    say(f"  {time.monotonic() - start:.1f} s")
