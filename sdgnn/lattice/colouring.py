"""Colours of sites such that sites of one colour make no pair, or are far apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from sdgnn.lattice.lattice import Lattice

DECAY = 1.2
"""Rate, per distance, at which noise from two sites of one colour falls: that of a metal's squared density matrix."""

TRIALS = 8
"""Bisections of the distance within which colours must differ."""


def colouring(lattice: Lattice, most: int) -> Int[np.ndarray, " site"]:
    """(site,) at most ``most`` colours 0, 1, ..., with sites of one colour as far apart as possible.

    On crystals, a colour is a coset of a sublattice of the Bravais lattice: of all that fit the periodic cell, the one
    with the least noise (if fewer colours leave room for repetitions, these count). Where only far smaller ones fit,
    and on free positions, each site takes the first colour that no site before it has within a distance, the largest
    for which the colours suffice.
    """
    if most >= lattice.n_sites:
        return np.arange(lattice.n_sites)
    colours = _cosets(lattice, most // lattice.n_basis) if lattice.is_crystal else None
    if colours is None or 2 * (colours.max() + 1) <= most:
        return _within_distance(lattice, most)
    return colours


def _cosets(lattice: Lattice, most: int) -> Int[np.ndarray, " site"] | None:
    """Colours by the best sublattice of at most ``most`` cosets, and by the site of the basis."""
    assert lattice.shape is not None and lattice.vectors is not None
    shape, dim = np.array(lattice.shape), lattice.dim
    reach = 1.6 * (max(most, 1) * abs(np.linalg.det(lattice.vectors))) ** (1 / dim)
    spans = np.ceil(reach * np.linalg.norm(np.linalg.inv(lattice.vectors), axis=0)).astype(int)
    points = np.array(list(itertools.product(*[range(-n, n + 1) for n in spans])))
    length = np.linalg.norm(points @ lattice.vectors, axis=1)
    others = (length <= reach) & (points % shape != 0).any(axis=1)
    points, noise = points[others], np.exp(-DECAY * length[others])
    best, least = None, math.inf
    for index in range(1, most + 1):
        for dual in _sublattices(index, shape):
            total = noise[(points @ dual % index == 0).all(axis=1)].sum() / (most // index)
            if total < least:
                best, least = (index, dual), total
    if best is None:
        return None
    index, dual = best
    _, coset = np.unique(lattice.cells() @ dual % index, axis=0, return_inverse=True)
    return coset.ravel() * lattice.n_basis + np.arange(lattice.n_sites) % lattice.n_basis


def _sublattices(index: int, shape: np.ndarray) -> Iterator[Int[np.ndarray, "dim dim"]]:
    """All sublattices of Z^dim with ``index`` cosets that contain the periods diag(shape).

    Each as a matrix A with whole entries: u is in the sublattice where u A = 0 modulo ``index``. They are the Hermite
    normal forms H of determinant ``index``, A = index H^-1.
    """
    dim = len(shape)
    if shape.prod() % index:
        return
    for diagonal in itertools.product(*[[d for d in range(1, index + 1) if index % d == 0]] * dim):
        if math.prod(diagonal) != index:
            continue
        below = [(i, j) for i in range(dim) for j in range(i)]
        for entries in itertools.product(*[range(diagonal[j]) for _, j in below]):
            form = np.diag(diagonal)
            for place, entry in zip(below, entries, strict=True):
                form[place] = entry
            dual = np.rint(index * np.linalg.inv(form)).astype(np.int64)
            if not (shape[:, None] * dual % index).any():
                yield dual


def first_colours(pairs: Int[np.ndarray, "pair 2"], n_sites: int) -> Int[np.ndarray, " site"]:
    """(site,) for each site, in their order, the first colour that no site before it has with which it makes a pair.

    ``pairs`` hold each pair in both orders.
    """
    from sdgnn.lattice.first_colours import first_free

    source, target = pairs[np.argsort(pairs[:, 0], kind="stable")].T
    return first_free(np.searchsorted(source, np.arange(n_sites + 1)), np.ascontiguousarray(target))


def _within_distance(lattice: Lattice, most: int) -> Int[np.ndarray, " site"]:
    """First colours of sites that make a pair up to a distance, the largest for which the colours suffice."""
    spacing = (abs(np.linalg.det(lattice.cell)) * most / lattice.n_sites) ** (1 / lattice.dim)
    low, high = 0.0, 1.5 * spacing
    colours = np.arange(lattice.n_sites) % most
    for _ in range(TRIALS):
        distance = (low + high) / 2
        bonds = lattice.bonds_within(distance)
        found = first_colours(np.stack([bonds.source, bonds.target], axis=1), lattice.n_sites)
        if found.max() < most:
            low, colours = distance, found
        else:
            high = distance
    return colours
