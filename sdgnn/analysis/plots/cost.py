"""Error of fields against what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.plots.style import COLOURS, MARKERS, panels, style
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def error_by_cost(rows: Sequence[dict[str, Any]]) -> Figure:
    """Torque error against processor time of one state, a panel for each lattice, a marker for each method.

    ``rows`` hold lattice, sites, method, cpu_seconds and torque_rmse, as in benchmark.json of ``sdgnn benchmark
    electrons``; the one with ``reference`` is a line at its cost. Points of a method are joined in order of cost.
    Raises UserError where no row has an error.
    """
    drawn = [row for row in rows if row.get("torque_rmse", 0) > 0]
    if not drawn:
        raise UserError("no errors to draw", allowed="rows with torque_rmse > 0")
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lattices = list(dict.fromkeys(tuple(row["lattice"]) for row in rows))
    with style():
        figure, axes = panels(len(lattices), 0.9)
        shown: dict[str, Any] = {}
        for panel, size in zip(axes, lattices, strict=True):
            here = [row for row in rows if tuple(row["lattice"]) == size]
            for k, method in enumerate(methods):
                colour = COLOURS[k % len(COLOURS)]
                own = sorted(
                    (row for row in here if row["method"] == method and row.get("torque_rmse", 0) > 0),
                    key=lambda row: row["cpu_seconds"],
                )
                for row in here:
                    if row.get("reference") and row["method"] == method:
                        line = panel.axvline(row["cpu_seconds"], color=colour, lw=0.9, ls=":", gid="reference")
                        shown.setdefault(f"{method} (reference)", line)
                if own:
                    (shown[method],) = panel.plot(
                        [row["cpu_seconds"] for row in own], [row["torque_rmse"] for row in own],
                        color=colour, marker=MARKERS[k % len(MARKERS)], lw=0.8, gid=method,
                    )  # fmt: skip
            panel.set(xscale="log", yscale="log", title=" x ".join(map(str, size)), xlabel="CPU s per state")
        low, high = (limit(row["torque_rmse"] for row in drawn) for limit in (min, max))
        for panel in axes:
            panel.set_ylim(low / 2, 2 * high)
            panel.margins(x=0.15)
        axes[0].set_ylabel("torque RMSE per component ($t$)")
        figure.legend(list(shown.values()), list(shown), loc="outside upper center", ncols=len(shown))
    return figure


def error_against_cost(fields: Mapping[str, tuple[float, float]]) -> Figure:
    """Torque error against processor time per site, a named point for each field {name: (microseconds, torque RMSE)}.

    Fields without error are lines at their cost. Raises UserError where no field has an error.
    """
    drawn = [error for _, error in fields.values() if error > 0]
    if not drawn:
        raise UserError("no errors to draw", allowed="fields with an error > 0")
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.6, 3.0), layout="constrained")
        axes = figure.subplots()
        for k, (name, (cost, error)) in enumerate(fields.items()):
            colour = COLOURS[k % len(COLOURS)]
            if error > 0:
                marker = MARKERS[k % len(MARKERS)]
                axes.plot([cost], [error], ls="", marker=marker, ms=6, color=colour, label=name, gid=name)
            else:
                axes.axvline(cost, color=colour, lw=0.9, ls=":", label=name, gid=name)
        axes.set(xscale="log", yscale="log", xlabel="processor time per site (µs)")
        axes.set_ylim(min(drawn) / 2, 2 * max(drawn))
        axes.margins(x=0.15)
        axes.set_ylabel("torque RMSE per component ($t$)")
        figure.legend(loc="outside right center")
    return figure
