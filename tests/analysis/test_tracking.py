"""Clusters that are followed: discs on known paths across the boundary, merging and vanishing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sdgnn import Lattice
from sdgnn.analysis import site_graph, track
from sdgnn.lattice.periodic import nearest_image

SIZE = 40


def discs(lattice: Lattice, *places: tuple[float, float, float]) -> Tensor:
    """Phase +1 within discs (x, y, radius), -1 elsewhere; one replica."""
    phases = -torch.ones(1, lattice.n_sites, dtype=torch.long)
    for x, y, radius in places:
        r = np.linalg.norm(nearest_image(lattice.positions - np.array([x, y]), lattice.cell), axis=1)
        phases[0, torch.from_numpy(r <= radius)] = 1
    return phases


@pytest.mark.parametrize("lattice", [Lattice.square(SIZE, SIZE), Lattice.triangular(SIZE, SIZE)], ids=["square", "tri"])
def test_a_disc_on_a_straight_path_across_the_boundary(lattice: Lattice) -> None:
    step = lattice.vectors[0] * 2 + lattice.vectors[1]  # whole cells: the disc keeps its sites
    start = lattice.positions[lattice.n_sites // 2]
    states = [discs(lattice, (*(start + k * step), 4.3)) for k in range(30)]  # twice around the cell
    moved, left = track(states, site_graph(lattice), lattice)
    expected = (step @ step) * np.arange(30.0) ** 2
    np.testing.assert_allclose(moved[:, 0], expected, atol=1e-9 * expected[-1])
    assert (left == 1).all()


def test_still_discs_stay_and_two_paths_are_averaged() -> None:
    lattice = Lattice.square(SIZE, SIZE)
    still = [discs(lattice, (10, 10, 3.2), (30, 28 + k, 3.2)) for k in range(6)]
    moved, left = track(still, site_graph(lattice), lattice)
    np.testing.assert_allclose(moved[:, 0], np.arange(6.0) ** 2 / 2, atol=1e-9)
    assert (left == 1).all()


def test_what_merges_or_vanishes_is_lost() -> None:
    lattice = Lattice.square(SIZE, SIZE)
    graph = site_graph(lattice)
    vanishing = [discs(lattice, (10, 10, 3.2), (30, 30, 3.2)), discs(lattice, (10, 10, 3.2)), discs(lattice)]
    moved, left = track(vanishing, graph, lattice)
    assert left[:, 0].tolist() == [1, 0.5, 0]
    assert moved[:2, 0].tolist() == pytest.approx([0, 0]) and moved[2].isnan().all()
    merging = [
        discs(lattice, (14, 20, 5.2), (26, 20, 3.2)),
        discs(lattice, (14, 20, 5.2), (20, 20, 5.2), (26, 20, 3.2)),
    ]
    moved, left = track(merging, graph, lattice)
    assert left[:, 0].tolist() == [1, 0.5]  # the larger one goes on
    assert 0 < float(moved[1]) < 12**2


def test_small_clusters_are_not_followed() -> None:
    lattice = Lattice.square(SIZE, SIZE)
    states = [discs(lattice, (10, 10, 3.2), (30, 30, 0.2)), discs(lattice, (10, 10, 3.2))]
    assert track(states, site_graph(lattice), lattice, smallest=4)[1][:, 0].tolist() == [1, 1]
    assert track(states, site_graph(lattice), lattice)[1][:, 0].tolist() == [1, 0.5]


def test_diffusing_discs_obey_einsteins_law() -> None:
    """Independent random walks of one site per step: <r^2> = t, and its scatter is known."""
    lattice = Lattice.square(SIZE, SIZE)
    generator = np.random.default_rng(3)
    steps = generator.choice(4, size=(24, 20))
    walk = np.cumsum(np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])[steps], axis=1)
    states = [torch.cat([discs(lattice, (20 + x, 20 + y, 3.2)) for x, y in walk[:, k]]) for k in range(walk.shape[1])]
    moved, _ = track(states, site_graph(lattice), lattice)
    since = walk - walk[:, :1]
    np.testing.assert_allclose(moved, (since**2).sum(-1).T, atol=1e-8)
    t = 19
    # <r^4> = 2 t^2 - t for this walk, so that the mean over 24 walks has a standard error of sqrt((t^2 - t) / 24)
    assert float(moved[-1].mean()) == pytest.approx(t, abs=3 * np.sqrt((t**2 - t) / 24))
