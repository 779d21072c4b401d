"""Densities of a run: two solvers, closed forms, and holes that sit where they must."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray

import sdgnn
from sdgnn import ExactField, Lattice, SDModel
from sdgnn.analysis import densities, parallel_bonds
from sdgnn.common.errors import UserError
from sdgnn.electrons import KPMField
from sdgnn.fields import Heisenberg

LATTICE = Lattice.square(6, 6)
MODEL = SDModel(LATTICE, exchange=6.0)


def recorded(*states: torch.Tensor) -> xarray.Dataset:
    values = torch.stack(states).numpy()
    dims = ("time_5", "replica", "site", "component")
    return xarray.Dataset({"spins": (dims, values)}, coords={"time_5": np.arange(len(states)) * 5.0})


def puddle() -> torch.Tensor:
    """Neel order with a ferromagnetic patch of 3 x 3 sites."""
    state = sdgnn.spins.neel(LATTICE)
    x, y = LATTICE.positions.T
    state[0, torch.from_numpy((x < 2.5) & (y < 2.5))] = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    return state


def test_holes_sit_among_parallel_spins() -> None:
    """Double exchange: two holes in a patch of parallel spins gain more than in the antiferromagnet around."""
    field = ExactField(MODEL, kT=0.02, filling=34 / 72)
    found = densities(recorded(puddle(), sdgnn.spins.ferro(LATTICE)), field, LATTICE)
    assert found["density"].dims == ("time_5", "replica", "site")
    np.testing.assert_allclose(found["density"].mean("site"), 34 / 36, atol=1e-9)
    assert float(found["density_follows"][0, 0]) < -0.7
    assert float(found["density_spread"][0, 0]) == pytest.approx(float(found["density"][0, 0].std()))
    assert float(found["density_spread"][1, 0]) < 1e-9  # the same on all sites of a ferromagnet


def test_kernel_polynomials_agree_with_diagonalisation() -> None:
    trajectory = recorded(sdgnn.spins.random(LATTICE, replicas=2, seed=0))
    exact = densities(trajectory, ExactField(MODEL, kT=0.2, filling=0.485), LATTICE)
    kernel = densities(trajectory, KPMField(MODEL, kT=0.2, filling=0.485, moments=600, vectors=None), LATTICE)
    np.testing.assert_allclose(kernel["density"], exact["density"], atol=1e-5)
    np.testing.assert_allclose(kernel["density_follows"], exact["density_follows"], atol=1e-4)


def test_progress_is_told() -> None:
    done: list[int] = []
    state = sdgnn.spins.ferro(LATTICE)
    densities(recorded(state, state), ExactField(MODEL, kT=0.1, mu=0.0), LATTICE, done.append)
    assert done == [1, 2]


def test_what_has_no_density_is_refused() -> None:
    with pytest.raises(UserError, match="record the observer spins"):
        densities(xarray.Dataset(), ExactField(MODEL, kT=0.1, mu=0.0), LATTICE)
    with pytest.raises(UserError, match="fields with electrons"):
        densities(recorded(sdgnn.spins.ferro(LATTICE)), Heisenberg(LATTICE, couplings=[1.0]), LATTICE)


def test_parallel_bonds() -> None:
    lattice = Lattice.square(60, 60)
    random = parallel_bonds(sdgnn.spins.random(lattice, seed=1), lattice)
    # 7200 bonds of probability 1/4, any two of them independent
    assert float(random) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 7200))
    assert float(parallel_bonds(sdgnn.spins.ferro(lattice), lattice)) == 1
    assert float(parallel_bonds(sdgnn.spins.neel(lattice), lattice)) == 0
    assert float(parallel_bonds(sdgnn.spins.stripe(lattice), lattice)) == 0.5
