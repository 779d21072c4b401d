"""Arrays that are shared by all who ask for them, and that nobody can change."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np


def frozen(array: np.ndarray) -> np.ndarray:
    """The array itself, read-only from now on: for arrays that were just made."""
    array.flags.writeable = False
    return array


def freeze(record: Any) -> None:
    """Makes the arrays of a dataclass read-only, in its ``__post_init__``: copies of those that somebody may change."""
    for entry in dataclasses.fields(record):
        value = getattr(record, entry.name)
        if isinstance(value, np.ndarray) and value.flags.writeable:
            object.__setattr__(record, entry.name, frozen(value.copy()))
