"""Loops compiled by numba and kept on disk until any source that they are made of changes."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core import event

from sdgnn.common.processes import is_first

_config: Any = numba.config
_ours: dict[Any, str] = {}
"""The functions of this package, and what is said when one is compiled."""

ONCE = "sdgnn: compiling for this processor, some seconds, once"
AGAIN = (
    "sdgnn: compiling for this processor, some seconds at every start: no folder for what is compiled can be written"
)
"""Said of functions that are kept, and of those that cannot be."""


class _Said(event.Listener):
    """Says once that something is being compiled, so that nobody takes the wait for a fault."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        what = _ours.get(event.data["dispatcher"])
        if what is not None and not self.said and is_first():
            _say(what)
            self.said = True

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Said())


def compiled(*sources: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of functions compiled on first use, for every type of argument, and read from disk from then on.

    numba itself looks at the file of the function alone; ``sources`` are the paths of all modules whose functions and
    constants become part of it (each module's ``__file__``). Threads may run it side by side. What is compiled lies in
    NUMBA_CACHE_DIR, where that is set, else beside the function or, where that cannot be written, in the user's folder
    for caches; where none can be, or the disk is full, it is compiled at every start.
    """
    digest = hashlib.sha256(b"".join(Path(source).read_bytes() for source in sorted(sources))).hexdigest()[:16]

    def decorate(function: Callable[..., Any]) -> Any:
        given = _config.CACHE_DIR
        folder = next(filter(_can_be_written, _folders(given, function, digest)), None)
        _config.CACHE_DIR = str(folder or "")
        try:
            dispatcher: Any = numba.njit(fastmath=True, error_model="numpy", nogil=True, cache=folder is not None)(
                function
            )
        finally:
            _config.CACHE_DIR = given
        _ours[dispatcher] = AGAIN if folder is None else ONCE

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            try:
                return dispatcher(*arguments)
            except (OSError, EOFError, pickle.PickleError) as error:  # before anything is computed
                if folder is None:
                    raise
                _say(f"sdgnn: what is compiled is not kept in {folder}: {error}")
                dispatcher._cache.disable()
                return dispatcher(*arguments)

        return call

    return decorate


def _folders(given: str, function: Callable[..., Any], digest: str) -> list[Path]:
    """Where to keep what is compiled, the best place first."""
    if given:
        return [Path(given) / f"compiled-{digest}"]
    places = [Path(function.__code__.co_filename).parent / "__pycache__"]
    with suppress(RuntimeError):  # a user without home
        places.append((Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sdgnn").absolute())
    return [place / f"compiled-{digest}" for place in places]


def _can_be_written(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
