"""Monte Carlo against closed forms, against the thermostat of the dynamics, and by its own rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.equilibrium import energies, langevin

import sdgnn
from sdgnn import DepondtMertens, Lattice, MonteCarlo, simulate
from sdgnn.analysis.statistics.equilibrium import estimate
from sdgnn.common.errors import UserError
from sdgnn.dynamics import observers
from sdgnn.fields import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.protocol import is_linear
from sdgnn.fields.schedules import Ramp

SQUARE = Lattice.square(6, 6)
FULL = Heisenberg(SQUARE, [1.0]) + DMI(SQUARE, 0.3) + Zeeman(SQUARE, (0, 0, 0.5))
EASY = Heisenberg(SQUARE, [1.0]) + Anisotropy(SQUARE, 0.5)


@pytest.mark.parametrize("overrelaxation", [0, 2])
def test_classical_heisenberg_chain(overrelaxation):
    """E per bond = -(coth x - 1/x), x = J / kT (Fisher 1964); that of a ring of 32 differs by less than 1e-6 here."""
    chain = Heisenberg(Lattice.chain(32), [1.0])
    found = estimate(energies(chain, MonteCarlo(kT=0.5, overrelaxation=overrelaxation), 400, 2))
    assert found.reliable and found.error < 0.006
    assert abs(found.mean + langevin(2.0)) < 5 * found.error
    assert abs(found.mean + langevin(1.8)) > 5 * found.error  # the same test fails at another temperature


def test_paramagnet_and_easy_axis():
    """<cos> of free spins in a field, and <cos^2> on an easy axis by quadrature of exp(K cos^2 / kT)."""
    lattice = Lattice.chain(200)
    for field, power, expected in (
        (Zeeman(lattice, (0, 0, 1.0)), 1, langevin(2.0)),
        (Anisotropy(lattice, 1.0), 2, None),
    ):
        run = simulate(field, sdgnn.spins.random(lattice, 4, seed=0), MonteCarlo(kT=0.5), 60, observers=())
        x = np.linspace(-1, 1, 20001)
        weight = np.exp(2 * x**2)
        wanted = (x**2 * weight).sum() / weight.sum() if expected is None else expected
        values = run.spins[..., 2].numpy().ravel() ** power  # 800 independent spins
        assert abs(values.mean() - wanted) < 5 * values.std(ddof=1) / 800**0.5


@pytest.mark.parametrize(
    ("field", "kT"),
    [pytest.param(FULL, 0.6, marks=pytest.mark.slow), (EASY, 0.5)],
    ids=["exchange, DMI, field", "easy axis"],
)
def test_the_thermostat_of_the_dynamics_gives_the_same_energy(field, kT):
    """Two routes to equilibrium that share the field alone; a third of one temperature more fails.

    Systematic: fields of about 2.5 turn spins by x = 0.2 in a step, whose square over 4 is 1 %.
    """
    sampled = estimate(energies(field, MonteCarlo(kT=kT, overrelaxation=int(is_linear(field))), 400, 2, replicas=12))
    both = np.repeat([kT, 4 / 3 * kT], 12)
    driven = energies(field, DepondtMertens(0.08, 0.5, tuple(both)), 700, 10, replicas=24)
    same, warmer = estimate(driven[:12]), estimate(driven[12:])
    assert sampled.r_hat < 1.05
    allowed = 5 * np.hypot(sampled.error, same.error) + 0.01 * abs(same.mean)
    assert abs(sampled.mean - same.mean) < allowed < abs(sampled.mean - warmer.mean)


def test_overrelaxation_moves_at_constant_energy():
    """At kT = 0 from a minimum of no use to Metropolis, spins turn about their fields; E stays to rounding."""
    start = sdgnn.spins.random(SQUARE, 2, seed=0)
    mixing = MonteCarlo(kT=0.0, width=1e-12, overrelaxation=3)
    state = mixing.step(FULL, mixing.init(FULL, start))
    assert torch.allclose(FULL(state.spins).energy, FULL(start).energy, atol=1e-9)
    assert (state.spins - start).norm(dim=-1).min() > 1e-3
    with pytest.raises(UserError, match=r"linear in every spin, without anisotropy; use overrelaxation=0"):
        mixing.step(EASY, mixing.init(EASY, start))


@pytest.mark.parametrize("field", [FULL, EASY], ids=["linear", "quadratic"])
def test_changes_are_those_of_the_energy(field):
    """Without a temperature energies fall, sweep by sweep: every accepted change is one of E."""
    cold = MonteCarlo(kT=0.0)
    state, energies = cold.init(field, sdgnn.spins.random(SQUARE, 2, seed=0)), []
    for _ in range(20):
        energies.append(field(state.spins).energy)
        state = cold.step(field, state)
    falls = torch.stack(energies).diff(dim=0)
    assert (falls < 1e-12).all() and (falls.sum(0) < -10).all()


def test_resumed_and_alone(tmp_path):
    """Bit for bit, cooled from replica to replica differently."""
    spins, watch = sdgnn.spins.random(SQUARE, 3, seed=0), [observers.energy(2)]
    ends = (0.1, 0.2, 0.05)
    scheme = MonteCarlo(kT=Ramp(1.0, ends, duration=30.0), overrelaxation=1)
    settings = {"seed": 3, "observers": watch, "checkpoint_every": 4}
    simulate(FULL, spins, scheme, 13, folder=tmp_path, **settings)
    resumed = simulate(FULL, spins, scheme, 30, folder=tmp_path, resume=True, **settings)
    whole = simulate(FULL, spins, scheme, 30, **settings)
    assert torch.equal(resumed.spins, whole.spins)
    assert resumed.trajectory["time"].attrs["units"] == "1"
    second = MonteCarlo(kT=Ramp(1.0, ends[1], duration=30.0), overrelaxation=1)
    alone = simulate(FULL, spins[1:2], second, 30, streams=[1], **settings)
    assert torch.equal(alone.spins[0], whole.spins[1])


def test_refused():
    lattice = Lattice.chain(4)
    electrons = sdgnn.ExactField(sdgnn.SDModel(lattice, [1.0], 1.0), kT=0.1, mu=-1.0)
    scheme = MonteCarlo(kT=0.1)
    with pytest.raises(UserError, match="classical fields: Heisenberg"):
        scheme.step(electrons, scheme.init(electrons, sdgnn.spins.random(lattice)))
    with pytest.raises(UserError, match=r"dt = 0.1: .*which is 1: Monte Carlo has no time"):
        MonteCarlo(dt=0.1, kT=0.1)
    with pytest.raises(UserError, match=r"width = 0.0: .*greater than 0"):
        MonteCarlo(kT=0.1, width=0.0)
