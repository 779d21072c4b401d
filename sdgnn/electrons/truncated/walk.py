"""What a walk of spinors inside balls is asked for, whether by compiled loops or by tensor operations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.electrons.truncated.balls import Ball
from sdgnn.hamiltonian import SDModel

EDGE = 0.1
"""Exponent g of the damping D = exp(-g) at the edge of balls."""

BACKGROUND = 0.01
"""eps of :mod:`sdgnn.electrons.truncated.prediction`."""


@dataclass(frozen=True)
class WalkSettings:
    """Numbers of a walk."""

    cutoff: int
    """Bonds from the centre of a ball to its edge."""
    steps: int
    """m: steps of the walk, which gives 2 m + 1 moments."""
    count: int
    """Moments with those that are predicted."""
    centre: float
    """H~ = (H - centre) / scale has its spectrum inside [-1, 1]."""
    scale: float
    """Half the width of the spectrum."""
    damping: float = math.exp(-EDGE)
    """D at the edge."""
    background: float = BACKGROUND
    """eps of the prediction."""


class Walk(ABC):
    """Moments of all sites of a lattice and their slopes, one state at a time."""

    def __init__(self, model: SDModel, settings: WalkSettings) -> None:
        self.model, self.settings = model, settings

    @abstractmethod
    def totals(
        self, spins: Float[Tensor, "site 3"], own: Int[np.ndarray, " origin"] | None = None
    ) -> Float[np.ndarray, " moment"]:
        """tr M_n summed over all sites, or over ``own``."""

    @abstractmethod
    def slopes(
        self,
        spins: Float[Tensor, "site 3"],
        coefficients: Float[np.ndarray, " moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
    ) -> tuple[Float[Tensor, " site"], Float[Tensor, "site 4"]]:
        """sum_n c_n tr M_n of each site, and the slopes of their sum in S_x, S_y, S_z and the on-site energy.

        With ``origins``, the sum over these sites alone.
        """

    @abstractmethod
    def memory(self) -> float:
        """Bytes that an evaluation takes besides spins and result."""

    def on_sublattice(self, sublattice: int, origins: Int[np.ndarray, " origin"] | None) -> Int[np.ndarray, " some"]:
        """Those of the ``origins``, or of all sites of a crystal, that are on one sublattice."""
        lattice = self.model.lattice
        if origins is None:
            return np.arange(sublattice, lattice.n_sites, lattice.n_basis)
        return origins[origins % lattice.n_basis == sublattice]

    def sites_of(self, ball: Ball, origins: Int[np.ndarray, " origin"]) -> Int[np.ndarray, "origin site"]:
        """Sites of a crystal in the balls around ``origins``, periodic images included."""
        lattice = self.model.lattice
        assert lattice.shape is not None
        cells = np.stack(np.unravel_index(origins // lattice.n_basis, lattice.shape), axis=-1)
        moved = (cells[:, None] + ball.cells) % np.array(lattice.shape)
        index = np.ravel_multi_index(tuple(np.moveaxis(moved, -1, 0)), lattice.shape)
        return index * lattice.n_basis + ball.member
