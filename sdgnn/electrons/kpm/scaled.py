"""The Hamiltonian of a batch of states, shifted and scaled so that its spectrum lies inside [-1, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from sdgnn.electrons.ensemble import phases
from sdgnn.electrons.hamiltonian import PAULI, SDModel


@dataclass(frozen=True)
class HoppingTable:
    """The hopping part of H as a table of every site's neighbours, padded with hoppings of zero to the site itself.

    H_ij = h_ij + sum_a i sigma_a g_ij,a: with spin-orbit coupling and without boundary phases, h = -t and g = -lambda.
    """

    site: Shaped[np.ndarray, "site neighbour"]
    """(site, neighbour) neighbours j of site i."""
    real: Float[np.ndarray, "site neighbour"]
    """(site, neighbour) Re h_ij."""
    imag: Float[np.ndarray, "site neighbour"] | None
    """(site, neighbour) Im h_ij; None where all hoppings are real."""
    turn_real: Float[np.ndarray, "site neighbour 3"] | None = None
    """(site, neighbour, 3) Re g_ij; None without spin-orbit coupling."""
    turn_imag: Float[np.ndarray, "site neighbour 3"] | None = None
    """(site, neighbour, 3) Im g_ij; None where all are real."""

    @property
    def norms(self) -> Float[np.ndarray, "site neighbour"]:
        """(site, neighbour) |h_ij| + |Re g_ij| + |Im g_ij|, at least the norm of H_ij."""
        total = np.abs(self.real if self.imag is None else self.real + 1j * self.imag)
        for turn in (self.turn_real, self.turn_imag):
            total = total if turn is None else total + np.linalg.norm(turn, axis=-1)
        return total

    @classmethod
    def of(
        cls, model: SDModel, twist: Sequence[float] | None = None, dtype: torch.dtype = torch.float64
    ) -> HoppingTable:
        """The hopping of ``model``, with the phases ``twist`` across the cell (fractions of 2 pi, one per axis)."""
        if model.has_spin_orbit:
            blocks = model.bond_matrices(twist)
            turns = np.einsum("ast,bts->ab", PAULI, blocks) / 2j
            matrices = [_between_sites(model, of_bonds) for of_bonds in (blocks.trace(axis1=1, axis2=2) / 2, *turns)]
        else:
            matrices = [model.hopping_matrix(twist)]
        matrix = matrices[0]
        counts = np.diff(matrix.indptr)
        width = int(counts.max(initial=0))
        row = np.repeat(np.arange(len(counts)), counts)
        column = np.arange(len(row)) - np.repeat(matrix.indptr[:-1], counts)
        site = np.tile(np.arange(len(counts), dtype=np.uint32)[:, None], (1, width))
        site[row, column] = matrix.indices
        entries = np.zeros((len(matrices), *site.shape), dtype=np.complex128)
        for of_pairs, part in zip(entries, matrices, strict=True):
            of_pairs[row, column] = part.data
        number = np.float32 if dtype == torch.float32 else np.float64
        real, imag = entries.real.astype(number), entries.imag.astype(number)
        some = imag[0] if imag[0].any() else None
        if not model.has_spin_orbit:
            return cls(site, real[0], some)
        turn = (np.ascontiguousarray(np.moveaxis(part[1:], 0, -1)) for part in (real, imag))
        turn_real, turn_imag = turn
        return cls(site, real[0], some, turn_real, turn_imag if turn_imag.any() else None)


def _between_sites(model: SDModel, of_bonds: np.ndarray) -> scipy.sparse.csr_array:
    """Numbers of bonds as a (site, site) matrix, images summed, with an entry for each pair of sites with a bond."""
    ends = (model.bonds.source, model.bonds.target)
    return scipy.sparse.coo_array((of_bonds, ends), shape=(model.lattice.n_sites,) * 2).tocsr()


def hopping_tables(model: SDModel, twists: Sequence[int], dtype: torch.dtype = torch.float64) -> list[HoppingTable]:
    """Tables of the hopping of ``model`` with all boundary phases of ``twists``, numbers of phases along each axis."""
    return [HoppingTable.of(model, phase, dtype) for phase in phases(twists)]


@dataclass(frozen=True)
class ScaledHamiltonian:
    """H~ = (H(S) - centre) / scale of a batch of states.

    Kept as 2 H~: a table of hoppings that is multiplied by ``factor`` = 2 / scale when used and, for each state and
    site, the local part b . sigma + b_0 with b = - 2 J S / scale and b_0 = - 2 centre / scale.
    """

    hopping: HoppingTable
    factor: Float[Tensor, " replica"]
    """(replica,) 2 / scale."""
    local: Float[Tensor, "replica site 4"]
    """(replica, site, 4) b_x, b_y, b_z, b_0; its dtype and device are those of the calculation."""

    @classmethod
    def of(
        cls,
        model: SDModel,
        spins: Float[Tensor, "replica site 3"],
        bounds: Float[Tensor, "replica 2"],
        hopping: HoppingTable,
    ) -> ScaledHamiltonian:
        """H of ``model`` in the states ``spins``, on their device, for spectra within ``bounds`` (lowest, highest).

        The dtype is that of the table.
        """
        dtype = torch.float32 if hopping.real.dtype == np.float32 else torch.float64
        bounds = bounds.to(device=spins.device, dtype=torch.float64)
        centre, factor = bounds.mean(-1), 4 / (bounds[:, 1] - bounds[:, 0])
        spins = spins.to(torch.float64)
        local = torch.cat([-model.exchange * spins, -centre[:, None, None].expand_as(spins[..., :1])], dim=-1)
        return cls(
            hopping=hopping,
            factor=factor.to(dtype),
            local=(factor[:, None, None] * local).to(dtype).contiguous(),
        )

    def one(self, replica: int) -> ScaledHamiltonian:
        """H~ of a single state."""
        return ScaledHamiltonian(self.hopping, self.factor[replica : replica + 1], self.local[replica : replica + 1])
