"""Both ways in which spinors walk, with the same numbers."""

from __future__ import annotations

import torch

from sdgnn import SDModel
from sdgnn.electrons.bands import band
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.electrons.truncated.walk import Channel, WalkSettings

CPU = torch.device("cpu")


def walks(model: SDModel, dtype: torch.dtype, cutoff: int, steps: int, count: int) -> tuple[CompiledWalk, TensorWalk]:
    lowest, highest = band(model)
    half = (highest - lowest) / 2 + abs(model.exchange)
    channels = (Channel(-1, steps), Channel(1, max(1, steps // 2), background=1e-3))
    chosen = WalkSettings(cutoff, channels, count, centre=(lowest + highest) / 2, scale=half)
    return CompiledWalk(model, chosen, dtype), TensorWalk(model, chosen, dtype, CPU)
