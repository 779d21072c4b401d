"""The locality floor by halo, and the error of models beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.locality.floor import LocalityFloor
from sdgnn.analysis.plots.style import COLOURS, MARKERS, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def error_by_halo(floor: LocalityFloor, models: Mapping[str, tuple[float, float]]) -> Figure:
    """Torque RMSE against halo: the floor as a line, each model {name: (halo of its field, torque RMSE)} as a point.

    A model far above the floor at its halo lacks layers, width or data; one near it can only gain by a longer cutoff.
    """
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.plot(floor.radii, floor.rmse, color="black", marker=".", label="floor (exact field)", gid="floor")
        axes.axhline(floor.rms, color="black", lw=0.8, ls=":", gid="rms torque")
        axes.annotate("rms torque", (1, floor.rms), xycoords=("axes fraction", "data"), ha="right", va="bottom")
        for k, (name, (halo, error)) in enumerate(models.items()):
            axes.plot([halo], [error], ls="", marker=MARKERS[k % 7], color=COLOURS[k % 7], ms=6, label=name)
        axes.set_yscale("log")
        axes.set_xlabel("halo of the field (nearest-neighbour distances)")
        axes.set_ylabel("torque RMSE per component ($t$)")
        axes.legend(loc="lower left")
    return figure


def floors_by_halo(floors: Mapping[str, LocalityFloor]) -> Figure:
    """The floor {states: floor} of several ensembles against halo, with error bars; dotted, the rms torque of each."""
    with style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(4.2, 3.2), layout="constrained")
        axes = figure.subplots()
        for k, (name, floor) in enumerate(floors.items()):
            colour = COLOURS[k % len(COLOURS)]
            # a floor of zero, at radii that the field does not pass, has no place on a logarithmic axis
            shown = floor.rmse > 1e-9 * floor.rms
            axes.errorbar(
                np.array(floor.radii)[shown], floor.rmse[shown], np.nan_to_num(floor.rmse_error[shown]), color=colour,
                marker=MARKERS[k % len(MARKERS)], ms=3.5, capsize=1.5, elinewidth=0.8, label=name, gid=f"floor {name}",
            )  # fmt: skip
            axes.axhline(floor.rms, color=colour, lw=0.8, ls=":", gid=f"rms torque {name}")
        axes.set_yscale("log")
        axes.set_xlabel("halo of the field (nearest-neighbour distances)")
        axes.set_ylabel("smallest torque RMSE per component ($t$)")
        axes.legend(loc="lower left", title="states")
    return figure
