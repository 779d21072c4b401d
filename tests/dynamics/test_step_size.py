"""suggest_dt: the accuracy that is asked for is the accuracy that is met; too large steps are said to be so."""

from __future__ import annotations

import dataclasses
import math
import warnings

import pytest
import torch

import sdgnn
from sdgnn import DepondtMertens, DormandPrince, Heun, ImplicitMidpoint, Lattice, SemiImplicitB, simulate, suggest_dt
from sdgnn.common.errors import StepSizeWarning, UserError
from sdgnn.dynamics import observers
from sdgnn.dynamics.integrators.equation import velocity
from sdgnn.dynamics.step_size import Miss, StepWatch, temperature_bias
from sdgnn.fields import DMI, Heisenberg, SpinTransfer, Zeeman

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
    raw = scheme(dt=1.0, damping=0.1, **({"tolerance": 1e-7} if scheme is ImplicitMidpoint else {}))
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
    assert suggest_dt(free, spins, hot, accuracy=0.01) == pytest.approx(math.sqrt(0.01 / 4) / (0.5 * 1.0 * 2.0))
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
    """A bath that makes spins diffuse by a quarter a step is said to; adaptive steps never."""
    spins = sdgnn.spins.random(SQUARE, 2, seed=1)
    free, state = Zeeman(SQUARE, (0, 0, 0.0)), Heun(1.0, 0.0).init(FIELDS["field"], spins)
    (message,) = watched(free, Heun(dt=0.5, damping=1.0, kT=1.0), state)
    assert "the spins' temperature differs from the bath's by about 25 %" in message  # 4 (g alpha kT dt)^2
    assert watched(free, Heun(dt=0.09, damping=1.0, kT=1.0), state) == []
    assert watched(FIELDS["exchange"], DormandPrince(dt=5.0, damping=0.1), state) == []
    assert len(watched(FIELDS["field"], Heun(dt=1.0, damping=0.0), state)) == 1


MAGNET = Heisenberg(Lattice.square(20, 20), [1.0])


def spin_temperature(integrator, kT, steps, seed=3):
    """T_spin / kT - 1 of 6 replicas after a third of the steps, mean and standard error, and the last state."""
    start = sdgnn.spins.noisy(sdgnn.spins.ferro(MAGNET.lattice, replicas=6), 0.4 * kT**0.5, seed=1)
    watch = [observers.spin_temperature(MAGNET, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StepSizeWarning)
        run = simulate(MAGNET, start, integrator, steps, seed=seed, observers=watch)
    late = run.trajectory["spin_temperature"].values[steps // 6 :].mean(0) / kT - 1
    return late.mean(), late.std(ddof=1) / 6**0.5, integrator.init(MAGNET, run.spins)


@pytest.mark.parametrize(
    ("scheme", "kT", "damping", "dt"),
    [(Heun, 1.0, 0.5, 0.2), (SemiImplicitB, 0.1, 0.5, 0.12), (SemiImplicitB, 1.0, 1.0, 0.2)],
    ids=["energy of the motion", "stiff", "hot"],
)
def test_the_bias_of_a_bath_is_estimated(scheme, kT, damping, dt):
    """Steps that are too long, each for another reason: 5 to 10 % measured, the estimate within a factor 2."""
    integrator = scheme(dt, damping, kT)
    measured, error, state = spin_temperature(integrator, kT, 240)
    terms = temperature_bias(MAGNET, state, integrator, kT, Miss.of(MAGNET, state, integrator))
    assert abs(measured) > 0.03 + 3 * error
    assert sum(terms) * measured > 0
    assert 0.5 < sum(map(abs, terms)) / abs(measured) < 2, (terms, measured, error)


@pytest.mark.parametrize("scheme", [Heun, SemiImplicitB])
def test_suggested_steps_keep_the_bath_s_temperature(scheme):
    """From spins of that temperature: within the accuracy, and 4 standard errors of 0.5 %; four times the step not."""
    raw = scheme(1.0, 0.5, 1.0)
    dt = suggest_dt(MAGNET, spin_temperature(SemiImplicitB(0.1, 0.5, 1.0), 1.0, 100)[2].spins, raw)
    measured, error, state = spin_temperature(raw.with_dt(dt), 1.0, 500)
    assert error < 0.007
    assert abs(measured) < 0.01 + 4 * error
    assert watched(MAGNET, raw.with_dt(0.9 * dt), state) == []  # another state of the bath
    (message,) = watched(MAGNET, raw.with_dt(4 * dt), state)
    assert "temperature" in message or "misses the path" in message


def test_drift_without_damping_is_warned_of():
    """From a state of the bath: the energy climbs with a scheme that does not conserve it, and is said to."""
    state = spin_temperature(SemiImplicitB(0.05, 0.5, 0.5), 0.5, 200)[2]
    for scheme, messages in ((SemiImplicitB, 1), (Heun, 1), (ImplicitMidpoint, 0)):
        settings = {"tolerance": 1e-8} if scheme is ImplicitMidpoint else {}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run = simulate(
                MAGNET, state.spins[:1], scheme(0.12, 0.0, **settings), 257, observers=[observers.energy(256)]
            )
        change = abs(float(run.trajectory["energy"].diff("time").item())) / MAGNET.lattice.n_sites
        assert (change > 0.01 * 0.5) == bool(messages), change
        said = [str(w.message) for w in caught if w.category is StepSizeWarning]
        assert len(said) == messages
        assert all("without damping" in words and "implicit midpoint" in words for words in said)


def test_what_has_no_energy_is_not_watched_for_drift():
    """Spin torques feed a magnet without damping."""
    lattice = Lattice.chain(8)
    field = SpinTransfer(lattice, (0.5,)) + Heisenberg(lattice, [1.0])
    assert not field.has_energy and Heisenberg(lattice, [1.0]).has_energy
    with warnings.catch_warnings():
        warnings.simplefilter("error", StepSizeWarning)
        simulate(field, sdgnn.spins.random(lattice, 1, seed=0), Heun(0.05, 0.0), 257, observers=())
