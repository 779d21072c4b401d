"""The neighbourhood of a site: its spins in an order that lattice symmetry carries from site to site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


@dataclass(frozen=True)
class Neighbourhood:
    """The sites within a radius of a site, itself first, and the point group of that site."""

    vectors: Float[np.ndarray, "member dim"]
    """Positions relative to the site at the origin of the unit cell; the first is zero."""
    orientation: Float[np.ndarray, "n_basis dim dim"]
    """Rotation or reflection that carries the neighbourhood of basis site 0 onto that of each basis site."""
    matrices: Float[np.ndarray, "operation dim dim"]
    """The site's point group."""
    images: Int[np.ndarray, "operation member"]
    """The member onto which each operation carries each member."""

    @classmethod
    def of(cls, lattice: Lattice, radius: float) -> Neighbourhood:
        """The neighbourhood in a crystal. Raises UserError unless all its sites are equivalent by symmetry."""
        if not lattice.is_crystal:
            raise UserError(f"a neighbourhood model on {lattice!r}", allowed="crystals (perfect lattices with a basis)")
        cell = lattice.resized(*(1,) * lattice.dim)
        bonds = cell.bonds_within(radius)
        vectors = np.concatenate([np.zeros((1, lattice.dim)), bonds.vector[bonds.source == 0]])
        orientation: dict[int, np.ndarray] = {}
        matrices = []
        for operation in cell.point_group:
            orientation.setdefault(int(operation.sites[0]), operation.matrix)
            if operation.sites[0] == 0:
                matrices.append(operation.matrix)
        if len(orientation) != lattice.n_basis:
            raise UserError(
                f"a neighbourhood model on {lattice!r}", allowed="crystals whose sites are equivalent by symmetry"
            )
        group = np.stack(matrices)
        images = np.stack([_match(vectors @ matrix.T, vectors) for matrix in group])
        return cls(vectors, np.stack([orientation[b] for b in range(lattice.n_basis)]), group, images)

    def __len__(self) -> int:
        return len(self.vectors)

    def sites(self, lattice: Lattice) -> Int[np.ndarray, "site member"]:
        """The members of every site's neighbourhood on a lattice of the family, of any size."""
        bonds = lattice.bonds_within(float(np.linalg.norm(self.vectors, axis=1).max()))
        cells = lattice.n_sites // lattice.n_basis
        per_cell = len(bonds) // cells
        source, vector = bonds.source[:per_cell], bonds.vector[:per_cell]
        target = bonds.target.reshape(cells, per_cell)
        found = np.empty((cells, lattice.n_basis, len(self)), dtype=np.int64)
        found[:, :, 0] = np.arange(lattice.n_sites).reshape(cells, -1)
        for b, matrix in enumerate(self.orientation):
            own = np.flatnonzero(source == b)
            found[:, b, 1:] = target[:, own[_match(self.vectors[1:] @ matrix.T, vector[own])]]
        return found.reshape(lattice.n_sites, len(self))

    @property
    def distances(self) -> Float[np.ndarray, "member member"]:
        """Distances between members."""
        return np.linalg.norm(self.vectors[:, None] - self.vectors, axis=-1)


def _match(points: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Index in ``among`` of every point."""
    return np.linalg.norm(points[:, None] - among[None], axis=2).argmin(1)
