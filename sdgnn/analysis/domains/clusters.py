"""Domains of a map of phases on a plane: which nodes touch, connected clusters with their areas, and walls."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.frozen import freeze
from sdgnn.lattice import Bonds, Lattice
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE


@dataclass(frozen=True, eq=False)
class DomainGraph:
    """Nodes that carry a phase, and the pairs of them that share an edge of their cells; the cells fill the plane."""

    pairs: Int[np.ndarray, "pair 2"]
    """(pair, 2) nodes on either side of an edge, each edge once."""
    wall: Float[np.ndarray, " pair"]
    """(pair,) length of the edge, nearest-neighbour distances."""
    crossing: Int[np.ndarray, "pair 2"]
    """(pair, 2) how many periods of the cell the step from the first to the second node crosses, by axis."""
    area: Float[np.ndarray, " node"]
    """(node,) area of the cell of each node."""

    def __post_init__(self) -> None:
        freeze(self)


@lru_cache(maxsize=8)
def site_graph(lattice: Lattice) -> DomainGraph:
    """Sites as nodes: their cells are the Voronoi cells, and sites are neighbours whose cells share an edge.

    On crystals of equal bonds these are the nearest neighbours. The edge between sites i and j is
    |r_ij| (cot a + cot b) / 2 long, a and b the angles opposite to r_ij in its two Delaunay triangles. Raises UserError
    unless the lattice is two-dimensional.
    """
    sides = _sides(lattice)
    partner = sides.bonds.reversed
    half = np.linalg.norm(sides.bonds.vector, axis=1) * sides.cotangent / 2
    wall = half + half[partner]
    once = (np.arange(len(partner)) < partner) & (wall > LENGTH_TOLERANCE)
    part = np.sum(sides.bonds.vector**2, axis=1) * sides.cotangent / 8
    area = np.zeros(lattice.n_sites)
    for end in (sides.bonds.source, sides.bonds.target):
        np.add.at(area, end, part)
    pairs = np.stack([sides.bonds.source, sides.bonds.target], axis=1)
    crossing = _crossings(lattice.positions[pairs[:, 0]] + sides.bonds.vector - lattice.positions[pairs[:, 1]], lattice)
    return DomainGraph(pairs[once], wall[once], crossing[once], area)


@lru_cache(maxsize=8)
def triangle_graph(lattice: Lattice) -> DomainGraph:
    """The triangles of ``lattice.triangles`` as nodes, neighbours where they share an edge: for chirality domains.

    Raises UserError as :func:`site_graph`.
    """
    sides = _sides(lattice)
    partner = sides.bonds.reversed
    once = np.arange(len(partner)) < partner
    pairs = np.stack([sides.triangle, sides.triangle[partner]], axis=1)
    step = sides.bonds.vector + sides.to_centre[partner] - sides.to_centre
    crossing = _crossings(sides.centre[pairs[:, 0]] + step - sides.centre[pairs[:, 1]], lattice)
    wall = np.linalg.norm(sides.bonds.vector, axis=1)
    return DomainGraph(pairs[once], wall[once], crossing[once], sides.area)


@dataclass(frozen=True, eq=False)
class _Sides:
    """The sides of all Delaunay triangles, three for each triangle, walked counter-clockwise."""

    bonds: Bonds
    triangle: Int[np.ndarray, " side"]
    cotangent: Float[np.ndarray, " side"]
    """Cotangent of the angle opposite to the side."""
    to_centre: Float[np.ndarray, "side 2"]
    """Vector from the start of the side to the triangle's centre."""
    centre: Float[np.ndarray, "triangle 2"]
    area: Float[np.ndarray, " triangle"]


@lru_cache(maxsize=8)
def _sides(lattice: Lattice) -> _Sides:
    corners, places = lattice.triangles, lattice.triangle_corners
    source, target, vector, cotangent, to_centre = [], [], [], [], []
    for k in range(3):
        start, end, tip = (places[:, (k + step) % 3] for step in range(3))
        left, right = start - tip, end - tip
        doubled = left[:, 0] * right[:, 1] - left[:, 1] * right[:, 0]
        source.append(corners[:, k])
        target.append(corners[:, (k + 1) % 3])
        vector.append(end - start)
        cotangent.append((left * right).sum(1) / doubled)
        to_centre.append(places.mean(axis=1) - start)
    bonds = Bonds(np.concatenate(source), np.concatenate(target), np.concatenate(vector), np.full(3 * len(corners), -1))
    return _Sides(
        bonds, np.tile(np.arange(len(corners)), 3), np.concatenate(cotangent), np.concatenate(to_centre),
        places.mean(axis=1), doubled / 2,
    )  # fmt: skip


def _crossings(step: Float[np.ndarray, "pair 2"], lattice: Lattice) -> Int[np.ndarray, "pair 2"]:
    return np.round(step @ np.linalg.inv(lattice.cell)).astype(np.int64)


