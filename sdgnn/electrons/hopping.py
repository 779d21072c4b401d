"""Hopping that depends on distance, and disorder of single bonds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sdgnn.common.errors import UserError
from sdgnn.common.settings import NotNegative, Positive, Seed, Settings
from sdgnn.lattice import Bonds


class ExponentialHopping(Settings):
    """t(r) = t exp(-(r - 1) / decay) w(r), with w falling from 1 at (1 + cutoff) / 2 to 0 at ``cutoff``.

    w = 1 - (10 x^3 - 15 x^4 + 6 x^5), twice differentiable, x from 0 to 1 between these two distances.
    """

    form: Literal["exponential"] = "exponential"
    """How hopping depends on distance."""
    t: float = 1.0
    """Hopping at the nearest-neighbour distance 1; the unit of energy when it is 1."""
    decay: Positive = 0.3
    """Distance over which the hopping falls to 1 / e."""
    cutoff: float = Field(1.8, gt=1)
    """Distance from which on there is none."""

    def __call__(self, lengths: Float[np.ndarray, " bond"]) -> Float[np.ndarray, " bond"]:
        """t(r) of bonds of these lengths."""
        return self.t * self.strength(lengths)

    def strength(self, lengths: Float[np.ndarray, " bond"]) -> Float[np.ndarray, " bond"]:
        """t(r) / t."""
        begin = (1 + self.cutoff) / 2
        return np.exp((1 - lengths) / self.decay) * fall((lengths - begin) / (self.cutoff - begin))


class BondDisorder(Settings):
    """t_ij = t (1 + delta_ij), with one number delta_ij drawn for each bond: Hermitian, of mean t.

    Bonds are numbered by their first end, length and direction, so one seed gives one realisation on a lattice.
    """

    width: NotNegative
    """delta is uniform in [-width, width], or normal with this standard deviation."""
    distribution: Literal["uniform", "normal"] = "uniform"
    """Law of delta."""
    seed: Seed = 0
    """Seed of the realisation."""

    def draw(self, bonds: Bonds) -> Float[np.ndarray, " bond"]:
        """delta of each bond, equal from either end."""
        back = bonds.reversed
        once = np.arange(len(bonds)) < back
        random = np.random.default_rng(self.seed)
        count = int(once.sum())
        drawn = random.uniform(-1, 1, count) if self.distribution == "uniform" else random.standard_normal(count)
        delta = np.zeros(len(bonds))
        delta[once] = self.width * drawn
        return np.where(once, delta, delta[back])


Hopping = tuple[float, ...] | ExponentialHopping
"""t_n by neighbour shell, nearest first, or a function of the distance."""


def fall(x: Float[np.ndarray, " ..."]) -> Float[np.ndarray, " ..."]:
    """1 for x <= 0, 0 for x >= 1, in between 1 - (10 x^3 - 15 x^4 + 6 x^5): twice differentiable."""
    inside = np.clip(x, 0, 1)
    return 1 - inside**3 * (10 - 15 * inside + 6 * inside**2)


def as_hopping(given: Sequence[float] | ExponentialHopping | Mapping[str, Any]) -> Hopping:
    """A hopping from numbers, or from the plain dict of a function of distance. Raises UserError on anything else."""
    if isinstance(given, ExponentialHopping):
        return given
    if isinstance(given, Mapping):
        return ExponentialHopping(**given)
    try:
        shells = tuple(float(t) for t in given)
    except (TypeError, ValueError) as error:
        raise UserError(f"hopping {given!r}", allowed="numbers, or an ExponentialHopping") from error
    if not shells or not np.isfinite(shells).all():
        raise UserError(f"hopping {list(shells)}", allowed="one finite hopping per neighbour shell, nearest first")
    return shells


def as_disorder(given: BondDisorder | Mapping[str, Any] | None) -> BondDisorder | None:
    """Bond disorder from its plain dict. Raises UserError on wrong entries."""
    if given is None or isinstance(given, BondDisorder):
        return given
    if isinstance(given, Mapping):
        return BondDisorder(**given)
    raise UserError(f"bond disorder {given!r}", allowed="a BondDisorder, or None")
