"""Loops compiled by numba and kept on disk until any source that they are made of changes."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import pickle
import tempfile
import time
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

kept: dict[str, Path | None] = {}
"""Where what is compiled lies, by its name; None where no folder can be written."""

log = logging.getLogger("sdgnn")
"""Tells of waits. Without handlers of the caller's own Python shows its messages on standard error;
``logging.getLogger("sdgnn").setLevel("ERROR")`` silences them."""


class _Said(event.Listener):
    """Says what is being compiled and how long it took, so that nobody takes the wait for a fault."""

    def __init__(self) -> None:
        self._started: dict[Any, float] = {}

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if dispatcher in _ours and is_first():
            log.warning("sdgnn: compiling %s", _ours[dispatcher])
            self._started[dispatcher] = time.perf_counter()

    def on_end(self, event: Any) -> None:
        start = self._started.pop(event.data["dispatcher"], None)
        if start is not None:
            log.warning("sdgnn: compiled in %.1f s", time.perf_counter() - start)


event.register("numba:compile", _Said())


def compiled(what: str, *sources: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorator of functions compiled on first use, for every type of argument, and read from disk from then on.

    ``what`` names the function to those who wait for it. numba itself looks at the file of the function alone;
    ``sources`` are the paths of all modules whose functions and constants become part of it (each module's
    ``__file__``). Threads may run it side by side. What is compiled lies in NUMBA_CACHE_DIR, where that is set,
    else beside the function or, where that cannot be written, in the user's folder for caches; where none can be,
    or the disk is full, it is compiled at every start.
    """
    digest = hashlib.sha256(b"".join(Path(source).read_bytes() for source in sorted(sources))).hexdigest()[:16]

    def decorate(function: Callable[..., Any]) -> Any:
        given = _config.CACHE_DIR
        folder = next(filter(can_be_written, _folders(given, function, digest)), None)
        _config.CACHE_DIR = str(folder or "")
        try:
            dispatcher: Any = numba.njit(fastmath=True, error_model="numpy", nogil=True, cache=folder is not None)(
                function
            )
        finally:
            _config.CACHE_DIR = given
        often = "at every start, as no folder for what is compiled can be written" if folder is None else "once"
        _ours[dispatcher] = f"{what} for this processor, some seconds, {often}"
        kept[what] = folder

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            try:
                return dispatcher(*arguments)
            except (OSError, EOFError, pickle.PickleError) as error:  # before anything is computed
                if folder is None:
                    raise
                log.warning("sdgnn: what is compiled is not kept in %s: %s", folder, error)
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


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made where it is absent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True
