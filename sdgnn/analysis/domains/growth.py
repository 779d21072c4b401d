"""Growth laws L ~ t^n: the exponent, what its error covers, and how windows and routes to a length agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import minimize_scalar
from scipy.stats import t as student
from torch import Tensor

from sdgnn.analysis.statistics.means import jackknife
from sdgnn.common.errors import UserError
from sdgnn.dynamics.times import in_window

LEAST_TIMES = 3
"""Times that a slope is fitted to at least."""
BENT_TIMES = 4
"""Times that a law with an offset or a delay is fitted to at least."""
EXPONENTS = np.linspace(0.05, 3.0, 60)
"""Exponents that a law with an offset is tried with, before the best one is refined."""
DELAYS = np.concatenate([-np.geomspace(20.0, 0.001, 80), [0.0]])
"""Negative delays that a law is tried with, in units of the last time, before the best one is refined."""
LATE = np.linspace(0.02, 0.97, 60)
"""Positive ones, in units of the first time."""
CONFIDENCE = 0.95
"""Share of steady laws, and of routes of one law, that pass for what they are."""
ONE_SIGMA = 0.6827
"""Share of cases that one error of a law's exponent is made to hold."""
LARGEST = 700.0
"""Exponents of e beyond this are infinite."""
RESOLVED = 1e-9
"""Differences of exponents below this are rounding."""


@dataclass(frozen=True)
class GrowthExponent:
    """n of L = a t^n, fitted over a window of times."""

    value: float
    """n from the mean over all replicas."""
    error: float
    """Standard error of n over replicas: how far the n of infinitely many replicas may be, in this window and by this
    length. Tells nothing about later times or another length. nan with a single replica."""
    drift: float
    """n in the second half of the window, in ln t, less n in the first."""
    drift_error: float
    """Standard error of the drift over replicas; nan with a single one."""
    prefactor: float
    """a."""
    window: tuple[float, float]
    """First and last time of the fit."""
    replicas: int
    """Number of replicas."""

    @property
    def drifts(self) -> bool:
        """Whether n changes within the window by more than the replicas explain (Student's t, 95 %).

        Then n is that of no law, its error covers nothing else, and the text of the result shows the drift in place of
        the error. No drift does not make n the exponent of late times: the smaller the window, the larger the drift
        that is not seen. False with a single replica, about which nothing is known.
        """
        return _differs(self.drift, self.drift_error, self.replicas)

    def __str__(self) -> str:
        when = f"(t = {self.window[0]:g} to {self.window[1]:g})"
        if self.drifts:
            return f"{self.value:.3f}, drifting by {self.drift:+.3f} +- {self.drift_error:.3f} {when}"
        return f"{self.value:.3f} +- {self.error:.3f} {when}"


def growth_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
) -> GrowthExponent:
    """Least-squares slope of ln <L> against ln t, <> the mean over replicas, with its error and its drift.

    Every stretch of ln t weighs alike, however densely it was measured. Times outside ``window``, times <= 0 and those
    with a length that is not finite and positive are left out. Errors are those of
    :func:`~sdgnn.analysis.statistics.means.jackknife`. The drift is that of the parabola which fits ln <L> best. Raises
    UserError with fewer than three times.
    """
    times, kept = _chosen(time, lengths, window, LEAST_TIMES)
    x = np.log(times)

    def fit(sample: Tensor) -> Tensor:
        y = sample.mean(0).log().numpy()
        slope, middle = _polynomial(x, y, 1)
        return torch.tensor([slope, _polynomial(x, y, 2)[0] * (x[-1] - x[0]), middle - slope * x.mean()], device="cpu")

    (value, drift, intercept), (error, drift_error, _) = (found.tolist() for found in jackknife(kept, fit))
    return GrowthExponent(
        value, error, drift, drift_error, math.exp(intercept), (float(times[0]), float(times[-1])), len(kept)
    )


@dataclass(frozen=True)
class OffsetGrowth:
    """n of L = L_0 + a t^n, fitted over a window of times."""

    value: float
    """n from the mean over all replicas; nan where none within 0.05 to 3 fits best, so that L follows no such law."""
    error: float
    """Standard error of n over replicas, if L follows such a law; nan with a single one, and where that is so only
    because of one replica."""
    offset: float
    """L_0."""
    prefactor: float
    """a."""


