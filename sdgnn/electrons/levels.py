"""Sizes of the walks of local moments by name."""

from __future__ import annotations

from typing import Literal

Level = Literal["fast", "accurate"]
"""Cutoff and moments by name; :data:`sdgnn.electrons.truncated.LEVELS` holds the numbers."""
