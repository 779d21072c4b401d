"""Times of records: which are the same, and which lie in a window, whatever rounding made of their last digits."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from sdgnn.common.errors import UserError

TOLERANCE = 1e-6
"""Two times are the same when they differ by less than this part of the shortest interval between records: 3 steps of
0.1 and one of 0.3 are 6e-17 apart, and a sum of n steps is off by at most about n^2 1e-16 of a step."""


def in_window(time: Float[np.ndarray, " time"], window: tuple[float, float]) -> Bool[np.ndarray, " time"]:
    """Whether each time lies in ``window``, both ends included: 0.8999999999999999 is in (0.3, 0.9).

    Raises UserError on a window that does not end after it begins.
    """
    first, last = window
    if not first <= last:
        raise UserError(f"a window of times from {first:g} to {last:g}", allowed="an end that is not before the start")
    slack = _slack(time)
    return (time >= first - slack) & (time <= last + slack)


def common_times(
    first: Float[np.ndarray, " time"], second: Float[np.ndarray, " other"]
) -> tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]:
    """Positions in ``first`` and in ``second`` of the times that both have; both grow."""
    if not len(first) or not len(second):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    after = np.searchsorted(second, first).clip(1, max(1, len(second) - 1))
    nearest = after - 1 + (np.abs(second[after - 1] - first) > np.abs(second[after % len(second)] - first))
    nearest = nearest.clip(max=len(second) - 1)
    same = np.abs(second[nearest] - first) <= min(_slack(first), _slack(second))
    return np.flatnonzero(same), nearest[same]


def _slack(time: Float[np.ndarray, " time"]) -> float:
    """Largest difference of two times that are the same."""
    steps = np.diff(time)
    shortest = steps[steps > 0].min(initial=np.inf)
    return TOLERANCE * float(shortest if np.isfinite(shortest) else np.abs(time).max(initial=0.0))
