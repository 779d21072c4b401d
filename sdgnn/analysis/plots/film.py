"""Spins drawn again and again: one figure that shows state after state of any lattice."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from sdgnn.analysis.plots.maps import (
    MOST_ARROWS,
    colour_key,
    images_in_window,
    nearest_sites,
    sphere_colours,
    spin_maps,
)
from sdgnn.analysis.plots.style import COLOURS, style
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RESOLUTION = 160
"""Dots per inch of a picture."""


class Film:
    """Pictures of spins, all of one size and scale.

    In two dimensions those of :func:`~sdgnn.analysis.plots.spin_maps`. A chain shows the three components along it. In
    three dimensions sites are dots with the same colours as large maps (hue from S_x and S_y, lightness from S_z), with
    arrows up to 1000 sites; what lies inside is hidden by what lies outside.
    """

    def __init__(self, lattice: Lattice) -> None:
        from matplotlib.animation import adjusted_figsize
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self._lattice = lattice
        up = np.tile([0.0, 0.0, 1.0], (lattice.n_sites, 1))
        with style():
            if lattice.dim == 1:
                self.figure = _chain(lattice)
            elif lattice.dim == 2:
                self.figure = spin_maps({" ": up}, lattice)
                self._at = images_in_window(lattice.positions[:, None], lattice)[0] if self._arrows else None
                self._nearest = None if self._arrows else nearest_sites(lattice)
            else:
                self.figure = _space(lattice)
            self.figure.set_dpi(RESOLUTION)
            self._canvas = FigureCanvasAgg(self.figure)
            width, height = self.figure.get_size_inches()
            self.figure.set_size_inches(*adjusted_figsize(width, height, RESOLUTION, 2))
            _settle(self.figure)

    @property
    def _arrows(self) -> bool:
        return self._lattice.n_sites <= MOST_ARROWS

    @property
    def _panel(self) -> Axes:
        return self.figure.axes[0]

    def picture(self, spins: Float[np.ndarray, "site 3"], title: str) -> UInt8[np.ndarray, "height width 3"]:
        """Red, green and blue of a picture of even height and width, with ``title`` above the spins."""
        self.show(spins, title)
        self._canvas.draw()
        return np.ascontiguousarray(np.asarray(self._canvas.buffer_rgba())[..., :3])

    @style()
    def show(self, spins: Float[np.ndarray, "site 3"], title: str) -> None:
        """Puts ``spins`` into :attr:`figure`, with ``title`` above them."""
        self._panel.set_title(title)
        spins = np.asarray(spins, dtype=np.float64)
        if self._lattice.dim == 1:
            for line, component in zip(self._panel.lines, spins.T):
                line.set_ydata(component)
        elif self._lattice.dim == 3:
            _fill_space(self._panel, self._lattice, spins, self._arrows)
        elif self._at is not None:
            dots, arrows = self._panel.collections
            moved = spins[self._at]
            dots.set_array(moved[:, 2])
            arrows.set_UVC(*moved.T)  # type: ignore[attr-defined]
        else:
            self._panel.images[0].set_data(sphere_colours(spins)[self._nearest])


def _settle(figure: Figure) -> None:
    """Lays the figure out, with all that stands beside the panels inside, and keeps it so from then on."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure.draw_without_rendering()
    engine, width = figure.get_layout_engine(), figure.get_figwidth()
    bounds = figure.get_tightbbox()
    if isinstance(engine, ConstrainedLayoutEngine) and bounds.x1 > width:
        engine.set(rect=(0, 0, 1 - (bounds.x1 - width) / width - 0.02, 1))
        figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _chain(lattice: Lattice) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 2.6), layout="constrained")
    panel = figure.subplots()
    mark = "." if lattice.n_sites <= MOST_ARROWS else ""
    for name, colour in zip("xyz", COLOURS):
        panel.plot(lattice.positions[:, 0], np.zeros(lattice.n_sites), marker=mark, color=colour, label=f"$S_{name}$")
    panel.set(ylim=(-1.05, 1.05), xlabel="position (lattice spacings)")
    panel.set_title(" ")
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _space(lattice: Lattice) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.0))
    panel = figure.add_axes((0.0, 0.02, 0.84, 0.88), projection="3d")
    panel.set_axis_off()
    corners = np.array(list(itertools.product((0, 1), repeat=3)))
    for i, j in itertools.combinations(range(8), 2):
        if np.abs(corners[i] - corners[j]).sum() == 1:
            panel.plot(*(corners[[i, j]] @ lattice.cell).T, color="0.8", lw=0.6)
    size = np.ptp(corners @ lattice.cell, axis=0)
    panel.set_box_aspect(size, zoom=1.05)  # type: ignore[arg-type, call-arg]
    colour_key(figure.add_axes((0.83, 0.36, 0.15, 0.2)))
    return figure


def _fill_space(panel: Axes, lattice: Lattice, spins: np.ndarray, arrows: bool) -> None:
    for old in list(panel.collections):
        old.remove()
    at, colours = lattice.positions.T, sphere_colours(spins)
    if arrows:
        panel.quiver(*at, *spins.T, length=0.8, pivot="middle", colors=colours, linewidth=1.4)
    else:
        spacing = 150 / np.ptp(at, axis=1).max()  # points, about
        panel.scatter(*at, c=colours, s=(0.6 * spacing) ** 2, lw=0, depthshade=False)  # type: ignore[misc]
