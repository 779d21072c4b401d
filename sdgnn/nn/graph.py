"""Networks on graphs: crystals with vacancies, free positions and chosen bonds, by message passing along bonds.

Crystals have few bond directions, graphs have any. What ties the two is that a map between functions of the direction
that commutes with the point group is sum_l W_l Pi_l, with projectors that depend on the angle between directions
alone: with D directions, and n_l of them spanned by the harmonics of degree l,

    Pi_l(d, d') = n_l / D P_l(cos angle(d, d')),    P_l(cos x) = cos l x in the plane, Legendre's P_l in space.

The right-hand side is a sum over products of harmonics Y_lm(d) Y_lm(d') at *any* two directions. So features are kept
as coefficients of harmonics, weights belong to degrees, and only the passage between harmonics and bonds differs:
a fixed matrix on crystals, harmonics of each bond's own direction here. Rotating all positions by any angle, or
reflecting them, changes no energy. On crystals both paths are equal, term by term; harmonics that vanish in all of a
crystal's directions (sin 3 phi on the triangular lattice) add nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.polynomial import Chebyshev, Legendre, Polynomial
from torch import Tensor

from sdgnn.errors import UserError
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.bound import NetworkField
from sdgnn.nn.directions import Directions
from sdgnn.nn.layers import Features, Geometry
from sdgnn.nn.spin_matrices import multiply

if TYPE_CHECKING:
    from sdgnn.nn.network import Network


def degrees(directions: Directions) -> list[int]:
    """Degree l of the harmonics that span each eigenspace of a crystal's directions.

    Raises UserError where the projector on an eigenspace is not a single n_l / D P_l.
    """
    dim = directions.vectors.shape[1]
    cosine = directions.vectors @ directions.vectors.T
    found = []
    for space in range(directions.n_spaces):
        columns = directions.harmonics[:, directions.space == space]
        wanted = columns @ columns.T * len(directions) / columns.shape[1]
        fits = [
            degree for degree in range(len(directions)) if np.abs(_angular(dim, degree, cosine) - wanted).max() < 1e-4
        ]
        if len(fits) == 0:
            raise UserError(
                f"a network for {len(directions)} bond directions in {dim} dimensions away from its crystal",
                allowed="networks for chains, for planar lattices whose directions divide the circle evenly, "
                "and for the simple cubic lattice",
            )
        found.append(int(fits[0]))
    return found


def _angular(dim: int, degree: int, cosine: np.ndarray) -> np.ndarray:
    """P_l of the cosine."""
    return {1: Polynomial, 2: Chebyshev, 3: Legendre}[dim].basis(degree)(cosine)


def harmonics(vectors: Float[np.ndarray, "bond dim"], degree: int) -> Float[np.ndarray, "bond harmonic"]:
    """Y_lm of each bond's direction, with sum_m Y_lm(a) Y_lm(b) = P_l(a . b)."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    if degree == 0:
        return np.ones((len(unit), 1))
    if unit.shape[1] == 1:
        return unit**degree
    if unit.shape[1] == 2:
        turned = (unit[:, 0] + 1j * unit[:, 1]) ** degree
        return np.stack([turned.real, turned.imag], axis=1)
    from e3nn.o3 import spherical_harmonics

    return spherical_harmonics(degree, torch.from_numpy(unit), normalize=True, normalization="norm").numpy()


def cutoff(family: Lattice) -> float:
    """Half way between the first and the second shell of a crystal: bonds on free positions end here."""
    return float(family.shell_distances(2).mean())


def strengths(lengths: Float[np.ndarray, " bond"], family: Lattice) -> Float[np.ndarray, " bond"]:
    """1 up to the nearest-neighbour distance, falling to 0 at the cutoff, twice differentiable.

    1 - (10 x^3 - 15 x^4 + 6 x^5) with x from 0 at the nearest-neighbour distance to 1 at :func:`cutoff`. Nothing about
    bond lengths is learned on a crystal; this makes energies continuous when a neighbour comes or leaves.
    """
    nearest = float(family.shell_distances(1)[0])
    x = np.clip((lengths - nearest) / (cutoff(family) - nearest), 0, 1)
    return 1 - x**3 * (10 - 15 * x + 6 * x**2)


def check_graph(directions: Directions, family: Lattice, lattice: Lattice) -> None:
    """Raises UserError unless a network for ``family`` can be continued to the positions of ``lattice``."""
    if lattice.dim != family.dim:
        raise UserError(
            f"a network for {family.name} lattices on {lattice!r}", allowed=f"positions in {family.dim} dimensions"
        )
    degrees(directions)


def check_bonds(bonds: Bonds, lattice: Lattice) -> None:
    """Raises UserError unless bonds join sites of ``lattice`` along vectors and are given from either end."""
    ends = np.concatenate([bonds.source, bonds.target])
    if len(bonds) == 0 or bonds.vector.shape != (len(bonds), lattice.dim) or len(bonds.target) != len(bonds):
        raise UserError(
            f"{len(bonds)} bonds with vectors of shape {bonds.vector.shape} on {lattice!r}",
            allowed=f"one or more bonds, each with a source, a target and a vector of {lattice.dim} numbers",
            fix="" if len(bonds) else "give positions in units of the nearest-neighbour distance",
        )
    if ends.min() < 0 or ends.max() >= lattice.n_sites:
        raise UserError(f"bonds of sites {ends.min()} to {ends.max()} on {lattice!r}", allowed="sites of the lattice")
    if not np.linalg.norm(bonds.vector, axis=1).min() > 0:
        raise UserError("a bond of no length", allowed="vectors from one end of the bond to the other")

    def ordered(source: np.ndarray, target: np.ndarray, vector: np.ndarray) -> np.ndarray:
        vector = np.round(vector, 5) + 0.0
        order = np.lexsort((*vector.T, target, source))
        return np.column_stack([source, target, vector])[order]

    back = ordered(bonds.target, bonds.source, -bonds.vector)
    if not np.allclose(ordered(bonds.source, bonds.target, bonds.vector), back, atol=2e-5):
        raise UserError("bonds that are not given from either end", allowed="i -> j along r and j -> i along -r")


