"""Shortest periodic images against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import Lattice
from sdgnn.lattice.periodic import inner_radius, nearest_image, nearest_site, reduced_cell, wigner_seitz_corners


@st.composite
def cells(draw) -> np.ndarray:
    """Skewed cells of 1 to 3 dimensions, up to 4 lattice vectors off reduced form."""
    dim = draw(st.integers(1, 3))
    reduced = np.eye(dim) + np.array(draw(st.lists(st.floats(-0.3, 0.3), min_size=dim**2, max_size=dim**2))).reshape(
        dim, dim
    )
    shear = np.eye(dim)
    for i, j in itertools.combinations(range(dim), 2):
        shear[i, j] = draw(st.integers(-4, 4))
    return shear @ reduced


@settings(max_examples=60, deadline=None)
@given(cells(), st.integers(0, 1000))
def test_images_are_equivalent_and_none_is_shorter(cell, seed):
    vectors = np.random.default_rng(seed).uniform(-3, 3, (20, len(cell)))
    images = nearest_image(vectors, cell)
    turns = (vectors - images) @ np.linalg.inv(cell)
    assert np.allclose(turns, np.round(turns), atol=1e-8)
    offsets = np.array(list(itertools.product(range(-3, 4), repeat=len(cell)))) @ reduced_cell(cell)
    shortest = np.linalg.norm(images[:, None] + offsets, axis=-1).min(axis=1)
    assert np.allclose(np.linalg.norm(images, axis=1), shortest, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(cells(), st.integers(0, 1000))
def test_no_site_is_nearer_than_the_nearest(cell, seed):
    draw = np.random.default_rng(seed)
    points, sites = draw.uniform(-3, 3, (20, len(cell))), draw.uniform(-3, 3, (7, len(cell)))
    between = nearest_image((points[:, None] - sites).reshape(-1, len(cell)), cell).reshape(20, 7, -1)
    distance = np.linalg.norm(between, axis=-1)
    assert np.allclose(distance[np.arange(20), nearest_site(points, sites, cell)], distance.min(axis=1), atol=1e-4)


@settings(max_examples=60, deadline=None)
@given(cells())
def test_the_reduced_cell_spans_the_same_lattice(cell):
    turns = reduced_cell(cell) @ np.linalg.inv(cell)
    assert np.allclose(turns, np.round(turns), atol=1e-8)
    assert abs(np.linalg.det(turns)) == pytest.approx(1)
    assert np.linalg.norm(reduced_cell(cell), axis=1).max() <= np.linalg.norm(cell, axis=1).max() + 1e-9


def test_brillouin_zones():
    """Hexagon of the triangular lattice with corners at 4 pi / 3, square of the square lattice, counter-clockwise."""
    for lattice, corners, radius in (
        (Lattice.triangular(1, 1), 6, 4 * math.pi / 3),
        (Lattice.square(1, 1), 4, math.pi * math.sqrt(2)),
    ):
        found = wigner_seitz_corners(lattice.reciprocal)
        assert len(found) == corners and np.allclose(np.linalg.norm(found, axis=1), radius)
        x, y = found.T
        area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
        assert area == pytest.approx(abs(np.linalg.det(lattice.reciprocal)))


def test_inner_radius_of_a_long_cell():
    assert inner_radius(Lattice.triangular(30, 4).cell) == pytest.approx(2)
    assert inner_radius(np.array([[1.0, 0.0], [7.0, 1.0]])) == pytest.approx(0.5)
