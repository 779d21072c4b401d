"""Bonds of crystals, vacancies, free positions or one's own choice, as tables that messages are sent along.

Lists of bonds, of unequal length, are padded to the longest one (torch-geometric's ``to_dense_batch``). The passage
between harmonics (:mod:`sdgnn.nn.baselines.harmonics`) and bonds is then one batched matrix product over sites, and a
message is read from the reversed bond, which the neighbour evaluates as its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.electrons.hopping import ExponentialHopping, fall
from sdgnn.lattice import Bonds, Lattice
from sdgnn.nn.baselines.harmonics import BondHarmonics

Features = Float[Tensor, "8 _ site _"]
"""(8, harmonic, site, channel) spin matrices, as coefficients of harmonics in the direction."""


@dataclass(frozen=True)
class Graph:
    """Bonds of any set of sites, padded to equal numbers: bond ``i * slots + slot`` starts at site i."""

    reverse: Int[Tensor, " bond"]
    """Number of each bond as given from its other end; of padding, its own number."""
    terms: Float[Tensor, "bond term"]
    """Numbers of each bond by which functions on bonds are multiplied; 0 of padding."""
    harmonics: Float[Tensor, "site slot harmonic"]
    """sqrt(n_l / D) Y_lm in the direction of the bond; 0 of padding."""
    opposite: Float[Tensor, "site slot harmonic"]
    """The harmonics in the opposite direction, (-1)^l times those of the bond."""
    space: Int[Tensor, " harmonic"]
    """Space, hence weights, of each harmonic."""
    n_directions: int
    """D, the number of bond directions of the crystal."""

    @classmethod
    def of(
        cls, harmonics: BondHarmonics, lattice: Lattice, bonds: Bonds, terms: Float[np.ndarray, "bond term"]
    ) -> Graph:
        """Tables of bonds. Raises UserError on bonds that do not fit the lattice (:func:`reversed_bonds`)."""
        from torch_geometric.utils import to_dense_batch

        back = torch.tensor(reversed_bonds(bonds, lattice), device="cpu")
        values, space, parity = harmonics.along(bonds.vector)
        order = torch.from_numpy(np.argsort(bonds.source, kind="stable"))
        columns = torch.from_numpy(np.concatenate([terms, values], axis=1))[order]
        source = torch.tensor(bonds.source, device="cpu")[order]
        padded, real = to_dense_batch(columns, source, batch_size=lattice.n_sites)
        place = torch.empty_like(back)
        place[order] = real.flatten().nonzero()[:, 0]
        reverse = torch.arange(real.numel(), device="cpu")
        reverse[place] = place[back]
        count = terms.shape[1]
        return cls(
            reverse=reverse,
            terms=padded[..., :count].flatten(0, 1),
            harmonics=padded[..., count:].contiguous(),
            opposite=padded[..., count:] * torch.from_numpy(parity),
            space=torch.from_numpy(space),
            n_directions=harmonics.n_directions,
        )

    def repeat(self, replicas: int, device: torch.device, dtype: torch.dtype) -> Graph:
        """``replicas`` copies side by side."""
        start = torch.arange(replicas, device="cpu")[:, None] * len(self.reverse)
        return Graph(
            reverse=(self.reverse + start).flatten().to(device),
            terms=self.terms.repeat(replicas, 1).to(device=device, dtype=dtype),
            harmonics=self.harmonics.repeat(replicas, 1, 1).to(device=device, dtype=dtype),
            opposite=self.opposite.repeat(replicas, 1, 1).to(device=device, dtype=dtype),
            space=self.space.to(device),
            n_directions=self.n_directions,
        )

    def ends(self, spins: Float[Tensor, "site 3"]) -> tuple[Float[Tensor, "bond 3"], Float[Tensor, "bond 3"]]:
        """Spins at which each bond starts and ends."""
        here = spins.repeat_interleave(self.harmonics.shape[1], dim=0)
        return here, here[self.reverse]

    @property
    def neighbours(self) -> Int[Tensor, "site slot"]:
        """Site at which each bond ends; of padding, the site at which it starts."""
        sites, slots, _ = self.harmonics.shape
        return self.reverse.div(slots, rounding_mode="floor").view(sites, slots)

    def functions(self, values: Float[Tensor, "bond function"]) -> Float[Tensor, "bond product"]:
        """Products of each term of a bond with each function on the bond."""
        return (self.terms[:, :, None] * values[:, None]).flatten(1)

    def sum(self, values: Float[Tensor, "bond value"]) -> Float[Tensor, "site value"]:
        """Sums over the bonds that start at a site."""
        return values.unflatten(0, self.harmonics.shape[:2]).sum(1)

    def collect(self, features: Float[Tensor, "8 bond channel"]) -> Features:
        """Harmonics of what the bonds of a site carry."""
        sites, slots, count = self.harmonics.shape
        on_bonds = features.movedim(0, 1).reshape(sites, slots, -1)
        return torch.bmm(self.harmonics.mT, on_bonds).view(sites, count, 8, -1).permute(2, 1, 0, 3)

    def leaving(self, features: Features) -> Float[Tensor, "8 bond channel"]:
        """Features of the site at which each bond starts, in the direction of the bond."""
        return _along(self.harmonics, features)

    def arriving(self, features: Features) -> Float[Tensor, "8 bond channel"]:
        """Features of the site at which each bond ends, in the direction of the bond."""
        return _along(self.opposite, features)[:, self.reverse]


def _along(harmonics: Float[Tensor, "site slot harmonic"], features: Features) -> Float[Tensor, "8 bond channel"]:
    """Features of a site in given directions."""
    sites, slots, count = harmonics.shape
    rows = features.permute(2, 1, 0, 3).reshape(sites, count, -1)
    return torch.bmm(harmonics, rows).view(sites * slots, 8, -1).movedim(1, 0)


def bonds_by_distance(
    family: Lattice, lattice: Lattice, hopping: ExponentialHopping | None
) -> tuple[Bonds, Float[np.ndarray, " bond"]]:
    """Bonds on any positions and their strengths: along which electrons hop, and how strongly, where that is known.

    Raises UserError on lattices of another dimension than the family's.
    """
    if lattice.dim != family.dim:
        raise UserError(
            f"a network for {family.name} lattices on {lattice!r}", allowed=f"positions in {family.dim} dimensions"
        )
    bonds = lattice.bonds_within(cutoff(family) if hopping is None else hopping.cutoff)
    lengths = np.linalg.norm(bonds.vector, axis=1)
    return bonds, strengths(lengths, family) if hopping is None else hopping.strength(lengths)


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
