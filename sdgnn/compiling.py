"""Loops compiled by numba and kept on disk until any source that they are made of changes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_config: Any = numba.config


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
            return numba.njit(fastmath=True, error_model="numpy", nogil=True, cache=True)(function)
        finally:
            _config.CACHE_DIR = given

    return decorate
