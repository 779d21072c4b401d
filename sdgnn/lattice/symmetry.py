"""Rotations and reflections that map a Bravais lattice onto itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sdgnn.common.frozen import freeze
from sdgnn.common.one_line import one_line


@dataclass(frozen=True)
class PointOperation:
    """A point-group operation acting on the sites of a finite periodic lattice."""

    matrix: Float[np.ndarray, "dim dim"]
    """(dim, dim) orthogonal matrix R."""
    sites: Int[np.ndarray, " site"]
    """(site,) permutation: the operation carries site i onto ``sites[i]``."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def is_proper(self) -> bool:
        """Whether det R = +1 (a rotation) rather than -1 (a reflection)."""
        return bool(np.linalg.det(self.matrix) > 0)


def integer_isometries(vectors: Float[np.ndarray, "dim dim"]) -> list[Float[np.ndarray, "dim dim"]]:
    """Orthogonal matrices that map the Bravais lattice with rows ``vectors`` onto itself, the identity first.

    Each image of a primitive vector is one of the lattice vectors of the same length.
    """
    dim = len(vectors)
    inverse = np.linalg.inv(vectors)
    # coefficients of a vector v are v . inverse, so none exceeds |v| times the norm of a column
    reach = np.floor(np.linalg.norm(vectors, axis=1).max() * np.linalg.norm(inverse, axis=0) + 1e-6).astype(int)
    points = np.array(list(itertools.product(*[range(-n, n + 1) for n in reach]))) @ vectors
    lengths = np.linalg.norm(points, axis=1)
    candidates = [points[np.isclose(lengths, np.linalg.norm(vector), rtol=1e-6)] for vector in vectors]
    isometries = [np.eye(dim)]
    for images in itertools.product(*candidates):
        matrix = (inverse @ np.array(images)).T
        if np.allclose(matrix @ matrix.T, np.eye(dim), atol=1e-6) and not np.allclose(matrix, np.eye(dim), atol=1e-6):
            isometries.append(matrix)
    return isometries
