"""Growth laws L ~ t^n: the exponent with its errors, and the local exponent d ln L / d ln t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.errors import UserError

LEAST_TIMES = 3
"""Times that a slope is fitted to at least."""


@dataclass(frozen=True)
class GrowthExponent:
    """n of L = a t^n, fitted over a window of times."""

    value: float
    """n from the mean over all replicas and the whole window."""
    replica_error: float
    """Standard deviation of n over bootstrap samples of the replicas; nan with a single one."""
    window_error: float
    """Standard deviation of n over windows within the window, each at least half as long in ln t."""
    error: float
    """Standard deviation of n when replicas and windows are drawn together."""
    prefactor: float
    """a."""
    window: tuple[float, float]
    """First and last time of the fit."""

    def __str__(self) -> str:
        return f"{self.value:.3f} +- {self.error:.3f} (t = {self.window[0]:g} to {self.window[1]:g})"


def growth_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
    samples: int = 1000,
    seed: int = 0,
) -> GrowthExponent:
    """Least-squares slope of ln <L> against ln t, <> the mean over replicas, and its errors by bootstrap.

    Every stretch of ln t weighs alike, however densely it was measured. Times outside ``window``, times <= 0 and those
    with a length that is not finite and positive are left out. The statistical error is that over replicas drawn with
    replacement (Efron, Ann. Stat. 7, 1 (1979), doi:10.1214/aos/1176344552). The choice of the window is the larger
    error where the law is not yet, or no longer, a power: windows are drawn with their ends uniform in ln t, at least
    half of the given one long. Raises UserError with fewer than three times.
    """
    low, high = (0.0, math.inf) if window is None else window
    values = lengths.detach().cpu().double().numpy()
    kept = (time > 0) & (time >= low) & (time <= high) & (np.isfinite(values) & (values > 0)).all(axis=0)
    if kept.sum() < LEAST_TIMES or samples < 2:
        raise UserError(
            f"a growth exponent from {int(kept.sum())} times and {samples} bootstrap samples",
            allowed=f"at least {LEAST_TIMES} times > 0 with finite lengths in all replicas, and 2 samples",
            fix="choose another window",
        )
    x, values = np.log(time[kept]), values[:, kept]
    generator = np.random.default_rng(seed)
    replicas = len(values)
    draws = generator.multinomial(replicas, np.full(replicas, 1 / replicas), size=samples) / replicas
    resampled = np.log(draws @ values)
    everything = np.log(values.mean(axis=0))[None]
    whole = np.ones((1, len(x)), dtype=bool)
    windows = _windows(x, samples, generator)
    slope, intercept = (float(v[0]) for v in _line(x, everything, whole))
    by_replica = _line(x, resampled, whole)[0].std(ddof=1) if replicas > 1 else math.nan
    by_window = _line(x, everything, windows)[0].std(ddof=1)
    together = _line(x, resampled, windows)[0].std(ddof=1) if replicas > 1 else math.nan
    return GrowthExponent(
        slope, float(by_replica), float(by_window), float(together), math.exp(intercept),
        (float(time[kept][0]), float(time[kept][-1])),
    )  # fmt: skip


def local_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    factor: float = 2.0,
    samples: int = 400,
    seed: int = 0,
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"], Float[np.ndarray, " point"]]:
    """d ln <L> / d ln t at each time t: the slope over times from t / ``factor`` to t ``factor``.

    Returns times, exponents and bootstrap errors over replicas (nan with a single one), at the times whose whole
    stretch was measured and holds at least three times. A constant exponent is a law; a drift tells of corrections, of
    the finite cell or of arrest.
    """
    if not factor > 1:
        raise UserError(f"stretches by a factor of {factor}", allowed="a factor > 1")
    values = lengths.detach().cpu().double().numpy()
    kept = (time > 0) & (np.isfinite(values) & (values > 0)).all(axis=0)
    x, values = np.log(time[kept]), values[:, kept]
    within = np.abs(x[:, None] - x[None]) <= math.log(factor) * (1 + 1e-9)
    inside = (x - x[:1] >= math.log(factor) * (1 - 1e-9)) & (x[-1:] - x >= math.log(factor) * (1 - 1e-9))
    points = np.flatnonzero(inside & (within.sum(axis=1) >= LEAST_TIMES))
    replicas = len(values)
    draws = np.random.default_rng(seed).multinomial(replicas, np.full(replicas, 1 / replicas), size=samples) / replicas
    resampled = np.log(draws @ values)
    mean = np.log(values.mean(axis=0))[None]
    slopes = [_line(x, mean, within[[k]])[0][0] for k in points]
    errors = [_line(x, resampled, within[[k]])[0].std(ddof=1) if replicas > 1 else math.nan for k in points]
    return np.exp(x[points]), np.array(slopes), np.array(errors)


def _windows(x: Float[np.ndarray, " time"], samples: int, generator: np.random.Generator) -> np.ndarray:
    """(sample, time) which times lie in each of the drawn windows, at least half of the range of ``x`` long."""
    low, high = x[0], x[-1]
    found: list[np.ndarray] = []
    while len(found) < samples:
        start = generator.uniform(low, (low + high) / 2, size=samples)
        end = generator.uniform((low + high) / 2, high, size=samples)
        long_enough = end - start >= (high - low) / 2
        within = (x >= start[:, None] - 1e-12) & (x <= end[:, None] + 1e-12)
        found += list(within[long_enough & (within.sum(axis=1) >= LEAST_TIMES)])
        if not found:  # so few times that only the whole window holds enough of them
            return np.ones((samples, len(x)), dtype=bool)
    return np.stack(found[:samples])


def _line(
    x: Float[np.ndarray, " time"], y: Float[np.ndarray, "_ time"], within: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and intercepts of the lines through y(x), each over the times ``within``, weighted by their share of x."""
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    weight = np.diff(edges) * within
    weight = weight / weight.sum(axis=1, keepdims=True)
    x_mean, y_mean = (weight * x).sum(axis=1), (weight * y).sum(axis=1)
    centred = x - x_mean[:, None]
    slope = (weight * centred * y).sum(axis=1) / (weight * centred**2).sum(axis=1)
    return slope, y_mean - slope * x_mean
