"""Look shared by all figures: sizes, fonts and colours that survive colour blindness and grey printing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.0
"""Width of a figure over two columns of a journal, inches; 3.4 for one column."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colour-blind safe cycle (Okabe and Ito; Wong, Nat. Methods 8, 441 (2011), doi:10.1038/nmeth.1618)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

SETTINGS: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "figure.dpi": 150.0,
    "savefig.dpi": 200.0,
    "mathtext.fontset": "dejavusans",
}


@contextmanager
def style() -> Iterator[None]:
    """Draws inside with :data:`SETTINGS`; matplotlib's own settings are as before afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def panels(count: int, aspect: float, columns: int = 4, extra: float = 0.0) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` panels in rows of at most ``columns``, each ``aspect`` times as high as wide.

    ``extra`` inches of width are kept for a colour bar.
    """
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = math.ceil(count / columns)
    side = min((WIDTH - extra) / columns, 3.2)
    size = (columns * side + extra, rows * (side * aspect + 0.5))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def bare(axes: Axes) -> None:
    """Takes ticks and frame away, keeping equal scales: for maps."""
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def scale_bar(axes: Axes, length: float, window: Sequence[float]) -> None:
    """Draws a bar of ``length`` nearest-neighbour distances a below the lower left corner of a map."""
    width, height = window
    y = -0.045 * height
    axes.plot([0, length], [y, y], color="black", lw=1.6, solid_capstyle="butt", clip_on=False, gid="scale bar")
    axes.text(length + 0.03 * width, y, f"${length:g}\\,a$", va="center", fontsize=7)


def round_length(size: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... not above ``size``."""
    power = 10 ** math.floor(math.log10(size))
    return power * max(m for m in (1, 2, 5) if m * power <= size * (1 + 1e-9))
