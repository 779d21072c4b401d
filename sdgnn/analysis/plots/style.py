"""What all figures share: sizes, fonts, colours that survive colour blindness and grey printing, bands and levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 7.0
"""Width of a figure over two columns of a journal, inches; 3.4 for one column."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colour-blind safe cycle (Okabe and Ito; Wong, Nat. Methods 8, 441 (2011), doi:10.1038/nmeth.1618)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

TIME = r"time ($\hbar / t$)"
"""Label of an axis of time."""

BARS: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.8}
"""Look of error bars."""

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

Curve = tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"], Float[np.ndarray, " time"]]
"""Times, means and standard errors."""


@contextmanager
def style() -> Iterator[None]:
    """Draws with :data:`SETTINGS`, ``with style(): ...`` or ``@style()``; matplotlib's own are as before afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def one_panel(width: float = 4.2, height: float = 3.1, **settings: Any) -> tuple[Figure, Axes]:
    """A figure of one panel, inches; ``settings`` are those of ``Figure.add_subplot``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot(**settings)


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


def look(k: int) -> dict[str, Any]:
    """Colour and marker of the ``k``-th curve of a panel."""
    return {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}


def shades(count: int) -> Float[np.ndarray, "_ 4"]:
    """Colours of ``count`` curves from early to late."""
    import matplotlib as mpl

    return mpl.colormaps["viridis"](np.linspace(0, 0.85, count))


def as_arrays(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, means and standard errors in double precision."""
    times, means, errors = (np.asarray(values, dtype=np.float64) for values in curve)
    return times, means, errors


def band(axes: Axes, curve: Curve, k: int, **settings: Any) -> None:
    """The ``k``-th curve: a line with markers and a band of one error, no band where the error is NaN."""
    x, mean, error = as_arrays(curve)
    axes.plot(x, mean, **{"ms": 3, **look(k), **settings})
    bars = np.nan_to_num(error)
    axes.fill_between(x, mean - bars, mean + bars, color=look(k)["color"], alpha=0.25, lw=0)


def level(axes: Axes, value: float, name: str, at: float = 1.0, **settings: Any) -> None:
    """A dotted horizontal line whose ``name`` stands above one end: the right one, or the left one for ``at`` = 0."""
    axes.axhline(value, color="black", lw=0.8, ls=":", gid=name)
    place = {"ha": "right" if at else "left", "va": "bottom", **settings}
    axes.annotate(name, (at, value), xycoords=("axes fraction", "data"), **place)


def plain_numbers(axis: Axis, thresholds: tuple[float, float]) -> None:
    """Numbers without powers of ten on a logarithmic axis; ``thresholds``: decades, see LogFormatter."""
    from matplotlib.ticker import LogFormatter

    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=thresholds))


def bare(axes: Axes) -> None:
    """Takes ticks and frame away, keeping equal scales: for maps."""
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
