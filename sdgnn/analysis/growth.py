"""Growth laws L ~ t^n: the exponent with its errors, and the local exponent d ln L / d ln t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from sdgnn.dynamics.times import in_window
from sdgnn.errors import UserError

LEAST_TIMES = 3
"""Times that a slope is fitted to at least."""
OFFSET_TIMES = 4
"""Times that a law with an offset is fitted to at least."""
EXPONENTS = np.linspace(0.05, 3.0, 296)
"""Exponents that a law with an offset is tried with."""


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
    times, values, draws, generator = _chosen(time, lengths, window, samples, seed, LEAST_TIMES)
    x, replicas = np.log(times), len(values)
    resampled = np.log(draws @ values)
    everything = np.log(values.mean(axis=0))[None]
    whole = np.ones((1, len(x)), dtype=bool)
    windows = _windows(x, samples, generator, LEAST_TIMES)
    slope, intercept = (float(v[0]) for v in _line(x, everything, whole))
    by_replica = _line(x, resampled, whole)[0].std(ddof=1) if replicas > 1 else math.nan
    by_window = _line(x, everything, windows)[0].std(ddof=1)
    together = _line(x, resampled, windows)[0].std(ddof=1) if replicas > 1 else math.nan
    return GrowthExponent(
        slope, float(by_replica), float(by_window), float(together), math.exp(intercept),
        (float(times[0]), float(times[-1])),
    )  # fmt: skip


@dataclass(frozen=True)
class OffsetGrowth:
    """n of L = L_0 + a t^n, fitted over a window of times."""

    value: float
    """n from the mean over all replicas."""
    error: float
    """Standard deviation of n when replicas and windows are drawn together, as for :class:`GrowthExponent`."""
    offset: float
    """L_0."""
    prefactor: float
    """a."""


def offset_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
    samples: int = 400,
    seed: int = 0,
) -> OffsetGrowth:
    """Least squares of L_0 + a t^n against <L>, relative to <L>, over L_0, a and n together.

    A length that has grown a few times its first value still carries it: L_0 + v t looks like a power below 1 to
    :func:`growth_exponent`, and like 1 to this fit, whose statistical error is larger in return. Times weigh as
    there; n is the best of :data:`EXPONENTS`. Raises UserError with fewer than four times.
    """
    times, values, draws, generator = _chosen(time, lengths, window, samples, seed, OFFSET_TIMES)
    x, mean = np.log(times), values.mean(axis=0)
    curves = np.concatenate([mean[None], draws @ values])
    within = np.concatenate([np.ones((1, len(x)), dtype=bool), _windows(x, samples, generator, OFFSET_TIMES)])
    weight = within * _shares(x) / mean**2
    weight /= weight.sum(axis=1, keepdims=True)
    centred = curves - (weight * curves).sum(axis=1, keepdims=True)
    best = np.full(len(curves), math.inf)
    found = np.zeros((3, len(curves)))
    for n in EXPONENTS:
        power = np.exp(n * (x - x[-1]))
        about = power - (weight @ power)[:, None]
        slope = (weight * centred * about).sum(axis=1) / (weight * about**2).sum(axis=1)
        rest = (weight * (centred - slope[:, None] * about) ** 2).sum(axis=1)
        law = np.stack([np.full(len(curves), n), curves[:, -1] - centred[:, -1] - slope * (weight @ power), slope])
        found = np.where(rest < best, law, found)
        best = np.minimum(rest, best)
    value, offset, at_end = map(float, found[:, 0])
    return OffsetGrowth(value, float(found[0, 1:].std(ddof=1)), offset, at_end * float(times[-1]) ** -value)


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


def _chosen(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None,
    samples: int,
    seed: int,
    least: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    """Times, (replica, time) lengths within the window, and (sample, replica) weights of a bootstrap over replicas."""
    inside = time > 0 if window is None else (time > 0) & in_window(time, window)
    values = lengths.detach().cpu().double().numpy()
    kept = inside & (np.isfinite(values) & (values > 0)).all(axis=0)
    if kept.sum() < least or samples < 2:
        raise UserError(
            f"a growth exponent from {int(kept.sum())} times and {samples} bootstrap samples",
            allowed=f"at least {least} times > 0 with finite lengths in all replicas, and 2 samples",
            fix="choose another window",
        )
    generator = np.random.default_rng(seed)
    replicas = len(values)
    draws = generator.multinomial(replicas, np.full(replicas, 1 / replicas), size=samples) / replicas
    return time[kept], values[:, kept], draws, generator


def _shares(x: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    """The stretch of ``x`` that each point stands for."""
    return np.diff(np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]]))


def _windows(
    x: Float[np.ndarray, " time"], samples: int, generator: np.random.Generator, least: int
) -> Bool[np.ndarray, "sample time"]:
    """Which times lie in each of the drawn windows: at least half of the range of ``x``, and ``least`` times."""
    low, high = x[0], x[-1]
    found: list[np.ndarray] = []
    while len(found) < samples:
        start = generator.uniform(low, (low + high) / 2, size=samples)
        end = generator.uniform((low + high) / 2, high, size=samples)
        long_enough = end - start >= (high - low) / 2
        within = (x >= start[:, None] - 1e-12) & (x <= end[:, None] + 1e-12)
        found += list(within[long_enough & (within.sum(axis=1) >= least)])
        if not found:  # so few times that only the whole window holds enough of them
            return np.ones((samples, len(x)), dtype=bool)
    return np.stack(found[:samples])


def _line(
    x: Float[np.ndarray, " time"], y: Float[np.ndarray, "_ time"], within: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes and intercepts of the lines through y(x), each over the times ``within``, weighted by their share of x."""
    weight = _shares(x) * within
    weight = weight / weight.sum(axis=1, keepdims=True)
    x_mean, y_mean = (weight * x).sum(axis=1), (weight * y).sum(axis=1)
    centred = x - x_mean[:, None]
    slope = (weight * centred * y).sum(axis=1) / (weight * centred**2).sum(axis=1)
    return slope, y_mean - slope * x_mean
