"""Positions that a user gives: rows of numbers, no two at the same place."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

from sdgnn.common.errors import UserError

POSITION_TOLERANCE = 1e-4
"""Two positions closer than this (in units of the nearest-neighbour distance) are one site."""


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
