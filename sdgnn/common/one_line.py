"""One line of physics for records of numbers and arrays, as a notebook shows them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

SHOWN = 4
"""Numbers of an array that are shown; of larger ones the shape."""
LONGEST = 160
"""Characters of a line; what is longer ends with dots."""


def one_line(record: Any) -> str:
    """A dataclass as ``Name(part=value, ...)``: few numbers to six digits, of arrays the shape, without what is None.

    As ``__repr__ = one_line`` of a class::

        FieldResult(energy=[-92.1434, -92.1091], field: 2 x 36 x 3, density: 2 x 36, mu=[-3.08, -2.99])
    """
    parts = (
        f"{entry.name}{_value(value)}"
        for entry in dataclasses.fields(record)
        if entry.repr and (value := getattr(record, entry.name)) is not None
    )
    text = f"{type(record).__name__}({', '.join(parts)})"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 5]} ...)"


def _value(value: Any) -> str:
    """What stands after the name of a part."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if value.ndim and (value.ndim > 1 or len(value) > SHOWN):
            return f": {' x '.join(map(str, value.shape))}"
        value = value.tolist()
    return f"={_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, list | tuple) and len(value) <= SHOWN:
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, Mapping) and len(value) <= SHOWN:
        return f"{{{', '.join(f'{key}: {_short(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list | tuple | Mapping):
        return f"{len(value)} entries"
    if inspect.isroutine(value):
        return value.__name__
    return " ".join(repr(value).split())
