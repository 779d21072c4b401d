"""Schedules: their values by hand, one per replica or time, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdgnn.common.errors import UserError
from sdgnn.fields.schedules import Anneal, Pulse, Quench, Ramp, Schedule, Sweep

ALL = [
    Quench(1.0, (0.5, 0.1), at=3.0),
    Ramp((1.0, 2.0), 0.0, duration=4.0, begin=1.0),
    Anneal(1.0, (0.1, 0.01), duration=5.0),
    Sweep(high=1.0, low=-1.0, period=8.0),
    Pulse(2.0, centre=5.0, width=0.5, base=(0.0, 1.0)),
]


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Quench(1.0, 0.5, at=3.0), {0: 1.0, 2.99: 1.0, 3: 0.5, 9: 0.5}),
        (Ramp(1.0, 0.0, duration=4.0, begin=1.0), {0: 1.0, 1: 1.0, 2: 0.75, 5: 0.0, 9: 0.0}),
        (Anneal(1.0, 0.01, duration=4.0), {-1: 1.0, 0: 1.0, 2: 0.1, 3: 10**-1.5, 4: 0.01, 9: 0.01}),
        (Sweep(1.0, -1.0, period=8.0), {0: 1.0, 2: 0.0, 4: -1.0, 5: -0.5, 8: 1.0, 12: -1.0}),
        (Pulse(3.0, centre=5.0, width=0.5, base=1.0), {5: 3.0, 5.5: 1 + 2 * np.exp(-0.5), -50: 1.0}),
    ],
)
def test_values(schedule: Schedule, values: dict[float, float]) -> None:
    for time, expected in values.items():
        assert float(schedule(float(time))) == pytest.approx(expected, abs=1e-12)


def test_a_quench_comes_with_the_step_that_ends_at_its_time() -> None:
    """Whatever rounding makes of a multiple of dt; one step earlier is before."""
    for dt in (0.3, 0.7):
        steps = np.arange(1, 2000)
        at = [float(f"{step * dt:.10g}") for step in steps]
        assert any(step * dt < time for step, time in zip(steps, at, strict=True)), "there is something to round"
        assert all(Quench(1.0, 0.0, at=time)(step * dt) == 0.0 for step, time in zip(steps, at, strict=True))
        assert all(Quench(1.0, 0.0, at=time)((step - 1) * dt) == 1.0 for step, time in zip(steps, at, strict=True))


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: schedule.kind)
@given(time=st.floats(-1e3, 1e3))
def test_bounds_replicas_and_plain_form(schedule: Schedule, time: float) -> None:
    """Values stay between the bounds; times of each replica give what one time gives; the plain form comes back."""
    values = np.broadcast_to(schedule(time), 2)
    assert ((schedule.lowest - 1e-12 <= values) & (values <= schedule.highest + 1e-12)).all()
    assert np.array_equal(np.broadcast_to(schedule(np.array([time, time])), 2), values)
    assert np.broadcast_to(schedule(np.array([time, 0.5])), 2)[0] == values[0]
    assert type(schedule)(**schedule.model_dump(mode="json")) == schedule
    assert schedule.replicas == (None if schedule.kind == "sweep" else 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Ramp(1.0, 0.0, duration=0.0), "Ramp with duration"),
        (lambda: Ramp((1.0, 2.0), (1.0, 2.0, 3.0), duration=1.0), "as many replicas"),
        (lambda: Quench((), 1.0, at=1.0), "as many replicas"),
        (lambda: Anneal(1.0, 0.0, duration=1.0), "above 0"),
        (lambda: Sweep(1.0, float("nan"), period=1.0), "Sweep with low"),
        (lambda: Pulse(1.0, centre=1.0), "Pulse with width"),
        (lambda: Pulse(1.0, centre=1.0, width=1.0, depth=2.0), "Pulse with .*depth"),
        (lambda: Quench(1.0, 2.0, 3.0, 4.0), "before, after, at"),
    ],
)
def test_refused(make, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()
