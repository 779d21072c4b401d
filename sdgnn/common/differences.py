"""What differs between two records: configurations, settings of runs, origins of labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LONGEST = 120
"""Characters of a value that are shown at most."""


def differences(first: Any, second: Any, name: str = "") -> str:
    """The entries in which two nests of dicts and lists differ, as ``kT 0.05 and 0.1``; empty where they are equal."""
    return ", ".join(entries(first, second, name))


def entries(first: Any, second: Any, name: str = "") -> Iterator[str]:
    """Each entry of :func:`differences`, in the order of the first."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in dict.fromkeys([*first, *second]):
            yield from entries(first.get(key), second.get(key), f"{name}.{key}" if name else str(key))
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        for k, (a, b) in enumerate(zip(first, second, strict=True)):
            yield from entries(a, b, f"{name}[{k}]")
    elif first != second:
        yield f"{name} {_short(first)} and {_short(second)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
