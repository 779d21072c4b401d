"""Colours of sites, and vectors whose quadratic forms have the trace as their mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn import Lattice, SDModel, spins
from sdgnn.electrons.kpm.bounds import spectral_bounds
from sdgnn.electrons.kpm.probing import Probe
from sdgnn.electrons.kpm.scaled import HoppingTable
from sdgnn.lattice.colouring import colouring


def nearest_of_one_colour(lattice: Lattice, colours: np.ndarray) -> float:
    bonds = lattice.bonds_within(13.0)
    same = (colours[bonds.source] == colours[bonds.target]) & (bonds.source != bonds.target)
    return float(np.linalg.norm(bonds.vector[same], axis=1).min())


@pytest.mark.parametrize(
    ("lattice", "most", "distance"),
    [
        (Lattice.triangular(24, 24), 16, 4.0),
        (Lattice.triangular(24, 24), 36, 6.0),
        (Lattice.triangular(24, 24), 64, 8.0),
        (Lattice.triangular(24, 24), 144, 12.0),
        (Lattice.square(20, 20), 50, 50**0.5),
        (Lattice.cubic(8, 8, 8), 32, 12**0.5),
        (Lattice.kagome(12, 12), 48, 8.0),
    ],
    ids=str,
)
def test_colours_of_crystals_are_far_apart(lattice: Lattice, most: int, distance: float) -> None:
    colours = colouring(lattice, most)
    assert colours.max() < most
    assert nearest_of_one_colour(lattice, colours) == pytest.approx(distance)


@pytest.mark.parametrize(
    "lattice", [Lattice.triangular(24, 24).without(range(0, 500, 9)), Lattice.triangular(23, 23)], ids=repr
)
def test_colours_where_no_sublattice_fits(lattice: Lattice) -> None:
    colours = colouring(lattice, 64)
    assert 48 < colours.max() + 1 <= 64
    # greedy colours need about twice as many as the best packing, at 8 for the perfect crystal
    assert nearest_of_one_colour(lattice, colours) >= 5


@pytest.mark.parametrize("kind", ["coloured", "plain"])
@pytest.mark.parametrize("vectors", [1, 7, 18, 64, None])
def test_the_mean_of_outer_products_is_the_identity(kind: str, vectors: int | None) -> None:
    lattice = Lattice.kagome(3, 3)
    n = 2 * lattice.n_sites
    total = torch.zeros(n, n, dtype=torch.complex128)
    seeds = 400
    for seed in range(seeds):
        probe = Probe.of(lattice, vectors, kind, seed)  # type: ignore[arg-type]
        assert probe.count <= (vectors or n)
        psi = probe.vectors(0, probe.count)[0].reshape(n, -1)
        # diagonal elements are exact for every seed
        product = probe.weight * psi @ psi.mH
        torch.testing.assert_close(product.diagonal(), torch.ones(n, dtype=torch.complex128))
        total += product / seeds
    # each other element is a mean of unit phases: 5 standard deviations of 1 / sqrt(seeds)
    assert float((total - torch.eye(n)).abs().max()) < 5 / seeds**0.5
    assert Probe.of(lattice, None).exact
    assert Probe.of(lattice, n).exact


def test_parts_of_a_probe_are_the_whole() -> None:
    probe = Probe.of(Lattice.triangular(6, 6), 24)
    parts = torch.cat([probe.vectors(0, 7), probe.vectors(7, probe.count)], dim=-1)
    assert torch.equal(parts, probe.vectors(0, probe.count))
    assert not torch.equal(probe.vectors(0, 4), probe.vectors(0, 4, draw=1))
    assert not torch.equal(probe.vectors(0, 4), probe.vectors(0, 4, twist=1))


@pytest.mark.parametrize(
    "lattice", [Lattice.triangular(8, 8), Lattice.chain(6), Lattice.cubic(3, 3, 3), Lattice.square(1, 1)], ids=repr
)
def test_bounds_hold_all_levels_and_are_tight(lattice: Lattice) -> None:
    model = SDModel(lattice, exchange=2.0)
    states = torch.cat([spins.random(lattice, replicas=3, seed=2), spins.ferro(lattice)])
    bounds = spectral_bounds(model, states, [HoppingTable.of(model)])
    levels = torch.linalg.eigvalsh(model.matrix(states))
    assert bool((bounds[:, 0] < levels[:, 0]).all())
    assert bool((bounds[:, 1] > levels[:, -1]).all())
    width, exact = bounds[:, 1] - bounds[:, 0], levels[:, -1] - levels[:, 0]
    assert bool((width < 1.06 * exact).all())
