"""Picked states are the most uncertain ones, apart from each other, and hold the spins of the run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray

from sdgnn import Heun, Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.train.acquisition import Acquisition, Pick, one_of_each_run, pick, picked_spins

LATTICE = Lattice.square(4, 4)


def trajectory(errors: np.ndarray, lattice: Lattice = LATTICE) -> xarray.Dataset:
    """A run with given predicted errors (time, replica, site), a state every 10 steps, and random spins."""
    times, replicas, _ = errors.shape
    states = torch.stack([spins.random(lattice, replicas, seed) for seed in range(times)]).numpy()
    return xarray.Dataset(
        {"torque_error": (("time", "replica", "site"), errors),
         "spins": (("time", "replica", "site", "component"), states.astype(np.float32))},
        coords={"step": ("time", 10 * np.arange(times))},
    )  # fmt: skip


def uniform(levels: list[list[float]]) -> np.ndarray:
    """Errors (time, replica, site) equal on all sites."""
    return np.repeat(np.array(levels)[:, :, None], 16, axis=2)


def test_the_most_uncertain_come_first_and_neighbours_in_time_are_left_out() -> None:
    levels = [[1.0, 0.1], [5.0, 0.2], [4.0, 0.3], [3.0, 0.2]]
    picks = pick(trajectory(uniform(levels)), LATTICE, LATTICE, count=3, window=20)
    assert [(p.replica, p.step) for p in picks] == [(0, 10), (0, 30), (1, 20)]
    assert [p.predicted for p in picks] == pytest.approx([5.0, 3.0, 0.3])
    assert [(p.replica, p.step) for p in pick(trajectory(uniform(levels)), LATTICE, LATTICE, 2, 10)] == [
        (0, 10),
        (0, 20),
    ]


def test_fewer_where_the_windows_leave_no_more() -> None:
    assert len(pick(trajectory(uniform([[1.0, 1.0]] * 4)), LATTICE, LATTICE, count=9, window=100)) == 2


def test_a_piece_is_cut_around_the_uncertain_sites() -> None:
    """One bad corner of the lattice: the cut holds it, and its error is that of the cut alone."""
    errors = np.full((1, 1, 4, 4), 0.1)
    errors[..., 3, 0] = errors[..., 0, 3] = 2.0
    runs, small = trajectory(errors.reshape(1, 1, 16)), LATTICE.resized(2, 2)
    (one,) = pick(runs, LATTICE, small, count=5, window=10)
    assert one.corner == (3, 3)
    assert one.predicted == pytest.approx(np.sqrt((2 * 4.0 + 2 * 0.01) / 4))
    state = picked_spins(runs, [one], LATTICE, small)
    whole = runs["spins"].values.reshape(4, 4, 3)
    assert np.allclose(state.reshape(2, 2, 3), whole[np.ix_([3, 0], [3, 0])], atol=1e-6)
    assert (state.norm(dim=-1) - 1).abs().max() < 1e-12


def test_spins_are_those_of_the_pick() -> None:
    runs = trajectory(uniform([[1.0, 2.0]] * 3))
    found = picked_spins(runs, [Pick(1, 20, (0, 0), 2.0), Pick(0, 10, (0, 0), 1.0)], LATTICE, LATTICE)
    assert np.allclose(found.numpy(), runs["spins"].values[[2, 1], [1, 0]], atol=1e-6)


def test_one_state_of_each_run_from_beginning_to_end() -> None:
    runs = trajectory(uniform([[1.0, 1.0, 1.0]] * 9))
    assert np.allclose(one_of_each_run(runs).numpy(), runs["spins"].values[[1, 4, 7], [0, 1, 2]], atol=1e-6)


@pytest.mark.parametrize("changed", [{"steps": 0}, {"every": 0}, {"every": 31}, {"replicas": 0}], ids=str)
def test_explorations_without_states_are_refused(changed: dict) -> None:
    with pytest.raises(UserError, match="at least one"):
        Acquisition(**{
            "lattice": LATTICE, "first": spins.random, "integrator": Heun(dt=0.1, damping=0.1), "steps": 30,
            "every": 10, "replicas": 2, **changed,
        })  # fmt: skip
