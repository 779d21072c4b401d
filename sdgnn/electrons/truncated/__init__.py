"""Electrons by local moments: walks of spinors inside balls, without training."""

from sdgnn.electrons.truncated.choice import Choice, Trial, suggest_cutoff
from sdgnn.electrons.truncated.field import LEVELS, TruncatedField
from sdgnn.electrons.truncated.pair_tail import PairTail, with_pair_tail
from sdgnn.levels import Level

__all__ = ["LEVELS", "Choice", "Level", "PairTail", "Trial", "TruncatedField", "suggest_cutoff", "with_pair_tail"]
