"""Bonds of any set of sites, crystals, vacancies, free positions or chosen ones, and harmonics in their directions.

A map between functions of the direction that commutes with the point group of a crystal is sum_l W_l Pi_l, with
projectors that depend on the angle between directions alone: with D directions, and n_l of them spanned by the
harmonics of degree l,

    Pi_l(d, d') = n_l / D P_l(cos angle(d, d')),    P_l(cos x) = cos l x in the plane, Legendre's P_l in space.

The right-hand side is a sum over products of harmonics Y_lm(d) Y_lm(d') at *any* two directions. So features are kept
as coefficients of harmonics, weights belong to degrees, and each bond's own direction says what they are along it.
Rotating all positions by any angle, or reflecting them, changes no energy. Harmonics that vanish in all of a crystal's
directions (sin 3 phi on the triangular lattice) add nothing there.

Lists of bonds, of unequal length, are padded to the longest one (torch-geometric's ``to_dense_batch``). The passage
between harmonics and bonds is then one batched matrix product over sites, and a message is read from the reversed bond,
which the neighbour evaluates as its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.polynomial import Chebyshev, Legendre, Polynomial
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.electrons.hopping import ExponentialHopping, fall
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.baselines.directions import Directions

Features = Float[Tensor, "8 _ site _"]
"""(8, harmonic, site, channel) spin matrices, as coefficients of harmonics in the direction."""


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
                f"a network for {len(directions)} bond directions in {dim} dimensions",
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


def continued(
    directions: Directions, vectors: Float[np.ndarray, "bond dim"]
) -> tuple[Float[np.ndarray, "bond harmonic"], Int[np.ndarray, " harmonic"], Int[np.ndarray, " harmonic"]]:
    """A crystal's lattice harmonics in other directions: sqrt(n_l / D) Y_lm of each bond; the eigenspace of the
    crystal's directions, hence weights, and the degree of each."""
    values, space, degree = [], [], []
    for k, order in enumerate(degrees(directions)):
        dimension = int((directions.space == k).sum())
        values.append(np.sqrt(dimension / len(directions)) * harmonics(vectors, order))
        space += [k] * values[-1].shape[1]
        degree += [order] * values[-1].shape[1]
    return np.concatenate(values, axis=1), np.array(space), np.array(degree)


def cutoff(family: Lattice) -> float:
    """Half way between the first and the second shell of a crystal: bonds on free positions end here."""
    return float(family.shell_distances(2).mean())


def strengths(lengths: Float[np.ndarray, " bond"], family: Lattice) -> Float[np.ndarray, " bond"]:
    """1 up to the nearest-neighbour distance, falling to 0 at the cutoff, twice differentiable.

    1 - (10 x^3 - 15 x^4 + 6 x^5) with x from 0 at the nearest-neighbour distance to 1 at :func:`cutoff`. Nothing about
    bond lengths is learned on a crystal; this makes energies continuous when a neighbour comes or leaves.
    """
    nearest = float(family.shell_distances(1)[0])
    return fall((lengths - nearest) / (cutoff(family) - nearest))


def bonds_by_distance(
    family: Lattice, lattice: Lattice, hopping: ExponentialHopping | None
) -> tuple[Bonds, Float[np.ndarray, " bond"]]:
    """Bonds on any positions and their strengths: along which electrons hop, and how strongly, where that is known."""
    bonds = lattice.bonds_within(cutoff(family) if hopping is None else hopping.cutoff)
    lengths = np.linalg.norm(bonds.vector, axis=1)
    return bonds, strengths(lengths, family) if hopping is None else hopping.strength(lengths)


def reversed_bonds(bonds: Bonds, lattice: Lattice) -> Int[np.ndarray, " bond"]:
    """Index of each bond given from its other end.

    Raises UserError unless bonds join sites of ``lattice`` along vectors and each is given once from either end.
    """
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
    return bonds.reversed


