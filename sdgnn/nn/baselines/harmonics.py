"""Harmonics in the bond directions of a crystal, and the same functions in any other direction.

A linear map between functions of the bond direction that commutes with the point group of a crystal is sum_l W_l Pi_l,
with projectors that depend on the angle between two directions alone: with D directions, and n_l of them spanned by the
harmonics of degree l,

    Pi_l(d, d') = n_l / D P_l(cos angle(d, d')),    P_l(cos x) = cos l x in the plane, Legendre's P_l in space.

The right-hand side is a sum over products of harmonics Y_lm(d) Y_lm(d') at *any* two directions. So features are kept
as coefficients of harmonics, weights belong to degrees, and each bond's own direction says what they are along it.
Rotating all positions by any angle, or reflecting them, changes no energy. Harmonics that vanish in all directions of a
crystal (sin 3 phi on the triangular lattice) add nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.polynomial import Chebyshev, Legendre, Polynomial

from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


@dataclass(frozen=True)
class BondHarmonics:
    """Harmonics that span all functions of a crystal's D bond directions: 2 directions on chains, 4 on square, 6 on
    triangular, honeycomb, kagome and cubic lattices."""

    dim: int
    """Dimension of the crystal."""
    degrees: tuple[int, ...]
    """l of each space of harmonics, which has weights of its own; the constant one first."""
    dimensions: tuple[int, ...]
    """n_l of each space; their sum is D."""

    @classmethod
    def of(cls, lattice: Lattice) -> BondHarmonics:
        """Harmonics in the directions of the nearest-neighbour bonds of a crystal.

        Raises UserError on other lattices, and on directions of which the Pi_l are no projectors that add up to 1.
        """
        if not lattice.is_crystal:
            raise UserError(f"a network on {lattice!r}", allowed="crystals (perfect lattices with a basis)")
        vector = lattice.bonds(1).vector
        unit = vector / np.linalg.norm(vector, axis=1, keepdims=True)
        directions = np.unique(np.round(np.concatenate([unit, -unit]), 6) + 0.0, axis=0)
        count, dim = directions.shape
        cosine = directions @ directions.T
        # weights are stored in the order of the eigenvalues that this function of the angle has in the spaces
        _, angle = np.unique(-np.round(cosine, 4), return_inverse=True)
        function = np.sqrt(2.0 + angle.reshape(cosine.shape))
        resolved, spaces = np.zeros_like(cosine), []
        for degree in range(count):
            values = {1: Polynomial, 2: Chebyshev, 3: Legendre}[dim].basis(degree)(cosine)
            dimension = round(count**2 / np.square(values).sum())
            projector = dimension / count * values
            if max(np.abs(projector @ projector - projector).max(), np.abs(resolved @ projector).max()) < 1e-4:
                resolved += projector
                spaces.append((degree > 0, float((function * values).sum()), degree, dimension))
        if np.abs(resolved - np.eye(count)).max() > 1e-4:
            raise UserError(
                f"a network for {count} bond directions in {dim} dimensions",
                allowed="bond directions that are equivalent by symmetry: of chains, of planar lattices whose "
                "directions divide the circle evenly, and of the simple cubic lattice",
            )
        *_, degrees, dimensions = zip(*sorted(spaces), strict=True)
        return cls(dim, degrees, dimensions)

    @property
    def n_directions(self) -> int:
        """D, the number of bond directions of the crystal."""
        return sum(self.dimensions)

    def along(
        self, vectors: Float[np.ndarray, "bond dim"]
    ) -> tuple[Float[np.ndarray, "bond harmonic"], Int[np.ndarray, " harmonic"], Float[np.ndarray, " harmonic"]]:
        """sqrt(n_l / D) Y_lm in the direction of each bond, with sum_m Y_lm(a) Y_lm(b) = P_l(a . b); the number of the
        space, hence of the weights, and the parity (-1)^l of each harmonic."""
        values = [_harmonics(vectors, degree) for degree in self.degrees]
        share = np.sqrt(np.array(self.dimensions) / self.n_directions)
        counts = [part.shape[1] for part in values]
        scaled = np.concatenate([s * part for s, part in zip(share, values, strict=True)], axis=1)
        return scaled, np.repeat(np.arange(len(values)), counts), np.repeat((-1.0) ** np.array(self.degrees), counts)


def _harmonics(vectors: Float[np.ndarray, "bond dim"], degree: int) -> Float[np.ndarray, "bond harmonic"]:
    """Y_lm of each bond's direction."""
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
