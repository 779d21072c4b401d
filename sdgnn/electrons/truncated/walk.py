"""What a walk of spinors inside balls is asked for, whether by compiled loops or by tensor operations."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.truncated.balls import TOGETHER, Ball, crystal_balls, site_balls

KEPT = 10**8
"""Amplitudes, at most, of pairs of neighbours in balls around single sites that are kept between evaluations."""

EDGE = 0.15
"""Exponent g of the damping D = exp(-g) at the edge of balls."""

RESOLUTION, LEAST, ROUNDING = 5.0, 3e-4, 4e-6
"""eps of :mod:`sdgnn.electrons.truncated.prediction` is the first over the square of the moments, but not below the
second nor, in float32, below the third times the moments: rounding must not make the density of states negative."""


def background(moments: int, dtype: torch.dtype) -> float:
    """eps of a prediction from ``moments`` moments."""
    return max(RESOLUTION / moments**2, LEAST, ROUNDING * moments if dtype == torch.float32 else 0.0)


@dataclass(frozen=True)
class Channel:
    """Walks that begin with a spinor along the spin, or against it."""

    side: int
    """1 along the spin, -1 against it."""
    steps: int
    """m: steps of the walk, which gives 2 m + 1 moments."""
    background: float = LEAST
    """eps of the prediction."""


@dataclass(frozen=True)
class WalkSettings:
    """Numbers of walks."""

    cutoff: int
    """Bonds from the centre of a ball to its edge."""
    channels: tuple[Channel, ...]
    """The walks from each site."""
    count: int
    """Moments with those that are predicted."""
    centre: float
    """H~ = (H - centre) / scale has its spectrum inside [-1, 1]."""
    scale: float
    """Half the width of the spectrum."""
    damping: float = math.exp(-EDGE)
    """D at the edge."""

    @property
    def steps(self) -> int:
        """Steps of the longest walk."""
        return max(channel.steps for channel in self.channels)


class Walk(ABC):
    """Moments of all sites of a lattice and their slopes, of many states at once."""

    def __init__(self, model: SDModel, settings: WalkSettings) -> None:
        self.model, self.settings = model, settings

    def totals(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> Float[np.ndarray, "state moment"]:
        """M_n, with those that are predicted, summed over channels and over all sites or ``origins``."""
        return self.moments(spins, origins)[1]

    @abstractmethod
    def moments(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> tuple[Float[Tensor, "state site channel computed"], Float[np.ndarray, "state moment"]]:
        """Moments of each site and channel before prediction, 0 beyond those of a shorter walk; and :meth:`totals`.

        With ``origins``, of these sites alone; zeros stand for the others.
        """

    @abstractmethod
    def slopes(
        self,
        spins: Float[Tensor, "state site 3"],
        coefficients: Float[np.ndarray, "state moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
        more: Float[Tensor, "state site channel computed"] | None = None,
    ) -> tuple[Float[Tensor, "state site"], Float[Tensor, "state site 4"]]:
        """sum_n c_n M_n of each site, and the slopes of their sum in S_x, S_y, S_z and the on-site energy.

        With ``origins``, the sum over these sites alone. With ``more``, the slopes are those of a function of the
        moments before prediction, too, which has these slopes in them; the energies are not.
        """

    def balls(self, origins: Int[np.ndarray, " origin"] | None) -> Iterator[tuple[Ball, Int[np.ndarray, " some"]]]:
        """Balls with the sites that they are around: those of a sublattice of a uniform crystal, or single ones."""
        lattice, settings = self.model.lattice, self.settings
        if self.model.is_uniform:
            for b, ball in enumerate(self._of_crystal):
                every = np.arange(b, lattice.n_sites, lattice.n_basis)
                yield ball, every if origins is None else origins[origins % lattice.n_basis == b]
            return
        sites = np.arange(lattice.n_sites) if origins is None else origins
        if origins is None and self._of_sites is not None:
            yield from zip(self._of_sites, sites[:, None], strict=True)
            return
        kept: list[Ball] = []
        for some in np.array_split(sites, max(1, -(-len(sites) // TOGETHER))):
            made = site_balls(self.model, settings.cutoff, settings.steps, some)
            if len(sites) * made[0].amplitude.size < KEPT:
                kept += made
            yield from zip(made, some[:, None], strict=True)
        if origins is None and len(kept) == len(sites):
            self._of_sites = kept

    @cached_property
    def _of_crystal(self) -> list[Ball]:
        return crystal_balls(self.model, self.settings.cutoff, self.settings.steps)

    _of_sites: list[Ball] | None = None

    def cells(self, sites: Int[np.ndarray, " some"]) -> Int[np.ndarray, "some dim"]:
        """Unit cells of sites of a uniform crystal; of balls around single sites, nothing."""
        return self.model.lattice.cells(sites) if self.model.is_uniform else np.zeros((len(sites), 0), dtype=np.int64)

    def sites_of(self, ball: Ball, origins: Int[np.ndarray, " some"]) -> Int[np.ndarray, "some site"]:
        """Sites in the balls around ``origins``, periodic images included."""
        members = np.broadcast_to(ball.member, (len(origins), len(ball)))
        if not self.model.is_uniform:
            return members
        return self.model.lattice.sites_at(self.cells(origins)[:, None] + ball.images, members)
