"""suggest_dt: the accuracy that is asked for is the accuracy that is met; too large steps are said to be so."""

from __future__ import annotations

import dataclasses
import math
import warnings

import pytest
import torch

import sdgnn
from sdgnn import DepondtMertens, DormandPrince, Heun, ImplicitMidpoint, Lattice, SemiImplicitB, simulate, suggest_dt
from sdgnn.dynamics.equation import velocity
from sdgnn.dynamics.step_size import StepWatch
from sdgnn.errors import StepSizeWarning, UserError
from sdgnn.fields import DMI, Heisenberg, Zeeman

SCHEMES = [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens]
SQUARE = Lattice.square(3, 3)
CHAIN = Lattice.chain(6)
FIELDS = {
    "exchange": Heisenberg(SQUARE, [1.0]) + DMI(SQUARE, 0.3),
    "field": Zeeman(SQUARE, (0, 0, 3.0)),
    "electrons": sdgnn.ExactField(sdgnn.SDModel(CHAIN, [1.0], 3.0), kT=0.1, filling=0.25),
}


def error_per_radian(field, spins, integrator):
    """Of the worst spin, per radian that the fastest one turns, over about one radian, against steps 4 times finer."""

    def march(dt, steps):
        scheme = integrator.with_dt(dt)
        state = scheme.init(field, spins)
        for _ in range(steps):
            state = scheme.step(field, state)
        return state.spins

    speed = velocity(spins, field(spins).field, integrator.alpha(spins), integrator.form).norm(dim=-1).max()
    steps = max(1, math.ceil(1 / float(speed * integrator.dt)))
    error = (march(integrator.dt, steps) - march(integrator.dt / 4, 4 * steps)).norm(dim=-1).max()
    return float(error / (speed * integrator.dt * steps))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", FIELDS)
def test_accuracy_is_met(name, scheme):
    """Within a factor 4 (the path bends differently after the first step), unless the largest angle is reached."""
    field = FIELDS[name]
    spins = sdgnn.spins.random(field.lattice, 2, seed=4)
    raw = scheme(dt=1.0, damping=0.1, **({"tolerance": 1e-8} if scheme is ImplicitMidpoint else {}))
    dt = suggest_dt(field, spins, raw, accuracy=0.01)
    error = error_per_radian(field, spins, raw.with_dt(dt))
    largest = dt * float(field(spins).field.norm(dim=-1).max()) > 0.9
    assert error < 0.04 and (error > 0.0025 or largest)
    assert suggest_dt(field, spins, raw.with_dt(0.01), accuracy=0.01) == dt


def test_scaling():
    """dt ~ sqrt(accuracy) / field, and smaller for stronger damping in the Landau-Lifshitz form."""
    spins = sdgnn.spins.random(SQUARE, 2, seed=1)
    heun = Heun(dt=1.0, damping=0.0)
    dt = suggest_dt(Zeeman(SQUARE, (0, 0, 1.0)), spins, heun, accuracy=0.01)
    assert suggest_dt(Zeeman(SQUARE, (0, 0, 5.0)), spins, heun, accuracy=0.01) == pytest.approx(dt / 5, rel=1e-3)
    assert suggest_dt(Zeeman(SQUARE, (0, 0, 1.0)), spins, heun, accuracy=1e-4) == pytest.approx(dt / 10, rel=0.05)
    damped = Heun(dt=1.0, damping=2.0, form="landau-lifshitz")
    assert suggest_dt(Zeeman(SQUARE, (0, 0, 1.0)), spins, damped, accuracy=0.01) < 0.7 * dt


def test_bath_and_rest():
    """A bath alone, and spins at rest, still have a time step; neither field nor bath has none."""
    spins = sdgnn.spins.random(SQUARE, 2, seed=1)
    free = Zeeman(SQUARE, (0, 0, 0.0))
    hot = Heun(dt=1.0, damping=1.0, kT=(0.5, 2.0))
    assert suggest_dt(free, spins, hot, accuracy=0.01) == pytest.approx(0.01 / (0.5 * 1.0 * 2.0))
    up = torch.zeros_like(spins) + torch.tensor([0, 0, 1.0], dtype=spins.dtype)
    assert suggest_dt(Zeeman(SQUARE, (0, 0, 2.0)), up, Heun(dt=1.0, damping=0.0), accuracy=0.01) == pytest.approx(
        math.sqrt(0.06) / 2
    )
    with pytest.raises(UserError, match="without field and bath"):
        suggest_dt(free, spins, Heun(dt=1.0, damping=0.1))
    for accuracy in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(UserError, match="between 0 and 1"):
            suggest_dt(free, spins, hot, accuracy=accuracy)


def watched(field, integrator, *states, steps=128):
    """What a run's watch says of states, one after the other."""
    watch = StepWatch(field, integrator, steps)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for state in states:
            assert watch(state).spins is state.spins
    return [str(w.message) for w in caught if w.category is StepSizeWarning]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["exchange", "electrons"])
def test_too_large_steps_are_warned_of(name, scheme):
    """Once, naming the step that suggest_dt finds, of which none is said; nor in a run too short to check."""
    field = FIELDS[name]
    spins = sdgnn.spins.random(field.lattice, 2, seed=4)
    raw = scheme(dt=1.0, damping=0.1, **({"tolerance": 1e-6} if scheme is ImplicitMidpoint else {}))
    good, state = suggest_dt(field, spins, raw), raw.init(field, spins)
    assert watched(field, raw.with_dt(good), state) == []
    (message,) = watched(field, raw.with_dt(8 * good), state, state)
    assert "is too large at step 0" in message
    assert f"use dt = {good:.2g} or less" in message
    assert watched(field, raw.with_dt(8 * good), state, steps=127) == []


def test_a_run_is_watched_also_later():
    """At steps 128, 256, ...: a state that was quiet at first may have become fast."""
    field, heun = FIELDS["field"], Heun(dt=1.0, damping=0.0)
    fast = heun.init(field, sdgnn.spins.random(SQUARE, 2, seed=1))
    quiet = heun.init(field, sdgnn.spins.ferro(SQUARE))
    for step, looks in ((0, True), (1, False), (64, False), (128, True), (200, False), (1024, True)):
        messages = watched(field, heun, quiet, dataclasses.replace(fast, step=step), steps=2000)
        assert [f"at step {step}" in message for message in messages] == [True] * looks
    with pytest.warns(StepSizeWarning, match="too large at step 0"):
        simulate(field, fast.spins, heun, 128, observers=())


def test_hot_and_precise_runs():
    """A bath that turns spins by a radian a step is said to; adaptive steps and exact precession never."""
    spins = sdgnn.spins.random(SQUARE, 2, seed=1)
    free, state = Zeeman(SQUARE, (0, 0, 0.0)), Heun(1.0, 0.0).init(FIELDS["field"], spins)
    (message,) = watched(free, Heun(dt=1.0, damping=1.0, kT=1.0), state)
    assert "diffuse by D dt = 0.5" in message
    assert watched(free, Heun(dt=0.1, damping=1.0, kT=1.0), state) == []
    assert watched(FIELDS["exchange"], DormandPrince(dt=5.0, damping=0.1), state) == []
    assert watched(FIELDS["field"], DepondtMertens(dt=1.0, damping=0.0), state) == []
    assert len(watched(FIELDS["field"], Heun(dt=1.0, damping=0.0), state)) == 1
