"""Maps of spins, of scalar chirality and of numbers on the sites on the lattice itself, at several times."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from sdgnn.analysis.plots.style import bare, panels, round_length, scale_bar, style
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ARROWS = 1000
"""Sites up to which spins are drawn as arrows; above, every site is a patch of colour."""
PIXELS = 600
TETRAHEDRAL = 4 / (3 * np.sqrt(3))
"""Scalar chirality of tetrahedral order."""


def spin_maps(spins: Mapping[str, Float[np.ndarray | Tensor, "site 3"]], lattice: Lattice) -> Figure:
    """Spins of a two-dimensional lattice, one panel for each {title: (site, 3)}, for instance one for each time.

    Up to 1000 sites: arrows (S_x, S_y), coloured by S_z. Larger: the area around each site in a colour whose hue is the
    angle of (S_x, S_y) and whose lightness is S_z (white up, black down). The window has the area of the periodic cell
    and continues across its boundary. Raises UserError unless two-dimensional and every panel fits the lattice.
    """
    states = {title: np.asarray(s, dtype=np.float64) for title, s in spins.items()}
    _check(lattice, {title: s.shape for title, s in states.items()}, (lattice.n_sites, 3))
    width, height = window(lattice)
    with style():
        arrows = lattice.n_sites <= MOST_ARROWS
        columns = 2 if len(states) <= 4 else 3
        figure, axes = panels(len(states), height / width, columns, extra=0.8)
        for panel, (title, state) in zip(axes, states.items(), strict=True):
            if arrows:
                drawn = _arrows(panel, state, lattice, 72 * figure.get_figwidth() / columns / width)
            else:
                image = sphere_colours(state)[nearest_sites(lattice)]
                panel.imshow(image, origin="lower", extent=(0, width, 0, height), interpolation="nearest")
            _frame(panel, lattice, title)
        if arrows:
            figure.colorbar(drawn, ax=axes, label="$S_z$", shrink=0.75, pad=0.02, ticks=[-1, 0, 1])
        else:
            colour_key(axes[-1].inset_axes((1.05, 0.33, 0.25, 0.34)))
    return figure


def chirality_maps(
    chirality: Mapping[str, Float[np.ndarray | Tensor, " triangle"]], lattice: Lattice, limit: float = TETRAHEDRAL
) -> Figure:
    """Scalar chirality on the lattice's own triangles, one panel for each {title: value of every triangle}.

    Colours run from -limit (blue) to +limit (red), by default the value of tetrahedral order. Raises UserError unless
    two-dimensional and every panel has one value per triangle.
    """
    maps = {title: np.asarray(values, dtype=np.float64) for title, values in chirality.items()}
    _check(lattice, {title: values.shape for title, values in maps.items()}, (len(lattice.triangles),))
    index, corners = images_in_window(lattice.triangle_corners, lattice)
    with style():
        width, height = window(lattice)
        figure, axes = panels(len(maps), height / width, extra=0.8)
        x, y = corners.reshape(-1, 2).T
        members = np.arange(len(x)).reshape(-1, 3)
        for panel, (title, values) in zip(axes, maps.items(), strict=True):
            drawn = panel.tripcolor(
                x, y, members, facecolors=values[index], cmap="RdBu_r", vmin=-limit, vmax=limit, rasterized=True,
                edgecolors="face", linewidth=0.1,
            )  # fmt: skip
            _frame(panel, lattice, title)
        figure.colorbar(
            drawn, ax=axes, label=r"$\mathbf{S}_i\cdot(\mathbf{S}_j\times\mathbf{S}_k)$", shrink=0.75, pad=0.02,
            extend="both",
        )  # fmt: skip
    return figure


def site_maps(
    values: Mapping[str, Float[np.ndarray | Tensor, " site"]],
    lattice: Lattice,
    label: str,
    limits: tuple[float, float] | None = None,
    colours: str = "viridis",
) -> Figure:
    """A number on every site of a two-dimensional lattice, one panel for each {title: (site,)}.

    ``label`` names the number and its units; ``limits`` are the ends of the scale, by default the smallest and largest
    value of all panels. The area around each site has its colour. Raises UserError as :func:`spin_maps`.
    """
    maps = {title: np.asarray(v, dtype=np.float64) for title, v in values.items()}
    _check(lattice, {title: v.shape for title, v in maps.items()}, (lattice.n_sites,))
    width, height = window(lattice)
    low, high = limits or (min(v.min() for v in maps.values()), max(v.max() for v in maps.values()))
    nearest = nearest_sites(lattice)
    with style():
        figure, axes = panels(len(maps), height / width, extra=0.8)
        for panel, (title, value) in zip(axes, maps.items(), strict=True):
            drawn = panel.imshow(
                value[nearest], origin="lower", extent=(0, width, 0, height), interpolation="nearest", cmap=colours,
                vmin=low, vmax=high,
            )  # fmt: skip
            _frame(panel, lattice, title)
        figure.colorbar(drawn, ax=axes, label=label, shrink=0.75, pad=0.02)
    return figure


def window(lattice: Lattice) -> tuple[float, float]:
    """Width and height of a rectangle with the area of the periodic cell."""
    width = float(np.linalg.norm(lattice.cell[0]))
    return width, float(abs(np.linalg.det(lattice.cell))) / width


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


def _check(lattice: Lattice, shapes: Mapping[str, tuple[int, ...]], wanted: tuple[int, ...]) -> None:
    if lattice.dim != 2:
        raise UserError(f"a map of a {lattice.dim}-dimensional lattice", allowed="two-dimensional lattices")
    wrong = [f"{title}: {shape}" for title, shape in shapes.items() if shape != wanted]
    if wrong or not shapes:
        raise UserError(f"panels of shape {', '.join(wrong) or 'none'}", allowed=f"{wanted} for {lattice!r}")


def _frame(panel: Axes, lattice: Lattice, title: str) -> None:
    width, height = window(lattice)
    panel.set_title(title)
    bare(panel)
    panel.set(xlim=(0, width), ylim=(-0.09 * height, height))
    scale_bar(panel, round_length(width / 4), (width, height))


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


def nearest_sites(lattice: Lattice) -> Int[np.ndarray, "y x"]:
    """The site nearest to each pixel of the window."""
    width, height = window(lattice)
    rows = int(np.ceil(PIXELS * height / width))
    x, y = np.meshgrid((np.arange(PIXELS) + 0.5) * width / PIXELS, (np.arange(rows) + 0.5) * height / rows)
    offsets = np.array(list(itertools.product(range(-2, 3), repeat=2))) @ lattice.cell
    points = (lattice.positions[None] + offsets[:, None]).reshape(-1, 2)
    near = ((points > -2) & (points < np.array([width, height]) + 2)).all(axis=1)
    _, index = cKDTree(points[near]).query(np.stack([x.ravel(), y.ravel()], axis=-1))
    return (np.flatnonzero(near) % lattice.n_sites)[index].reshape(x.shape)


def _arrows(panel: Axes, state: Float[np.ndarray, "site 3"], lattice: Lattice, points: float) -> Any:
    """Arrows of length |(S_x, S_y)| on dots at the sites, with ``points`` (1/72 inch) to a lattice spacing."""
    index, at = images_in_window(lattice.positions[:, None], lattice)
    spins = state[index]
    x, y = at[:, 0, 0], at[:, 0, 1]
    panel.scatter(x, y, (0.25 * points) ** 2, spins[:, 2], cmap="coolwarm", vmin=-1, vmax=1, linewidths=0)
    return panel.quiver(
        x, y, spins[:, 0], spins[:, 1], spins[:, 2], cmap="coolwarm", clim=(-1, 1), pivot="middle", angles="xy",
        scale_units="xy", scale=1.0, width=0.13, units="xy", headwidth=3.4, headlength=3.4, headaxislength=3.0,
        minshaft=1.0, minlength=0.1, edgecolor="black", linewidth=0.2,
    )  # fmt: skip


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