@dataclass(frozen=True)
class Graph:
    """Bonds of any set of sites, padded to equal numbers: bond ``i * slots + slot`` starts at site i."""

    reverse: Int[Tensor, " bond"]
    """The same bond from its other end; of padding, itself."""
    strength: Float[Tensor, " bond"]
    """Strength of each bond, 1 on crystals; 0 of padding."""
    forward: Float[Tensor, "site slot harmonic"]
    """sqrt(n_l / D) Y_lm in the direction of the bond; 0 of padding."""
    backward: Float[Tensor, "site slot harmonic"]
    """The same in the opposite direction."""
    space: Int[Tensor, " harmonic"]
    """Eigenspace of the crystal's directions, hence weights, of each harmonic."""
    n_directions: int
    """D, the number of bond directions of the crystal."""

    @classmethod
    def of(cls, directions: Directions, lattice: Lattice, bonds: Bonds, strength: np.ndarray | None = None) -> Graph:
        """Given bonds; all of strength 1 unless given. Raises UserError on bonds that do not fit the lattice."""
        from torch_geometric.utils import to_dense_batch

        back = torch.tensor(reversed_bonds(bonds, lattice), device="cpu")
        values, space, degree = continued(directions, bonds.vector)
        strength = np.ones(len(bonds)) if strength is None else strength
        order = torch.from_numpy(np.argsort(bonds.source, kind="stable"))
        columns = torch.from_numpy(np.column_stack([strength, values]))[order]
        padded, real = to_dense_batch(
            columns, torch.tensor(bonds.source, device="cpu")[order], batch_size=lattice.n_sites
        )
        place = torch.empty_like(back)
        place[order] = real.flatten().nonzero()[:, 0]
        reverse = torch.arange(real.numel(), device="cpu")
        reverse[place] = place[back]
        return cls(
            reverse=reverse,
            strength=padded[..., 0].flatten(),
            forward=padded[..., 1:].contiguous(),
            backward=padded[..., 1:] * torch.from_numpy((-1.0) ** degree),
            space=torch.from_numpy(space),
            n_directions=len(directions),
        )

    @classmethod
    def by_distance(
        cls, directions: Directions, family: Lattice, lattice: Lattice, hopping: ExponentialHopping | None = None
    ) -> Graph:
        """Bonds of :func:`bonds_by_distance`. Raises UserError on lattices of another dimension than the family's."""
        if lattice.dim != family.dim:
            raise UserError(
                f"a network for {family.name} lattices on {lattice!r}", allowed=f"positions in {family.dim} dimensions"
            )
        return cls.of(directions, lattice, *bonds_by_distance(family, lattice, hopping))

    def repeat(self, replicas: int, device: torch.device, dtype: torch.dtype) -> Graph:
        """``replicas`` copies side by side."""
        start = torch.arange(replicas, device="cpu")[:, None] * len(self.reverse)
        return Graph(
            reverse=(self.reverse + start).flatten().to(device),
            strength=self.strength.repeat(replicas).to(device=device, dtype=dtype),
            forward=self.forward.repeat(replicas, 1, 1).to(device=device, dtype=dtype),
            backward=self.backward.repeat(replicas, 1, 1).to(device=device, dtype=dtype),
            space=self.space.to(device),
            n_directions=self.n_directions,
        )

    def ends(self, spins: Float[Tensor, "site 3"]) -> tuple[Float[Tensor, "bond 3"], Float[Tensor, "bond 3"]]:
        """Spins at which each bond starts and ends."""
        here = spins.repeat_interleave(self.forward.shape[1], dim=0)
        return here, here[self.reverse]

    def sum(self, values: Float[Tensor, "bond value"]) -> Float[Tensor, "site value"]:
        """Sums over the bonds that start at a site."""
        return values.unflatten(0, self.forward.shape[:2]).sum(1)

    def collect(self, features: Float[Tensor, "8 bond channel"]) -> Features:
        """Harmonics of what the bonds of a site carry."""
        sites, slots, count = self.forward.shape
        on_bonds = features.movedim(0, 1).reshape(sites, slots, -1)
        return torch.bmm(self.forward.mT, on_bonds).view(sites, count, 8, -1).permute(2, 1, 0, 3)

    def leaving(self, features: Features) -> Float[Tensor, "8 bond channel"]:
        """Features of the site at which each bond starts, in the direction of the bond."""
        return _along(self.forward, features)

    def arriving(self, features: Features) -> Float[Tensor, "8 bond channel"]:
        """Features of the site at which each bond ends, in the direction of the bond."""
        return _along(self.backward, features)[:, self.reverse]


def _along(harmonics: Float[Tensor, "site slot harmonic"], features: Features) -> Float[Tensor, "8 bond channel"]:
    """Features of a site in given directions."""
    sites, slots, count = harmonics.shape
    rows = features.permute(2, 1, 0, 3).reshape(sites, count, -1)
    return torch.bmm(harmonics, rows).view(sites * slots, 8, -1).movedim(1, 0)
