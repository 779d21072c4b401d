"""Parallel tempering against closed forms and independent runs, and by the rule of its exchanges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.equilibrium import langevin
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

import sdgnn
from sdgnn import DepondtMertens, Heun, HybridMonteCarlo, Lattice, MonteCarlo, ParallelTempering
from sdgnn.common.errors import UserError
from sdgnn.dynamics import observers
from sdgnn.dynamics.integrators.parallel_tempering import ladders
from sdgnn.fields import Anisotropy, Heisenberg, Zeeman

FEW = Lattice.chain(6)
FIELD = Zeeman(FEW, (0, 0, 1.0))
LADDER = (0.4, 0.6, 0.9, 1.4)
MOVES = HybridMonteCarlo(dt=0.6)


def test_free_spins_at_each_temperature():
    """<m> = coth x - 1/x, x = h / kT, in both of two ladders; the neighbouring temperature is excluded."""
    kT = LADDER * 2
    scheme = ParallelTempering(kT=kT, moves=MOVES, every=1)
    watch = [observers.magnetization(1), observers.walker(1), observers.energy(1)]
    run = sdgnn.simulate(FIELD, sdgnn.spins.random(FEW, 8, seed=0), scheme, 300, seed=1, observers=watch)
    found = run.trajectory.isel(time=slice(40, None))
    along = found["magnetization"].values[..., 2]
    assert np.allclose(-6 * along, found["energy"].values)  # a state, its energy and its temperature stay together
    for replica, kT in enumerate(run.trajectory["kT"].values):
        error = along[:, replica].std() / (len(along) / 8) ** 0.5  # at most 8 steps for an independent sample
        assert abs(along[:, replica].mean() - langevin(1 / kT)) < 4 * error
    for copy in (slice(4), slice(4, 8)):
        walkers = found["walker"].values[:, copy]
        assert (np.sort(walkers, 1) == np.arange(8)[copy]).all()  # ladders do not meet
        assert all(len(np.unique(row)) == 4 for row in walkers.T)  # and every state comes to every temperature


def test_energies_are_those_of_independent_runs():
    """Kolmogorov and Smirnov, at every temperature, on an easy axis in a field; another temperature fails."""
    field = Heisenberg(FEW, [1.0]) + Anisotropy(FEW, 1.0) + Zeeman(FEW, (0, 0, 0.3))
    watch, apart = [observers.energy(10)], 60
    starts = sdgnn.spins.random(FEW, 4 * apart, seed=2)
    moves = MonteCarlo()
    together = sdgnn.simulate(
        field, starts, ParallelTempering(kT=LADDER * apart, moves=moves, every=2), 60, seed=3, observers=watch
    )
    alone = sdgnn.simulate(field, starts, moves.replace(kT=LADDER * apart), 60, seed=4, observers=watch)
    a, b = (r.trajectory["energy"].values[-1].reshape(apart, 4) for r in (together, alone))  # independent samples
    for k in range(4):
        assert ks_2samp(a[:, k], b[:, k]).pvalue > 1e-3
    assert ks_2samp(a[:, 0], b[:, 2]).pvalue < 1e-3


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gap=st.floats(-4.0, 4.0),
    temperatures=st.tuples(st.floats(0.1, 1.0), st.floats(1.1, 3.0)),
)
def test_rule_of_exchanges(seed, gap, temperatures):
    """Accepted as often as exp(-(1/kT_0 - 1/kT_1)(E_1 - E_0)) says, always where the lower energy moves down."""
    scheme = ParallelTempering(kT=temperatures, moves=MOVES, every=1)
    state = scheme.init(FIELD, sdgnn.spins.random(FEW, 2, seed=0), seed)
    wanted = min(1.0, np.exp((1 / temperatures[0] - 1 / temperatures[1]) * -gap))
    energy = np.array([0.0, gap])  # of the cold and of the warm one
    times = [torch.tensor(step) for step in range(0, 400, 2)]  # when the pair has its turn
    swapped = [scheme._exchanged(sdgnn.dynamics.State(state.spins, 0.0, int(t), seed, (0, 1)), energy) for t in times]
    share = np.mean([order == [1, 0] for order in swapped])
    assert all(order in ([0, 1], [1, 0]) for order in swapped)
    assert abs(share - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / 200) + 1e-12


def test_pairs_take_turns():
    """Of equal energies every attempt succeeds: even pairs, then odd ones, each inside its own ladder."""
    scheme = ParallelTempering(kT=(3.0, 1.0, 2.0, 1.0, 3.0, 2.0), moves=MOVES, every=4)
    assert ladders(scheme.kT) == [[1, 2, 0], [3, 5, 4]]
    state = scheme.init(FIELD, sdgnn.spins.random(FEW, 6, seed=0))
    orders = [
        scheme._exchanged(sdgnn.dynamics.State(state.spins, 0.0, step, 0, tuple(range(6))), np.zeros(6))
        for step in (8, 12)
    ]
    assert orders == [[0, 2, 1, 5, 4, 3], [2, 1, 0, 3, 5, 4]]


@pytest.mark.parametrize("moves", [MOVES, DepondtMertens(0.1, 0.5), MonteCarlo(overrelaxation=1)])
def test_interrupted_and_resumed(tmp_path: Path, moves):
    """Bit for bit, between exchanges and at one; spins, energies and who is where."""
    scheme = ParallelTempering(kT=LADDER, moves=moves, every=3)
    start = sdgnn.spins.random(FEW, 4, seed=0)
    watch = [observers.energy(1), observers.walker(1)]
    whole = sdgnn.simulate(FIELD, start, scheme, 24, seed=5, observers=watch)
    for stop in (7, 12):
        settled = {"seed": 5, "observers": watch, "folder": tmp_path / str(stop), "checkpoint_every": 2}
        sdgnn.simulate(FIELD, start, scheme, stop, **settled)
        resumed = sdgnn.simulate(FIELD, start, scheme, 24, resume=True, **settled)
        assert torch.equal(resumed.spins, whole.spins) and resumed.state.streams == whole.state.streams
        assert resumed.trajectory.equals(whole.trajectory)
    walkers = whole.trajectory["walker"].values
    assert (np.diff(walkers, axis=0)[2::3] != 0).any() and (np.diff(walkers[3:-1].reshape(-1, 3, 4), axis=1) == 0).all()


def test_electrons():
    """Electrons by diagonalisation: what observers see belongs to the exchanged state."""
    lattice = Lattice.triangular(4, 4)
    field = sdgnn.ExactField(sdgnn.SDModel(lattice, exchange=2.0), kT=0.1, filling=0.25)
    scheme = ParallelTempering(kT=(0.02, 0.03, 0.045), moves=HybridMonteCarlo(dt=0.8, leaps=3), every=1)
    state = scheme.init(field, sdgnn.spins.random(lattice, 3, seed=1), seed=2)
    seen = set()
    for _ in range(8):
        state = scheme.step(field, state)
        kept, fresh = state.result(field), field(state.spins)
        assert torch.allclose(kept.energy, fresh.energy) and torch.allclose(kept.density, fresh.density)
        seen.add(state.streams)
    assert len(seen) > 1


def test_refused():
    unequal = "two or more different ones, each as often as the others"
    for kT, words in (
        ((0.1,), "at least 2 items"), ((0.1, 0.1), unequal), ((0.1, 0.2, 0.1), unequal), ((0.1, 0.0), "greater than 0"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            ParallelTempering(kT=kT, moves=MOVES)
    with pytest.raises(UserError, match="HybridMonteCarlo, MonteCarlo, or an integrator with damping"):
        ParallelTempering(kT=LADDER, moves="metropolis")
    with pytest.raises(UserError, match="moves without kT: that of the ladder holds"):
        ParallelTempering(kT=LADDER, moves=MonteCarlo(kT=0.3))
    with pytest.raises(UserError, match="the dt of its moves"):
        ParallelTempering(kT=LADDER, moves=MOVES, dt=0.1)
    with pytest.raises(UserError, match="moves with damping, or Monte Carlo"):
        ParallelTempering(kT=LADDER, moves=Heun(dt=0.1, damping=0.0))
    scheme = ParallelTempering(kT=LADDER, moves=MOVES)
    with pytest.raises(UserError, match="4 values of kT for 3 replicas"):
        scheme.init(FIELD, sdgnn.spins.random(FEW, 3))
    torque = sdgnn.fields.DampingLike(FIELD, 0.1)
    with pytest.raises(UserError, match="fields with an energy"):
        scheme.step(torque, scheme.init(torque, sdgnn.spins.random(FEW, 4)))
