"""Rotations and reflections that map a Bravais lattice onto itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PointOperation:
    """A point-group operation acting on the sites of a finite periodic lattice."""

    matrix: np.ndarray
    """(dim, dim) orthogonal matrix R."""
    sites: np.ndarray
    """(site,) permutation: the operation carries site i onto ``sites[i]``."""

    @property
    def is_proper(self) -> bool:
        """Whether det R = +1 (a rotation) rather than -1 (a reflection)."""
        return bool(np.linalg.det(self.matrix) > 0)


def integer_isometries(vectors: np.ndarray) -> list[np.ndarray]:
    """Orthogonal matrices that map the Bravais lattice with rows ``vectors`` (dim, dim) onto itself.

    Each image of a primitive vector is a lattice vector of the same length, so only combinations with small whole
    coefficients need trying; the primitive vectors are taken as reduced (no shorter choice exists).
    """
    dim = len(vectors)
    reach = range(-2, 3) if dim < 3 else range(-1, 2)
    points = np.array(list(itertools.product(reach, repeat=dim))) @ vectors
    candidates = [
        points[np.isclose(np.linalg.norm(points, axis=1), np.linalg.norm(vector), rtol=1e-6)] for vector in vectors
    ]
    inverse = np.linalg.inv(vectors)
    isometries = []
    for images in itertools.product(*candidates):
        matrix = (inverse @ np.array(images)).T
        if np.allclose(matrix @ matrix.T, np.eye(dim), atol=1e-6):
            isometries.append(matrix)
    return isometries
