"""Dynamical scaling: collapse of correlation functions and structure factors at different times, and Porod's tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.statistics.means import jackknife
from sdgnn.common.errors import UserError


@dataclass(frozen=True, eq=False)
class Collapse:
    """Curves of several times in scaled variables, on one grid, and how well they fall onto one another."""

    x: Float[np.ndarray, " point"]
    """(point,) r / L(t), or k L(t)."""
    curves: Float[np.ndarray, "time point"]
    """(time, point) means over replicas: C(r, t) / C(0, t), or S(k, t) / L^dim."""
    errors: Float[np.ndarray, "time point"]
    """(time, point) their standard errors."""
    quality: float
    """Variance between the times over the variance that the standard errors explain, mean over the grid. About 1 or
    less: the curves agree within their errors; 25: they miss one another by 5 standard errors. With n replicas of K
    independent times the expectation under a perfect collapse is m / (m - 2), m = K (n - 1)."""
    spread: float
    """Root mean square difference between a time and the mean of all, relative to the largest mean. Says how large a
    violation is, while ``quality`` says whether it is one."""


def collapse_correlation(
    distance: Float[Tensor, " distance"],
    correlation: Float[Tensor, "time replica distance"],
    lengths: Float[Tensor, " time"],
    x: Float[np.ndarray, " point"] | None = None,
) -> Collapse:
    """C(r, t) / C(0, t) = f(r / L(t)): curves from ``radial_correlation`` at several times, with the mean L at each.

    x: where the curves are compared, by default 24 values from 0.1 to 2. Lengths from the half height of C make the
    curves cross at x = 1 whatever happens; lengths from another route (walls) test more. Bray, Adv. Phys. 43, 357
    (1994), doi:10.1080/00018739400101505.
    """
    grid = np.linspace(0.1, 2, 24) if x is None else x
    scaled = distance.double()[None] / lengths.double()[:, None]
    return _collapse(scaled, correlation.double() / correlation[..., :1].double(), grid)


def collapse_structure_factor(
    k: Float[Tensor, " bin"],
    factor: Float[Tensor, "time replica bin"],
    lengths: Float[Tensor, " time"],
    dim: int,
    x: Float[np.ndarray, " point"] | None = None,
) -> Collapse:
    """S(k, t) = L(t)^dim g(k L(t)): curves from ``radial_average`` at several times, with the mean L at each.

    x: where the curves are compared, by default 24 values, equally spaced, in the middle of the range that all share.
    """
    scaled = k.double()[None] * lengths.double()[:, None]
    if x is None:
        start = scaled[:, 1:2] if float(k[0]) == 0 else scaled[:, :1]
        x = np.linspace(float(start.max()), float(scaled[:, -1].min()) / 2, 24)
    return _collapse(scaled, factor.double() / lengths.double()[:, None, None] ** dim, x)


def _collapse(
    scaled: Float[Tensor, "time point"], values: Float[Tensor, "time replica point"], grid: Float[np.ndarray, " grid"]
) -> Collapse:
    times, replicas = values.shape[:2]
    if times < 2 or replicas < 2:
        raise UserError(f"a collapse of {times} times and {replicas} replicas", allowed="at least 2 of either")
    low, high = float(scaled[:, 0].max()), float(scaled[:, -1].min())
    if not (low <= grid[0] < grid[-1] <= high):
        raise UserError(
            f"a collapse from {grid[0]:.3g} to {grid[-1]:.3g}",
            allowed=f"from {low:.3g} to {high:.3g}, where every time has values",
            fix="leave out the latest times or compare on a shorter range",
        )
    on_grid = np.stack([[np.interp(grid, s, row) for row in v] for s, v in zip(scaled.numpy(), values.numpy())])
    curves, errors = on_grid.mean(axis=1), on_grid.std(axis=1, ddof=1) / replicas**0.5
    master = curves.mean(axis=0)
    between = ((curves - master) ** 2).sum(axis=0)
    explained = (errors**2).sum(axis=0) * (times - 1) / times
    spread = np.sqrt(((curves - master) ** 2).mean()) / np.abs(master).max()
    return Collapse(grid, curves, errors, float((between / explained).mean()), float(spread))


@dataclass(frozen=True)
class PorodTail:
    """S(k) = A k^-p at large k."""

    exponent: float
    """p; dim + 1 for sharp walls of a scalar order parameter."""
    error: float
    """Standard error of p over replicas; nan with a single one."""
    amplitude: float
    """A if p is taken as dim + 1: the mean of S k^(dim + 1). In two dimensions, for phases +-1 on n sites per area with
    walls of length w per area, A = 8 n w."""


def porod_tail(
    k: Float[Tensor, " bin"], factor: Float[Tensor, "replica bin"], window: tuple[float, float], dim: int
) -> PorodTail:
    """Porod's tail in the range ``window`` of wave numbers, from ``radial_average`` about the peak.

    The exponent is the least-squares slope of ln <S> against ln k, with the error over replicas. The window should lie
    between a few 2 pi / L and about 1 / (width of a wall), and well within the zone. G. Porod, Kolloid-Z. 124, 83
    (1951), doi:10.1007/BF01512792; Bray, Adv. Phys. 43, 357 (1994), doi:10.1080/00018739400101505.
    """
    kept = (k >= window[0]) & (k <= window[1]) & (k > 0)
    if int(kept.sum()) < 3:
        raise UserError(f"a tail from {int(kept.sum())} wave numbers in {window}", allowed="at least 3")
    x, values = k[kept].double().log(), factor[:, kept].double()
    centred = x - x.mean()

    def exponent(sample: Tensor) -> Tensor:
        return -(centred * sample.mean(0).log()).sum() / centred.square().sum()

    value, error = jackknife(values, exponent)
    amplitude = (values.mean(0) * (x * (dim + 1)).exp()).mean()
    return PorodTail(float(value), float(error), float(amplitude))