def offset_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
) -> OffsetGrowth:
    """Least squares of L_0 + a t^n against <L>, relative to <L>, over L_0, a and n together.

    A length that has grown a few times its first value still carries it: L_0 + v t looks like a power below 1 to
    :func:`growth_exponent`, and like 1 to this fit, whose error is larger in return. Weights of times and errors are
    those of :func:`growth_exponent`. Raises UserError with fewer than four times.
    """
    times, kept = _chosen(time, lengths, window, BENT_TIMES)
    x = np.log(times)
    estimate, error = jackknife(
        kept, lambda sample: torch.tensor(_beside_offset(x, sample.mean(0).numpy()), device="cpu")
    )
    value, offset, prefactor = estimate.tolist()
    return OffsetGrowth(value, float(error[0]), offset, prefactor)


@dataclass(frozen=True)
class DelayedGrowth:
    """n of L = a (t - t_0)^n, fitted over a window of times."""

    value: float
    """n from the mean over all replicas; nan where the best t_0 is at the end of those that are tried."""
    error: float
    """Standard error of n over replicas, if L follows such a law; nan with a single one, and where that is so only
    because of one replica."""
    delay: float
    """t_0, positive where growth began late, negative where the first length was not 0."""
    prefactor: float
    """a."""


def delayed_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
) -> DelayedGrowth:
    """Least squares of ln a + n ln(t - t_0) against ln <L>, over a, n and t_0 together.

    Where the pace dL/dt depends on L alone, as that of walls driven by their curvature, L is a law of t - t_0, whatever
    came before: the time that the order takes to form, or the length that the domains had first. A late begin looks
    like a power above n to :func:`growth_exponent`, like linear growth for instance. t_0 is sought from -20 times the
    last time to 0.97 times the first. Weights of times and errors are those of :func:`growth_exponent`. Raises
    UserError with fewer than four times.
    """
    times, kept = _chosen(time, lengths, window, BENT_TIMES)
    estimate, error = jackknife(
        kept, lambda sample: torch.tensor(_delayed(times, sample.mean(0).numpy()), device="cpu")
    )
    value, delay, prefactor = estimate.tolist()
    return DelayedGrowth(value, float(error[0]), delay, prefactor)


@dataclass(frozen=True)
class LawExponent:
    """n of a law of growth, where it is not known whether the lengths bear the traces of what came before."""

    value: float
    """n, the mean over both laws; nan with a single replica, and where the lengths bend and follow neither."""
    error: float
    """Half the width of the interval that is made to hold n in 68 % of cases."""
    bend_weight: float
    """Weight of the law with a delay or an offset, from 0 to 1."""

    def __str__(self) -> str:
        return f"{self.value:.3f} +- {self.error:.3f}"


def law_exponent(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None = None,
    bend: Literal["delay", "offset"] = "delay",
) -> LawExponent:
    """The n of a law of growth: the mean over a t^n and a bent law, each by how well the lengths bear it out::

        found = sdgnn.analysis.law_exponent(time, lengths, window=(20, 200))
        print(found, found.bend_weight)

    :func:`growth_exponent` (n_1, drift D with error s) is the sharper where L is a plain power and far off where it is
    not; the bent law, a (t - t_0)^n of :func:`delayed_exponent` or with ``bend="offset"`` L_0 + a t^n of
    :func:`offset_exponent` (n_2), holds in both cases, with a larger error. From R replicas

    - w / (1 - w) = exp((1 - R ln(1 + (D / s)^2 / (R - 1))) / 2), the likelihood ratio of laws without and with a bend,
      less the mean gain of a parameter that means nothing;
    - value = w n_1 + (1 - w) n_2;
    - error^2 = (k e)^2 + w (1 - w) (n_1 - n_2)^2, e the jackknife of the value at this w, and k what makes one error of
      Student's distribution with R - 1 degrees of freedom hold 68 %: 1.20 for 4 replicas, 1.08 for 8.

    Averages over laws: Burnham and Anderson, Sociol. Methods Res. 33, 261 (2004), doi:10.1177/0049124104268644. Trials
    with known laws: docs/domain-growth.md. Raises UserError with fewer than four times.
    """
    times, kept = _chosen(time, lengths, window, BENT_TIMES)
    x, replicas = np.log(times), len(kept)
    if replicas < 2:
        return LawExponent(math.nan, math.nan, math.nan)

    def both(sample: Tensor) -> Tensor:
        mean = sample.mean(0).numpy()
        plain, drift = _polynomial(x, np.log(mean), 1)[0], _polynomial(x, np.log(mean), 2)[0] * (x[-1] - x[0])
        bent = (_delayed(times, mean) if bend == "delay" else _beside_offset(x, mean))[0]
        return torch.tensor([plain, bent, plain + bent, drift], device="cpu")

    (plain, bent, _, drift), errors = (found.tolist() for found in jackknife(kept, both))
    first, second, together, scatter = errors
    widened = float(student.ppf((1 + ONE_SIGMA) / 2, replicas - 1))
    if not math.isfinite(together):
        if _differs(drift, scatter, replicas):
            return LawExponent(math.nan, math.nan, math.nan)
        return LawExponent(plain, widened * first, 0.0)
    bends = max(abs(drift) - RESOLVED, 0.0) / max(scatter, RESOLVED)
    w = 1 / (1 + math.exp(min((replicas * math.log1p(bends**2 / (replicas - 1)) - 1) / 2, LARGEST)))
    common = together**2 - first**2 - second**2  # twice the covariance
    variance = (w * first) ** 2 + ((1 - w) * second) ** 2 + w * (1 - w) * common
    between = w * (1 - w) * (plain - bent) ** 2
    return LawExponent(w * plain + (1 - w) * bent, math.sqrt(widened**2 * max(variance, 0.0) + between), 1 - w)


