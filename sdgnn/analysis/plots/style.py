"""What all figures share: sizes, fonts, colours that survive colour blindness and grey printing, bands and levels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Float

from sdgnn.common.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, FigureBase

WIDTH = 7.0
"""Width of a figure over two columns of a journal, inches."""
COLUMN = 3.4
"""Width of a figure in one column, inches. Every figure has one of the two widths."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colour-blind safe cycle (Okabe and Ito; Wong, Nat. Methods 8, 441 (2011), doi:10.1038/nmeth.1618)."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

TIME = r"time ($\hbar / t$)"
"""Label of an axis of time."""

BARS: dict[str, Any] = {"capsize": 1.5, "elinewidth": 0.8}
"""Look of error bars."""

SETTINGS: dict[Any, Any] = {
    "font.size": 8.0,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "figure.dpi": 150.0,
    "savefig.dpi": 300.0,
    "mathtext.fontset": "dejavusans",
}
"""Sizes in points at the widths above."""
FILES: dict[Any, Any] = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "sdgnn"}
"""Files whose letters stay letters: TrueType fonts in PDF, text in SVG; equal figures are equal files."""

Curve = tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"], Float[np.ndarray, " time"]]
"""Times, means and standard errors."""


@contextmanager
def style() -> Iterator[None]:
    """Draws with :data:`SETTINGS`, ``with style(): ...`` or ``@style()``; matplotlib's own are as before afterwards."""
    import matplotlib as mpl

    with mpl.rc_context(SETTINGS):
        yield


def save(figure: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Writes a figure to STEM.pdf and STEM.svg, with letters that stay letters, and returns both paths."""
    import matplotlib as mpl

    stem = Path(stem)
    found = stem.with_name(f"{stem.name}.pdf"), stem.with_name(f"{stem.name}.svg")
    with mpl.rc_context({**SETTINGS, **FILES}):
        for path, undated in zip(found, ("CreationDate", "Date"), strict=True):
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:], metadata={undated: None})
    return found


def sheet(width: float, height: float, into: FigureBase | None = None) -> Figure:
    """An empty figure, inches; or the part ``into`` of a larger one, which has its own size."""
    from matplotlib.figure import Figure

    return cast("Figure", into) if into is not None else Figure(figsize=(width, height), layout="constrained")


def one_panel(
    width: float = COLUMN, height: float = 2.5, into: FigureBase | None = None, **settings: Any
) -> tuple[Figure, Axes]:
    """A :func:`sheet` with one panel; ``settings`` are those of ``Figure.add_subplot``."""
    figure = sheet(width, height, into)
    return figure, figure.add_subplot(**settings)


def panels(
    count: int, aspect: float, columns: int = 4, extra: float = 0.0, into: FigureBase | None = None
) -> tuple[Figure, list[Axes]]:
    """A :func:`sheet` with ``count`` panels in rows of at most ``columns``, each ``aspect`` times as high as wide.

    ``extra`` inches of width are kept for a colour bar. A single panel fills one column of a journal, several fill two.
    """
    width, height, rows, columns = extent(count, aspect, columns, extra)
    figure = sheet(width, height, into)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def extent(count: int, aspect: float, columns: int = 4, extra: float = 0.0) -> tuple[float, float, int, int]:
    """Width and height of :func:`panels`, inches, and their rows and columns."""
    rows = math.ceil(count / min(columns, count))
    columns = math.ceil(count / rows)
    width = COLUMN if count == 1 else WIDTH
    return width, rows * ((width - extra) / columns * aspect + 0.4), rows, columns


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


def remark(axes: Axes, note: str) -> None:
    """A small line above a panel, such as what its bars are."""
    axes.set_title(note, loc="right", fontsize=6.5, color="0.35")


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