@dataclass(frozen=True)
class Graph(Geometry):
    """Bonds of any set of sites."""

    edge_index: Int[Tensor, "2 bond"]
    """Site j at which the bond ends, site i at which it starts: messages flow from row 0 to row 1."""
    present: Float[Tensor, " bond"]
    """Strength of each bond, 1 on crystals."""
    values: Float[Tensor, "harmonic bond"]
    """sqrt(n_l / D) Y_lm in the direction of the bond."""
    space: Int[Tensor, " harmonic"]
    """Eigenspace of the crystal's directions, hence weights, of each harmonic."""
    n_sites: int
    """Number of sites."""
    n_directions: int
    """D, the number of bond directions of the crystal."""

    @classmethod
    def of(cls, directions: Directions, lattice: Lattice, bonds: Bonds, strength: np.ndarray | None = None) -> Graph:
        """Given bonds; all of strength 1 unless given. Raises UserError on bonds that do not fit the lattice."""
        check_bonds(bonds, lattice)
        values, space = [], []
        for k, degree in enumerate(degrees(directions)):
            dimension = int((directions.space == k).sum())
            values.append(np.sqrt(dimension / len(directions)) * harmonics(bonds.vector, degree))
            space += [k] * values[-1].shape[1]
        return cls(
            edge_index=torch.from_numpy(np.stack([bonds.target, bonds.source])),
            present=torch.from_numpy(np.ones(len(bonds)) if strength is None else strength),
            values=torch.from_numpy(np.concatenate(values, axis=1).T.copy()),
            space=torch.tensor(space),
            n_sites=lattice.n_sites,
            n_directions=len(directions),
        )

    @classmethod
    def by_distance(cls, directions: Directions, family: Lattice, lattice: Lattice) -> Graph:
        """Bonds within :func:`cutoff` of a family, as strong as :func:`strengths` says."""
        bonds = lattice.bonds_within(cutoff(family))
        return cls.of(directions, lattice, bonds, strengths(np.linalg.norm(bonds.vector, axis=1), family))

    def repeat(self, replicas: int, device: torch.device, dtype: torch.dtype) -> Graph:
        """``replicas`` copies side by side."""
        start = torch.arange(replicas)[:, None] * self.n_sites
        return Graph(
            edge_index=(self.edge_index[:, None] + start).flatten(1).to(device),
            present=self.present.repeat(replicas).to(device=device, dtype=dtype),
            values=self.values.repeat(1, replicas).to(device=device, dtype=dtype),
            space=self.space.to(device),
            n_sites=self.n_sites * replicas,
            n_directions=self.n_directions,
        )

    def ends(self, spins: Float[Tensor, "site 3"]) -> tuple[Float[Tensor, "bond 3"], Float[Tensor, "bond 3"]]:
        there, here = self.edge_index
        return spins[here], spins[there]

    def collect(self, values: Float[Tensor, "bond value"]) -> Float[Tensor, "site value"]:
        return self._scatter(values)

    def harmonic(self, features: Float[Tensor, "8 bond channel"]) -> Features:
        return torch.stack([self._scatter(features * value[:, None]) for value in self.values], dim=1)

    def products(self, own: Features, message: Features, weight: Float[Tensor, "bond factors"]) -> Features:
        there, here = self.edge_index
        factors = self._along(own, here) + weight * self._along(message, there)
        a, b, c = factors.chunk(3, dim=-1)
        ab = multiply(a, b)
        return self.harmonic(torch.cat([ab, multiply(ab, c)], dim=-1) * self.present[:, None])

    def _along(self, features: Features, site: Tensor) -> Float[Tensor, "8 bond channel"]:
        """Features of one end of each bond, evaluated in the bond's direction."""
        terms = (features[:, h].index_select(1, site) * value[:, None] for h, value in enumerate(self.values))
        return sum(terms)

    def _scatter(self, values: Tensor) -> Tensor:
        from torch_geometric.utils import scatter

        return scatter(values, self.edge_index[1], dim=-2, dim_size=self.n_sites, reduce="sum")


class BondedField(NetworkField):
    """Field of a network on a lattice with bonds of one's own, all of full strength."""

    def __init__(self, network: Network, lattice: Lattice, bonds: Bonds, dtype: torch.dtype = torch.float32) -> None:
        check_graph(network.directions, network.family, lattice)
        super().__init__(network, lattice, dtype)
        self._graph = Graph.of(network.directions, lattice, bonds)

    def _tables_for(self, replicas: int, device: torch.device) -> Graph:
        if (replicas, device) not in self._tables:
            self._tables[replicas, device] = self._graph.repeat(replicas, device, self.dtype)
        return self._tables[replicas, device]
