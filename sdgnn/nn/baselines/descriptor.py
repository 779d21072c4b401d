"""Invariants of a site's neighbourhood: bond products and chiralities in power-spectrum and bispectrum form.

The quantities are b_jk = S_j . S_k (even under time reversal, +) and chi_jkl = S_j . (S_k x S_l) (odd, -) of spins in
the neighbourhood. The site's point group permutes them, chi with a sign where it reverses the order. Each orbit splits
into multiplets f_r of the group's irreps Gamma; one reference multiplet f* for each Gamma and parity, a fixed
combination of all multiplets of its kind, carries the relative phases. The invariants are

=============================== ============================================== =================================
f_r                             Gamma trivial, +                               sums over orbits
|f_r|^2                         all others                                     power spectrum
f_r . f*                        all others                                     phase relative to the reference
sum C_abc f*_a f*_b f*_c        three kinds whose parities multiply to +       bispectrum of the references
=============================== ============================================== =================================

all even, exact under spin rotation x time reversal x point group x translations. Inner products take the place of
normalised phases, so that every invariant is a polynomial, smooth where a multiplet vanishes. Of a multiplet of three
(cubic groups) two numbers are kept; products of more members make up for the third. Source: Zhang, Zhang and
Chern, arXiv:2201.00798 (doi:10.48550/arXiv.2201.00798); for spins, Zhang et al., arXiv:2501.06171
(doi:10.48550/arXiv.2501.06171).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from sdgnn.lattice import LENGTH_TOLERANCE
from sdgnn.nn.baselines.neighbourhood import Neighbourhood
from sdgnn.nn.baselines.point_irreps import Item, couplings, irreps, multiplets, orbits
from sdgnn.spins import stream

SAMPLES = 2048
"""Random neighbourhoods from which means and sizes of the invariants are taken."""


@dataclass(frozen=True)
class Multiplets:
    """All multiplets of one irrep and parity: rows [start, start + count * dim) of the coefficients."""

    irrep: int
    """Number of the irrep, 0 for the trivial one."""
    parity: int
    """+1 for bond products, -1 for chiralities."""
    start: int
    count: int
    dim: int

    @property
    def is_invariant(self) -> bool:
        """Whether the coefficients themselves are invariants."""
        return self.irrep == 0 and self.parity == 1


class Descriptor(nn.Module):
    """Invariants (site, feature) of the spins (site, member, 3) of every site's neighbourhood, of mean 0 and size 1 for
    random spins.

    Products are taken of the centre with every member, and of members no further apart than ``pair_distance``;
    chiralities of triangles with sides up to ``chirality_distance``. The combinations are stored with the weights,
    since their phases are a matter of convention.
    """

    pairs: Tensor
    triples: Tensor
    transform: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, around: Neighbourhood, pair_distance: float, chirality_distance: float) -> None:
        super().__init__()
        members, distances = range(len(around)), around.distances
        paired, joined = (distances < limit + LENGTH_TOLERANCE for limit in (pair_distance, chirality_distance))
        pairs = [(j, k) for j, k in itertools.combinations(members, 2) if j == 0 or paired[j, k]]
        triples = [
            (j, k, m)
            for j, k, m in itertools.combinations(members, 3)
            if joined[j, k] and joined[j, m] and joined[k, m]
        ]
        representations = irreps(around.matrices)
        self.multiplets, transform = _multiplets(around, pairs, triples, representations)
        self.register_buffer("pairs", torch.tensor(pairs, device="cpu").T, persistent=False)
        self.register_buffer(
            "triples", torch.tensor(triples, dtype=torch.int64, device="cpu").reshape(-1, 3).T, persistent=False
        )
        self.register_buffer("transform", torch.from_numpy(transform))
        self._couplings: list[tuple[int, int, int, str]] = []
        phased = [k for k, part in enumerate(self.multiplets) if not part.is_invariant]
        for a, b, c in itertools.combinations_with_replacement(phased, 3):
            kinds = [self.multiplets[k] for k in (a, b, c)]
            if np.prod([kind.parity for kind in kinds]) < 0:
                continue
            first, second, third = (representations[kind.irrep] for kind in kinds)
            for tensor in couplings(first, second, third, same=(a, b, c)):
                name = f"coupling_{len(self._couplings)}"
                self.register_buffer(name, torch.from_numpy(tensor))
                self._couplings.append((a, b, c, name))
        features = self._features(self._random(len(around)))
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("scale", features.std(0, correction=0))

    @staticmethod
    def _random(members: int) -> Float[Tensor, "sample member 3"]:
        spins = stream(0, 0).standard_normal((SAMPLES, members, 3))
        return torch.from_numpy(spins / np.linalg.norm(spins, axis=-1, keepdims=True))

    def __len__(self) -> int:
        return len(self.mean)

    def forward(self, spins: Float[Tensor, "site member 3"]) -> Float[Tensor, "site feature"]:
        """Standardised invariants."""
        return (self._features(spins) - self.mean.to(spins.dtype)) / self.scale.to(spins.dtype)

    def coefficients(self, spins: Float[Tensor, "site member 3"]) -> Float[Tensor, "site coefficient"]:
        """The multiplets f_r of all irreps and parities, one after another."""
        j, k = self.pairs
        quantities = (spins[:, j] * spins[:, k]).sum(-1)
        if len(self.triples[0]):
            j, k, m = self.triples
            volume = (spins[:, j] * torch.linalg.cross(spins[:, k], spins[:, m], dim=-1)).sum(-1)
            quantities = torch.cat([quantities, volume], dim=1)
        return quantities @ self.transform.to(spins.dtype).T

    def invariants(self, coefficients: Float[Tensor, "site coefficient"]) -> Float[Tensor, "site feature"]:
        """Invariants of coefficients, not standardised."""
        found, reference = [], []
        for kind in self.multiplets:
            part = coefficients[:, kind.start : kind.start + kind.count * kind.dim]
            part = part.reshape(-1, kind.count, kind.dim)
            star = part.sum(1) / kind.count**0.5
            reference.append(star)
            if kind.is_invariant:
                found.append(part[..., 0])
            else:
                found += [part.square().sum(-1), (part * star[:, None]).sum(-1)]
        for a, b, c, name in self._couplings:
            tensor = getattr(self, name).to(coefficients.dtype)
            pair = torch.einsum("sb,sc->sbc", reference[b], reference[c]).flatten(1)
            found.append(((pair @ tensor.flatten(1).T) * reference[a]).sum(-1, keepdim=True))
        return torch.cat(found, dim=1)

    def _features(self, spins: Tensor) -> Tensor:
        return self.invariants(self.coefficients(spins))


def _multiplets(
    around: Neighbourhood,
    pairs: Sequence[Item],
    triples: Sequence[Item],
    representations: list[Float[np.ndarray, "operation _ _"]],
) -> tuple[list[Multiplets], Float[np.ndarray, "coefficient quantity"]]:
    """The multiplets by irrep and parity, and the matrix that makes their coefficients from the quantities."""
    act, order = partial(_act, around.images), len(around.matrices)
    place = {item: k for k, item in enumerate([*pairs, *triples])}
    groups = {1: orbits(pairs, act, order), -1: orbits(triples, act, order)}
    found: list[Multiplets] = []
    rows: list[np.ndarray] = []
    for number, representation in enumerate(representations):
        for parity, parts in groups.items():
            start, dim = len(rows), representation.shape[1]
            for orbit in parts:
                for row in multiplets(orbit, act, representation).reshape(-1, len(orbit)):
                    rows.append(np.zeros(len(place)))
                    rows[-1][[place[item] for item in orbit]] = row
            if len(rows) > start:
                found.append(Multiplets(number, parity, start, (len(rows) - start) // dim, dim))
    return found, np.stack(rows)


def _act(images: Int[np.ndarray, "operation member"], operation: int, item: Item) -> tuple[Item, int]:
    """A pair or triple carried by an operation, members in increasing order; a triple's sign is that of the order."""
    carried = [int(images[operation, member]) for member in item]
    swaps = sum(a > b for a, b in itertools.combinations(carried, 2))
    return tuple(sorted(carried)), -1 if len(item) == 3 and swaps % 2 else 1
