"""Balls of sites around each site, in which spinors walk: tables of sublattices, or of every single site."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg
from jaxtyping import Float, Int

from sdgnn.electrons.hamiltonian import SDModel

MARGIN = 0.01
"""Part of its width by which the band is widened on either side."""

MOMENTA = {1: 120, 2: 24, 3: 12}
"""Momenta along each axis, by dimension, on which the band of a crystal is looked for."""

TOGETHER = 256
"""Balls around single sites that are made together."""

SAMPLE = 8
"""Sites, at most, around which balls are counted where they differ from site to site."""

DENSE = 300
"""Sites up to which the band of other lattices comes from diagonalisation."""


@dataclass(frozen=True)
class Ball:
    """All sites within some bonds of an origin: a site of a crystal's sublattice, or a single site; the edge last."""

    cells: Int[np.ndarray, "site dim"]
    """(site, dim) unit cells from the origin's to the site's."""
    member: Int[np.ndarray, " site"]
    """(site,) sublattice of the site; of balls around single sites, the site itself."""
    sizes: Int[np.ndarray, " bonds"]
    """Sites within 0, 1, 2, ... bonds."""
    edge: int
    """Number of the first site of the edge; the number of all sites where the walk ends there."""
    start: Int[np.ndarray, " row"]
    """(site + 1,) where the neighbours of each site begin in the lists below."""
    neighbour: Int[np.ndarray, " pair"]
    """Neighbours inside the ball."""
    amplitude: Float[np.ndarray, " pair"]
    """-t of the bond to each of them."""

    def __len__(self) -> int:
        return len(self.member)

    def damping(self, at_edge: float) -> Float[np.ndarray, " site"]:
        """D of each site: 1, and a number of its own at the edge."""
        return np.where(np.arange(len(self)) < self.edge, 1.0, at_edge)

    def damped(self, damping: Float[np.ndarray, " site"]) -> Float[np.ndarray, " pair"]:
        """sqrt(D_p D_q) times the amplitudes."""
        return self.amplitude * np.sqrt(damping.repeat(np.diff(self.start)) * damping[self.neighbour])


def mean_sizes(model: SDModel, cutoff: int) -> Float[np.ndarray, " bonds"]:
    """Sites within 0, 1, ..., ``cutoff`` bonds, on average over the sites of a cell or over some of all sites."""
    if model.is_uniform:
        balls = crystal_balls(model, cutoff, cutoff)
    else:
        n = model.lattice.n_sites
        balls = site_balls(model, cutoff, cutoff, np.linspace(0, n - 1, min(n, SAMPLE)).astype(int))
    return np.mean([ball.sizes for ball in balls], axis=0)


def crystal_balls(model: SDModel, cutoff: int, steps: int) -> list[Ball]:
    """The ball within ``cutoff`` bonds around a site of each sublattice, as far as ``steps`` steps lead."""
    lattice, bonds = model.lattice, model.bonds
    assert lattice.vectors is not None and lattice.basis is not None
    first = np.flatnonzero(bonds.source < lattice.n_basis)
    source, target = bonds.source[first], bonds.target[first] % lattice.n_basis
    shift = bonds.vector[first] - lattice.basis[target] + lattice.basis[source]
    cells = np.round(shift @ np.linalg.inv(lattice.vectors)).astype(int)
    steps_from: list[list[tuple[tuple[int, ...], int, float]]] = [[] for _ in range(lattice.n_basis)]
    for b, t, cell, amplitude in zip(source, target, cells.tolist(), model.amplitudes[first], strict=True):
        steps_from[b].append((tuple(cell), int(t), -float(amplitude)))
    return [_ball(steps_from, b, lattice.dim, min(cutoff, steps), steps > cutoff) for b in range(lattice.n_basis)]


def _ball(steps_from: list, origin: int, dim: int, radius: int, with_edge: bool) -> Ball:
    """The ball around a site of sublattice ``origin``; a site is (cell, sublattice)."""
    front = [((0,) * dim, origin)]
    places, sizes = {front[0]: 0}, [1]
    for _ in range(radius):
        reached = []
        for cell, b in front:
            for shift, t, _ in steps_from[b]:
                site = (tuple(c + s for c, s in zip(cell, shift, strict=True)), t)
                if site not in places:
                    places[site] = len(places)
                    reached.append(site)
        front = reached
        sizes.append(len(places))
    start, neighbour, amplitude = [0], [], []
    for cell, b in places:
        for shift, t, value in steps_from[b]:
            place = places.get((tuple(c + s for c, s in zip(cell, shift, strict=True)), t))
            if place is not None:
                neighbour.append(place)
                amplitude.append(value)
        start.append(len(neighbour))
    return Ball(
        cells=np.array([cell for cell, _ in places]),
        member=np.array([b for _, b in places]),
        sizes=np.array(sizes),
        edge=sizes[-2] if with_edge else sizes[-1],
        start=np.array(start),
        neighbour=np.array(neighbour, dtype=np.int64),
        amplitude=np.array(amplitude, dtype=np.float64),
    )


