"""Phase diagrams: which order is where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from sdgnn.analysis.plots.style import COLOURS, one_panel, style
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure, FigureBase

SHADES = (*COLOURS[:-1], "#BBBBBB", "#F0E442", "#882255", "#44AA99", "#332288", "#DDCC77")
"""Colours of orders, in the sequence in which they are named."""


@style()
def phase_diagram(
    orders: Sequence[Sequence[str]],
    x: Float[np.ndarray, " column"],
    y: Float[np.ndarray, " row"],
    names: Sequence[str],
    apart: Bool[np.ndarray, "row column"] | None = None,
    labels: tuple[str, str] = ("filling", "$J$ ($t$)"),
    into: FigureBase | None = None,
) -> Figure:
    """A map of the order at each (y, x): one colour for each of ``names``, the same in every diagram that gets them.

    ``orders`` (row, column) are some of the names; rows are equally high, whatever the steps of ``y``, and columns
    reach half way to their neighbours. Where ``apart`` (row, column) is true the cells are hatched: phases separate
    there (:func:`.phase_mixture`). The legend lists the orders that occur.

        plots.phase_diagram([["ferro", "neel"]], np.array([0.3, 0.5]), np.array([6.0]), ["ferro", "neel"])

    Raises UserError on an order that is not among the names, on more names than colours and on shapes that do not fit.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch, Rectangle

    found = np.array([list(row) for row in orders])
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    unknown = sorted(set(found.ravel().tolist()) - set(names))
    if unknown or len(names) > len(SHADES):
        raise UserError(f"{len(names)} names, orders {', '.join(unknown)} not among them", allowed=", ".join(names))
    if found.shape != (len(y), len(x)) or len(x) < 2 or (apart is not None and apart.shape != found.shape):
        raise UserError(f"orders of shape {found.shape}", allowed=f"({len(y)}, {len(x)}), at least two columns")
    figure, axes = one_panel(height=2.6, into=into)
    middle = (x[1:] + x[:-1]) / 2
    edges = np.concatenate([[1.5 * x[0] - 0.5 * x[1]], middle, [1.5 * x[-1] - 0.5 * x[-2]]])
    rows = np.arange(len(y) + 1) - 0.5
    codes = np.array([[names.index(name) for name in row] for row in found.tolist()])
    colours = ListedColormap(SHADES[: len(names)])
    axes.pcolormesh(edges, rows, codes, cmap=colours, vmin=-0.5, vmax=len(names) - 0.5)
    handles = [Patch(color=SHADES[k], label=names[k]) for k in np.unique(codes)]
    if apart is not None and apart.any():
        for row, column in np.argwhere(apart):
            corner, width = (edges[column], rows[row]), edges[column + 1] - edges[column]
            axes.add_patch(Rectangle(corner, width, 1, fill=False, lw=0, ec="black", hatch="/////"))
        handles.append(Patch(facecolor="white", edgecolor="black", lw=0, hatch="/////", label="separates"))
    axes.set(xlabel=labels[0], ylabel=labels[1], yticks=range(len(y)), yticklabels=[f"{value:g}" for value in y])
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=1.0)
    return figure
