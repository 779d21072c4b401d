"""The gap between filled and empty levels: from all levels, or by counting those below an energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.common.one_line import one_line
from sdgnn.electrons.ensemble import check_ensemble, check_twists, phases
from sdgnn.electrons.filling import WHOLE
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.kpm.bounds import spectral_bounds
from sdgnn.electrons.kpm.scaled import hopping_tables
from sdgnn.fields import check_spins

DENSE = 600
"""Orbitals up to which all levels are computed."""

RETRIES = 5
"""Energies tried for one count, where the first meets a pivot of zero."""


@dataclass(frozen=True)
class Gap:
    """Levels on both sides of the Fermi level at kT = 0."""

    below: Float[Tensor, " replica"]
    """(replica,) highest filled level, in t."""
    above: Float[Tensor, " replica"]
    """(replica,) lowest empty level, in t."""

    __repr__ = one_line

    @property
    def width(self) -> Float[Tensor, " replica"]:
        """(replica,) ``above`` - ``below``, in t."""
        return self.above - self.below

    @property
    def middle(self) -> Float[Tensor, " replica"]:
        """(replica,) mu as kT -> 0, in t."""
        return (self.above + self.below) / 2


def spectral_gap(
    model: SDModel,
    spins: Numbers,
    filling: float,
    twists: Sequence[int] | None = None,
    tolerance: float = 1e-4,
    dense: int = DENSE,
) -> Gap:
    """The gap above the lowest N_e = ``filling`` times 2 N_sites (times the number of ``twists``) levels.

    Up to ``dense`` orbitals from all levels, to rounding. Beyond, energies are bisected until the levels are known to
    ``tolerance`` (in t), counting levels below an energy e as the negative pivots of a sparse factorisation
    H - e = L D L^+ (Sylvester's law of inertia), about 40 factorisations for each twist and state: on two-dimensional
    lattices of N sites each costs some N^(3/2) operations and N ln N numbers; three-dimensional ones fill in as N^2.
    No gap is missed however narrow, but one below the tolerance is only known to be that narrow. A finite lattice
    always has a gap at a whole number of electrons, of the order of the width of the bands over the orbitals in a
    metal: compare with it, or use twists.

        gap = sdgnn.electrons.spectral_gap(model, spins, filling=0.25)
        print(gap.width, gap.middle)

    Raises UserError where N_e is not whole (a level is filled in part) or leaves no filled or no empty level, and
    NumericalError where no factorisation without exchange of rows is found.
    """
    spins = check_spins(spins, model.lattice).to(torch.float64)
    check_ensemble(0.0, None, filling)
    if not tolerance > 0:
        raise UserError(f"tolerance {tolerance}", allowed="a positive energy, in t")
    counts = check_twists(twists, model.lattice.dim)
    twist = phases(counts)
    orbitals = model.n_orbitals * len(twist)
    electrons = round(filling * orbitals)
    if abs(filling * orbitals - electrons) > WHOLE * orbitals or not 0 < electrons < orbitals:
        raise UserError(
            f"{filling * orbitals:g} electrons in {orbitals} orbitals",
            allowed="a whole number with filled and empty levels",
        )
    if model.n_orbitals <= dense:
        levels = torch.cat([torch.linalg.eigvalsh(model.matrix(spins, phase)) for phase in twist], dim=1).sort().values
        return Gap(levels[:, electrons - 1].cpu(), levels[:, electrons].cpu())
    bounds = spectral_bounds(model, spins, hopping_tables(model, counts)).tolist()
    pairs = []
    for state, (low, high) in zip(spins, bounds, strict=True):
        matrices = [_sparse(model, state, phase) for phase in twist]
        pairs.append(_bracket(partial(_levels_below, matrices), electrons, low, high, tolerance))
    edges = torch.tensor(pairs, dtype=torch.float64, device="cpu")
    return Gap(edges[:, 0], edges[:, 1])


def _bracket(
    count: Callable[[float], int], electrons: int, low: float, high: float, tolerance: float
) -> tuple[float, float]:
    """Energies of level ``electrons`` and the next, to the tolerance, between bounds of the spectrum."""
    while high - low > tolerance:
        energy = (low + high) / 2
        found = count(energy)
        if found == electrons:
            below = _edge(lambda e: count(e) >= electrons, low, energy, tolerance)
            above = _edge(lambda e: count(e) > electrons, energy, high, tolerance)
            return below, above
        low, high = (energy, high) if found < electrons else (low, energy)
    return low, high


def _edge(passed: Callable[[float], bool], low: float, high: float, tolerance: float) -> float:
    """Where ``passed`` becomes true, between an energy where it is false and one where it is true."""
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if passed(middle) else (middle, high)
    return (low + high) / 2


def _sparse(model: SDModel, spins: Tensor, twist: Sequence[float] | None) -> scipy.sparse.csc_array:
    """H of one state (site, 3)."""
    blocks, n = model.exchange_blocks(spins[None].cpu())[0].numpy(), len(spins)
    local = scipy.sparse.bsr_array((blocks, np.arange(n), np.arange(n + 1)), shape=(2 * n, 2 * n))
    return scipy.sparse.csc_array(model.orbital_matrix(twist) + local)


def _levels_below(matrices: list[scipy.sparse.csc_array], energy: float) -> int:
    """Levels below ``energy`` of all matrices together."""
    return sum(_negative_pivots(matrix, energy) for matrix in matrices)


def _negative_pivots(matrix: scipy.sparse.csc_array, energy: float) -> int:
    """Levels below ``energy``, or below one nearer to it than 1e-9, of one matrix."""
    unit = scipy.sparse.eye_array(matrix.shape[0], format="csc")
    for attempt in range(RETRIES):
        shifted = scipy.sparse.csc_matrix(matrix - (energy + attempt * 1e-10) * unit)
        try:
            factors = scipy.sparse.linalg.splu(
                shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # exactly singular
            continue
        # only rows and columns exchanged alike keep the signs of the pivots those of the levels
        if np.array_equal(factors.perm_r, factors.perm_c):
            return int((factors.U.diagonal().real < 0).sum())
    raise NumericalError(f"no symmetric factorisation of H - {energy:g}")
