"""Ready observers, on states made by hand and in a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import observers
from sdgnn.dynamics import Heun, simulate
from sdgnn.errors import UserError
from sdgnn.fields import Heisenberg


def test_a_run_measures_what_the_functions_give():
    """Every observer at every step equals the function applied to the stored spins."""
    lattice = Lattice.triangular(6, 6)
    field = Heisenberg(lattice, couplings=[1.0])
    chosen = [observers.observer(name, lattice, every=2) for name in observers.NAMES]
    spins = sdgnn.spins.random(lattice, replicas=3, seed=0)
    trajectory = simulate(field, spins, Heun(dt=0.05, damping=0.2, kT=0.1), 4, observers=chosen).trajectory
    stored = torch.from_numpy(trajectory["spins"].values)
    assert stored.shape == (3, 3, 36, 3)
    for name, (function, dims, _) in observers.MEASURES.items():
        assert trajectory[name].dims == ("time", "replica", *dims)
        expected = torch.stack([function(state, lattice) for state in stored])
        assert np.allclose(trajectory[name].values, expected.numpy(), atol=1e-12)
    assert np.abs(np.diff(trajectory["chirality"].values, axis=0)).min() > 0


def test_closed_values_of_tetrahedral_order(tetrahedral):
    lattice = Lattice.triangular(4, 4)
    measured = {name: function(tetrahedral(lattice), lattice) for name, (function, *_) in observers.MEASURES.items()}
    assert measured["absolute_chirality"].item() == pytest.approx(4 / (3 * math.sqrt(3)))
    assert measured["nearest_neighbour_correlation"].item() == pytest.approx(-1 / 3)
    assert measured["domain_length"].item() == math.inf
    assert abs(measured["skyrmion_number"].item()) == pytest.approx(8)


@pytest.mark.parametrize(
    "lattice",
    [
        Lattice.chain(5),
        Lattice.cubic(3, 3, 3),
        Lattice.kagome(3, 3),
        Lattice.free(np.random.default_rng(0).uniform(0, 6, (30, 2)), 6 * np.eye(2)),
    ],
    ids=lambda lattice: lattice.name,
)
def test_a_lattice_allows_exactly_the_available_ones(lattice):
    allowed = observers.available(lattice)
    spins = sdgnn.spins.random(lattice, 2)
    for name in observers.NAMES:
        if name in allowed:
            assert observers.observer(name, lattice).name == name
            if name in observers.MEASURES:
                assert len(observers.MEASURES[name][0](spins, lattice)) == 2
        else:
            with pytest.raises(UserError):
                observers.observer(name, lattice)


def test_the_spins_temperature_needs_the_run():
    lattice = Lattice.square(3, 3)
    assert observers.observer("spin_temperature", lattice, 5, (Heisenberg(lattice, [1.0]), Heun(0.1, 0.1))).every == 5
    with pytest.raises(UserError, match="'spin_temperature' without a run"):
        observers.observer("spin_temperature", lattice)


def test_a_misspelt_name_is_told_the_right_one():
    with pytest.raises(UserError, match="did you mean 'chirality_map'"):
        observers.observer("chiralty_map", Lattice.square(3, 3))
