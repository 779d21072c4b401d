"""Balls of sites around each site, in which spinors walk: tables of sublattices, or of every single site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sdgnn.electrons.bands import images, unit_cell
from sdgnn.electrons.hamiltonian import SDModel

TOGETHER = 256
"""Balls around single sites that are made together."""

SAMPLE = 8
"""Sites, at most, around which balls are counted where they differ from site to site."""


@dataclass(frozen=True)
class Ball:
    """All sites within some bonds of an origin, every periodic image a site of its own; the edge last.

    Of a uniform crystal there is one ball for each sublattice: one around a site of a lattice of a single unit cell.
    """

    images: Int[np.ndarray, "site dim"]
    """(site, dim) periodic image of the cell that the site is in; the origin is in image 0."""
    member: Int[np.ndarray, " site"]
    """(site,) which site of the cell it is."""
    sizes: Int[np.ndarray, " bonds"]
    """Sites within 0, 1, 2, ... bonds."""
    edge: int
    """Number of the first site of the edge; the number of all sites where the walk ends there."""
    start: Int[np.ndarray, " row"]
    """(site + 1,) where the neighbours of each site begin in the lists below."""
    neighbour: Int[np.ndarray, " pair"]
    """Neighbours inside the ball."""
    amplitude: Float[np.ndarray, "pair ..."]
    """-t of the bond to each of them; with spin-orbit coupling (pair, 4), -t and the three -lambda of H_pq =
    -(t + i lambda . sigma), from the neighbour q to the site p."""

    def __len__(self) -> int:
        return len(self.member)

    def damping(self, at_edge: float) -> Float[np.ndarray, " site"]:
        """D of each site: 1, and a number of its own at the edge."""
        return np.where(np.arange(len(self)) < self.edge, 1.0, at_edge)

    def damped(self, damping: Float[np.ndarray, " site"]) -> Float[np.ndarray, "pair ..."]:
        """sqrt(D_p D_q) times the amplitudes."""
        return (np.sqrt(damping.repeat(np.diff(self.start)) * damping[self.neighbour]) * self.amplitude.T).T


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
    return site_balls(unit_cell(model), cutoff, steps, np.arange(model.lattice.n_basis))


def site_balls(model: SDModel, cutoff: int, steps: int, origins: Int[np.ndarray, " origin"]) -> list[Ball]:
    """The balls within ``cutoff`` bonds around single sites of any lattice, as far as ``steps`` steps lead."""
    found = []
    for some in np.array_split(origins, max(1, -(-len(origins) // TOGETHER))):
        found += _site_balls(model, min(cutoff, steps), steps > cutoff, some)
    return found


def _site_balls(model: SDModel, radius: int, with_edge: bool, origins: Int[np.ndarray, " origin"]) -> list[Ball]:
    """Balls around ``origins``, grown together: a node is a number made of ball, image and site."""
    bonds, n, dim = model.bonds, model.lattice.n_sites, model.lattice.dim
    image = images(model)
    bound = radius * int(np.abs(image).max(initial=0)) + 1
    digits = (2 * bound + 1) ** np.arange(dim)
    code, span = image @ digits, (2 * bound + 1) ** dim
    start = np.searchsorted(bonds.source, np.arange(n + 1))
    spin_orbit = model.spin_orbit_vectors
    amplitude = -model.amplitudes if spin_orbit is None else -np.column_stack([model.amplitudes, spin_orbit])

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
                images=(nodes[sites, None] // n % span) // digits % (2 * bound + 1) - bound,
                member=nodes[sites] % n,
                sizes=sizes,
                edge=int(sizes[-2] if with_edge else sizes[-1]),
                start=begin[first_site[k] : first_site[k + 1] + 1] - first_pair[k],
                neighbour=other[pairs] - first_site[k],
                amplitude=amplitude[bond[pairs]],
            )
        )
    return balls
