"""What fields cost: error against processor time, and speed of dynamics against the size of the lattice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.plots.style import WIDTH, look, one_panel, panels, style
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET = 0.1
"""Share of a run outside the field that is aimed at."""
ERROR = "torque RMSE per component ($t$)"


@style()
def error_by_cost(rows: Sequence[dict[str, Any]]) -> Figure:
    """Torque error against processor time of one state, a panel for each lattice, a marker for each method.

    ``rows`` hold lattice, sites, method, cpu_seconds and torque_rmse, as in benchmark.json of ``sdgnn benchmark
    electrons``; the one with ``reference`` is a line at its cost. Points of a method are joined in order of cost.
    Raises UserError where no row has an error.
    """
    drawn = [row for row in rows if row.get("torque_rmse", 0) > 0]
    if not drawn:
        raise UserError("no errors to draw", allowed="rows with torque_rmse > 0")
    methods = {method: look(k) for k, method in enumerate(dict.fromkeys(row["method"] for row in rows))}
    lattices = list(dict.fromkeys(tuple(row["lattice"]) for row in rows))
    figure, axes = panels(len(lattices), 0.9)
    shown: dict[str, Any] = {}
    for panel, size in zip(axes, lattices, strict=True):
        for method, own in methods.items():
            here = [row for row in rows if tuple(row["lattice"]) == size and row["method"] == method]
            for row in here:
                if row.get("reference"):
                    line = panel.axvline(row["cpu_seconds"], color=own["color"], lw=0.9, ls=":", gid="reference")
                    shown.setdefault(f"{method} (reference)", line)
            points = sorted((row["cpu_seconds"], row["torque_rmse"]) for row in here if row.get("torque_rmse", 0) > 0)
            if points:
                (shown[method],) = panel.plot(*zip(*points, strict=True), lw=0.8, gid=method, **own)
        panel.set(xscale="log", yscale="log", title=" x ".join(map(str, size)), xlabel="CPU s per state")
    low, high = (limit(row["torque_rmse"] for row in drawn) for limit in (min, max))
    for panel in axes:
        panel.set_ylim(low / 2, 2 * high)
        panel.margins(x=0.15)
    axes[0].set_ylabel(ERROR)
    figure.legend(list(shown.values()), list(shown), loc="outside upper center", ncols=len(shown))
    return figure


@style()
def error_against_cost(fields: Mapping[str, tuple[float, float]]) -> Figure:
    """Torque error against processor time per site, a named point for each field {name: (microseconds, torque RMSE)}.

    Fields without error are lines at their cost. Raises UserError where no field has an error.
    """
    drawn = [error for _, error in fields.values() if error > 0]
    if not drawn:
        raise UserError("no errors to draw", allowed="fields with an error > 0")
    figure, axes = one_panel(WIDTH, 2.8)
    for k, (name, (cost, error)) in enumerate(fields.items()):
        if error > 0:
            axes.plot([cost], [error], ls="", ms=6, label=name, gid=name, **look(k))
        else:
            axes.axvline(cost, color=look(k)["color"], lw=0.9, ls=":", label=name, gid=name)
    axes.set(xscale="log", yscale="log", xlabel="processor time per site (µs)", ylabel=ERROR)
    axes.set_ylim(min(drawn) / 2, 2 * max(drawn))
    axes.margins(x=0.15)
    figure.legend(loc="outside right center")
    return figure


@style()
def speed_by_size(rows: Sequence[dict[str, Any]]) -> Figure:
    """Spin updates per second and the share of the time outside the field, by sites, for each field and replicas.

    ``rows`` hold sites, replicas, field, updates_per_second and share_outside_field, as in benchmark.json of
    ``sdgnn benchmark dynamics``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    speed, share = figure.subplots(1, 2)
    for k, (name, replicas) in enumerate(dict.fromkeys((row["field"], row["replicas"]) for row in rows)):
        here = [row for row in rows if (row["field"], row["replicas"]) == (name, replicas)]
        own = sorted((row["sites"], row["updates_per_second"], row["share_outside_field"]) for row in here)
        sites, updates, outside = zip(*own, strict=True)
        speed.plot(sites, updates, label=f"{name}, {replicas} replica(s)", **look(k))
        share.plot(sites, outside, **look(k))
    share.axhline(TARGET, color="0.5", lw=0.8, ls=":", gid="target")
    speed.set(xscale="log", yscale="log", xlabel="sites", ylabel="spin updates per second")
    share.set(xscale="log", ylim=(0, 1), xlabel="sites", ylabel="share of time outside the field")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
