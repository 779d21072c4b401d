"""Hamiltonians drawn at random: exchange, temperature and filling of each from its own number."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from pydantic import AfterValidator

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Positive, Seed, Settings


def _increasing(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] > limits[1]:
        raise UserError(f"limits {list(limits)}", allowed="the lower one first")
    return limits


Limits = Annotated[tuple[Positive, Positive], AfterValidator(_increasing)]


class Drawn(NamedTuple):
    """Numbers of one Hamiltonian and its ensemble."""

    exchange: float
    """J."""
    kT: float
    """Temperature of the electrons."""
    filling: float
    """N_e / (2 N_sites)."""


class DrawnHamiltonians(Settings):
    """s-d Hamiltonians with hopping t = 1 between nearest neighbours, at fixed filling.

    Those of the default limits and seed are the Hamiltonians on which fields without training are judged
    (docs/truncated.md).
    """

    exchange: Limits = (1.0, 8.0)
    """Least and largest exchange J; uniform in its logarithm."""
    kT: Limits = (0.03, 0.2)
    """Least and largest temperature of the electrons; uniform in its logarithm."""
    filling: Limits = (0.05, 0.95)
    """Least and largest filling N_e / (2 N_sites); uniform."""
    seed: Seed = 13
    """Seed of the numbers."""

    def generator(self, number: int) -> np.random.Generator:
        """The random stream of Hamiltonian ``number``."""
        return np.random.default_rng([number, self.seed])

    def draw(self, generator: np.random.Generator) -> Drawn:
        """The next Hamiltonian of a stream."""
        exchange, kT = (float(np.exp(generator.uniform(*np.log(limits)))) for limits in (self.exchange, self.kT))
        return Drawn(exchange, kT, float(generator.uniform(*self.filling)))
