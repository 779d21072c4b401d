"""Clusters, their areas and walls: patterns whose areas and perimeters are known, and a search site by site."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import Lattice
from sdgnn.analysis.domains.clusters import (
    cluster_areas,
    cluster_labels,
    length_from_clusters,
    length_from_walls,
    site_graph,
    triangle_graph,
    wall_length,
    wrapping,
)
from sdgnn.common.errors import UserError
from sdgnn.lattice.periodic import nearest_image

PLANES = [
    Lattice.square(6, 5),
    Lattice.triangular(6, 4),
    Lattice.honeycomb(4, 5),
    Lattice.kagome(4, 3),
    Lattice.amorphous(60, seed=2),
    Lattice.triangular(2, 3),
    Lattice.square(1, 4),
]


@pytest.mark.parametrize("lattice", PLANES, ids=lambda lattice: lattice.name)
def test_cells_fill_the_plane(lattice):
    area = abs(np.linalg.det(lattice.cell))
    for graph in (site_graph(lattice), triangle_graph(lattice)):
        assert graph.area.sum() == pytest.approx(area) and (graph.area > 0).all() and (graph.wall > 0).all()
    sites = site_graph(lattice)
    ends = lattice.positions[sites.pairs]
    apart = ends[:, 1] + sites.crossing @ lattice.cell - ends[:, 0]
    # each edge and its node span a triangle, as high as half the way to the other node
    wedge = np.linalg.norm(apart, axis=1) * sites.wall / 4
    by_edges = np.bincount(sites.pairs.ravel(), weights=np.repeat(wedge, 2), minlength=lattice.n_sites)
    assert by_edges == pytest.approx(sites.area)


@pytest.mark.parametrize("lattice", PLANES[:4], ids=lambda lattice: lattice.name)
def test_cells_of_crystals_touch_where_nearest_neighbours_are(lattice):
    bonds = lattice.bonds(1)
    nearest = {frozenset(pair) for pair in zip(bonds.source.tolist(), bonds.target.tolist(), strict=True)}
    assert {frozenset(pair) for pair in site_graph(lattice).pairs.tolist()} == nearest
    triangles = triangle_graph(lattice)
    assert np.bincount(triangles.pairs.ravel()).tolist() == [3] * len(lattice.triangles)


def flood(phases: list[int], neighbours: list[set[int]]) -> list[set[int]]:
    """Clusters by walking from node to node."""
    left, found = set(range(len(phases))), []
    while left:
        cluster, front = set(), {min(left)}
        while front:
            cluster |= front
            front = {b for a in front for b in neighbours[a] if phases[b] == phases[a]} - cluster
        found.append(cluster)
        left -= cluster
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(PLANES), st.sampled_from([site_graph, triangle_graph]))
def test_clusters_are_those_of_a_walk(seed, lattice, make):
    graph = make(lattice)
    phases = np.random.default_rng(seed).integers(-1, 2, size=(2, len(graph.area)))
    neighbours: list[set[int]] = [set() for _ in graph.area]
    for a, b in graph.pairs.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    labels = cluster_labels(torch.from_numpy(phases), graph).numpy()
    areas = cluster_areas(torch.from_numpy(phases), graph, phase=1)
    for row, label, area in zip(phases, labels, areas, strict=True):
        clusters = flood(row.tolist(), neighbours)
        assert {frozenset(np.flatnonzero(label == k).tolist()) for k in np.unique(label)} == set(
            map(frozenset, clusters)
        )
        up = [graph.area[sorted(c)].sum() for c in clusters if row[min(c)] == 1]
        assert area.tolist() == pytest.approx(sorted(up, reverse=True))


@pytest.mark.parametrize("width", [2, 4, 8])
def test_stripes(width):
    lattice = Lattice.square(16, 12)
    stripes = torch.from_numpy(lattice.positions[:, 0].astype(int) // width % 2)[None]
    graph = site_graph(lattice)
    assert wall_length(stripes, graph).item() == pytest.approx(12 * 16 / width)
    assert length_from_walls(stripes, graph).item() == pytest.approx(width)
    assert [a.tolist() for a in cluster_areas(stripes, graph)] == [[12.0 * width] * (16 // width)]
    assert length_from_clusters(stripes, graph).item() == pytest.approx(math.sqrt(12 * width))
    assert wrapping(stripes, graph).all()
    assert length_from_walls(torch.ones_like(stripes), graph).item() == math.inf


@pytest.mark.parametrize("winding", [(1, 0), (0, 1), (1, 1), (2, 1), (1, 2), (3, 2)])
def test_a_line_that_winds_around_the_torus_wraps(winding):
    """A thin line along p a_1 + q a_2 closes on itself only beyond the boundary; cut once, it wraps no more."""
    lattice = Lattice.square(30, 30)
    t = np.arange(0, 1, 1e-4)
    corner = np.floor(np.outer(t, winding) * 30 + 1e-9).astype(int) % 30
    line = torch.zeros(1, 900, dtype=torch.int64)
    line[0, corner[:, 0] * 30 + corner[:, 1]] = 1
    joints = np.abs((np.diff(corner, axis=0, append=corner[:1]) + 15) % 30 - 15)
    for k in np.flatnonzero(joints.sum(axis=1) > 1):  # fill diagonal steps so that sites share edges
        line[0, corner[(k + 1) % len(t), 0] * 30 + corner[k, 1]] = 1
    graph = site_graph(lattice)
    assert wrapping(line, graph)[line == 1].all()
    if 0 in winding:
        cut = line.clone()
        cut[0, torch.nonzero(line[0])[7]] = 0
        assert not wrapping(cut, graph)[cut == 1].any()


def test_discs_have_their_areas_and_taxi_perimeters():
    """Two discs across the boundary: pi R^2 each, and 8 R of wall on the square lattice, 4/pi times 2 pi R."""
    lattice = Lattice.square(100, 100)
    radius, phases = 20.5, np.zeros(10000, dtype=np.int64)
    for centre in ((2, 3), (50, 52)):
        apart = nearest_image(lattice.positions - np.array(centre), lattice.cell)
        phases[np.linalg.norm(apart, axis=1) < radius] = 1
    graph, discs = site_graph(lattice), torch.from_numpy(phases)[None]
    (areas,) = cluster_areas(discs, graph, phase=1)
    assert areas.tolist() == pytest.approx([math.pi * radius**2] * 2, rel=0.01)
    assert wall_length(discs, graph).item() == pytest.approx(16 * radius, rel=0.01)
    assert length_from_clusters(discs, graph).item() == pytest.approx(100 / math.sqrt(3))
    assert length_from_clusters(discs, graph, smallest=2000).item() == pytest.approx(100)
    assert wrapping(discs, graph)[discs == 0].all() and not wrapping(discs, graph)[discs == 1].any()


def test_triangles_and_sites_see_the_same_walls():
    """A strip between two lattice rows: both graphs have walls along them; sites zigzag, longer by 2 / sqrt(3)."""
    lattice = Lattice.triangular(12, 12)
    row = np.arange(144) % 12
    sites = torch.from_numpy((row < 6).astype(np.int64))[None]
    triangles = torch.from_numpy(
        (row[lattice.triangles].min(1) >= 2).astype(np.int64) * (row[lattice.triangles].max(1) <= 8)
    )
    assert wall_length(sites, site_graph(lattice)).item() == pytest.approx(24 * 2 / math.sqrt(3))
    assert wall_length(triangles[None], triangle_graph(lattice)).item() == pytest.approx(24)
    assert wrapping(triangles[None], triangle_graph(lattice)).all()


def test_errors():
    with pytest.raises(UserError, match="two-dimensional"):
        site_graph(Lattice.chain(8))
    with pytest.raises(UserError, match="16 nodes"):
        cluster_labels(torch.zeros(1, 16, dtype=torch.int64), site_graph(Lattice.square(4, 5)))
