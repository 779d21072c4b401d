"""Standard streams that cannot end a command."""

from __future__ import annotations

import os
import sys
from typing import IO, Any


class Lasting:
    """A text stream whose failures are silent: a run goes on when its terminal or its reader is gone."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def protect_streams() -> None:
    """Messages may be lost (closed, full, broken standard error) and characters replaced, but neither ends a command.

    A reader that closes standard output still ends the command, as it does others.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (stays open)
    sys.stderr = Lasting(sys.stderr)  # type: ignore[assignment]
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
