"""Movies of trajectories."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.analysis.plots import Film
from sdgnn.errors import UserError
from sdgnn.files import atomic_path
from sdgnn.interchange.states import TIME_UNITS, Frames
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

ENCODING: dict[str, dict[str, Any]] = {
    ".mp4": {"codec": "libx264", "pix_fmt_out": "yuv420p", "quality": 8},
    ".gif": {
        "codec": "gif",
        "pix_fmt_out": "pal8",
        "quality": None,
        "output_params": ["-vf", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none"],
    },
}
"""How frames are encoded, by suffix; each frame of a GIF has a palette of its own."""


def movie(
    trajectory: xarray.Dataset,
    path: str | os.PathLike[str],
    every: int = 1,
    replica: int = 0,
    fps: float = 15.0,
    lattice: Lattice | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write the spins of one replica through time as ``.mp4`` (H.264) or ``.gif``, the time above each frame.

    Every ``every``-th recorded time is a frame, ``fps`` of them a second; :class:`~sdgnn.analysis.plots.Film` draws
    them, on any lattice. One frame is in memory at once. ``lattice`` is read from the trajectory if not given;
    ``progress`` is told how many frames are done. Raises UserError on another suffix, on a trajectory without spins,
    on a rate that is not positive and when the file cannot be written.
    """
    import imageio_ffmpeg

    suffix = Path(path).suffix
    if suffix not in ENCODING:
        raise UserError(f"{path} for a movie", allowed=", ".join(ENCODING))
    if not 0 < fps <= 1000:
        raise UserError(f"{fps:g} frames a second", allowed="a positive number up to 1000")
    frames = Frames.of(trajectory, every, replica, lattice)
    with atomic_path(path) as temporary:
        writer = None
        try:
            for done, picture in enumerate(pictures(frames), 1):
                if writer is None:
                    size = (picture.shape[1], picture.shape[0])
                    writer = imageio_ffmpeg.write_frames(
                        temporary, size, fps=fps, macro_block_size=1, ffmpeg_log_level="error", **ENCODING[suffix]
                    )
                    writer.send(None)
                writer.send(picture)
                if progress is not None:
                    progress(done)
        finally:
            if writer is not None:
                writer.close()


def pictures(frames: Frames) -> Iterator[np.ndarray]:
    """A picture (height, width, 3) of each time, its time above it."""
    film = Film(frames.lattice)
    for state in frames:
        yield film.picture(state.spins, caption(state.time or 0.0, frames.units))


def caption(time: float, units: str) -> str:
    """A time as it stands above a picture."""
    return rf"time {time:.4g} $\hbar/t$" if units == TIME_UNITS else f"step {time:.0f}"
