"""Ensembles of states for the locality floor, by way of the floor of a Heisenberg model in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdgnn import Heun, Lattice, simulate, spins
from sdgnn.analysis.locality.ensembles import Independent, StateEnsemble, Windows, best_rotations, noisy_order
from sdgnn.analysis.locality.floor import locality_floor
from sdgnn.analysis.observers import observer
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, write
from sdgnn.fields import Heisenberg

LATTICE = Lattice.triangular(8, 8)
LARGE = Lattice.triangular(12, 12)
FIELD = Heisenberg(LATTICE, [1.0, 0.5])
FLOOR = float(np.sqrt(6 * 0.5**2 * 2 / 9))
"""With spins within 1 frozen: z_2 J_2^2 (2/3) / 3."""


def floor(ensemble: StateEnsemble) -> float:
    """At radius 1; relative statistical error about 3 %."""
    return float(locality_floor(FIELD, [1.0], environments=30, redraws=16, ensemble=ensemble).rmse[0])


def test_strong_noise_makes_any_order_random() -> None:
    """(S + g n) / |S + g n| with g = 100 is uniform to 1 %."""
    assert floor(Independent(noisy_order(spins.tetrahedral, 100.0))) == pytest.approx(FLOOR, rel=0.12)


def test_an_order_without_noise_has_no_floor() -> None:
    assert floor(Independent(noisy_order(spins.tetrahedral, 0.0))) == pytest.approx(0, abs=1e-12)


def test_given_random_states_are_random_states() -> None:
    """Even the windows that fit the seven frozen spins best tell nothing about the spins beyond."""
    ensemble = Windows(spins.random(LARGE, 20, seed=5), LARGE)
    assert floor(ensemble) == pytest.approx(FLOOR, rel=0.12)


def test_given_ordered_states_fit_the_frozen_spins() -> None:
    """Turned, shifted copies of one order without noise: surroundings are those that were there, whatever the turn."""
    states = spins.rotate_randomly(spins.tetrahedral(LARGE, replicas=6), seed=1)
    ensemble = Windows(states, LARGE)
    kept = ensemble.environment(LATTICE, 0)
    near = np.linalg.norm(LATTICE.positions, axis=1) < 1.1
    # windows equal to the environment on the frozen spins count as itself, so they are perturbed
    noisy = Windows(spins.noisy(states, 1e-3), LARGE)
    for state in noisy.redraw(LATTICE, kept, near, 4, seed=3):
        assert float((state - kept).norm(dim=-1).max()) < 0.02


def test_best_rotations_are_found() -> None:
    state = spins.random(LATTICE, seed=2)
    turned = spins.rotate_randomly(state.repeat(3, 1, 1), seed=4)
    turns = best_rotations(turned, state[0])
    torch.testing.assert_close(turned @ turns.mT, state.expand(3, -1, -1), rtol=0, atol=1e-12)
    assert bool((torch.linalg.det(best_rotations(-turned, state[0])) > 0.999).all()), "no reflections"


def test_states_of_a_run_and_of_labels(tmp_path: Path) -> None:
    field = Heisenberg(LARGE, [1.0])
    run = simulate(
        field, spins.random(LARGE, 2, seed=1), Heun(dt=0.02, damping=0.5), 6, folder=tmp_path / "run",
        observers=[observer("spins", LARGE, 2)],
    )  # fmt: skip
    ensemble = Windows.recorded(tmp_path / "run", since=0.05)
    assert ensemble.states.shape == (2 * 2, 144, 3), "times 0.08 and 0.12 of two replicas"
    torch.testing.assert_close(ensemble.states[-1], run.spins[-1].double())
    labels = LabelSet(
        LARGE, ensemble.states, ensemble.states, protocol=("a", "a", "b", "a"), step=np.array([0, 5, 7, 9])
    )
    write(labels, tmp_path / "labels.h5")
    assert len(Windows.labelled(tmp_path / "labels.h5", "a", since=5).states) == 2
    with pytest.raises(UserError, match="1 state"):
        Windows.labelled(tmp_path / "labels.h5", "b")


def test_what_does_not_fit_is_refused() -> None:
    small = Windows(spins.random(LATTICE, 2), LATTICE)
    with pytest.raises(UserError, match="no larger"):
        small.check(LARGE)
    with pytest.raises(UserError, match="same family"):
        small.check(Lattice.square(4, 4))
    with pytest.raises(UserError, match="multiples of 2"):
        Independent(noisy_order(spins.tetrahedral, 0.1)).check(Lattice.triangular(5, 5))
    Independent(spins.random).check(LARGE)
