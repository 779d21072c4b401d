"""What differs between two records: configurations, settings of runs, origins of labels."""

from __future__ import annotations

from typing import Any

LONGEST = 120
"""Characters of a value that are shown at most."""


def differences(first: Any, second: Any, name: str = "") -> str:
    """The entries in which two nests of dicts and lists differ, as ``kT 0.05 and 0.1``; empty where they are equal."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted({*first, *second})
        found = [differences(first.get(k), second.get(k), f"{name}.{k}" if name else k) for k in keys]
        return ", ".join(filter(None, found))
    if isinstance(first, list | tuple) and isinstance(second, list | tuple) and len(first) == len(second):
        found = [differences(a, b, f"{name}[{k}]") for k, (a, b) in enumerate(zip(first, second, strict=True))]
        return ", ".join(filter(None, found))
    return "" if first == second else f"{name} {_short(first)} and {_short(second)}"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
