"""The error of models beside the floor that their reach allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sdgnn.analysis.locality import LocalityFloor
from sdgnn.analysis.plots.style import COLOURS, MARKERS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def error_by_reach(floor: LocalityFloor, models: Mapping[str, tuple[float, float]]) -> Figure:
    """Torque RMSE against reach: the floor as a line, each model {name: (reach of its field, torque RMSE)} as a point.

    A model far above the floor at its reach lacks layers, width or data; one near it can only gain by reaching further.
    """
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.plot(floor.radii, floor.rmse, color="black", marker=".", label="floor (exact field)", gid="floor")
        axes.axhline(floor.rms, color="black", lw=0.8, ls=":", gid="rms torque")
        axes.annotate("rms torque", (1, floor.rms), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        for k, (name, (reach, error)) in enumerate(models.items()):
            axes.plot([reach], [error], ls="", marker=MARKERS[k % 7], color=COLOURS[k % 7], ms=6, label=name)
        axes.set_yscale("log")
        axes.set_xlabel("reach of the field (nearest-neighbour distances)")
        axes.set_ylabel("torque RMSE per component ($t$)")
        axes.legend(loc="lower left")
    return figure
