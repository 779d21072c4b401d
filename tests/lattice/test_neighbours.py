"""Periodic pairs against brute force and periodic triangles against Euler's formula, on random positions and cells."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn.common.errors import UserError
from sdgnn.lattice.neighbours import periodic_pairs, periodic_triangles

seeds = st.integers(0, 2**31)


def random_cell(generator: np.random.Generator, dim: int) -> np.ndarray:
    return np.eye(dim) * generator.uniform(1.5, 3.0, dim) + generator.uniform(-0.4, 0.4, (dim, dim))


@given(seeds, st.sampled_from([1, 2, 3]), st.floats(0.6, 3.0))
@settings(max_examples=40, deadline=None)
def test_pairs_agree_with_brute_force(seed: int, dim: int, cutoff: float) -> None:
    generator = np.random.default_rng(seed)
    cell = random_cell(generator, dim)
    # positions may lie outside the cell
    positions = generator.uniform(-1, 2, (4, dim)) @ cell
    expected = set()
    for offset in itertools.product(range(-9, 10), repeat=dim):
        apart = positions[None] + np.array(offset) @ cell - positions[:, None]
        for i, j in zip(*np.nonzero(np.linalg.norm(apart, axis=2) <= cutoff), strict=True):
            if i != j or any(offset):
                expected.add((int(i), int(j), *offset))
    i, j, offset, vector = periodic_pairs(positions, cell, cutoff)
    found = {(int(a), int(b), *map(int, o)) for a, b, o in zip(i, j, offset, strict=True)}
    assert len(found) == len(i)
    assert found == expected
    assert np.allclose(vector, positions[j] + offset @ cell - positions[i])


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_pairs_are_sorted_and_come_from_either_end(seed: int) -> None:
    generator = np.random.default_rng(seed)
    cell = random_cell(generator, 2)
    i, j, offset, vector = periodic_pairs(generator.uniform(0, 1, (5, 2)) @ cell, cell, 2.0)
    assert np.all(np.diff(i) >= 0)
    length = np.linalg.norm(vector, axis=1)
    assert np.all(np.diff(length)[np.diff(i) == 0] > -1e-4)
    forward = sorted(zip(i, j, *offset.T, strict=True))
    backward = sorted(zip(j, i, *-offset.T, strict=True))
    assert forward == backward


@given(seeds, st.integers(1, 30))
@settings(max_examples=40, deadline=None)
def test_triangles_tile_the_torus(seed: int, n: int) -> None:
    generator = np.random.default_rng(seed)
    cell = random_cell(generator, 2) * math.sqrt(n)
    positions = generator.uniform(-1, 2, (n, 2)) @ cell
    member, offset = periodic_triangles(positions, cell)
    corners = positions[member] + offset @ cell
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / 2
    assert len(member) == 2 * n
    assert np.all(areas > 0)
    assert areas.sum() == pytest.approx(abs(np.linalg.det(cell)))
    # every edge is shared by two triangles that run along it in opposite senses
    edges = set()
    for k in range(3):
        a, b = k, (k + 1) % 3
        for row in range(len(member)):
            step = offset[row, b] - offset[row, a]
            edges.add((member[row, a], member[row, b], *step))
    assert len(edges) == 3 * len(member)
    assert {(b, a, -x, -y) for a, b, x, y in edges} == edges


def test_voids_are_refused() -> None:
    # one dense cluster in a very oblique cell: triangles span more images than are looked at
    cluster = np.random.default_rng(0).uniform(0, 0.01, (400, 2))
    with pytest.raises(UserError, match="voids"):
        periodic_triangles(cluster, np.array([[1.0, 0.0], [9.0, 1.0]]))
