"""Times that rounding has made different in their last digit are the same, and others are not."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdgnn.common.errors import UserError
from sdgnn.dynamics.times import common_times, in_window

HUNDREDTHS = st.integers(1, 100)


def times(dt: int, every: int, steps: int) -> np.ndarray:
    """As a run records them: step dt in float64."""
    return np.arange(0, steps + 1, every) * (dt / 100)


@given(HUNDREDTHS, st.integers(1, 20), HUNDREDTHS, st.integers(1, 20))
def test_common_times_are_those_of_exact_arithmetic(dt, every, other_dt, other_every):
    first, second = times(dt, every, 400), times(other_dt, other_every, 400)
    exact = [
        {Fraction(step * step_size, 100) for step in range(0, 401, n)}
        for step_size, n in ((dt, every), (other_dt, other_every))
    ]
    one, other = common_times(first, second)
    expected = sorted(exact[0] & exact[1])
    assert [round(100 * t) for t in first[one]] == [100 * t for t in expected]
    assert [round(100 * t) for t in second[other]] == [100 * t for t in expected]


def test_three_steps_of_a_tenth_are_one_of_three_tenths():
    first, second = times(10, 3, 270), times(30, 1, 90)
    one, other = common_times(first, second)
    assert len(one) == len(other) == 91
    assert len(np.intersect1d(first, second)) == 36  # control: as exact floats


@given(HUNDREDTHS, st.integers(0, 300), st.integers(0, 300))
def test_windows_hold_both_ends(dt, first, last):
    first, last = sorted((first, last))
    inside = in_window(times(dt, 1, 300), (first * dt / 100, last * dt / 100))
    typed = in_window(times(dt, 1, 300), (float(f"{first * dt / 100:.6g}"), float(f"{last * dt / 100:.6g}")))
    assert np.flatnonzero(inside).tolist() == np.flatnonzero(typed).tolist() == list(range(first, last + 1))


def test_little_to_compare():
    none = np.zeros(0)
    assert [len(found) for found in common_times(none, np.array([1.0]))] == [0, 0]
    assert [found.tolist() for found in common_times(np.array([0.3]), np.array([0.0, 0.1 * 3]))] == [[0], [1]]
    assert [found.tolist() for found in common_times(np.array([0.0]), np.array([0.0]))] == [[0], [0]]
    assert in_window(none, (0.0, 1.0)).tolist() == []
    with pytest.raises(UserError, match="not before the start"):
        in_window(none, (1.0, 0.0))
