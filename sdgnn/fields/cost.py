"""What evaluating a field costs: time and memory, known before a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Time and memory of one evaluation of energy and field of all replicas."""

    seconds: float
    """Wall time, from timing all of it or a part."""
    bytes: float
    """Memory taken meanwhile besides the spins, the result included."""

    def then(self, other: Cost) -> Cost:
        """One evaluation after the other, with the memory of the larger."""
        return Cost(self.seconds + other.seconds, max(self.bytes, other.bytes))
