"""Two runs side by side: every quantity through time with both errors, and how far apart they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots.style import TIME, WIDTH, band, sheet, style
from sdgnn.analysis.statistics.replicas import each_group

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure
COLUMNS = 3


@style()
def agreement_panels(found: xarray.Dataset, first: str = "first", second: str = "second") -> Figure:
    """An :func:`.agreement`: curves of each quantity and setting, below them deviations.

    Bands are one standard error; the grey band below is two standard errors of the difference. ``first`` and ``second``
    name the runs.
    """
    names = found.attrs["quantities"].split()
    shown = [(name, label, part) for name in names for label, part in each_group(found).items()]
    columns = min(len(shown), COLUMNS)
    rows = -(-len(shown) // columns)
    figure = sheet(WIDTH, 2.7 * rows)
    grid = figure.subplots(2 * rows, columns, sharex=True, squeeze=False, height_ratios=[3, 1] * rows)
    pairs = grid.reshape(rows, 2, columns).swapaxes(1, 2).reshape(-1, 2)
    for unused in pairs[len(shown) :].ravel():
        unused.remove()
    for (name, label, part), (above, below) in zip(shown, pairs[: len(shown)], strict=True):
        t = part[part[f"{name}_first"].dims[0]].values.astype(np.float64)
        for k, (run, told) in enumerate((("first", first), ("second", second))):
            curve = (t, part[f"{name}_{run}"].values, part[f"{name}_{run}_error"].values)
            band(above, curve, k, marker="", ls=["-", "--"][k], label=told)
        above.set_title("\n".join(filter(None, [name.replace("_", " "), label])), fontsize="medium")
        below.axhspan(-2, 2, color="0.9", lw=0)
        below.plot(t, part[f"{name}_deviation"].values, color="0.2", lw=0.9)
        below.set_xlabel(TIME)
        below.xaxis.set_tick_params(labelbottom=True)
    for row in range(rows):
        grid[2 * row + 1, 0].set_ylabel("deviation\n(errors)")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure
