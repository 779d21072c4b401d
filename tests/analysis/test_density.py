"""Densities of a run: two solvers, closed forms, and holes that sit where they must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray

import sdgnn
from sdgnn import ExactField, Lattice, SDModel
from sdgnn.analysis import cluster_areas, densities, parallel_bonds, parallel_sites, site_graph
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


def test_parallel_sites_of_turned_spins() -> None:
    """Spins turned over in Neel order: each makes five sites, two next-nearest ones share theirs, others do not."""
    lattice = Lattice.square(12, 12)
    spins = sdgnn.spins.neel(lattice)
    turned = [(2, 2), (3, 3), (8, 8)]
    place = {tuple(p): k for k, p in enumerate(np.round(lattice.positions).astype(int).tolist())}
    for where in turned:
        spins[:, place[where]] *= -1
    marked = parallel_sites(spins, lattice)
    around = {(x + a, y + b) for x, y in turned for a, b in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))}
    assert {p for p, k in place.items() if marked[0, k]} == around
    (areas,) = cluster_areas(marked.long(), site_graph(lattice), phase=1)
    assert areas.tolist() == pytest.approx([8, 5])
    assert not parallel_sites(sdgnn.spins.neel(lattice), lattice).any()
    assert parallel_sites(sdgnn.spins.ferro(lattice), lattice).all()


def test_parallel_sites_do_not_see_rotations_of_all_spins() -> None:
    lattice = Lattice.square(8, 8)
    spins = sdgnn.spins.random(lattice, 3, seed=2)
    turned = sdgnn.spins.rotate_randomly(spins, seed=1)
    marked = parallel_sites(spins, lattice)
    assert torch.equal(marked, parallel_sites(turned, lattice))
    turned[:, ::2] = spins[:, ::2]
    assert not torch.equal(marked, parallel_sites(turned, lattice))


def test_regions_of_the_published_quench(shared: Path) -> None:
    """Last state of Zhang and Chern's 30 x 30 exact quench: the 27 holes sit in 14 regions of these sites."""
    with np.load(shared / "data" / "double_exchange_prl2021.npz", allow_pickle=False) as data:
        quench = data["protocol"] == "quench"
        spins, holes = torch.from_numpy(data["spins"][quench][-1:]), 1 - data["density"][quench][-1]
    lattice = Lattice.square(30, 30)
    marked = parallel_sites(spins, lattice)
    (areas,) = cluster_areas(marked.long(), site_graph(lattice), phase=1)
    assert areas.tolist() == pytest.approx([28, 23, 16, 16, 11, *[5] * 9])
    assert holes[marked[0].numpy()].sum() / holes.sum() > 0.95
