"""Electrons by local moments: walks of spinors inside balls, without training."""

from sdgnn.electrons.truncated.field import LEVELS, Level, TruncatedField

__all__ = ["LEVELS", "Level", "TruncatedField"]
