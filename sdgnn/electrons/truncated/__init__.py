"""Electrons by local moments: walks of spinors inside balls, without training."""

from sdgnn.electrons.truncated.choice import Choice, Trial, suggest_cutoff
from sdgnn.electrons.truncated.field import LEVELS, Level, TruncatedField

__all__ = ["LEVELS", "Choice", "Level", "Trial", "TruncatedField", "suggest_cutoff"]
