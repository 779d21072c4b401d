"""Bands of electrons that hop without exchange, and bounds of spectra from their lowest and highest levels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import scipy.sparse.linalg
from jaxtyping import Complex, Float, Int

from sdgnn.electrons.hamiltonian import SDModel

MARGIN = 0.01
"""Part of the width by which bounds are widened on either side."""

MOMENTA = {1: 120, 2: 24, 3: 12}
"""Momenta along each axis, by dimension, on which the band of a crystal is looked for."""

DENSE = 300
"""Sites up to which the band of other lattices comes from diagonalisation."""


def widened(
    extremes: Float[np.ndarray, "*state 2"], strict: float | Float[np.ndarray, "*state"]
) -> Float[np.ndarray, "*state 2"]:
    """Bounds some percent beyond the (lowest, highest) levels found, but within ``strict``, that of Gershgorin.

    Gershgorin: |E| <= max_i sum_j |H_ij| + |J| max_i |S_i|, which always holds.
    """
    lowest, highest = np.moveaxis(extremes, -1, 0)
    margin = MARGIN * (highest - lowest) + 1e-3 * strict
    return np.stack([np.maximum(lowest - margin, -1.001 * strict), np.minimum(highest + margin, 1.001 * strict)], -1)


def band(model: SDModel) -> tuple[float, float]:
    """(lowest, highest) energies between which all levels of electrons lie that hop without exchange.

    Levels inside balls lie between those of the infinite crystal. Crystals without disorder are diagonalised on a mesh
    of momenta, others on their cell with periodic and antiperiodic boundaries, and widened by a percent of the width.
    Spin-orbit coupling moves the lowest levels to momenta that these two may miss: small cells then get more of them.
    """
    lattice = model.lattice
    strict = float(np.bincount(model.bonds.source, model.norms, lattice.n_sites).max(initial=0.0))
    if strict == 0:
        return -1e-3, 1e-3
    if model.is_uniform:
        levels = np.linalg.eigvalsh(bloch_matrices(model, (MOMENTA[lattice.dim],) * lattice.dim))
    else:
        along = lattice.shape or (round(lattice.n_sites ** (1 / lattice.dim)),) * lattice.dim
        fine = [math.ceil(MOMENTA[lattice.dim] / cells) if model.has_spin_orbit else 2 for cells in along]
        twists = itertools.product(*[[m / max(n, 2) for m in range(max(n, 2))] for n in fine])
        matrix = model.orbital_matrix if model.has_spin_orbit else model.hopping_matrix
        levels = np.concatenate([_extremes(matrix(twist)) for twist in twists])
    lowest, highest = widened(np.array([levels.min(), levels.max()]), strict).tolist()
    return lowest, highest


def unit_cell(model: SDModel) -> SDModel:
    """The same electrons on a single unit cell of their crystal, whose periodic images are the other cells."""
    return SDModel.from_dict(model.lattice.resized(*[1] * model.lattice.dim), model.to_dict())


def images(model: SDModel) -> Int[np.ndarray, "bond dim"]:
    """(bond, dim) periodic image of the cell in which each bond ends."""
    lattice, bonds = model.lattice, model.bonds
    away = bonds.vector - lattice.positions[bonds.target] + lattice.positions[bonds.source]
    return np.round(away @ np.linalg.inv(lattice.cell)).astype(int)


def bloch_matrices(model: SDModel, mesh: tuple[int, ...]) -> Complex[np.ndarray, "*momentum n_rows n_rows"]:
    """H_k = sum_r H(r) exp(-i k . r) of the hopping between sublattices, at k = sum_a m_a b_a / mesh_a, m_a < mesh_a.

    r leads from the cell of the row to that of the column: this is H of waves exp(-i k . r). b_a are the reciprocal
    vectors of a crystal's primitive ones; phases inside a cell are left out. One row for each sublattice, without spin;
    with spin-orbit coupling two, row 2 b + s for spin s on sublattice b.
    """
    cell = unit_cell(model)
    bonds, place = cell.bonds, (images(cell) % mesh).T
    rows = (1 + cell.has_spin_orbit) * model.lattice.n_basis
    matrices = np.zeros((*mesh, rows, rows), dtype=np.complex128 if cell.has_spin_orbit else np.float64)
    if cell.has_spin_orbit:
        blocks = cell.bond_matrices()
        for row, column in np.ndindex(2, 2):
            np.add.at(matrices, (*place, 2 * bonds.source + row, 2 * bonds.target + column), blocks[:, row, column])
    else:
        np.add.at(matrices, (*place, bonds.source, bonds.target), -cell.amplitudes)
    return np.fft.fftn(matrices, axes=tuple(range(len(mesh))))


def _extremes(matrix: scipy.sparse.csr_array) -> Float[np.ndarray, " level"]:
    """Lowest and highest level of a sparse matrix."""
    if matrix.shape[0] <= DENSE:
        return np.linalg.eigvalsh(matrix.toarray())[[0, -1]]
    start = np.random.default_rng(0).standard_normal(matrix.shape[0])
    settings = {"k": 1, "v0": start, "tol": MARGIN / 10, "return_eigenvectors": False}
    return np.concatenate([scipy.sparse.linalg.eigsh(matrix, which=which, **settings) for which in ("SA", "LA")])