def site_balls(model: SDModel, cutoff: int, steps: int, origins: Int[np.ndarray, " origin"]) -> list[Ball]:
    """The balls around single sites of any lattice; every periodic image of a site is a site of its own.

    ``member`` are the sites of the lattice, and there are no cells.
    """
    found = []
    for some in np.array_split(origins, max(1, -(-len(origins) // TOGETHER))):
        found += _site_balls(model, min(cutoff, steps), steps > cutoff, some)
    return found


def _site_balls(model: SDModel, radius: int, with_edge: bool, origins: Int[np.ndarray, " origin"]) -> list[Ball]:
    """All at once: a node is a number made of ball, image and site."""
    lattice, bonds = model.lattice, model.bonds
    away = bonds.vector - lattice.positions[bonds.target] + lattice.positions[bonds.source]
    images = np.round(away @ np.linalg.inv(lattice.cell)).astype(int)
    bound = radius * int(np.abs(images).max(initial=0)) + 1
    digits = (2 * bound + 1) ** np.arange(lattice.dim)
    code, span, n = images @ digits, (2 * bound + 1) ** lattice.dim, lattice.n_sites
    start = np.searchsorted(bonds.source, np.arange(n + 1))

    def neighbours(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row of ``nodes``, node, bond) of all their neighbours."""
        ball_and_image, site = np.divmod(nodes, n)
        counts = start[site + 1] - start[site]
        row = np.repeat(np.arange(len(nodes)), counts)
        bond = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(start[site], counts)
        return row, (ball_and_image[row] + code[bond]) * n + bonds.target[bond], bond

    middle = int((bound * digits).sum())
    front = (np.arange(len(origins)) * span + middle) * n + origins
    layers, before = [front], np.empty(0, dtype=np.int64)
    for _ in range(radius):
        reached = np.setdiff1d(np.unique(neighbours(front)[1]), np.concatenate([front, before]))
        before, front = front, reached
        layers.append(front)
    nodes = np.concatenate(layers)
    layer = np.repeat(np.arange(radius + 1), [len(part) for part in layers])
    ball = nodes // n // span
    order = np.lexsort((nodes, layer, ball))
    nodes, layer, ball = nodes[order], layer[order], ball[order]
    sorted_nodes, place_of = np.sort(nodes), np.argsort(nodes)
    row, node, bond = neighbours(nodes)
    at = np.searchsorted(sorted_nodes, node).clip(max=len(nodes) - 1)
    inside = sorted_nodes[at] == node
    row, other, bond = row[inside], place_of[at[inside]], bond[inside]
    first_site = np.searchsorted(ball, np.arange(len(origins) + 1))
    first_pair = np.searchsorted(row, first_site)
    begin = np.searchsorted(row, np.arange(len(nodes) + 1))
    balls = []
    for k in range(len(origins)):
        sites, pairs = slice(first_site[k], first_site[k + 1]), slice(first_pair[k], first_pair[k + 1])
        sizes = np.searchsorted(layer[sites], np.arange(radius + 1), side="right")
        balls.append(
            Ball(
                cells=np.zeros((sizes[-1], 0), dtype=np.int64),
                member=nodes[sites] % n,
                sizes=sizes,
                edge=int(sizes[-2] if with_edge else sizes[-1]),
                start=begin[first_site[k] : first_site[k + 1] + 1] - first_pair[k],
                neighbour=other[pairs] - first_site[k],
                amplitude=-model.amplitudes[bond[pairs]],
            )
        )
    return balls


def band(model: SDModel) -> tuple[float, float]:
    """(lowest, highest) energies between which all levels of electrons lie that hop without exchange.

    Levels inside balls lie between those of the infinite crystal. Crystals without disorder are diagonalised on a mesh
    of momenta, others on their cell with periodic and antiperiodic boundaries, and widened by a percent of the width.
    """
    lattice, bonds = model.lattice, model.bonds
    strict = float(np.bincount(bonds.source, np.abs(model.amplitudes), lattice.n_sites).max(initial=0.0))
    if strict == 0:
        return -1e-3, 1e-3
    if lattice.vectors is not None and model.disorder is None:
        levels = _levels_of_crystal(model)
    else:
        twists = itertools.product([0.0, 0.5], repeat=lattice.dim)
        levels = np.concatenate([_extremes(model.hopping_matrix(twist)) for twist in twists])
    lowest, highest = float(levels.min()), float(levels.max())
    margin = MARGIN * (highest - lowest) + 1e-3 * strict
    return max(lowest - margin, -1.001 * strict), min(highest + margin, 1.001 * strict)


def _levels_of_crystal(model: SDModel) -> Float[np.ndarray, " level"]:
    lattice, bonds = model.lattice, model.bonds
    assert lattice.vectors is not None
    first = bonds.source < lattice.n_basis
    mesh = np.arange(MOMENTA[lattice.dim]) / MOMENTA[lattice.dim]
    twists = np.stack(np.meshgrid(*[mesh] * lattice.dim, indexing="ij"), axis=-1).reshape(-1, lattice.dim)
    momenta = 2 * np.pi * twists @ np.linalg.inv(lattice.vectors).T
    phases = np.exp(1j * momenta @ bonds.vector[first].T) * -model.amplitudes[first]
    matrices = np.zeros((len(momenta), lattice.n_basis, lattice.n_basis), dtype=np.complex128)
    for source, target, phase in zip(bonds.source[first], bonds.target[first] % lattice.n_basis, phases.T, strict=True):
        matrices[:, source, target] += phase
    return np.linalg.eigvalsh(matrices).ravel()


def _extremes(matrix: scipy.sparse.csr_array) -> Float[np.ndarray, " level"]:
    if matrix.shape[0] <= DENSE:
        return np.linalg.eigvalsh(matrix.toarray())[[0, -1]]
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    settings = {"k": 1, "v0": start, "tol": MARGIN / 10, "return_eigenvectors": False}
    return np.concatenate([scipy.sparse.linalg.eigsh(matrix, which=which, **settings) for which in ("SA", "LA")])
