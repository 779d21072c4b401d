"""Hybrid Monte Carlo against closed forms, against Metropolis, and by its own rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.equilibrium import energies, langevin

import sdgnn
from sdgnn import HybridMonteCarlo, Lattice, MonteCarlo
from sdgnn.analysis.statistics.equilibrium import estimate
from sdgnn.common.errors import UserError
from sdgnn.dynamics import suggest_leap
from sdgnn.dynamics.integrators.hybrid_monte_carlo import ACCEPTED
from sdgnn.fields import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.schedules import Ramp

SQUARE = Lattice.square(4, 4)
FULL = Heisenberg(SQUARE, [1.0]) + DMI(SQUARE, 0.3) + Zeeman(SQUARE, (0, 0, 0.5)) + Anisotropy(SQUARE, 0.4)


def test_classical_heisenberg_chain():
    """E per bond = -(coth x - 1/x), x = J / kT (Fisher 1964); that of a ring of 32 differs by less than 1e-6 here.

    Leaps so long that a third of the steps are rejected: without rejections the energy would be that of another
    temperature, as an integrator with an error of its own has it.
    """
    chain = Heisenberg(Lattice.chain(32), [1.0])
    samples = energies(chain, HybridMonteCarlo(dt=0.6, kT=0.5), 120, 1, replicas=40)
    found, taken = estimate(samples), float((np.diff(samples) != 0).mean())
    assert 0.5 < taken < 0.9
    assert abs(found.mean + langevin(2.0)) < 5 * found.error < abs(found.mean + langevin(1.8))


def test_free_spins_in_a_field():
    field = Zeeman(Lattice.chain(400), (0, 0, 1.0))
    ladder = (0.3, 0.5, 1.0)
    run = sdgnn.simulate(
        field, sdgnn.spins.random(field.lattice, 3, seed=0), HybridMonteCarlo(dt=0.6, kT=ladder), 60, observers=()
    )
    for kT, spins in zip(ladder, run.spins, strict=True):
        cosines = spins[:, 2].numpy()  # independent of each other
        assert abs(cosines.mean() - langevin(1 / kT)) < 5 * cosines.std(ddof=1) / 20


def test_same_energy_as_metropolis():
    """Two routes to equilibrium that share the field alone, with exchange, DMI, field and anisotropy."""
    one = estimate(energies(FULL, HybridMonteCarlo(dt=0.35, kT=0.6), 80, 1, replicas=60))
    other = estimate(energies(FULL, MonteCarlo(kT=0.6), 120, 2, replicas=60)[:, 20:])  # 60 sweeps to forget the start
    assert abs(one.mean - other.mean) < 5 * np.hypot(one.error, other.error) < 0.1


def test_motion_is_of_second_order():
    """The change of K per step falls as dt^2: a quarter for half as long leaps over the same way."""
    spins = sdgnn.spins.ferro(SQUARE, replicas=16)  # near the minimum of E, from where K rises

    def change(dt, leaps):
        scheme = HybridMonteCarlo(dt=dt, kT=0.5, leaps=leaps)
        state = scheme.init(FULL, spins, seed=5)
        return -0.5 * float(scheme.trial(FULL, state)[1].log().sum())

    errors = [change(0.2 / n, 4 * n) for n in (1, 2, 4)]
    assert 2.5 < errors[0] / errors[1] < 6 and 2.5 < errors[1] / errors[2] < 6


def test_electrons_at_rest_and_density():
    """Electrons: observers see the answer of the state that was kept, rejected or not."""
    lattice = Lattice.triangular(4, 4)
    field = sdgnn.ExactField(sdgnn.SDModel(lattice, exchange=2.0), kT=0.1, filling=0.25)
    scheme = HybridMonteCarlo(dt=2.0, kT=0.02)
    state = scheme.init(field, sdgnn.spins.random(lattice, 3, seed=1), seed=2)
    for _ in range(6):
        state = scheme.step(field, state)
        kept, fresh = state.result(field), field(state.spins)
        assert torch.allclose(kept.energy, fresh.energy) and torch.allclose(kept.density, fresh.density)
        assert torch.allclose(kept.field, fresh.field) and torch.allclose(kept.mu, fresh.mu)


def test_suggested_leap():
    scheme = HybridMonteCarlo(dt=0.05, kT=(0.3, 1.0))
    start = sdgnn.spins.random(SQUARE, 2, seed=0)
    dt = suggest_leap(FULL, start, scheme)
    for factor, low, high in ((1.0, 0.75, 0.999), (4.0, 0.0, 0.6)):
        state, found = scheme.init(FULL, start), []
        for _ in range(30):
            state, probability = scheme.with_dt(factor * dt).trial(FULL, state)
            found.append(float(probability.min()))
        assert low < np.mean(found[10:]) < high, ACCEPTED
    with pytest.raises(UserError, match="kT > 0"):
        suggest_leap(FULL, start, scheme.replace(kT=0.0))


def test_resumed_and_alone(tmp_path):
    """Bit for bit, cooled from replica to replica differently."""
    spins = sdgnn.spins.random(SQUARE, 3, seed=0)
    ends = (0.1, 0.2, 0.05)
    scheme = HybridMonteCarlo(dt=0.4, kT=Ramp(1.0, ends, duration=20.0))
    sdgnn.simulate(FULL, spins, scheme, 7, seed=3, folder=tmp_path, checkpoint_every=3)
    resumed = sdgnn.simulate(FULL, spins, scheme, 20, seed=3, folder=tmp_path, resume=True)
    whole = sdgnn.simulate(FULL, spins, scheme, 20, seed=3)
    assert torch.equal(resumed.spins, whole.spins)
    alone = sdgnn.simulate(
        FULL, spins[1:2], scheme.replace(kT=Ramp(1.0, ends[1], duration=20.0)), 20, seed=3, streams=[1]
    )
    assert torch.equal(alone.spins[0], whole.spins[1])


def test_refused():
    scheme = HybridMonteCarlo(dt=0.3, kT=0.1)
    driven = Zeeman(SQUARE, (0, 0, 1.0), schedule=Ramp(0.0, 1.0, duration=5.0))
    torque = sdgnn.fields.DampingLike(FULL, 0.1)
    for field in (driven, torque):
        with pytest.raises(UserError, match="fields with an energy, constant in time"):
            scheme.step(field, scheme.init(field, sdgnn.spins.random(SQUARE)))
    with pytest.raises(UserError, match=r"damping = 0.5"):
        HybridMonteCarlo(dt=0.3, kT=0.1, damping=0.5)
