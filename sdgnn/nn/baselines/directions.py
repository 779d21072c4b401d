"""Bond directions of a crystal, and the harmonics they carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice


@dataclass(frozen=True)
class Directions:
    """The distinct directions of nearest-neighbour bonds: 2 on chains, 4 on square, 6 on triangular and cubic lattices.

    A map between functions of the direction commutes with the point group exactly if its matrix depends on the angle
    between directions alone. Such matrices share their eigenvectors, the lattice harmonics (1, cos m phi, sin m phi
    in the plane); one weight per eigenspace makes a general map of this kind.
    """

    vectors: np.ndarray
    """(direction, dim) unit vectors, ordered by angle in the plane."""
    harmonics: np.ndarray
    """(direction, direction) orthogonal matrix, columns are lattice harmonics; the first is the constant one."""
    space: np.ndarray
    """(direction,) eigenspace to which each harmonic belongs, 0 for the constant one."""

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def n_spaces(self) -> int:
        """Number of eigenspaces, equal to the number of distinct angles."""
        return int(self.space.max()) + 1

    @classmethod
    def of(cls, lattice: Lattice) -> Directions:
        """Directions of the nearest-neighbour bonds of a crystal.

        Raises UserError on free lattices and where the directions are not equivalent by symmetry.
        """
        if not lattice.is_crystal:
            raise UserError(f"a network on {lattice!r}", allowed="crystals (perfect lattices with a basis)")
        bonds = lattice.bonds(1)
        unit = bonds.vector / np.linalg.norm(bonds.vector, axis=1, keepdims=True)
        vectors = np.unique(np.round(np.concatenate([unit, -unit]), 6) + 0.0, axis=0)
        if lattice.dim == 2:
            vectors = vectors[np.argsort(np.round(np.mod(np.arctan2(vectors[:, 1], vectors[:, 0]), 2 * np.pi), 6))]
        cosine = np.round(vectors @ vectors.T, 4)
        classes = [cosine == value for value in np.unique(cosine)[::-1]]
        count = len(vectors)
        generic = sum(np.sqrt(k + 2.0) * same for k, same in enumerate(classes))
        values, harmonics = np.linalg.eigh(generic)
        uniform = any(len(set(same.sum(0))) > 1 for same in classes)
        diagonal = [harmonics.T @ same @ harmonics for same in classes]
        if uniform or any(np.abs(d - np.diag(np.diag(d))).max() > 1e-8 * count for d in diagonal):
            raise UserError(
                f"a network on {lattice!r}",
                allowed="lattices whose nearest-neighbour bond directions are equivalent by symmetry",
            )
        constant = int(np.argmax(np.abs(harmonics.sum(0))))
        order = [constant, *(k for k in range(count) if k != constant)]
        values, harmonics = values[order], harmonics[:, order]
        harmonics[:, 0] = count**-0.5
        space = np.zeros(count, dtype=np.int64)
        for k in range(1, count):
            same_space = [space[q] for q in range(k) if abs(values[q] - values[k]) < 1e-8]
            space[k] = same_space[0] if same_space else space[:k].max() + 1
        return cls(vectors=vectors, harmonics=harmonics, space=space)
