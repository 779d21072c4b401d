"""How well fields predict torques: parity, error by model, and error by the halo of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.locality.floor import LocalityFloor
from sdgnn.analysis.plots.style import BARS, COLOURS, COLUMN, WIDTH, level, look, one_panel, panels, style
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def torque_parity(
    exact: Float[np.ndarray | Tensor, "state site 3"],
    predicted: Mapping[str, Float[np.ndarray | Tensor, "_ _ 3"]],
) -> Figure:
    """Predicted against exact transverse field, all components, one panel per model (name -> torque part, units of t).

    Colour is the number of components in each bin (log scale); the line is equality. Panels tell RMSE per component
    and R^2 = 1 - sum |dT|^2 / sum |T|^2. Raises UserError when shapes differ.
    """
    reference = np.asarray(exact, dtype=np.float64).ravel()
    values = {name: np.asarray(p, dtype=np.float64).ravel() for name, p in predicted.items()}
    wrong = [name for name, v in values.items() if v.shape != reference.shape]
    if wrong or not values:
        raise UserError(f"predictions {wrong} that do not fit the exact torques", allowed="arrays of one shape")
    limit = 1.05 * max(np.abs(reference).max(), *(np.quantile(np.abs(v), 0.9999) for v in values.values()))
    figure, axes = panels(len(values), 1.0, columns=3, extra=0.6)
    mappables = []
    for panel, (name, v) in zip(axes, values.items(), strict=True):
        rmse = np.sqrt(np.mean((v - reference) ** 2))
        r2 = 1 - np.sum((v - reference) ** 2) / np.sum(reference**2)
        drawn = panel.hexbin(
            reference, v, gridsize=60, bins="log", cmap="viridis", mincnt=1, linewidths=0.0,
            extent=(-limit, limit, -limit, limit), rasterized=True,
        )  # fmt: skip
        mappables.append(drawn)
        panel.plot([-limit, limit], [-limit, limit], color="black", lw=0.7, ls="--", gid="equality")
        panel.set(xlim=(-limit, limit), ylim=(-limit, limit), title=name, aspect="equal")
        told = f"RMSE = {rmse:.2g} $t$\n$R^2$ = {r2:.4f}"
        panel.text(0.05, 0.97, told, transform=panel.transAxes, va="top", fontsize=8)
        panel.locator_params(nbins=4, steps=[1, 2, 5, 10])
        panel.set(xlabel="exact torque component ($t$)", ylabel="predicted torque component ($t$)")
        panel.label_outer()
    highest = max(m.get_clim()[1] for m in mappables)
    for mappable in mappables:
        mappable.set_clim(1, highest)
    figure.colorbar(mappables[0], ax=axes, label="components per bin", shrink=0.8, pad=0.02)
    return figure


@style()
def torque_errors(
    errors: Mapping[str, Mapping[str, float]],
    label: str = "torque RMSE per component ($t$)",
    reference: float | None = None,
) -> Figure:
    """Bars of an error for every model (inner mapping) on every data set (outer mapping).

    ``errors`` is {data set: {model: error}}, models in the order of the first data set; ``reference`` draws a line at
    the error of predicting nothing, the rms torque. Raises UserError when the data sets do not hold the same models.
    """
    sets = list(errors)
    models = list(errors[sets[0]]) if sets else []
    if not models or any(set(errors[s]) != set(models) for s in sets):
        raise UserError("errors of different models on different data sets", allowed="{data set: {model: error}}")
    figure, axes = one_panel(WIDTH if len(sets) * len(models) > 3 else COLUMN, 2.7)
    width = 0.8 / len(sets)
    for k, name in enumerate(sets):
        at = np.arange(len(models)) + (k - (len(sets) - 1) / 2) * width
        bars = axes.bar(
            at, [errors[name][m] for m in models], 0.92 * width, label=name, color=COLOURS[k % len(COLOURS)],
            edgecolor="black", linewidth=0.4, hatch=["", "///", "...", "xxx"][k % 4],
        )  # fmt: skip
        axes.bar_label(bars, fmt="%.2g", fontsize=7, padding=1.5)
    if reference is not None:
        level(axes, reference, "rms torque", fontsize=7)
    axes.set_xticks(np.arange(len(models)), models)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(label)
    axes.margins(y=0.15)
    if len(sets) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@style()
def error_by_halo(floor: LocalityFloor, models: Mapping[str, tuple[float, float]]) -> Figure:
    """Torque RMSE against halo: the floor as a line, each model {name: (halo of its field, torque RMSE)} as a point.

    A model far above the floor at its halo lacks layers, width or data; one near it can only gain by a longer cutoff.
    """
    figure, axes = one_panel(height=2.7)
    axes.plot(floor.radii, floor.rmse, color="black", marker=".", label="floor (exact field)", gid="floor")
    level(axes, floor.rms, "rms torque")
    for k, (name, (halo, error)) in enumerate(models.items()):
        axes.plot([halo], [error], ls="", ms=6, label=name, **look(k))
    axes.set(yscale="log", xlabel=HALO, ylabel="torque RMSE per component ($t$)")
    axes.legend(loc="lower left")
    return figure


@style()
def floors_by_halo(floors: Mapping[str, LocalityFloor]) -> Figure:
    """The floor {states: floor} of several ensembles against halo, with error bars; dotted, the rms torque of each."""
    figure, axes = one_panel(height=2.7)
    for k, (name, floor) in enumerate(floors.items()):
        # a floor of zero, at radii that the field does not pass, has no place on a logarithmic axis
        shown = floor.rmse > 1e-9 * floor.rms
        radii, rmse, error = np.array(floor.radii)[shown], floor.rmse[shown], np.nan_to_num(floor.rmse_error[shown])
        axes.errorbar(radii, rmse, error, ms=3.5, label=name, gid=f"floor {name}", **BARS, **look(k))
        axes.axhline(floor.rms, color=look(k)["color"], lw=0.8, ls=":", gid=f"rms torque {name}")
    axes.set(yscale="log", xlabel=HALO, ylabel="smallest torque RMSE per component ($t$)")
    axes.legend(loc="lower left", title="states")
    return figure


HALO = "halo of the field (nearest-neighbour distances)"
