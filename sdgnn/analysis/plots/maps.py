"""Maps of spins, of scalar chirality and of numbers on the sites on the lattice itself, at several times."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.orders.sublattices import Cell, sublattices
from sdgnn.analysis.plots.style import WIDTH, bare, extent, panels, style
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import nearest_site

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

MOST_ARROWS = 1000
"""Sites up to which spins are drawn as arrows; above, every site is a patch of colour."""
LEAST_ARROW = 5.0
"""Room for an arrow at least, in points, where several maps share a row."""
BAR = 0.8
"""Width that is kept for a colour bar, inches."""
PIXELS = 600
TETRAHEDRAL = 4 / (3 * np.sqrt(3))
"""Scalar chirality of tetrahedral order."""


@style()
def spin_maps(
    spins: Mapping[str, Float[np.ndarray | Tensor, "site 3"]], lattice: Lattice, into: FigureBase | None = None
) -> Figure:
    """Spins of a two-dimensional lattice, one panel for each {title: (site, 3)}, for instance one for each time.

    Up to 1000 sites: arrows (S_x, S_y), coloured by S_z. Larger: the area around each site in a colour whose hue is the
    angle of (S_x, S_y) and whose lightness is S_z (white up, black down). The window has the area of the periodic cell
    and continues across its boundary. Raises UserError unless two-dimensional and every panel fits the lattice.
    """
    arrows = lattice.n_sites <= MOST_ARROWS
    columns = columns_of_arrows(lattice) if arrows else 4
    figure, panels = _panels(spins, lattice, (lattice.n_sites, 3), columns, into)
    if arrows:
        inches = figure.bbox.width / figure.dpi - BAR
        points = 72 * inches / extent(len(spins), 1.0, columns)[3] / window(lattice)[0]
        drawn = [_arrows(panel, state, lattice, points) for panel, state in panels]
        _colour_bar(figure, drawn, "$S_z$", ticks=[-1, 0, 1])
    else:
        nearest = nearest_sites(lattice)
        for panel, state in panels:
            _patches(panel, sphere_colours(state)[nearest], lattice)
        colour_key(panels[-1][0].inset_axes((1.12, 0.33, 0.25, 0.34)))
    return figure


@style()
def chirality_maps(
    chirality: Mapping[str, Float[np.ndarray | Tensor, " triangle"]],
    lattice: Lattice,
    limit: float = TETRAHEDRAL,
    into: FigureBase | None = None,
) -> Figure:
    """Scalar chirality on the lattice's own triangles, one panel for each {title: value of every triangle}.

    Colours run from -limit (blue) to +limit (red), by default the value of tetrahedral order. Raises UserError unless
    two-dimensional and every panel has one value per triangle.
    """
    figure, panels = _panels(chirality, lattice, (len(lattice.triangles),) if lattice.dim == 2 else (), into=into)
    drawn = [draw_chirality(panel, values, lattice, limit) for panel, values in panels]
    chirality_bar(figure, [panel for panel, _ in panels], drawn[-1], lattice)
    return figure


def chirality_bar(figure: FigureBase, panels: Sequence[Axes], drawn: Any, lattice: Lattice) -> None:
    """The scale of the chirality of triangles, with the value of tetrahedral order where the lattice has that."""
    bar = figure.colorbar(drawn, ax=panels, shrink=0.85, pad=0.02, extend="both")
    label = "scalar chirality"
    if lattice.name == "triangular":
        bar.set_ticks([-TETRAHEDRAL, 0, TETRAHEDRAL], labels=[f"{v:.2f}" for v in (-TETRAHEDRAL, 0, TETRAHEDRAL)])
        label += f"\n±{TETRAHEDRAL:.2f}: tetrahedral"
    bar.set_label(label, fontsize=7)


def draw_chirality(panel: Axes, values: Float[np.ndarray, " triangle"], lattice: Lattice, limit: float) -> Any:
    """Scalar chirality on the triangles of a map."""
    index, corners = images_in_window(lattice.triangle_corners, lattice)
    x, y = corners.reshape(-1, 2).T
    return panel.tripcolor(
        x, y, np.arange(len(x)).reshape(-1, 3), facecolors=values[index], cmap="RdBu_r", vmin=-limit, vmax=limit,
        rasterized=True, edgecolors="face", linewidth=0.1,
    )  # fmt: skip


def draw_sites(
    panel: Axes, values: Float[np.ndarray, " site"], lattice: Lattice, colours: str, limits: tuple[float, float]
) -> Any:
    """A number on the sites of a map: the area around each has its colour."""
    return _patches(panel, values[nearest_sites(lattice)], lattice, cmap=colours, vmin=limits[0], vmax=limits[1])


@style()
def sublattice_maps(
    spins: Float[np.ndarray | Tensor, "site 3"], lattice: Lattice, cell: Cell, into: FigureBase | None = None
) -> Figure:
    """Spins of each sublattice of an order in a panel of its own, in the colours of :func:`spin_maps`.

    ``cell`` is a :func:`.order_cell`. Within a domain every panel has one colour, whatever the order's directions
    are. Raises UserError as :func:`spin_maps`.
    """
    state = np.asarray(spins, dtype=np.float64)
    place = sublattices(cell, lattice)
    names = {f"sublattice {k + 1}": k for k in range(place.max() + 1)}
    figure, panels = _panels(dict.fromkeys(names, state), lattice, (lattice.n_sites, 3), 4, into)
    for (panel, _), k in zip(panels, names.values(), strict=True):
        _patches(panel, sphere_colours(state)[nearest_sites(lattice, np.flatnonzero(place == k))], lattice)
    colour_key(panels[-1][0].inset_axes((1.12, 0.33, 0.25, 0.34)))
    return figure


@style()
def site_maps(
    values: Mapping[str, Float[np.ndarray | Tensor, " site"]],
    lattice: Lattice,
    label: str,
    limits: tuple[float, float] | None = None,
    colours: str = "viridis",
    into: FigureBase | None = None,
) -> Figure:
    """A number on every site of a two-dimensional lattice, one panel for each {title: (site,)}.

    ``label`` names the number and its units; ``limits`` are the ends of the scale, by default the smallest and largest
    value of all panels. The area around each site has its colour. Raises UserError as :func:`spin_maps`.
    """
    figure, panels = _panels(values, lattice, (lattice.n_sites,), into=into)
    low, high = limits or (min(v.min() for _, v in panels), max(v.max() for _, v in panels))
    drawn = [draw_sites(panel, value, lattice, colours, (low, high)) for panel, value in panels]
    _colour_bar(figure, drawn, label)
    return figure


def columns_of_arrows(lattice: Lattice) -> int:
    """How many maps of arrows stand beside each other: up to four that give each arrow room."""
    return int(np.clip(72 * (WIDTH - BAR) / (LEAST_ARROW * window(lattice)[0]), 1, 4))


def window(lattice: Lattice) -> tuple[float, float]:
    """Width and height of a rectangle with the area of the periodic cell."""
    width = float(np.linalg.norm(lattice.cell[0]))
    return width, float(abs(np.linalg.det(lattice.cell))) / width


def _panels(
    given: Mapping[str, Any], lattice: Lattice, shape: tuple[int, ...], columns: int = 4, into: FigureBase | None = None
) -> tuple[Figure, list[tuple[Axes, np.ndarray]]]:
    """A figure with a titled panel of the window for each array, a bar of some lattice spacings below it."""
    if lattice.dim != 2:
        raise UserError(f"a map of a {lattice.dim}-dimensional lattice", allowed="two-dimensional lattices")
    maps = {title: np.asarray(values, dtype=np.float64) for title, values in given.items()}
    wrong = [f"{title}: {values.shape}" for title, values in maps.items() if values.shape != shape]
    if wrong or not maps:
        raise UserError(f"panels of shape {', '.join(wrong) or 'none'}", allowed=f"{shape} for {lattice!r}")
    width, height = window(lattice)
    figure, axes = panels(len(maps), height / width, columns, BAR, into)
    for panel, title in zip(axes, maps, strict=True):
        map_of(panel, lattice, title)
    return figure, list(zip(axes, maps.values(), strict=True))


def map_of(panel: Axes, lattice: Lattice, title: str) -> None:
    """Makes a panel a map of the window, with a bar of some lattice spacings below."""
    width, height = window(lattice)
    length, y = round_length(width / 4), -0.045 * height
    bare(panel)
    panel.set(xlim=(0, width), ylim=(-0.09 * height, height), title=title)
    panel.plot([0, length], [y, y], color="black", lw=1.6, solid_capstyle="butt", clip_on=False, gid="scale bar")
    panel.text(length + 0.03 * width, y, f"${length:g}\\,a$", va="center", fontsize=7)


def round_length(size: float) -> float:
    """The largest of 1, 2, 5, 10, 20, 50, ... not above ``size``."""
    power = 10 ** math.floor(math.log10(size))
    return power * max(m for m in (1, 2, 5) if m * power <= size * (1 + 1e-9))


def _colour_bar(figure: Figure, drawn: Sequence[Any], label: str, **settings: Any) -> None:
    """The scale that all panels share."""
    axes = [one.axes for one in drawn]
    figure.colorbar(drawn[-1], ax=axes, label=label, shrink=0.75, pad=0.02, **settings)


def _patches(panel: Axes, pixels: Float[np.ndarray, "y x ..."], lattice: Lattice, **settings: Any) -> Any:
    """The area around each site in a colour."""
    width, height = window(lattice)
    limits = {"xlim": panel.get_xlim(), "ylim": panel.get_ylim()}
    drawn = panel.imshow(pixels, origin="lower", extent=(0, width, 0, height), interpolation="nearest", **settings)
    panel.set(**limits)
    return drawn


def sphere_colours(spins: Float[np.ndarray, "site 3"]) -> Float[np.ndarray, "site 3"]:
    """Red, green and blue in [0, 1]: hue from the angle of (S_x, S_y), lightness from S_z.

    Hues are equally light (by way of the OKLab space), so that S_z can be told without telling hues apart.
    """
    lightness = 0.62 + 0.36 * spins[:, 2]
    chroma = 0.13 * np.sqrt(np.clip(1 - spins[:, 2] ** 2, 0, 1))
    angle = np.arctan2(spins[:, 1], spins[:, 0]) + 0.5
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    to_cone = np.array(
        [
            [1, 0.3963377774, 0.2158037573],
            [1, -0.1055613458, -0.0638541728],
            [1, -0.0894841775, -1.2914855480],
        ]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    linear = np.clip((np.stack([lightness, a, b], -1) @ to_cone.T) ** 3 @ to_rgb.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def images_in_window(
    shapes: Float[np.ndarray, "shape corner 2"], lattice: Lattice
) -> tuple[Int[np.ndarray, " image"], Float[np.ndarray, "image corner 2"]]:
    """Which shapes, and where, their periodic images lie with the centre in the window."""
    width, height = window(lattice)
    centre = shapes.mean(axis=1)
    inverse = np.linalg.inv(lattice.cell)
    home = -np.floor(centre @ inverse) @ lattice.cell
    found, placed = [], []
    for offset in itertools.product(range(-2, 3), repeat=2):
        move = home + np.array(offset) @ lattice.cell
        at = centre + move
        inside = (at > -1e-9).all(axis=1) & (at[:, 0] < width - 1e-9) & (at[:, 1] < height - 1e-9)
        found.append(np.flatnonzero(inside))
        placed.append(shapes[inside] + move[inside][:, None])
    return np.concatenate(found), np.concatenate(placed)


def nearest_sites(lattice: Lattice, among: Int[np.ndarray, " some"] | None = None) -> Int[np.ndarray, "y x"]:
    """The site nearest to each pixel of the window, of all or ``among`` some."""
    width, height = window(lattice)
    rows = int(np.ceil(PIXELS * height / width))
    x, y = np.meshgrid((np.arange(PIXELS) + 0.5) * width / PIXELS, (np.arange(rows) + 0.5) * height / rows)
    points = np.stack([x.ravel(), y.ravel()], axis=-1)
    sites = np.arange(lattice.n_sites) if among is None else among
    return sites[nearest_site(points, lattice.positions[sites], lattice.cell)].reshape(x.shape)


def _arrows(panel: Axes, state: Float[np.ndarray, "site 3"], lattice: Lattice, points: float) -> Any:
    """Arrows of length |(S_x, S_y)| on dots at the sites, with ``points`` (1/72 inch) to a lattice spacing."""
    index, at = images_in_window(lattice.positions[:, None], lattice)
    spins = state[index]
    x, y = at[:, 0, 0], at[:, 0, 1]
    dots = panel.scatter(
        x, y, (0.25 * points) ** 2, spins[:, 2], cmap="coolwarm", vmin=-1, vmax=1, linewidths=0, clip_on=False
    )
    arrows = panel.quiver(
        x, y, spins[:, 0], spins[:, 1], spins[:, 2], cmap="coolwarm", clim=(-1, 1), pivot="middle", angles="xy",
        scale_units="xy", scale=1.0, width=0.13, units="xy", headwidth=3.4, headlength=3.4, headaxislength=3.0,
        minshaft=1.0, minlength=0.1, edgecolor="black", linewidth=0.2, clip_on=False,
    )  # fmt: skip
    for drawn in (dots, arrows):  # may reach over the edge of the panel, which does not move for them
        drawn.set_in_layout(False)
    return arrows


def colour_key(key: Axes) -> None:
    """A disc: the sphere of directions flattened, with the colours of :func:`sphere_colours`."""
    x, y = np.meshgrid(np.linspace(-1, 1, 121), np.linspace(-1, 1, 121))
    radius = np.hypot(x, y)
    polar = np.pi * np.clip(radius, 0, 1)
    safe = np.where(radius > 0, radius, 1)
    spins = np.stack([np.sin(polar) * x / safe, np.sin(polar) * y / safe, np.cos(polar)], -1)
    colours = sphere_colours(spins.reshape(-1, 3)).reshape(*x.shape, 3)
    disc = np.concatenate([colours, (radius <= 1)[..., None]], axis=-1)
    key.imshow(disc, origin="lower", extent=(-1, 1, -1, 1), interpolation="bilinear")
    bare(key)
    key.set_title("$S_x, S_y$", fontsize=7, pad=1)
    key.set_xlabel("centre: $S_z=+1$\nrim: $S_z=-1$", fontsize=6, labelpad=1)
