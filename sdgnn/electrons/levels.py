"""Sizes of the walks of local moments by name."""

from __future__ import annotations

from typing import Literal

Level = Literal["fast", "accurate"]
"""Cutoff and moments by name."""

LEVELS: dict[Level, tuple[int, int]] = {"fast": (5, 41), "accurate": (7, 67)}
"""Cutoff and moments of each level."""
