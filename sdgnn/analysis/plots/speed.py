"""Speed of dynamics against the size of the lattice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.plots.style import COLOURS, MARKERS, WIDTH, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET = 0.1
"""Share of a run outside the field that is aimed at."""


def speed_by_size(rows: Sequence[dict[str, Any]]) -> Figure:
    """Spin updates per second and the share of the time outside the field, by sites, for each field and replicas.

    ``rows`` hold sites, replicas, field, updates_per_second and share_outside_field, as in benchmark.json of
    ``sdgnn benchmark dynamics``.
    """
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        speed, share = figure.subplots(1, 2)
        kinds = list(dict.fromkeys((row["field"], row["replicas"]) for row in rows))
        for k, (name, replicas) in enumerate(kinds):
            own = sorted(
                (row for row in rows if (row["field"], row["replicas"]) == (name, replicas)), key=lambda r: r["sites"]
            )
            look = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
            sites = [row["sites"] for row in own]
            speed.plot(
                sites, [row["updates_per_second"] for row in own], label=f"{name}, {replicas} replica(s)", **look
            )
            share.plot(sites, [row["share_outside_field"] for row in own], **look)
        share.axhline(TARGET, color="0.5", lw=0.8, ls=":", gid="target")
        speed.set(xscale="log", yscale="log", xlabel="sites", ylabel="spin updates per second")
        share.set(xscale="log", ylim=(0, 1), xlabel="sites", ylabel="share of time outside the field")
        figure.legend(loc="outside upper center", ncols=2)
    return figure
