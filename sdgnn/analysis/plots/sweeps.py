"""Means over a parameter sweep against its keys."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots.style import BARS, COLOURS, look, one_panel, style
from sdgnn.analysis.plots.trajectory import axis_label
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

DECADES = 2.0
"""Decades that the values of a key span from which on its axis is logarithmic."""
CURVES = len(COLOURS)
"""Curves in one figure, at most."""


@style()
def sweep_curves(found: xarray.Dataset, name: str) -> Figure:
    """``name`` of :func:`.sweep_means` with its errors against the first key of numbers.

    One curve for each combination of the other keys and settings, the first seven of them; open markers where the run
    was too short for its error to be trusted. Keys of text stand at equal distances. Raises UserError where ``name``
    was not measured.
    """
    if f"{name}_mean" not in found:
        known = ", ".join(str(n).removesuffix("_mean") for n in found.data_vars if str(n).endswith("_mean"))
        raise UserError(f"{name} of a sweep", allowed=known)
    mean, error, reliable = (found[f"{name}_{key}"] for key in ("mean", "error", "reliable"))
    key = swept(found)
    along = found[key].values if key else np.zeros(1)
    is_number = along.dtype.kind in "if"
    x = along.astype(np.float64) if is_number else np.arange(float(len(along)))
    figure, axes = one_panel()
    for k, others in enumerate(combinations(found)[:CURVES]):
        y, bars, sure = (values.isel(others).values.reshape(-1) for values in (mean, error, reliable))
        told = {n: str(found[n].values[i]) for n, i in others.items()}
        label = ", ".join(value if n == "setting" else f"{n} = {value}" for n, value in told.items())
        colour = look(k)["color"]
        axes.errorbar(x, y, np.nan_to_num(bars), color=colour, lw=0.8, label=label, **BARS)
        for gid, kept, fill in (("reliable", sure == 1, colour), ("unreliable", sure != 1, "white")):
            axes.plot(x[kept], y[kept], ls="", mfc=fill, gid=gid, **look(k))
    if is_number and (x > 0).all() and x.max() > 10**DECADES * x.min():
        axes.set_xscale("log")
    if not is_number:
        axes.set_xticks(x, [str(value) for value in along])
    axes.set(xlabel=key or "", ylabel=axis_label(mean))
    if any(combinations(found)):
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def swept(found: xarray.Dataset) -> str | None:
    """The key along the horizontal axis: the first of several numbers, else the first of several values."""
    keys = [str(d) for d in found.dims if d != "setting"]
    several = [d for d in keys if found.sizes[d] > 1]
    numbers = [d for d in several if found[d].dtype.kind in "if"]
    return next(iter([*numbers, *several, *keys]), None)


def combinations(found: xarray.Dataset) -> list[dict[str, int]]:
    """Places along all dimensions but that of :func:`swept`."""
    others = [str(d) for d in found.dims if d != swept(found)]
    return [
        dict(zip(others, place, strict=True)) for place in itertools.product(*(range(found.sizes[d]) for d in others))
    ]
