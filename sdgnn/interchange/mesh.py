"""The regular mesh of cells that stands for a crystal in formats which know nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

SAME_STEP = 1e-6
"""Relative difference below which two steps of a mesh are one: files give them in decimal digits."""


@dataclass(frozen=True)
class Mesh:
    """A box of equal cells with a value at the centre of each."""

    nodes: tuple[int, int, int]
    """Number of cells along x, y and z."""
    step: tuple[float, float, float]
    """Their edges, in nearest-neighbour distances."""
    base: tuple[float, float, float]
    """Centre of the first."""


def is_orthogonal(lattice: Lattice) -> bool:
    """Whether the sites are the centres of equal boxes along x, y and z: chain, square, cubic and the like."""
    if lattice.vectors is None or lattice.n_basis != 1:
        return False
    edges = np.diag(lattice.vectors)
    return bool((edges > 0).all() and np.array_equal(lattice.vectors, np.diag(edges)))


def mesh_of(lattice: Lattice) -> Mesh:
    """The mesh of a crystal: one cell for each site.

    Cells along x, y, z are the unit cells along the first, second and third primitive vector, the sites of a basis
    following each other along z: ``L_1 x L_2 x (L_3 n_basis)``, an axis that the lattice lacks having one cell. Where
    :func:`is_orthogonal`, cells lie where the sites are; elsewhere they have edges 1 and count, the picture being
    sheared. Raises UserError on free lattices.
    """
    first, second, third = _cells(lattice)
    nodes = (first, second, third * lattice.n_basis)
    if not is_orthogonal(lattice):
        return Mesh(nodes, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert lattice.vectors is not None and lattice.basis is not None
    dx, dy, dz = [*np.diag(lattice.vectors).tolist(), 1.0, 1.0][:3]
    x, y, z = [*lattice.basis[0].tolist(), 0.0, 0.0][:3]
    return Mesh(nodes, (dx, dy, dz), (x, y, z))


def _cells(lattice: Lattice) -> tuple[int, int, int]:
    """Unit cells along three axes. Raises UserError on free lattices."""
    if lattice.shape is None:
        raise UserError(f"a regular mesh for {lattice!r}", allowed="crystals")
    first, second, third = [*lattice.shape, 1, 1][:3]
    return first, second, third


def on_mesh(values: Float[np.ndarray, "site k"], lattice: Lattice) -> Float[np.ndarray, "node k"]:
    """Values of the sites in the order of the mesh's cells, x running fastest, then y, then z."""
    cells = values.reshape(*_cells(lattice), lattice.n_basis, -1)
    return cells.transpose(2, 3, 1, 0, 4).reshape(len(values), -1)


def on_sites(values: Float[np.ndarray, "node k"], lattice: Lattice) -> Float[np.ndarray, "site k"]:
    """Inverse of :func:`on_mesh`."""
    first, second, third = _cells(lattice)
    cells = values.reshape(third, lattice.n_basis, second, first, -1)
    return cells.transpose(3, 2, 0, 1, 4).reshape(len(values), -1)


def lattice_of_mesh(nodes: tuple[int, int, int], step: tuple[float, float, float]) -> Lattice:
    """The crystal with a site in each cell of a mesh, the smallest edge becoming the nearest-neighbour distance.

    A mesh of one layer is a two-dimensional lattice, one of one row a chain; the first site is at the origin. Raises
    UserError on edges that are no lengths.
    """
    dim = max((axis + 1 for axis in range(3) if nodes[axis] > 1), default=1)
    shape, edges = nodes[:dim], np.array(step[:dim])
    if not (np.isfinite(edges).all() and (edges > 0).all() and edges.max() <= edges.min() / SAME_STEP):
        raise UserError(f"a mesh with cells of {' x '.join(f'{e:g}' for e in edges)}", allowed="positive lengths")
    edges = edges / edges.min()
    if edges.max() < 1 + SAME_STEP:
        return (Lattice.chain, Lattice.square, Lattice.cubic)[dim - 1](*shape)
    return Lattice.crystal(np.diag(edges), np.zeros((1, dim)), shape)
