"""Checks of the positions and cells that a user gives: finite numbers that fit, no two sites at the same place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sdgnn.common.errors import UserError

POSITION_TOLERANCE = 1e-4
"""Two positions closer than this (in units of the nearest-neighbour distance) are one site."""
LARGEST_CELL = 1e3
"""Length of a primitive vector, at most."""
MOST_SITES = 10**8
"""Sites of a crystal, at most: positions alone would take gigabytes."""


def as_rows(what: str, values: Any) -> Float[np.ndarray, "row column"]:
    """``values`` as a non-empty matrix of finite numbers."""
    try:
        rows = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} that are not numbers ({error})", allowed="rows of equal length") from error
    if rows.ndim != 2 or rows.size == 0 or not np.isfinite(rows).all():
        raise UserError(f"{what} of shape {rows.shape}", allowed="one or more rows of finite numbers")
    return rows


def wrapped(fractions: np.ndarray) -> np.ndarray:
    """Fractions of the cell in [0, 1)."""
    inside = np.mod(fractions, 1.0)
    return np.where(inside >= 1.0, 0.0, inside)


def refuse_coincidence(positions: np.ndarray, cell: np.ndarray, what: str) -> None:
    """UserError if two positions are equal modulo the cell."""
    inverse = np.linalg.inv(cell)
    fractions = wrapped(positions @ inverse)
    reach = min(POSITION_TOLERANCE * np.linalg.norm(inverse, 2), 0.4)
    i, j = cKDTree(fractions, boxsize=1.0).query_pairs(reach, output_type="ndarray").T
    apart = fractions[i] - fractions[j]
    same = np.linalg.norm((apart - np.round(apart)) @ cell, axis=1) < POSITION_TOLERANCE
    if same.any():
        pair = int(np.argmax(same))
        raise UserError(f"{what} {i[pair]} and {j[pair]} at the same place", allowed="distinct positions")


def check_crystal(
    vectors: Any, basis: Any, shape: Sequence[int]
) -> tuple[Float[np.ndarray, "dim dim"], Float[np.ndarray, "n_basis dim"], tuple[int, ...]]:
    """Primitive vectors, basis and unit cells along each vector. Raises UserError (see :meth:`.Lattice.crystal`)."""
    vectors, basis = as_rows("primitive vectors", vectors), as_rows("basis", basis)
    dim = len(vectors)
    if vectors.shape != (dim, dim) or dim not in (1, 2, 3) or basis.shape[1] != dim:
        raise UserError(
            f"vectors of shape {vectors.shape} with a basis of shape {basis.shape}",
            allowed="vectors (dim, dim) and basis (n_basis, dim) with dim 1, 2 or 3",
        )
    lengths = np.linalg.norm(vectors, axis=1)
    if abs(np.linalg.det(vectors)) <= 1e-3 * lengths.prod():
        raise UserError(f"primitive vectors {vectors.tolist()} that span no volume", allowed="independent vectors")
    if not (lengths.min() > 1 / LARGEST_CELL and max(lengths.max(), np.abs(basis).max()) < LARGEST_CELL):
        raise UserError(
            f"a unit cell of {vectors.tolist()} with basis sites up to {np.abs(basis).max():g}",
            allowed=f"lengths between {1 / LARGEST_CELL:g} and {LARGEST_CELL:g} nearest-neighbour distances",
        )
    if len(shape) != dim or not all(isinstance(n, int | np.integer) and n >= 1 for n in shape):
        raise UserError(f"lattice size {tuple(shape)}", allowed=f"{dim} whole numbers of unit cells, each >= 1")
    if math.prod(map(int, shape)) * len(basis) > MOST_SITES:
        raise UserError(f"lattice size {tuple(shape)}", allowed=f"up to {MOST_SITES:.0e} sites")
    refuse_coincidence(basis, vectors, "basis sites")
    return vectors, basis, tuple(int(n) for n in shape)


def check_free(positions: Any, cell: Any) -> tuple[Float[np.ndarray, "site dim"], Float[np.ndarray, "dim dim"]]:
    """Positions and the cell that repeats them. Raises UserError (see :meth:`.Lattice.free`)."""
    positions, cell = as_rows("positions", positions), as_rows("cell", cell)
    if cell.shape != (positions.shape[1],) * 2 or positions.shape[1] not in (1, 2, 3):
        raise UserError(
            f"positions of shape {positions.shape} in a cell of shape {cell.shape}",
            allowed="positions (site, dim) and cell (dim, dim) with dim 1, 2 or 3",
        )
    if abs(np.linalg.det(cell)) < 1e-9:
        raise UserError(f"cell {cell.tolist()} that spans no volume", allowed="independent rows")
    refuse_coincidence(positions, cell, "sites")
    return positions, cell