def wall_length(phases: Int[Tensor, "replica node"], graph: DomainGraph) -> Float[Tensor, " replica"]:
    """Total length of the edges between nodes of different phases, (replica,), nearest-neighbour distances.

    Walls follow the edges of the cells: a wall that runs at an angle to them is longer than the straight line, on the
    square lattice by |cos a| + |sin a|, 4/pi in the mean over directions.
    """
    values = _checked(phases, graph)
    differ = values[:, graph.pairs[:, 0]] != values[:, graph.pairs[:, 1]]
    return torch.from_numpy(differ @ graph.wall)


def length_from_walls(phases: Int[Tensor, "replica node"], graph: DomainGraph) -> Float[Tensor, " replica"]:
    """L = area / :func:`wall_length`, (replica,): w for stripes of width w, inf without walls.

    Every flipped node within a domain counts as wall: at high temperatures smooth the map before taking its sign, and
    compare runs at one temperature.
    """
    return float(graph.area.sum()) / wall_length(phases, graph)


def cluster_labels(phases: Int[Tensor, "replica node"], graph: DomainGraph) -> Int[Tensor, "replica node"]:
    """Number of the connected cluster of equal phase that each node belongs to, across the periodic boundary.

    Labels are 0, 1, ... in each replica. Found by ``scipy.sparse.csgraph.connected_components``.
    """
    values = _checked(phases, graph)
    return torch.from_numpy(np.stack([_components(row, graph.pairs) for row in values]))


def cluster_areas(
    phases: Int[Tensor, "replica node"], graph: DomainGraph, phase: int | None = None
) -> list[Float[Tensor, " cluster"]]:
    """Areas of the clusters of each replica, largest first; with ``phase``, of the clusters in this phase alone."""
    areas = []
    for row, label in zip(_checked(phases, graph), cluster_labels(phases, graph).numpy(), strict=True):
        _, first = np.unique(label, return_index=True)
        area = np.bincount(label, weights=graph.area)
        kept = slice(None) if phase is None else row[first] == phase
        areas.append(torch.from_numpy(np.sort(area[kept])[::-1].copy()))
    return areas


def length_from_clusters(
    phases: Int[Tensor, "replica node"], graph: DomainGraph, smallest: float = 0.0
) -> Float[Tensor, " replica"]:
    """L = sqrt(area / number of clusters), (replica,), counting clusters of an area of at least ``smallest``.

    The number falls as L^-2 while domain growth scales. A mean weighted by area would not do: where two phases balance
    one cluster spans the plane soon after a quench, see :func:`wrapping` (Arenzon, Bray, Cugliandolo and Sicilia, Phys.
    Rev. Lett. 98, 145701 (2007), doi:10.1103/PhysRevLett.98.145701). Thermal flips count as clusters of one node;
    ``smallest`` leaves them out. inf where no cluster is left.
    """
    counts = [int((areas >= smallest).sum()) for areas in cluster_areas(phases, graph)]
    return (float(graph.area.sum()) / torch.tensor(counts, dtype=torch.float64, device="cpu")).sqrt()


def wrapping(phases: Int[Tensor, "replica node"], graph: DomainGraph) -> Bool[Tensor, "replica node"]:
    """Whether the cluster of each node is connected with its own periodic image, (replica, node).

    Clusters are found on a cell doubled along both axes: a cluster wraps if copies of its nodes hang together. A closed
    line without crossings never winds an even number of times around both axes, so that none is overlooked.
    """
    values = _checked(phases, graph)
    n = len(graph.area)
    copies = list(itertools.product((0, 1), repeat=2))
    place = np.array(copies)
    pairs = []
    for x, y in copies:
        far = (place[2 * x + y] + graph.crossing) % 2
        pairs.append(np.stack([(2 * x + y) * n + graph.pairs[:, 0], far @ [2 * n, n] + graph.pairs[:, 1]], axis=1))
    doubled = np.concatenate(pairs)
    found = []
    for row in values:
        label = _components(np.tile(row, 4), doubled).reshape(4, n)
        found.append((label[1:] == label[0]).any(axis=0))
    return torch.from_numpy(np.stack(found))


def _components(phases: Int[np.ndarray, " node"], pairs: Int[np.ndarray, "pair 2"]) -> Int[np.ndarray, " node"]:
    """Labels of the connected components of the pairs whose ends have the same phase."""
    a, b = pairs[phases[pairs[:, 0]] == phases[pairs[:, 1]]].T
    joined = coo_matrix((np.ones(len(a), dtype=bool), (a, b)), shape=(len(phases), len(phases)))
    return connected_components(joined, directed=False)[1].astype(np.int64)


def _checked(phases: Int[Tensor, "replica node"], graph: DomainGraph) -> Int[np.ndarray, "replica node"]:
    if phases.shape[1] != len(graph.area):
        raise UserError(
            f"phases of {phases.shape[1]} nodes on a graph of {len(graph.area)}",
            allowed="one phase for each site of site_graph(lattice), or for each triangle of triangle_graph(lattice)",
        )
    return phases.cpu().numpy()
