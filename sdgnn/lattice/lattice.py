"""Lattices: sites, neighbour shells, bonds with periodic images, triangles and symmetry operations.

A crystal is a Bravais lattice with a basis, repeated ``shape`` times along its primitive vectors and
closed periodically; site ``((x * L_2 + y) * n_basis + b)`` sits at ``x a_1 + y a_2 + basis_b``. A free
lattice is any set of positions in a periodic cell. The nearest-neighbour distance is the unit of length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from sdgnn.common.errors import UserError
from sdgnn.common.extras import require
from sdgnn.common.frozen import freeze, frozen
from sdgnn.common.seeds import check_seed
from sdgnn.lattice.amorphous import relaxed_positions
from sdgnn.lattice.bonds import Bonds
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE, periodic_pairs, periodic_triangles
from sdgnn.lattice.positions import POSITION_TOLERANCE, as_rows, check_crystal, check_free, wrapped
from sdgnn.lattice.symmetry import PointOperation, integer_isometries

if TYPE_CHECKING:
    from torch_geometric.data import Data


@dataclass(frozen=True, eq=False)
class Lattice:
    """Sites of a periodic lattice in 1, 2 or 3 dimensions.

    Build one with a classmethod: ``Lattice.triangular(12, 12)``, ``Lattice.crystal(...)``, ``Lattice.free(...)``.
    Its arrays are read-only: everything that is bound to a lattice relies on them. Copy one to change it.
    """

    name: str
    """Family: ``triangular``, ``kagome``, ..., ``crystal`` for a custom one, ``free`` for free positions."""
    positions: Float[np.ndarray, "site dim"]
    """(site, dim) Cartesian positions."""
    cell: Float[np.ndarray, "dim dim"]
    """(dim, dim) rows span the periodic cell."""
    vectors: Float[np.ndarray, "dim dim"] | None = None
    """(dim, dim) rows are the primitive vectors of a crystal; None on free lattices."""
    basis: Float[np.ndarray, "n_basis dim"] | None = None
    """(n_basis, dim) positions of a crystal's basis sites; None on free lattices."""
    shape: tuple[int, ...] | None = None
    """Number of unit cells along each primitive vector; None on free lattices."""

    def __post_init__(self) -> None:
        freeze(self)

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
        vectors, basis, shape = check_crystal(vectors, basis, shape)
        cells = np.stack(np.unravel_index(np.arange(math.prod(shape)), shape), axis=-1)
        positions = (cells @ vectors)[:, None, :] + basis[None]
        return cls(
            name=name,
            positions=frozen(positions.reshape(-1, len(vectors))),
            cell=vectors * np.array(shape)[:, None],
            vectors=vectors,
            basis=basis,
            shape=shape,
        )

    @classmethod
    def free(cls, positions: Any, cell: Any) -> Lattice:
        """Any positions (site, dim) in a periodic cell with rows ``cell`` (dim, dim).

        Raises UserError on shapes that do not fit, coinciding sites or a flat cell.
        """
        positions, cell = check_free(positions, cell)
        return cls(name="free", positions=positions, cell=cell)

    @classmethod
    def amorphous(cls, n_sites: int, dim: int = 2, seed: int = 0, min_distance: float = 0.8) -> Lattice:
        """Positions without order in a square or cubic cell, none closer than ``min_distance``: a free lattice.

        Random points pushed apart (:func:`.relaxed_positions`), scaled so that the mean distance to the
        nearest neighbour is 1. One seed gives one realisation. Raises UserError on other dimensions than 2 and 3, no
        sites and a ``min_distance`` at which they would have to be ordered.
        """
        if dim not in (2, 3) or n_sites < 1 or not 0 <= min_distance < 1:
            raise UserError(
                f"{n_sites} amorphous sites in {dim} dimensions, min_distance {min_distance}",
                allowed="at least one site in 2 or 3 dimensions, 0 <= min_distance < 1",
            )
        return cls.free(*relaxed_positions(n_sites, dim, check_seed(seed), min_distance))

    def without(self, sites: Any) -> Lattice:
        """What remains when ``sites`` (a list of their indices) are taken out: a free lattice in the same cell.

        A crystal with vacancies; the order of the remaining sites is kept. Raises UserError on indices that name no
        site and if none would remain.
        """
        taken = np.unique(np.asarray(sites))
        if taken.ndim != 1 or (len(taken) and taken.dtype.kind not in "iu"):
            raise UserError(f"vacancies {sites!r}", allowed="a list of site indices")
        if len(taken) and not 0 <= taken[0] <= taken[-1] < self.n_sites:
            raise UserError(f"vacancies {taken.tolist()} in {self!r}", allowed=f"sites from 0 to {self.n_sites - 1}")
        if len(taken) == self.n_sites:
            raise UserError(f"vacancies on all sites of {self!r}", allowed="at least one site that remains")
        return Lattice.free(np.delete(self.positions, taken.astype(np.int64), axis=0), self.cell)

    def diluted(self, fraction: float, seed: int = 0) -> Lattice:
        """What remains when a random ``fraction`` of the sites is taken out: a free lattice in the same cell.

        The number of vacancies is ``fraction`` times that of the sites, rounded. Raises UserError unless
        0 <= fraction < 1 and at least one site remains.
        """
        if not 0 <= fraction < 1:
            raise UserError(f"vacancies on a fraction {fraction} of the sites", allowed="0 <= fraction < 1")
        count = round(fraction * self.n_sites)
        return self.without(np.sort(np.random.default_rng(check_seed(seed)).choice(self.n_sites, count, replace=False)))

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

    def cells(self, sites: Int[np.ndarray, " some"] | None = None) -> Int[np.ndarray, "some dim"]:
        """(site, dim) unit cells, counted along each primitive vector, of ``sites`` of a crystal or of all of them.

            lattice.cells()[:, 0] % 2  # alternates along the first primitive vector

        Raises UserError on free lattices.
        """
        if self.shape is None:
            raise UserError(f"unit cells of {self!r}", allowed="crystals")
        sites = np.arange(self.n_sites) if sites is None else sites
        return np.stack(np.unravel_index(sites // self.n_basis, self.shape), axis=-1)

    def sites_at(
        self, cells: Int[np.ndarray, "*some dim"], member: Int[np.ndarray, "*some"]
    ) -> Int[np.ndarray, "*some"]:
        """Sites ``member`` of the basis in unit ``cells`` of a crystal, counted modulo its periods.

            lattice.sites_at(lattice.cells() + [1, 0], np.zeros(lattice.n_sites, int))  # one cell further

        Raises UserError on free lattices.
        """
        if self.shape is None:
            raise UserError(f"unit cells of {self!r}", allowed="crystals")
        return np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), self.shape, mode="wrap") * self.n_basis + member

    @property
    def is_crystal(self) -> bool:
        """Whether primitive vectors and a basis are known."""
        return self.shape is not None

    @property
    def reciprocal(self) -> Float[np.ndarray, "dim dim"]:
        """(dim, dim) rows b_a with b_a . cell_b = 2 pi delta_ab."""
        return 2 * math.pi * np.linalg.inv(self.cell).T

    def __repr__(self) -> str:
        if self.shape is None:
            return f"Lattice.free: {self.n_sites} sites in {self.dim} dimensions"
        source, *_ = periodic_pairs(*self._unit_cell, float(self.shell_distances(1)[0]))
        z = np.bincount(source, minlength=self.n_basis)
        coordination = "/".join(str(n) for n in sorted(set(z.tolist())))
        size = ", ".join(map(str, self.shape))
        return f"Lattice.{self.name}({size}): {self.n_sites} sites, {coordination} nearest neighbours each"

    def resized(self, *shape: int) -> Lattice:
        """The crystal with other numbers of unit cells: ``lattice.resized(96, 96)``. Raises UserError on free ones."""
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
        """Inverse of :meth:`to_dict`. Raises UserError when entries are missing or do not fit."""
        try:
            if data["name"] == "free":
                return cls.free(data["positions"], data["cell"])
            return cls.crystal(data["vectors"], data["basis"], data["shape"], name=str(data["name"]))
        except (KeyError, TypeError) as error:
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

    def shell_distances(self, shells: int) -> Float[np.ndarray, " shell"]:
        """Distances of the first ``shells`` neighbour shells, nearest first. Crystals only."""
        if not self.is_crystal:
            raise UserError("neighbour shells of a free lattice", allowed="crystals; use bonds_within(cutoff) instead")
        if shells < 1:
            raise UserError(f"{shells} neighbour shells", allowed="at least 1")
        cutoff = float(np.linalg.norm(self._unit_cell[1], axis=1).min())
        while True:
            *_, vector = periodic_pairs(*self._unit_cell, cutoff)
            distinct = _distinct(np.linalg.norm(vector, axis=1))
            if len(distinct) >= shells:
                return distinct[:shells]
            cutoff *= 1.5

    def bonds(self, shells: int) -> Bonds:
        """Bonds of the first ``shells`` neighbour shells."""
        return self.bonds_within(float(self.shell_distances(shells)[-1]))

    def bonds_within(self, cutoff: float) -> Bonds:
        """All bonds no longer than ``cutoff``."""
        if not 0 < cutoff < math.inf:
            raise UserError(f"cutoff {cutoff}", allowed="a positive distance")
        i, j, offset, vector = periodic_pairs(*self._unit_cell, float(cutoff))
        if self.shape is None:
            return Bonds(*map(frozen, (i, j, vector, np.full(len(i), -1))))
        length = np.linalg.norm(vector, axis=1)
        shell = np.searchsorted(_distinct(length), length + LENGTH_TOLERANCE / 2, side="right") - 1
        n_cells = self.n_sites // self.n_basis
        source = (np.arange(n_cells)[:, None] * self.n_basis + i).ravel()
        target = self._images(offset, j).ravel()
        return Bonds(*map(frozen, (source, target, np.tile(vector, (n_cells, 1)), np.tile(shell, n_cells))))

    def _images(self, offset: np.ndarray, member: np.ndarray) -> np.ndarray:
        """For each unit cell, the sites on sublattices ``member`` (...) of the cells ``offset`` (..., dim) away."""
        assert self.shape is not None
        coordinates = np.unravel_index(np.arange(math.prod(self.shape)), self.shape)
        cells = [here.reshape(-1, *(1,) * member.ndim) + offset[..., a] for a, here in enumerate(coordinates)]
        return np.ravel_multi_index(tuple(cells), self.shape, mode="wrap") * self.n_basis + member

    def find(self, positions: Any) -> Int[np.ndarray, " point"]:
        """Sites at given positions (point, dim), modulo the cell. Raises UserError where no site is.

        Maps data of another program, whose site order differs, onto this lattice.
        """
        positions = as_rows("positions", positions)
        inverse = np.linalg.inv(self.cell)
        _, site = self._tree.query(wrapped(positions @ inverse))
        apart = (positions - self.positions[site]) @ inverse
        distance = np.linalg.norm((apart - np.round(apart)) @ self.cell, axis=1)
        if (distance > POSITION_TOLERANCE).any():
            missing = positions[np.argmax(distance)]
            raise UserError(f"position {missing.tolist()} holds no site of {self!r}", allowed="positions of its sites")
        return site.astype(np.int64)

    @cached_property
    def _tree(self) -> cKDTree:
        """Search tree of the sites in fractions of the cell."""
        return cKDTree(wrapped(self.positions @ np.linalg.inv(self.cell)), boxsize=1.0)

    def graph(self, cutoff: float) -> Data:
        """Periodic radius graph as torch-geometric ``Data``.

        ``pos`` (site, dim), ``edge_index`` (2, bond) with messages flowing from row 0 to row 1, and
        ``edge_vector`` (bond, dim) = position of the source's image minus position of the target.

        Needs ``pip install 'sdgnn[baselines]'``; raises UserError without.
        """
        require("baselines", "a graph of torch-geometric")
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
    def triangles(self) -> Int[np.ndarray, "triangle 3"]:
        """(triangle, 3) sites of a periodic Delaunay triangulation, counter-clockwise; two dimensions only.

        Where several triangulations are equally good (square lattice, hexagons), every unit cell has the same one.
        """
        if self.dim != 2:
            raise UserError(f"triangles of a {self.dim}-dimensional lattice", allowed="two-dimensional lattices")
        member, offset = periodic_triangles(*self._unit_cell)
        return frozen(member if self.shape is None else self._images(offset, member).reshape(-1, 3))

    @cached_property
    def triangle_corners(self) -> Float[np.ndarray, "triangle 3 2"]:
        """(triangle, 3, 2) corners of :attr:`triangles`, the first at its site, the others at the images next to it."""
        sites = self.triangles
        member, offset = periodic_triangles(*self._unit_cell)
        basis, vectors = self._unit_cell
        corners = basis[member] + offset @ vectors
        from_first = np.tile(corners - corners[:, :1], (len(sites) // len(member), 1, 1))
        return frozen(self.positions[sites[:, :1]] + from_first)

    # -- symmetry -----------------------------------------------------------------------------------------------

    def translation(self, *cells: int) -> Int[np.ndarray, " site"]:
        """(site,) permutation: site i is carried onto ``result[i]`` by the translation ``sum_a cells_a a_a``."""
        if self.shape is None:
            raise UserError("translations of a free lattice", allowed="crystals")
        if len(cells) != self.dim:
            raise UserError(f"translation by {cells} cells", allowed=f"{self.dim} whole numbers, one per axis")
        members = np.arange(self.n_basis)
        return self._images(np.tile(cells, (self.n_basis, 1)), members).ravel()

    @cached_property
    def point_group(self) -> tuple[PointOperation, ...]:
        """Every rotation and reflection (with the translation it needs) that maps this finite lattice onto itself.

        The identity comes first. Operations that the extent breaks (a six-fold axis of a 4 x 6 triangular lattice)
        are left out. A product of two operations is a third one up to a translation. A free lattice has the identity
        alone.
        """
        if self.vectors is None or self.basis is None:
            return (PointOperation(np.eye(self.dim), np.arange(self.n_sites)),)
        operations = []
        for matrix in integer_isometries(self.vectors):
            periods = self.cell @ matrix.T @ np.linalg.inv(self.cell)
            if not np.allclose(periods, np.round(periods), atol=1e-6):
                continue
            for shift in self.basis - self.basis[0] @ matrix.T:
                try:
                    sites = self.find(self.positions @ matrix.T + shift)
                except UserError:
                    continue
                operations.append(PointOperation(matrix, sites))
                break
        return tuple(operations)


def _distinct(lengths: np.ndarray) -> np.ndarray:
    """Lengths that differ, ascending: the smallest of each group."""
    ordered = np.sort(lengths)
    return ordered[np.diff(ordered, prepend=-np.inf) > LENGTH_TOLERANCE]