@dataclass(frozen=True)
class RouteSpread:
    """How far exponents by several routes to a length are apart."""

    value: float
    """The largest n less the smallest."""
    error: float
    """Standard error of this difference over replicas, which the routes share; nan with a single one."""
    disagree: bool
    """Whether any two routes differ by more than the replicas explain (Student's t, 95 % for all pairs together): L is
    no single length then, and no error of one route is that of the law. False with a single replica."""

    def __str__(self) -> str:
        told = f"routes differ by {self.value:.3f} +- {self.error:.3f}"
        return f"{told}: no single law" if self.disagree else told


def route_spread(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "route replica time"],
    window: tuple[float, float] | None = None,
) -> RouteSpread:
    """Exponents by several routes against one another, each the slope of :func:`growth_exponent` at the same times.

    ``lengths`` are those of the same replicas, whose chance is common to all routes: errors are those of differences.
    Raises UserError with fewer than two routes or three times at which all have finite lengths.
    """
    routes, replicas = lengths.shape[:2]
    if routes < 2:
        raise UserError(f"a spread between {routes} routes", allowed="at least 2")
    times, kept = _chosen(time, lengths.flatten(0, 1), window, LEAST_TIMES)
    x, by_replica = np.log(times), kept.unflatten(0, (routes, replicas)).transpose(0, 1)

    def differences(sample: Tensor) -> Tensor:
        slopes = torch.from_numpy(_polynomial(x, sample.mean(0).log().numpy().T, 1)[0])
        return slopes[:, None] - slopes

    apart, errors = jackknife(by_replica, differences)
    first, second = divmod(int(apart.argmax()), routes)
    pairs = routes * (routes - 1) // 2
    disagree = any(_differs(float(d), float(e), replicas, pairs) for d, e in zip(apart.ravel(), errors.ravel()))
    return RouteSpread(float(apart[first, second]), float(errors[first, second]), disagree)


def local_exponent(
    time: Float[np.ndarray, " time"], lengths: Float[Tensor, "replica time"], factor: float = 2.0
) -> tuple[Float[np.ndarray, " point"], Float[np.ndarray, " point"], Float[np.ndarray, " point"]]:
    """d ln <L> / d ln t at each time t: the slope over times from t / ``factor`` to t ``factor``.

    Returns times, exponents and standard errors over replicas (nan with a single one), at the times whose whole
    stretch was measured and holds at least three times. A constant exponent is a law; a drift tells of corrections, of
    the finite cell or of arrest.
    """
    if not factor > 1:
        raise UserError(f"stretches by a factor of {factor}", allowed="a factor > 1")
    kept = _measured(time, lengths, None)
    x, values = np.log(time[kept]), lengths.detach().cpu().double()[:, torch.from_numpy(kept)]
    within = np.abs(x[:, None] - x[None]) <= math.log(factor) * (1 + 1e-9)
    inside = (x - x[:1] >= math.log(factor) * (1 - 1e-9)) & (x[-1:] - x >= math.log(factor) * (1 - 1e-9))
    points = np.flatnonzero(inside & (within.sum(axis=1) >= LEAST_TIMES))

    def slopes(sample: Tensor) -> Tensor:
        y = sample.mean(0).log().numpy()
        return torch.tensor(
            [_polynomial(x[within[k]], y[within[k]], 1)[0] for k in points], dtype=torch.float64, device="cpu"
        )

    found, errors = jackknife(values, slopes)
    return np.exp(x[points]), found.numpy(), errors.numpy()


def within_window(time: Float[np.ndarray, " time"], window: tuple[float, float] | None) -> Bool[np.ndarray, " time"]:
    """Which times are positive and within ``window``, its ends included; by default all times > 0."""
    return (time > 0) & (in_window(time, window) if window is not None else True)


