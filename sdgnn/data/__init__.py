"""Label sets: which configurations, who labels them, and how they are stored."""

from sdgnn.data.generate import generate
from sdgnn.data.labels import LabelSet, Origin
from sdgnn.data.protocols import (
    Given,
    Interpolation,
    NoisyOrder,
    Random,
    Snapshots,
    protocol_from_dict,
)
from sdgnn.data.sampling import Protocol
from sdgnn.data.store import read, read_all

__all__ = [
    "Given",
    "Interpolation",
    "LabelSet",
    "NoisyOrder",
    "Origin",
    "Protocol",
    "Random",
    "Snapshots",
    "generate",
    "protocol_from_dict",
    "read",
    "read_all",
]
