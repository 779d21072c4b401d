"""Lattices: sites, neighbour shells, bonds with periodic images, triangles and symmetry operations.

A crystal is a Bravais lattice with a basis, repeated ``shape`` times along its primitive vectors and
closed periodically; site ``((x * L_2 + y) * n_basis + b)`` sits at ``x a_1 + y a_2 + basis_b``. A free
lattice is any set of positions in a periodic cell. The nearest-neighbour distance is the unit of length.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import Delaunay, cKDTree

from sdgnn.errors import UserError
from sdgnn.symmetry import PointOperation, integer_isometries

if TYPE_CHECKING:
    from torch_geometric.data import Data

LENGTH_TOLERANCE = 1e-6
"""Two distances closer than this (in units of the nearest-neighbour distance) are one shell."""


@dataclass(frozen=True)
class Bonds:
    """Directed bonds: each undirected bond appears once from either end, each periodic image separately.

    Sorted by source, then shell, then direction (the angle in [0, 2 pi) in two dimensions).
    """

    source: np.ndarray
    """(bond,) site i at which the bond starts."""
    target: np.ndarray
    """(bond,) site j at which it ends."""
    vector: np.ndarray
    """(bond, dim) displacement r_j - r_i of this image."""
    shell: np.ndarray
    """(bond,) neighbour shell, 0 for nearest neighbours; on free lattices, -1 (distances do not fall into shells)."""

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, eq=False)
class Lattice:
    """Sites of a periodic lattice in 1, 2 or 3 dimensions.

    Build one with a classmethod: ``Lattice.triangular(12, 12)``, ``Lattice.crystal(...)``, ``Lattice.free(...)``.
    """

    name: str
    """Family: ``triangular``, ``kagome``, ..., ``crystal`` for a custom one, ``free`` for free positions."""
    positions: np.ndarray
    """(site, dim) Cartesian positions."""
    cell: np.ndarray
    """(dim, dim) rows span the periodic cell."""
    vectors: np.ndarray | None = None
    """(dim, dim) rows are the primitive vectors of a crystal; None on free lattices."""
    basis: np.ndarray | None = None
    """(n_basis, dim) positions of a crystal's basis sites; None on free lattices."""
    shape: tuple[int, ...] | None = None
    """Number of unit cells along each primitive vector; None on free lattices."""

    # -- construction -------------------------------------------------------------------------------------------

    @classmethod
    def chain(cls, L: int) -> Lattice:
        """Chain of ``L`` sites."""
        return cls.crystal([[1.0]], [[0.0]], (L,), name="chain")

    @classmethod
    def square(cls, Lx: int, Ly: int) -> Lattice:
        """Square lattice of ``Lx`` x ``Ly`` sites; site ``x * Ly + y`` at ``(x, y)``."""
        return cls.crystal(np.eye(2), [[0.0, 0.0]], (Lx, Ly), name="square")

    @classmethod
    def triangular(cls, Lx: int, Ly: int) -> Lattice:
        """Triangular lattice of ``Lx`` x ``Ly`` sites, a_1 = (1, 0), a_2 = (1/2, sqrt(3)/2)."""
        return cls.crystal([[1.0, 0.0], [0.5, math.sqrt(3) / 2]], [[0.0, 0.0]], (Lx, Ly), name="triangular")

    @classmethod
    def honeycomb(cls, Lx: int, Ly: int) -> Lattice:
        """Honeycomb lattice of ``Lx`` x ``Ly`` unit cells of two sites, nearest-neighbour distance 1."""
        a = math.sqrt(3)
        return cls.crystal([[a, 0.0], [a / 2, 1.5]], [[0.0, 0.0], [0.0, 1.0]], (Lx, Ly), name="honeycomb")

    @classmethod
    def kagome(cls, Lx: int, Ly: int) -> Lattice:
        """Kagome lattice of ``Lx`` x ``Ly`` unit cells of three sites, nearest-neighbour distance 1."""
        h = math.sqrt(3)
        return cls.crystal([[2.0, 0.0], [1.0, h]], [[0.0, 0.0], [1.0, 0.0], [0.5, h / 2]], (Lx, Ly), name="kagome")

    @classmethod
    def cubic(cls, Lx: int, Ly: int, Lz: int) -> Lattice:
        """Simple cubic lattice of ``Lx`` x ``Ly`` x ``Lz`` sites."""
        return cls.crystal(np.eye(3), [[0.0, 0.0, 0.0]], (Lx, Ly, Lz), name="cubic")

    @classmethod
    def crystal(
        cls,
        vectors: Any,
        basis: Any,
        shape: Sequence[int],
        name: str = "crystal",
    ) -> Lattice:
        """Any Bravais lattice with a basis.

        vectors: (dim, dim) rows are primitive vectors; basis: (n_basis, dim) Cartesian positions in the unit cell;
        shape: unit cells along each vector. Raises UserError on shapes that do not fit,
        coinciding sites or a flat cell.
        """
        vectors = np.array(vectors, dtype=np.float64)
        basis = np.array(basis, dtype=np.float64)
        dim = len(vectors)
        if vectors.shape != (dim, dim) or dim not in (1, 2, 3) or basis.ndim != 2 or basis.shape[1] != dim:
            raise UserError(
                f"vectors of shape {vectors.shape} with a basis of shape {basis.shape}",
                allowed="vectors (dim, dim) and basis (n_basis, dim) with dim 1, 2 or 3",
            )
        if not (np.isfinite(vectors).all() and np.isfinite(basis).all()) or abs(np.linalg.det(vectors)) < 1e-9:
            raise UserError("primitive vectors that span no volume or are not finite", allowed="independent vectors")
        if len(shape) != dim or any(int(n) != n or n < 1 for n in shape):
            raise UserError(f"lattice size {tuple(shape)}", allowed=f"{dim} whole numbers of unit cells, each >= 1")
        shape = tuple(int(n) for n in shape)
        cells = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1).reshape(-1, dim)
        positions = (cells @ vectors)[:, None, :] + basis[None]
        lattice = cls(
            name=name,
            positions=positions.reshape(-1, dim),
            cell=vectors * np.array(shape)[:, None],
            vectors=vectors,
            basis=basis,
            shape=shape,
        )
        unit = np.linalg.solve(vectors.T, (basis[:, None] - basis[None]).reshape(-1, dim).T).T
        apart = np.linalg.norm((unit - np.round(unit)) @ vectors, axis=1).reshape(len(basis), len(basis))
        if (apart + np.eye(len(basis)) < LENGTH_TOLERANCE).any():
            raise UserError("basis sites at the same place", allowed="distinct positions modulo primitive vectors")
        return lattice

    @classmethod
    def free(cls, positions: Any, cell: Any) -> Lattice:
        """Any positions (site, dim) in a periodic cell with rows ``cell`` (dim, dim)."""
        positions = np.array(positions, dtype=np.float64)
        cell = np.array(cell, dtype=np.float64)
        if positions.ndim != 2 or cell.shape != (positions.shape[1],) * 2 or positions.shape[1] not in (1, 2, 3):
            raise UserError(
                f"positions of shape {positions.shape} in a cell of shape {cell.shape}",
                allowed="positions (site, dim) and cell (dim, dim) with dim 1, 2 or 3",
            )
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()) or abs(np.linalg.det(cell)) < 1e-9:
            raise UserError("positions or cell that are not finite or span no volume", allowed="independent rows")
        return cls(name="free", positions=positions, cell=cell)

    # -- size and naming ----------------------------------------------------------------------------------------

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return len(self.positions)

    @property
    def dim(self) -> int:
        """Spatial dimension."""
        return self.positions.shape[1]

    @property
    def n_basis(self) -> int:
        """Sites per unit cell; on free lattices the cell is the whole lattice."""
        return self.n_sites if self.basis is None else len(self.basis)

    @property
    def is_crystal(self) -> bool:
        """Whether primitive vectors and a basis are known."""
        return self.shape is not None

    @property
    def reciprocal(self) -> np.ndarray:
        """(dim, dim) rows b_a with b_a . cell_b = 2 pi delta_ab."""
        return 2 * math.pi * np.linalg.inv(self.cell).T

    def __repr__(self) -> str:
        if self.shape is None:
            return f"Lattice.free: {self.n_sites} sites in {self.dim} dimensions"
        z = np.bincount(self.bonds(1).source, minlength=self.n_sites)[: self.n_basis]
        coordination = "/".join(str(n) for n in sorted(set(z.tolist())))
        size = ", ".join(map(str, self.shape))
        return f"Lattice.{self.name}({size}): {self.n_sites} sites, {coordination} nearest neighbours each"

    def resized(self, *shape: int) -> Lattice:
        """The same crystal with another number of unit cells."""
        if self.vectors is None:
            raise UserError("resizing a free lattice", allowed="crystals; build another free lattice instead")
        return Lattice.crystal(self.vectors, self.basis, shape, name=self.name)

    def same_family(self, other: Lattice) -> bool:
        """Whether both are crystals with equal primitive vectors and basis (sizes may differ)."""
        if self.vectors is None or other.vectors is None or self.basis is None or other.basis is None:
            return False
        return (
            self.vectors.shape == other.vectors.shape
            and self.basis.shape == other.basis.shape
            and np.allclose(self.vectors, other.vectors, atol=LENGTH_TOLERANCE)
            and np.allclose(self.basis, other.basis, atol=LENGTH_TOLERANCE)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers from which :meth:`from_dict` builds the same lattice."""
        if self.shape is None:
            return {"name": "free", "positions": self.positions.tolist(), "cell": self.cell.tolist()}
        assert self.vectors is not None and self.basis is not None
        return {
            "name": self.name,
            "vectors": self.vectors.tolist(),
            "basis": self.basis.tolist(),
            "shape": list(self.shape),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Lattice:
        """Inverse of :meth:`to_dict`. Raises UserError when entries are missing."""
        try:
            if data["name"] == "free":
                return cls.free(data["positions"], data["cell"])
            return cls.crystal(data["vectors"], data["basis"], data["shape"], name=str(data["name"]))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"a lattice description that cannot be read ({error!r})",
                allowed="name with vectors, basis, shape; or name 'free' with positions, cell",
            ) from error

    # -- neighbours ---------------------------------------------------------------------------------------------

    @cached_property
    def _unit_cell(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and cell of the smallest periodic unit."""
        if self.vectors is None or self.basis is None:
            return self.positions, self.cell
        return self.basis, self.vectors

    def _neighbours(self, cutoff: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Pairs within ``cutoff`` of the periodic unit: (source, target, cell offset, vector), sorted as in Bonds."""
        from vesin import NeighborList

        positions, cell = self._unit_cell
        points = np.zeros((len(positions), 3))
        points[:, : self.dim] = positions
        box = np.eye(3)
        box[: self.dim, : self.dim] = cell
        periodic = [axis < self.dim for axis in range(3)]
        i, j, offset, vector = NeighborList(cutoff=cutoff + LENGTH_TOLERANCE, full_list=True).compute(
            points, box, periodic=periodic, quantities="ijSD"
        )
        vector, offset = vector[:, : self.dim], offset[:, : self.dim]
        length = np.round(np.linalg.norm(vector, axis=1), 5)
        if self.dim == 1:
            direction = (vector[:, 0] < 0).astype(float)
            rest = np.zeros(len(i))
        else:
            direction = np.round(np.mod(np.arctan2(vector[:, 1], vector[:, 0]), 2 * math.pi), 6)
            direction[direction >= round(2 * math.pi, 6)] = 0.0
            rest = np.round(vector[:, 2], 6) if self.dim == 3 else np.zeros(len(i))
        order = np.lexsort((rest, direction, length, i))
        return i[order].astype(np.int64), j[order].astype(np.int64), offset[order].astype(np.int64), vector[order]

    def shell_distances(self, shells: int) -> np.ndarray:
        """Distances of the first ``shells`` neighbour shells, nearest first. Crystals only."""
        if not self.is_crystal:
            raise UserError("neighbour shells of a free lattice", allowed="crystals; use bonds_within(cutoff) instead")
        if shells < 1:
            raise UserError(f"{shells} neighbour shells", allowed="at least 1")
        _, cell = self._unit_cell
        cutoff = float(np.linalg.norm(cell, axis=1).min())
        while True:
            *_, vector = self._neighbours(cutoff)
            lengths = np.sort(np.linalg.norm(vector, axis=1))
            is_new = np.diff(lengths, prepend=-1.0) > LENGTH_TOLERANCE
            distinct = lengths[is_new]
            if len(distinct) >= shells:
                return distinct[:shells]
            cutoff *= 1.5

    def bonds(self, shells: int) -> Bonds:
        """Bonds of the first ``shells`` neighbour shells."""
        return self.bonds_within(float(self.shell_distances(shells)[-1]))

    def bonds_within(self, cutoff: float) -> Bonds:
        """All bonds no longer than ``cutoff``."""
        if not cutoff > 0:
            raise UserError(f"cutoff {cutoff}", allowed="a positive distance")
        i, j, offset, vector = self._neighbours(cutoff)
        if self.shape is None:
            return Bonds(i, j, vector, np.full(len(i), -1))
        length = np.linalg.norm(vector, axis=1)
        edges = np.sort(length)
        starts = edges[np.concatenate([[True], np.diff(edges) > LENGTH_TOLERANCE])] if len(edges) else edges
        shell = np.searchsorted(starts, length + LENGTH_TOLERANCE / 2, side="right") - 1
        sources, targets, index = [], [], []
        for b in range(self.n_basis):
            pattern = np.flatnonzero(i == b)
            sources.append(np.repeat(self._sites_of_basis(b), len(pattern)).reshape(-1, len(pattern)))
            targets.append(np.stack([self._shifted(b, offset[k], j[k]) for k in pattern], axis=1))
            index.append(np.broadcast_to(pattern, (self.n_sites // self.n_basis, len(pattern))))
        source = np.concatenate([s.ravel() for s in sources])
        target = np.concatenate([t.ravel() for t in targets])
        which = np.concatenate([k.ravel() for k in index])
        order = np.argsort(source, kind="stable")
        which = which[order]
        return Bonds(source[order], target[order], vector[which], shell[which])

    def _sites_of_basis(self, b: int) -> np.ndarray:
        """Sites of sublattice ``b``, in the order of the unit cells."""
        return np.arange(self.n_sites // self.n_basis) * self.n_basis + b

    def _shifted(self, b: int, offset: np.ndarray, target: int) -> np.ndarray:
        """For each unit cell, the site on sublattice ``target`` in the cell displaced by ``offset``."""
        assert self.shape is not None
        cells = np.arange(self.n_sites // self.n_basis).reshape(self.shape)
        rolled = np.roll(cells, tuple(-offset), axis=tuple(range(self.dim)))
        return rolled.ravel() * self.n_basis + target

    def find(self, positions: Any) -> np.ndarray:
        """Sites at given positions (point, dim), modulo the cell. Raises UserError where no site is.

        Maps data of another program, whose site order differs, onto this lattice.
        """
        inverse = np.linalg.inv(self.cell)
        tree = cKDTree(np.mod(np.mod(self.positions @ inverse, 1.0) + 1e-7, 1.0), boxsize=1.0)
        asked = np.mod(np.mod(np.asarray(positions, dtype=np.float64) @ inverse, 1.0) + 1e-7, 1.0)
        distance, site = tree.query(asked)
        if (distance > 1e-4).any():
            missing = np.asarray(positions)[np.argmax(distance)]
            raise UserError(f"position {missing.tolist()} holds no site of {self!r}", allowed="positions of its sites")
        return site

    def graph(self, cutoff: float) -> Data:
        """Periodic radius graph as torch-geometric ``Data``.

        ``pos`` (site, dim), ``edge_index`` (2, bond) with messages flowing from row 0 to row 1, and
        ``edge_vector`` (bond, dim) = position of the source's image minus position of the target.
        """
        import torch
        from torch_geometric.data import Data

        bonds = self.bonds_within(cutoff)
        return Data(
            pos=torch.from_numpy(self.positions.copy()),
            edge_index=torch.from_numpy(np.stack([bonds.target, bonds.source])),
            edge_vector=torch.from_numpy(bonds.vector.copy()),
        )

    # -- triangles ----------------------------------------------------------------------------------------------

    @cached_property
    def triangles(self) -> np.ndarray:
        """(triangle, 3) sites of a periodic triangulation, counter-clockwise; two dimensions only.

        Delaunay triangles of the positions. Where four or more sites share a circle (square lattice, hexagons of
        kagome), the tie is broken in the same way in every unit cell, by an infinitesimal uniform strain.
        """
        if self.dim != 2:
            raise UserError(f"triangles of a {self.dim}-dimensional lattice", allowed="two-dimensional lattices")
        positions, cell = self._unit_cell
        offsets = np.array(list(itertools.product(range(-3, 4), repeat=2)))
        images = (offsets @ cell)[:, None] + positions[None]
        points = images.reshape(-1, 2)
        strained = points @ np.array([[1.0, 1e-4], [1e-4, 1.0 - 1.7e-4]])
        corners = Delaunay(strained).simplices
        fraction = points[corners].mean(axis=1) @ np.linalg.inv(cell)
        inside = ((fraction > -1e-9) & (fraction < 1 - 1e-9)).all(axis=1)
        corners = corners[inside]
        a, b, c = (points[corners[:, k]] for k in range(3))
        clockwise = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] < 0
        corners[clockwise] = corners[clockwise][:, ::-1]
        n_unit = len(positions)
        offset, member = offsets[corners // n_unit], corners % n_unit
        if self.shape is None:
            return member
        triangles = np.stack(
            [[self._shifted(0, offset[t, k], member[t, k]) for k in range(3)] for t in range(len(corners))]
        )
        return triangles.transpose(2, 0, 1).reshape(-1, 3)

    # -- symmetry -----------------------------------------------------------------------------------------------

    def translation(self, *cells: int) -> np.ndarray:
        """(site,) permutation: site i is carried onto ``result[i]`` by the translation ``sum_a cells_a a_a``."""
        if self.shape is None:
            raise UserError("translations of a free lattice", allowed="crystals")
        offset = np.array(cells)
        result = np.empty(self.n_sites, dtype=np.int64)
        for b in range(self.n_basis):
            result[self._sites_of_basis(b)] = self._shifted(b, offset, b)
        return result

    @cached_property
    def point_group(self) -> tuple[PointOperation, ...]:
        """Every rotation and reflection (with the translation it needs) that maps this finite lattice onto itself.

        The identity comes first. Operations that the extent breaks (a six-fold axis of a 4 x 6 triangular lattice)
        are left out. A free lattice has the identity alone.
        """
        identity = PointOperation(np.eye(self.dim), np.arange(self.n_sites))
        if self.vectors is None or self.basis is None:
            return (identity,)
        operations = [identity]
        for matrix in integer_isometries(self.vectors):
            if np.allclose(matrix, np.eye(self.dim)) or not self._is_period(self.cell @ matrix.T):
                continue
            turned = self.basis @ matrix.T
            for shift in self.basis - turned[0]:
                try:
                    sites = self.find(self.positions @ matrix.T + shift)
                except UserError:
                    continue
                operations.append(PointOperation(matrix, sites))
                break
        return tuple(operations)

    def _is_period(self, vectors: np.ndarray) -> bool:
        """Whether every row is a whole combination of the cell's rows."""
        coefficients = vectors @ np.linalg.inv(self.cell)
        return bool(np.allclose(coefficients, np.round(coefficients), atol=1e-6))
