"""Growth of domains in pictures: local exponent, collapse, Porod's tail, direction of walls, memory, cluster sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.domains.scaling import Collapse
from sdgnn.analysis.plots.growth import domain_growth, spread
from sdgnn.analysis.plots.style import (
    COLUMN,
    MARKERS,
    TIME,
    Curve,
    as_arrays,
    band,
    one_panel,
    plain_numbers,
    shades,
    sheet,
    style,
)
from sdgnn.analysis.statistics.means import replica_mean
from sdgnn.common.errors import UserError
from sdgnn.common.rounding import with_error

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


@style()
def local_exponents(curves: Mapping[str, Curve], laws: Sequence[float] = (1 / 3, 0.5, 1.0)) -> Figure:
    """d ln L / d ln t with bands of one error against time, for each {name: (times, exponents, errors)}.

    ``laws`` are drawn as horizontal lines. Raises UserError when no exponent is finite.
    """
    if not any(np.isfinite(curve[1]).any() for curve in curves.values()):
        raise UserError("local exponents without a finite value", allowed="at least one")
    figure, axes = one_panel(height=2.7)
    for k, (name, curve) in enumerate(curves.items()):
        t, value, error = as_arrays(curve)
        kept = np.isfinite(value)
        band(axes, (t[kept], value[kept], error[kept]), k, label=name, lw=1.0)
    for law in laws:
        axes.axhline(law, color="0.35", lw=0.8, ls="--", gid="law")
        axes.annotate(
            f"{Fraction(law).limit_denominator(9)}", (1, law), xycoords=("axes fraction", "data"), xytext=(3, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set(xscale="log", xlabel=TIME, ylabel=r"$\mathrm{d}\ln L / \mathrm{d}\ln t$")
    plain_numbers(axes.xaxis, (1.4, 0.4))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@style()
def collapse(
    found: Collapse,
    times: Float[np.ndarray, " time"],
    x_label: str = "$r / L(t)$",
    y_label: str = "$C(r, t) / C(0, t)$",
) -> Figure:
    """Curves of all times in scaled variables with bars of one error, and how good the collapse is."""
    figure, axes = one_panel(height=2.7)
    for k, (shade, time) in enumerate(zip(shades(len(times)), times, strict=True)):
        axes.errorbar(
            found.x, found.curves[k], found.errors[k], color=shade, marker=MARKERS[k % len(MARKERS)], ms=3, lw=0.8,
            elinewidth=0.7, label=f"$t = {time:.4g}$",
        )  # fmt: skip
    told = f"quality {found.quality:.2g}\nspread {found.spread:.2g}"
    axes.text(0.97, 0.97, told, transform=axes.transAxes, ha="right", va="top", fontsize=8)
    axes.axhline(0, color="0.8", lw=0.6, zorder=0)
    axes.set(xlabel=x_label, ylabel=y_label)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@style()
def porod_tails(
    k: Float[np.ndarray, " bin"],
    factors: Mapping[str, Float[np.ndarray | Tensor, " bin"]],
    exponent: float = 3.0,
) -> Figure:
    """S(k) on logarithmic axes, one curve for each {name: values}, with a guide k^-``exponent`` beside the last."""
    figure, axes = one_panel(height=2.7)
    kept = k > 0
    for shade, (name, values) in zip(shades(len(factors)), factors.items(), strict=True):
        axes.plot(k[kept], np.asarray(values)[kept], color=shade, marker=".", ms=3, lw=0.8, label=name)
    last = np.asarray(list(factors.values())[-1])
    tail = kept & (k > 0.4) & (k < 1.6)
    if tail.any():
        guide = 1.7 * (last[tail] * k[tail] ** exponent).max() * k[tail] ** -exponent
        axes.plot(k[tail], guide, color="black", lw=0.9, ls="--", gid="guide", label=f"$k^{{-{exponent:g}}}$")
    axes.set(xscale="log", yscale="log", xlabel="$k$ (1 / lattice spacing)", ylabel="$S(k)$")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


@style()
def wall_rose(angle: Float[np.ndarray, " bin"], density: Mapping[str, Float[np.ndarray | Tensor, " bin"]]) -> Figure:
    """Share of walls by the direction of their normal, all around; the circle is walls of all directions alike."""
    figure, axes = one_panel(height=3.4, projection="polar")
    around = np.concatenate([angle, angle + np.pi, angle[:1] + 2 * np.pi])
    for shade, (name, values) in zip(shades(len(density)), density.items(), strict=True):
        row = np.asarray(values, dtype=np.float64)
        axes.plot(around, np.concatenate([row, row, row[:1]]), color=shade, label=name)
    axes.plot(np.linspace(0, 2 * np.pi, 181), np.ones(181), color="black", lw=0.7, ls="--", gid="isotropic")
    axes.set(rmin=0)
    axes.yaxis.set_tick_params(labelsize=6)
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@style()
def memory(curves: Mapping[str, Curve], since: float) -> Figure:
    """Frozen fraction and autocorrelation against t / t_w on logarithmic axes, t_w = ``since`` the first time.

    Values that are not positive are left out.
    """
    figure, axes = one_panel(height=2.7)
    for k, (name, curve) in enumerate(curves.items()):
        t, value, error = as_arrays(curve)
        kept = (value > 0) & (t > 0)
        band(axes, (t[kept] / since, value[kept], error[kept]), k, label=name, lw=1.0)
    axes.set(xscale="log", yscale="log", xlabel="$t / t_w$", ylabel=f"since $t_w = {since:.4g}$")
    for axis in (axes.xaxis, axes.yaxis):
        plain_numbers(axis, (1.2, 0.5))
    low, high = axes.get_ylim()
    if high < 1.5 * low:  # ticks within a part of a decade, where that formatter rounds to powers of ten
        axes.yaxis.set_minor_formatter("{x:.4g}")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@style()
def mobility(moved: Curve, left: Curve) -> Figure:
    """Mean squared displacement of clusters, and below it the share that is left; each (times, means, errors)."""
    figure = sheet(COLUMN, 3.4)
    above, below = figure.subplots(2, 1, sharex=True)
    for k, (axes, curve) in enumerate(((above, moved), (below, left))):
        band(axes, curve, k, lw=1.0)
        axes.set_ylim(bottom=0)
    above.set_ylabel("$\\langle r^2\\rangle$ of clusters")
    below.set(xlabel=TIME, ylabel="clusters left")
    return figure


@style()
def cluster_sizes(areas: Mapping[str, Sequence[Tensor]], total: float) -> Figure:
    """Number of clusters of at least an area A, per area of the lattice, for each {name: areas of every replica}.

    ``total``: the area of the cell. Logarithmic axes, areas in squares of the nearest-neighbour distance.
    """
    figure, axes = one_panel(height=2.7)
    for shade, (name, replicas) in zip(shades(len(areas)), areas.items(), strict=True):
        area = np.sort(np.concatenate([np.asarray(a, dtype=np.float64) for a in replicas]))
        count = np.arange(len(area), 0, -1) / (len(replicas) * total)
        axes.step(area, count, where="pre", color=shade, label=name)
    axes.set(xscale="log", yscale="log", xlabel="area $A$", ylabel="clusters of area $\\geq A$, per area")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def coarsening_figures(found: xarray.Dataset) -> dict[str, Figure]:
    """Every figure that a :func:`~sdgnn.analysis.domains.coarsening.coarsening` allows, by name.

    ``lengths`` (L by each route, with its exponent), ``local_exponent``, ``collapse``, ``porod``, ``walls``,
    ``memory`` and ``mobility``.
    """
    time = found["time"].values
    names = {str(route): _told(str(route), found) for route in found["route"].values}
    curves = {}
    for route, name in names.items():
        length = found["length"].sel(route=route)
        if np.isfinite(length.values[time > 0]).all(axis=1).any():
            curves[name] = (time, *_values(length))
    figures: dict[str, Figure] = {}
    if curves:
        figures["lengths"] = domain_growth(curves)
        if found.attrs.get("routes_disagree"):
            apart = with_error(found.attrs["exponent_spread"], found.attrs.get("exponent_spread_error"), ".2f")
            told = f"no single law: $n$ of the routes differs by {apart}"
            figures["lengths"].legends[0].set_title(told)
    local: dict[str, Curve] = {}
    for route in names:
        value, error = (found[n].sel(route=route).values for n in ("local_exponent", "local_exponent_error"))
        if np.isfinite(value).any():
            local[route] = (time, value, error)
    if local:
        figures["local_exponent"] = local_exponents(local)
    if "collapse" in found:
        collapsed = Collapse(
            found["scaled_distance"].values, found["collapse"].values, found["collapse_error"].values,
            found.attrs["collapse_quality"], found.attrs["collapse_spread"],
        )  # fmt: skip
        figures["collapse"] = collapse(collapsed, found["collapsed"].values)
    shown = spread(time[time > 0])[:: max(1, len(spread(time[time > 0])) // 4)]
    chosen = np.flatnonzero(time > 0)[shown]
    titles = {f"$t = {time[k]:.4g}$": k for k in chosen}
    factor = found["factor"].mean("replica").values
    figures["porod"] = porod_tails(found["wave_number"].values, {name: factor[k] for name, k in titles.items()})
    walls = found["orientation"].mean("replica").values
    density = {name: walls[k] for name, k in titles.items() if np.isfinite(walls[k]).all()}
    if density:
        figures["walls"] = wall_rose(found["angle"].values, density)
    later = found["later"].values
    if len(later) > 1:
        kept = {"frozen fraction": "frozen", "autocorrelation": "autocorrelation"}
        moved, left = ((later, *_values(found[n])) for n in ("displacement", "clusters_left"))
        if np.isfinite(moved[1]).any():
            figures["mobility"] = mobility(moved, left)
        figures["memory"] = memory({n: (later, *_values(found[v])) for n, v in kept.items()}, float(later[0]))
    return figures


def _told(route: str, found: xarray.Dataset) -> str:
    """A route with its exponent and the error of that; whether the exponent drifts, which is no law."""
    value, error = (float(found[name].sel(route=route)) for name in ("exponent", "exponent_error"))
    if not np.isfinite(value):
        return route
    told = f"{route}: $n$ = {with_error(value, error, '.2f')}" + ("" if np.isfinite(error) else " (no error known)")
    drifts = "exponent_drifts" in found and bool(found["exponent_drifts"].sel(route=route))
    return f"{told}, drifting" if drifts else told


def _values(values: xarray.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over replicas and its standard error."""
    mean, error = replica_mean(values)
    return mean.values, error.values
