"""Loops compiled by numba and kept on disk until any source that they are made of changes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from sdgnn.processes import is_first

_config: Any = numba.config
_ours: list[Any] = []


class _Said(event.Listener):
    """Says once that something is being compiled, so that nobody takes the wait for a fault."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        if not self.said and is_first() and any(event.data["dispatcher"] is ours for ours in _ours):
            print("sdgnn: compiling for this processor, some seconds, once", file=sys.stderr, flush=True)
            self.said = True

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Said())


def compiled(*sources: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of functions compiled on first use, for every type of argument, and read from disk from then on.

    numba itself looks at the file of the function alone; ``sources`` are the paths of all modules whose functions and
    constants become part of it (each module's ``__file__``). Threads may run it side by side.
    """
    digest = hashlib.sha256(b"".join(Path(source).read_bytes() for source in sorted(sources))).hexdigest()[:16]

    def decorate(function: Callable[..., Any]) -> Any:
        given = _config.CACHE_DIR
        folder = Path(given) if given else Path(function.__code__.co_filename).parent / "__pycache__"
        _config.CACHE_DIR = str(folder / f"compiled-{digest}")
        try:
            dispatcher = numba.njit(fastmath=True, error_model="numpy", nogil=True, cache=True)(function)
        finally:
            _config.CACHE_DIR = given
        _ours.append(dispatcher)
        return dispatcher

    return decorate
