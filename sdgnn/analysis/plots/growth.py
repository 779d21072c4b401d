"""Quantities through time: domain growth on double logarithmic axes, order parameters with error bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.plots.style import (
    BARS,
    TIME,
    Curve,
    as_arrays,
    band,
    level,
    look,
    one_panel,
    plain_numbers,
    remark,
    style,
)
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

LATE = 5.0
"""Late times are those from this part of the last on."""
LEAST = 3
"""Times from which on a slope is seen."""
LEAST_SLOPE = 0.1
"""Slope of ln L against ln t below which a length does not grow."""


@style()
def domain_growth(
    curves: Mapping[str, Curve],
    laws: Sequence[float] = (0.5, 1.0),
    limit: float | None = None,
    label: str = "domain length $L$\n(lattice spacings)",
    note: str = "",
    into: FigureBase | None = None,
) -> Figure:
    """L(t) with error bars on logarithmic axes, one curve for each {name: (times, means, errors)}.

    Lengths are in nearest-neighbour distances. ``laws`` are exponents of the guides t^n drawn just above the late times
    (:func:`late`) of the first curve that grows then (:func:`grows`), if any does; ``limit`` shades lengths
    above it, where L feels the boundary. Times <= 0 and lengths that are not finite are left out; markers stand no
    closer than 1/40 of the axis. Raises UserError when no point remains.
    """
    figure, axes = one_panel(height=2.5 if len(curves) < 3 else 2.9, into=into)
    axes.set(xscale="log", yscale="log", xlabel=TIME, ylabel=label)
    growing: list[tuple[np.ndarray, np.ndarray]] = []
    for k, (name, curve) in enumerate(curves.items()):
        t, mean, error = as_arrays(curve)
        kept = (t > 0) & np.isfinite(mean) & (mean > 0)
        if not kept.any():
            continue
        t, mean, error = t[kept], mean[kept], error[kept]
        axes.plot(t, mean, color=look(k)["color"], lw=0.8)
        shown = spread(t)
        bars = np.nan_to_num(error[shown])
        axes.errorbar(t[shown], mean[shown], bars, ls="", label=name, ms=3.5, **BARS, **look(k))
        if grows(t, mean, error):
            growing.append((t[late(t)], mean[late(t)]))
    if not axes.lines:
        raise UserError("domain growth without a finite length at a positive time", allowed="at least one point")
    for t, mean in growing[:1]:
        for k, exponent in enumerate(laws):
            prefactor = 1.2 * (mean / t**exponent).max()
            axes.plot(
                t[[0, -1]], prefactor * t[[0, -1]] ** exponent, color="0.35", lw=0.9, ls=["--", ":", "-."][k % 3],
                label=f"$t^{{{Fraction(exponent).limit_denominator(9)}}}$", gid="law",
            )  # fmt: skip
    if limit is not None:
        top = max(axes.get_ylim()[1], 1.35 * limit)
        axes.axhspan(limit, top, color="0.9", lw=0, gid="limit")
        axes.set_ylim(top=top)
        axes.annotate(
            "finite size", (0.02, (limit * top) ** 0.5), xycoords=("axes fraction", "data"), va="center", fontsize=7,
            color="0.35",
        )  # fmt: skip
    plain_numbers(axes.xaxis, (1, 0.3))
    plain_numbers(axes.yaxis, (2, 0.5))
    remark(axes, note)
    wide = max(map(len, curves), default=0) > 18
    figure.legend(loc="outside upper center", ncols=2 if wide else 3)
    return figure


def grows(t: Float[np.ndarray, " time"], mean: Float[np.ndarray, " time"], error: Float[np.ndarray, " time"]) -> bool:
    """Whether L grows at late times (:func:`late`), three at least: by a slope of ln L against ln t of 0.1 or more, and
    from the first to the last by three standard errors, where these are known."""
    chosen = late(t)
    t, mean, error = t[chosen], mean[chosen], error[chosen]
    if len(t) < LEAST:
        return False
    slope = np.polyfit(np.log(t), np.log(mean), 1)[0]
    noise = np.nan_to_num(np.hypot(error[0], error[-1]))
    return bool(slope >= LEAST_SLOPE and mean[-1] - mean[0] > 3 * noise)


def late(t: Float[np.ndarray, " time"]) -> slice:
    """Times from a fifth of the last on, and three at least where there are as many."""
    return slice(max(0, min(int((t < t[-1] / LATE).sum()), len(t) - LEAST)), None)


@style()
def time_series(
    curves: Mapping[str, Curve],
    label: str,
    log_time: bool = False,
    levels: Mapping[str, float] | None = None,
    note: str = "",
    into: FigureBase | None = None,
) -> Figure:
    """Means with bands of one standard error against time, for each {name: (times, means, errors)}.

    ``levels`` {name: value} are dotted lines, such as the value of a perfect order; ``note`` stands above the panel.
    """
    figure, axes = one_panel(into=into)
    for k, (name, curve) in enumerate(curves.items()):
        band(axes, curve, k, label=name, markevery=max(1, len(curve[0]) // 15))
    if log_time:
        axes.set_xscale("log")
    for name, value in (levels or {}).items():
        level(axes, value, name, fontsize=7)
    axes.set(xlabel=TIME, ylabel=label)
    remark(axes, note)
    if len(curves) > 1 or not {"mean over replicas"} >= set(curves):
        figure.legend(loc="outside upper center", ncols=3 if max(map(len, curves)) < 24 else 2)
    return figure


def spread(t: Float[np.ndarray, " time"]) -> list[int]:
    """Indices of growing times t > 0, the last included, that are at least 1/40 of the range of log t apart."""
    logarithm = np.log(t)
    apart = (logarithm[-1] - logarithm[0]) / 40
    chosen = [len(t) - 1]
    for k in range(len(t) - 2, -1, -1):
        if logarithm[chosen[-1]] - logarithm[k] >= apart:
            chosen.append(k)
    return chosen[::-1]
