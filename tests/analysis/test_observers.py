"""Ready observers, on states made by hand and in a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import ExactField, Lattice, SDModel, TruncatedField
from sdgnn.analysis import observers
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Heun, simulate
from sdgnn.fields import Heisenberg, Zeeman


def test_a_run_measures_what_the_functions_give():
    """Every observer at every step equals the function applied to the stored spins."""
    lattice = Lattice.triangular(6, 6)
    field = Heisenberg(lattice, couplings=[1.0])
    chosen = [observers.observer(name, lattice, every=2) for name in observers.NAMES]
    spins = sdgnn.spins.random(lattice, replicas=3, seed=0)
    trajectory = simulate(field, spins, Heun(dt=0.05, damping=0.2, kT=0.1), 4, observers=chosen).trajectory
    stored = torch.from_numpy(trajectory["spins"].values)
    assert stored.shape == (3, 3, 36, 3)
    for name, (function, dims, *_) in observers.MEASURES.items():
        assert trajectory[name].dims == ("time", "replica", *dims)
        expected = torch.stack([function(state, lattice) for state in stored])
        assert np.allclose(trajectory[name].values, expected.numpy(), atol=1e-12)
    assert np.abs(np.diff(trajectory["chirality"].values, axis=0)).min() > 0


@pytest.mark.parametrize("solver", [ExactField, TruncatedField])
def test_a_run_records_density_and_chemical_potential(solver):
    """Each is that of the field at the recorded spins, also beside other fields.

    At fixed filling the density adds up: exactly, or as well as the moments resolve a shift of all levels.
    """
    lattice = Lattice.square(4, 4)
    electrons = solver(SDModel(lattice, exchange=2.0), kT=0.2, filling=0.3)
    spins = sdgnn.spins.random(lattice, replicas=2, seed=0)
    chosen = [observers.observer(name, lattice, every=2) for name in ("spins", "density", "chemical_potential")]
    driving = electrons + Zeeman(lattice, (0, 0, 0.1))
    run = simulate(driving, spins, Heun(dt=0.3, damping=0.2), 4, observers=chosen).trajectory
    assert run["density"].dims == ("time", "replica", "site") and run["chemical_potential"].dims == ("time", "replica")
    assert run["chemical_potential"].attrs["units"] == "t"
    for k, state in enumerate(torch.from_numpy(run["spins"].values)):
        result = electrons(state)
        assert np.allclose(run["density"].values[k], result.density.numpy(), rtol=0, atol=1e-12)
        assert np.allclose(run["chemical_potential"].values[k], result.mu.numpy(), rtol=0, atol=1e-12)
    rounding = 1e-9 if solver is ExactField else 1e-3
    assert np.allclose(run["density"].mean("site"), 0.3 * 2, rtol=0, atol=rounding)
    assert run["chemical_potential"].std() > 1e-3


def test_fields_without_electrons_have_no_density_and_chemical_potential():
    lattice = Lattice.square(3, 3)
    chosen = [observers.observer(name, lattice, every=1) for name in ("density", "chemical_potential")]
    spins = sdgnn.spins.random(lattice, replicas=2)
    run = simulate(Heisenberg(lattice, [1.0]), spins, Heun(dt=0.1, damping=0.2), 2, observers=chosen).trajectory
    assert run["density"].shape == (3, 2, 9) and run["chemical_potential"].shape == (3, 2)
    assert np.isnan(run["density"]).all() and np.isnan(run["chemical_potential"]).all()


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
