"""Active learning in pictures: errors by round, predicted against true errors, where picked states come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from sdgnn.analysis.plots.style import COLOURS, level, look, one_panel, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@style()
def error_by_round(states: Sequence[int], errors: Mapping[str, Sequence[float]], target: float | None = None) -> Figure:
    """Torque RMSE on fresh states against the number of training states, one line per field (name -> one per round).

    ``target`` draws a line at the error that is to be reached.
    """
    figure, axes = one_panel(height=2.7)
    for k, (name, values) in enumerate(errors.items()):
        axes.plot(states, values, label=name, gid=name, **look(k))
    if target is not None:
        level(axes, target, "target", at=0.0)
    axes.set(yscale="log", xlabel="training states", ylabel="torque RMSE on fresh states ($t$)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@style()
def reliability_curves(curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """True against predicted torque error (rms in bins of equally many sites), one line per name; dashes are equality.

    A curve above the dashes is a committee too sure of itself, one below is too careful, a flat one says nothing.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = one_panel(height=2.7)
    values = np.concatenate([np.concatenate([p, t]) for p, t in curves.values()])
    ends = [values[values > 0].min() / 1.3, values.max() * 1.3]
    axes.plot(ends, ends, color="black", lw=0.7, ls="--", gid="equality")
    for k, (name, (predicted, true)) in enumerate(curves.items()):
        axes.plot(predicted, true, label=name, gid=name, **look(k))
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="predicted torque error ($t$)", ylabel="true torque error ($t$)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


@style()
def picked_states(
    steps: Int[np.ndarray, " time"],
    predicted: Float[np.ndarray, "time replica"],
    picks: Sequence[tuple[int, int]],
) -> Figure:
    """Predicted torque error of a round's runs through time; picked states, given as (step, replica), are marked."""
    figure, axes = one_panel(height=2.7)
    axes.plot(steps, predicted, color=COLOURS[0], lw=0.7, alpha=0.7)
    at = [(step, predicted[np.searchsorted(steps, step), replica]) for step, replica in picks]
    if at:
        axes.plot(*zip(*at, strict=True), ls="", marker="o", ms=5, mfc="none", color=COLOURS[1], gid="picked")
    axes.set(yscale="log", xlabel="step", ylabel="predicted torque error ($t$)")
    return figure
