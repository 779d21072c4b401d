"""Exchange matrices of bonds: as settings of a unit cell's bonds, and as arrays over all bonds of a crystal."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from jaxtyping import Float
from pydantic import Field as Key

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Settings
from sdgnn.lattice import Bonds, Lattice

Row = tuple[float, float, float]
LEVI_CIVITA = np.array(
    [[[0, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 0, -1], [0, 0, 0], [1, 0, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]],
    dtype=np.float64,
)
"""eps_cab: D . (a x b) = sum_c D_c a . eps_c b."""


def antisymmetric(vectors: Float[np.ndarray, "*bond 3"]) -> Float[np.ndarray, "*bond 3 3"]:
    """Matrices M with a . M b = D . (a x b) for all a and b, of vectors D."""
    return np.einsum("...c,cab->...ab", vectors, LEVI_CIVITA)


class BondExchange(Settings):
    """Exchange of one bond of the unit cell, and of all that translations make of it:

        J_ij = J + [D] + matrix,        E = - S_i . J_ij S_j = - J S_i . S_j - D . (S_i x S_j) - S_i . matrix S_j

    for example ``BondExchange(source=0, target=1, cell=(0, 0), J=1.0, D=(0, 0, 0.1))``; each bond once, the other
    direction follows.
    """

    source: Annotated[int, Key(ge=0)]
    """Site i of the basis, counted from 0."""
    target: Annotated[int, Key(ge=0)]
    """Site j of the basis."""
    cell: tuple[int, ...]
    """Unit cells, along each primitive vector, from that of i to that of j."""
    J: float = 0.0
    """Heisenberg exchange, positive for ferromagnetic."""
    D: Row = (0.0, 0.0, 0.0)
    """Dzyaloshinskii-Moriya vector of i -> j."""
    matrix: tuple[Row, Row, Row] | None = None
    """Any other 3 x 3 exchange matrix, rows x, y, z of S_i: XYZ, Kitaev, Gamma."""

    @property
    def tensor(self) -> Float[np.ndarray, "3 3"]:
        """J_ij."""
        own = np.zeros((3, 3)) if self.matrix is None else np.array(self.matrix, dtype=np.float64)
        return self.J * np.eye(3) + antisymmetric(np.array(self.D, dtype=np.float64)) + own


def checked_tensors(bonds: Bonds, matrices: np.ndarray | None) -> Float[np.ndarray, "bond 3 3"]:
    """Matrices of bonds that are given from either end. Raises UserError where they do not fit."""
    tensors = np.zeros(0) if matrices is None else np.array(matrices, dtype=np.float64)
    if tensors.shape != (len(bonds), 3, 3) or not np.isfinite(tensors).all() or len(bonds) == 0:
        raise UserError(f"exchange matrices of shape {tensors.shape}", allowed=f"({len(bonds)}, 3, 3), finite")
    wrong = np.abs(tensors - tensors[bonds.reversed].swapaxes(1, 2)).max((1, 2)) > 1e-9 * np.abs(tensors).max()
    if wrong.any():
        k = int(np.argmax(wrong))
        raise UserError(
            f"a matrix J_ij of bond {bonds.source[k]} -> {bonds.target[k]} other than J_ji^T of the other direction",
            allowed="J_ji = J_ij^T",
        )
    return tensors


def of_unit_cell(lattice: Lattice, given: tuple[BondExchange, ...]) -> tuple[Bonds, Float[np.ndarray, "bond 3 3"]]:
    """Bonds of the whole crystal, in both directions, with their matrices."""
    if lattice.vectors is None or lattice.basis is None:
        raise UserError(f"bonds of a unit cell on {lattice!r}", allowed="crystals; else Bonds with matrices")
    if not given:
        raise UserError("no bonds", allowed="one or more")
    seen, cells = set(), lattice.cells(np.arange(0, lattice.n_sites, lattice.n_basis))
    sources, targets, vectors, tensors = [], [], [], []
    for bond in given:
        known = max(bond.source, bond.target) < lattice.n_basis and len(bond.cell) == lattice.dim
        itself = bond.source == bond.target and not any(bond.cell)
        name = f"bond {bond.source} -> {bond.target} of cell {list(bond.cell)}"
        if not known or itself:
            raise UserError(
                f"{name} on {lattice!r}",
                allowed=f"two sites, of the basis from 0 to {lattice.n_basis - 1}, {lattice.dim} numbers of unit cells",
            )
        ends = [(bond.source, bond.target, bond.cell, bond.tensor),
                (bond.target, bond.source, tuple(-c for c in bond.cell), bond.tensor.T)]  # fmt: skip
        for source, target, cell, tensor in ends:
            if (source, target, cell) in seen:
                raise UserError(f"{name} given twice", allowed="each bond once, from one of its ends")
            seen.add((source, target, cell))
            member = np.full(len(cells), target)
            sources.append(np.arange(len(cells)) * lattice.n_basis + source)
            targets.append(lattice.sites_at(cells + np.array(cell), member))
            vector = lattice.basis[target] - lattice.basis[source] + np.array(cell) @ lattice.vectors
            vectors.append(np.tile(vector, (len(cells), 1)))
            tensors.append(np.tile(tensor, (len(cells), 1, 1)))
    starts = np.concatenate(sources)
    bonds = Bonds(starts, np.concatenate(targets), np.concatenate(vectors), np.full(len(starts), -1))
    return bonds, np.concatenate(tensors)
