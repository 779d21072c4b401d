"""Ordered states written down from their definitions, independent of ``sdgnn.spins``."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

import sdgnn
from sdgnn import Lattice


def crystals() -> list[Lattice]:
    return [
        Lattice.chain(7),
        Lattice.square(4, 5),
        Lattice.triangular(6, 4),
        Lattice.honeycomb(3, 4),
        Lattice.kagome(4, 3),
        Lattice.cubic(3, 2, 4),
        Lattice.crystal([[1.0, 0.2], [0.1, 1.3]], [[0.0, 0.0], [0.37, 0.61]], (3, 5)),
    ]


@pytest.fixture(params=crystals(), ids=lambda lattice: lattice.name)
def lattice(request: pytest.FixtureRequest) -> Lattice:
    return request.param


@pytest.fixture
def spins(lattice: Lattice) -> Tensor:
    return sdgnn.spins.random(lattice, replicas=3, seed=11)


def cells(lattice: Lattice) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array(list(itertools.product(*map(range, lattice.shape)))).T)


def make_tetrahedral(lattice: Lattice) -> Tensor:
    """Four sublattices of the triangular lattice point to the corners of a tetrahedron."""
    x, y = cells(lattice)
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)
    return torch.from_numpy(corners[2 * (y % 2) + x % 2])[None]


@pytest.fixture
def tetrahedral():
    return make_tetrahedral


@pytest.fixture
def three_sublattice():
    """120 degrees order of the triangular lattice."""

    def make(lattice: Lattice) -> Tensor:
        x, y = cells(lattice)
        angle = 2 * math.pi / 3 * ((x - y) % 3)
        return torch.from_numpy(np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1))[None]

    return make


@pytest.fixture
def rotation() -> Tensor:
    """A proper rotation far from any symmetry axis."""
    matrix, _ = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))
    return torch.from_numpy(matrix * np.linalg.det(matrix))


@pytest.fixture
def m_points() -> np.ndarray:
    """Middles of the edges of the triangular lattice's Brillouin zone, one of each pair."""
    return math.pi * np.array([[1, -1 / math.sqrt(3)], [0, 2 / math.sqrt(3)], [1, 1 / math.sqrt(3)]])


@pytest.fixture
def k_points() -> np.ndarray:
    """The two inequivalent corners of the triangular lattice's Brillouin zone."""
    return np.array([[4 * math.pi / 3, 0.0], [-4 * math.pi / 3, 0.0]])
