"""Runs in which temperature or field depend on time: the values that spins feel, order, restarts, replicas."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import sdgnn
from sdgnn import DepondtMertens, DormandPrince, Heun, ImplicitMidpoint, Lattice, SemiImplicitB, simulate, suggest_dt
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Observer, observers
from sdgnn.fields import Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.schedules import Anneal, Pulse, Quench, Ramp, Sweep

FIXED = [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens]
LATTICE = Lattice.square(3, 3)


def driven(schedule):
    return Heisenberg(LATTICE, [1.0]) + Zeeman(LATTICE, (0.5, 0.0, 1.0), schedule)


def march(integrator, field, spins, steps):
    state = integrator.init(field, spins)
    for _ in range(steps):
        state = integrator.step(field, state)
    return state.spins


@pytest.mark.parametrize("scheme", FIXED)
def test_second_order_in_a_field_that_depends_on_time(scheme):
    """Against scipy with h(t) written out: stages that read the field at wrong times are of first order."""
    pulse, alpha, time = Pulse(3.0, centre=0.6, width=0.25), 0.2, 1.2
    spins = sdgnn.spins.random(LATTICE, 1, seed=2)
    exchange = Heisenberg(LATTICE, [1.0])

    def right_hand_side(t, flat):
        s = flat.reshape(1, -1, 3)
        h = 3.0 * np.exp(-((t - 0.6) ** 2) / (2 * 0.25**2)) * np.array([0.5, 0.0, 1.0])
        precession = np.cross(s, exchange(torch.from_numpy(s.copy())).field.numpy() + h)
        return (-(precession + alpha * np.cross(s, precession)) / (1 + alpha**2)).ravel()

    exact = solve_ivp(
        right_hand_side, (0, time), spins.numpy().ravel(), method="DOP853", rtol=1e-11, atol=1e-11
    ).y[:, -1].reshape(spins.shape)  # fmt: skip
    field = driven(pulse)
    counts = np.array([24, 48, 96])
    settings = {"tolerance": 1e-8} if scheme is ImplicitMidpoint else {}
    errors = [np.abs(march(scheme(time / n, alpha, **settings), field, spins, n).numpy() - exact).max() for n in counts]
    assert 1.8 < -np.polyfit(np.log(counts), np.log(errors), 1)[0] < 2.2, errors
    adaptive = march(DormandPrince(time, alpha, tolerance=1e-8), field, spins, 1)
    assert np.abs(adaptive.numpy() - exact).max() < 1e-6


def test_a_spin_in_a_ramped_field():
    """phi(t) = int h dt without damping: exact for rotations but for the sum of the field over the steps."""
    field = Zeeman(Lattice.chain(1), (0, 0, 1.0), Ramp(1.0, 3.0, duration=2.0))
    start = torch.tensor([[[1.0, 0, 0]]], dtype=torch.float64)
    spins = march(DepondtMertens(0.1, 0.0), field, start, 30)
    angle = 2.0 * 2.0 + 1.0 * 3.0  # the trapezoid rule is exact for a linear field
    expected = torch.tensor([np.cos(angle), np.sin(angle), 0.0], dtype=torch.float64)
    assert torch.allclose(spins[0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("scheme", [*FIXED, DormandPrince])
def test_resumed_equals_uninterrupted(scheme, tmp_path):
    """Interrupted in the middle of a pulse and of an annealing, one of them per replica."""
    kT = {} if scheme is DormandPrince else {"kT": Anneal(0.5, (0.1, 0.01), duration=2.0)}
    field, spins = driven(Pulse((1.0, 4.0), centre=0.8, width=0.3)), sdgnn.spins.random(LATTICE, 2, seed=0)

    def interrupt(state, result):
        if state.step == 17 and not (tmp_path / "repaired").exists():
            raise KeyboardInterrupt
        return result.energy

    integrator = scheme(0.05, 0.3, **kT)
    watch = (
        observers.spins(4), observers.external_field(field, 1), observers.bath_temperature(integrator, 1),
        Observer("fragile", interrupt, every=1),
    )  # fmt: skip
    settings = {"steps": 40, "seed": 5, "observers": watch, "checkpoint_every": 5}
    with pytest.raises(KeyboardInterrupt):
        simulate(field, spins, integrator, folder=tmp_path / "run", **settings)
    (tmp_path / "repaired").touch()
    resumed = simulate(field, spins, integrator, folder=tmp_path / "run", resume=True, **settings)
    whole = simulate(field, spins, integrator, folder=tmp_path / "whole", **settings)
    assert torch.equal(resumed.spins, whole.spins) and resumed.trajectory.identical(whole.trajectory)
    other = driven(Pulse((1.0, 4.0), centre=0.9, width=0.3))
    with pytest.raises(UserError, match="field Heisenberg"):
        simulate(other, spins, integrator, folder=tmp_path / "run", resume=True, **settings)
    if kT:
        colder = scheme(0.05, 0.3, kT=Anneal(0.5, (0.1, 0.01), duration=3.0))
        with pytest.raises(UserError, match=r"integrator\.kT\.duration 2.0 and 3.0"):
            simulate(field, spins, colder, folder=tmp_path / "run", resume=True, **settings)


@pytest.mark.parametrize("scheme", [Heun, DormandPrince])
def test_replicas_run_as_if_alone(scheme):
    bath = scheme is Heun
    peaks, depths = (1.0, 4.0, 2.0), (0.1, 0.01, 0.0)
    spins = sdgnn.spins.random(LATTICE, 3, seed=0)
    kT = {"kT": Quench(0.5, depths, at=0.5)} if bath else {}
    together = simulate(driven(Pulse(peaks, 0.8, 0.3)), spins, scheme(0.1, 0.3, **kT), 20, seed=9, observers=())
    for r in (2, 0, 1):
        kT = {"kT": Quench(0.5, depths[r], at=0.5)} if bath else {}
        alone = simulate(
            driven(Pulse(peaks[r], 0.8, 0.3)), spins[r : r + 1], scheme(0.1, 0.3, **kT), 20, seed=9, observers=(),
            streams=[r],
        )  # fmt: skip
        assert torch.equal(alone.spins[0], together.spins[r]), r


def test_a_constant_schedule_is_the_constant():
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    plain = simulate(driven(None), spins, Heun(0.05, 0.2, kT=0.3), 20, seed=1, observers=())
    constant = driven(Ramp(1.0, 1.0, duration=1.0))
    same = simulate(constant, spins, Heun(0.05, 0.2, kT=Quench(0.3, 0.3, at=1.0)), 20, seed=1, observers=())
    assert torch.equal(plain.spins, same.spins)


def test_what_is_recorded(tmp_path):
    """Bath and field at the times of the states, the energy in the field of that time, and settings in run.json."""
    field, kT = Zeeman(LATTICE, (0, 0, 2.0), Sweep(1.0, -1.0, period=2.0)), Ramp((1.0, 0.5), 0.0, duration=1.0)
    heun = Heun(0.1, 0.1, kT)
    watch = [
        observers.bath_temperature(heun, 5), observers.external_field(field, 5), observers.energy(5),
        observers.magnetization(5),
    ]  # fmt: skip
    run = simulate(field, sdgnn.spins.random(LATTICE, 2, seed=0), heun, 20, observers=watch, folder=tmp_path)
    seen = run.trajectory
    assert np.allclose(seen["bath_temperature"], [[1, 0.5], [0.5, 0.25], [0, 0], [0, 0], [0, 0]], atol=1e-12)
    assert np.allclose(seen["external_field"][:, 1, 2], [2, 0, -2, 0, 2], atol=1e-9)
    along = (seen["magnetization"] * seen["external_field"]).sum("component")
    assert np.allclose(seen["energy"], -LATTICE.n_sites * along, atol=1e-9)
    assert np.isnan(seen["kT"]).all()
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert settings["integrator"]["kT"]["kind"] == "ramp" and "Sweep" in settings["field"]


def test_a_ramp_is_followed_by_the_spins():
    """Cooled slowly in a field, <cos> is the Langevin function of every temperature on the way, to the lag of it."""
    lattice = Lattice.chain(400)
    field, kT = Zeeman(lattice, (0, 0, 1.0)), Ramp(1.0, 0.25, duration=60.0)
    run = simulate(
        field, sdgnn.spins.random(lattice, 2, seed=0), Heun(0.1, 1.0, Ramp(1.0, 0.25, duration=60.0, begin=10.0)), 701,
        seed=1, observers=[observers.magnetization(100)],
    )  # fmt: skip
    for time in (10, 40, 70):
        x = 1 / float(kT(time - 10.0))
        measured = run.trajectory["magnetization"].sel(time=time, component="z").values
        # 800 spins: 5 standard errors of at most 0.02; lag: relaxation time 2 times d<cos>/dt of less than 0.008
        assert measured.mean() == pytest.approx(1 / np.tanh(x) - 1 / x, abs=0.1)
    assert run.trajectory["magnetization"].sel(time=70, component="z").mean() > 0.7


def test_a_sweep_shows_hysteresis():
    """An easy axis holds its magnetisation beyond zero field, both ways (Stoner and Wohlfarth)."""
    sweep, lattice = Sweep(3.0, -3.0, period=160.0), Lattice.chain(1)
    field = Anisotropy(lattice, 1.0) + Zeeman(lattice, (0.02, 0, 1.0), sweep)
    run = simulate(
        field, sdgnn.spins.ferro(lattice), DormandPrince(1.0, 1.0, tolerance=1e-4), 160,
        observers=[observers.magnetization(1)],
    )  # fmt: skip
    seen = run.trajectory["magnetization"].sel(component="z").isel(replica=0)
    h, down = sweep(seen["time"].values), seen["time"].values < 80
    switch = [h[branch][np.argmax(np.sign(seen.values[branch]) == sign)] for branch, sign in ((down, -1), (~down, 1))]
    # along (0.02, 0, 1) at 2 K (cos^(2/3) + sin^(2/3))^(-3/2) = 1.80; later, by less than 1, at this rate of 0.075
    assert -2.8 < switch[0] < -1.8 and 1.8 < switch[1] < 2.8


def test_refused_and_suggested():
    spins = sdgnn.spins.random(LATTICE, 2, seed=0)
    with pytest.raises(UserError, match="values >= 0"):
        Heun(0.1, 0.1, kT=Ramp(0.1, -0.1, duration=1.0))
    with pytest.raises(UserError, match="kT = 0"):
        DormandPrince(0.1, 0.1, kT=Ramp(0.1, 0.0, duration=1.0))
    with pytest.raises(UserError, match="3 values of kT for 2 replicas"):
        Heun(0.1, 0.1, kT=Quench(0.1, (0.1, 0.2, 0.3), at=1.0)).init(driven(None), spins)
    with pytest.raises(UserError, match="external fields of 3 replicas for 2"):
        driven(Quench(0.1, (0.1, 0.2, 0.3), at=1.0))(spins)
    free = Zeeman(LATTICE, (0, 0, 0.0))
    late = Heun(1.0, 1.0, kT=Ramp(0.0, 2.0, duration=10.0))
    assert suggest_dt(free, spins, late, accuracy=0.01) == pytest.approx((0.01 / 4) ** 0.5)  # g alpha kT = 1