def _measured(
    time: Float[np.ndarray, " time"], lengths: Float[Tensor, "replica time"], window: tuple[float, float] | None
) -> Bool[np.ndarray, " time"]:
    """Which times within the window have finite, positive lengths in all replicas."""
    values = lengths.detach().cpu().double()
    return within_window(time, window) & (values.isfinite() & (values > 0)).all(0).numpy()


def _chosen(
    time: Float[np.ndarray, " time"],
    lengths: Float[Tensor, "replica time"],
    window: tuple[float, float] | None,
    least: int,
) -> tuple[Float[np.ndarray, " chosen"], Float[Tensor, "replica chosen"]]:
    """Times of a fit, and the lengths at them."""
    kept = _measured(time, lengths, window)
    if kept.sum() < least:
        raise UserError(
            f"a growth exponent from {int(kept.sum())} times",
            allowed=f"at least {least} times > 0 with finite lengths in all replicas",
            fix="choose another window",
        )
    return time[kept], lengths.detach().cpu().double()[:, torch.from_numpy(kept)]


def _shares(x: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
    """The stretch of ``x`` that each point stands for."""
    return np.diff(np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]]))


def _polynomial(x: Float[np.ndarray, " time"], y: Float[np.ndarray, " time *curve"], degree: int) -> np.ndarray:
    """Coefficients of the least-squares fit of y(x) in powers of x - <x>, highest first, points by their share."""
    return np.polyfit(x - x.mean(), y, degree, w=np.sqrt(_shares(x)))


def _beside_offset(x: Float[np.ndarray, " time"], mean: Float[np.ndarray, " time"]) -> tuple[float, float, float]:
    """n, L_0 and a of the best L_0 + a t^n, x = ln t; nan where the best n is at the end of those that are tried."""
    weight = _shares(x) / mean**2
    weight /= weight.sum()

    def law(n: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3 n"]:
        """L_0, a t_last^n, and the mean square of what is left, for each n."""
        power = np.exp(np.outer(n, x - x[-1]))
        about = power - (power @ weight)[:, None]
        slope = about @ (weight * mean) / (about**2 @ weight)
        offset = weight @ mean - slope * (power @ weight)
        return np.stack([offset, slope, (mean - offset[:, None] - slope[:, None] * power) ** 2 @ weight])

    best = int(np.argmin(law(EXPONENTS)[2]))
    if best in (0, len(EXPONENTS) - 1):
        return math.nan, math.nan, math.nan
    between = (EXPONENTS[best - 1], EXPONENTS[best + 1])
    refined = minimize_scalar(
        lambda n: law(np.array([n]))[2, 0], bounds=between, method="bounded", options={"xatol": 1e-7}
    )
    n = float(refined.x)
    offset, at_end, _ = law(np.array([n]))[:, 0].tolist()
    return n, offset, at_end * math.exp(-n * x[-1])


def _delayed(times: Float[np.ndarray, " time"], mean: Float[np.ndarray, " time"]) -> tuple[float, float, float]:
    """n, t_0 and a of the best a (t - t_0)^n; nan where the best t_0 is at the end of those that are tried."""
    weight = _shares(np.log(times))
    weight /= weight.sum()
    y = np.log(mean) - weight @ np.log(mean)

    def law(delay: Float[np.ndarray, " delay"]) -> Float[np.ndarray, "2 delay"]:
        """n and the mean square of what is left, for each t_0."""
        x = np.log(times - delay[:, None])
        x -= (x @ weight)[:, None]
        n = (x * weight) @ y / (x**2 @ weight)
        return np.stack([n, (y - n[:, None] * x) ** 2 @ weight])

    tried = np.concatenate([DELAYS * times[-1], LATE * times[0]])
    best = int(np.argmin(law(tried)[1]))
    if best in (0, len(tried) - 1):
        return math.nan, math.nan, math.nan
    between = (tried[best - 1], tried[best + 1])
    refined = minimize_scalar(
        lambda delay: law(np.array([delay]))[1, 0], bounds=between, method="bounded",
        options={"xatol": 1e-7 * times[0]},
    )  # fmt: skip
    delay = float(refined.x)
    n = float(law(np.array([delay]))[0, 0])
    return n, delay, math.exp(weight @ (np.log(mean) - n * np.log(times - delay)))


def _differs(difference: float, error: float, replicas: int, tests: int = 1) -> bool:
    """Whether a difference is more than chance, by Student's t; of several ``tests`` the first (Bonferroni)."""
    if replicas < 2:
        return False
    quantile = float(student.ppf(1 - (1 - CONFIDENCE) / (2 * tests), replicas - 1))
    return abs(difference) > max(quantile * error, RESOLVED)
