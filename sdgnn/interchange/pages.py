"""An interactive view of a trajectory: one HTML page with all it shows inside, for notebooks and browsers."""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdgnn.analysis.plots import Film
from sdgnn.common.files import atomic_path
from sdgnn.common.progress import counted
from sdgnn.interchange.states import TIME_UNITS, Frames
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

MOST_FRAMES = 100
"""Times that a player shows unless told otherwise: a few megabytes."""
QUALITY = 85
"""Quality of the WebP pictures, up to 100."""
CONTROLS = 60
"""Height of what stands below the picture, in pixels."""


@dataclass(frozen=True, eq=False)
class Player:
    """Pictures of a trajectory with a slider; a notebook shows it, :meth:`save` writes it as a page.

    A page that was made needs neither server nor network nor Python.
    """

    frames: tuple[bytes, ...]
    """Pictures as WebP."""
    captions: tuple[str, ...]
    """Time of each picture, in words."""
    width: int
    """Width of the pictures, in pixels."""
    height: int
    """Height of the pictures, in pixels."""

    def html(self, title: str = "spins") -> str:
        """The page."""
        from jinja2 import Environment, PackageLoader

        environment = Environment(
            loader=PackageLoader("sdgnn.interchange", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        frames = [base64.b64encode(frame).decode("ascii") for frame in self.frames]
        return environment.get_template("player.html").render(player=self, frames=frames, title=title)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page. Raises UserError when it cannot be written."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that several in one notebook do not disturb each other."""
        page = html.escape(self.html(), quote=True)
        size = f'width="{self.width + 20}" height="{self.height + CONTROLS}"'
        return f'<iframe srcdoc="{page}" {size} style="border: 0; max-width: 100%"></iframe>'

    def __repr__(self) -> str:
        return f"Player: {len(self.frames)} times, {self.captions[0]} to {self.captions[-1]}"


def player(
    trajectory: xarray.Dataset,
    every: int | None = None,
    replica: int = 0,
    lattice: Lattice | None = None,
    progress: Callable[[int], None] | None = None,
) -> Player:
    """The spins of one replica through time, with a slider, which the last line of a notebook's cell shows::

        sdgnn.interchange.player(run.trajectory).save("run.html")

    Every ``every``-th recorded time is there, by default as many as give at most 100; pictures are those of
    :func:`~sdgnn.interchange.movie`. ``lattice`` is read from the trajectory if not given; ``progress`` is told how
    many are done. Raises UserError on a trajectory without spins and on a replica that is not there.
    """
    from PIL import Image

    if every is None:
        every = thinning(len(Frames.of(trajectory, 1, replica, lattice)))
    shown = Frames.of(trajectory, every, replica, lattice)
    film, found, size = Film(shown.lattice), [], (0, 0)
    for state in counted(shown, progress):
        picture, stream = Image.fromarray(film.picture(state.spins, shown.caption(state))), io.BytesIO()
        picture.save(stream, format="WEBP", quality=QUALITY)
        found.append(stream.getvalue())
        size = picture.size
    unit = " ħ/t" if shown.units == TIME_UNITS else " steps"
    return Player(tuple(found), tuple(f"{time:.4g}{unit}" for time in shown.times), *size)


def thinning(recorded: int) -> int:
    """Every how many of the recorded times a player shows unless told otherwise."""
    return max(1, math.ceil(recorded / MOST_FRAMES))
