"""Movies of trajectories."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from sdgnn.analysis.plots import Film
from sdgnn.analysis.plots.film import RESOLUTION
from sdgnn.common.errors import UserError
from sdgnn.common.extras import require
from sdgnn.common.files import atomic_path
from sdgnn.common.progress import counted
from sdgnn.interchange.states import Frames
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

ENCODING = {
    ".mp4": ("-pix_fmt", "yuv420p", "-crf", "10"),
    ".gif": (
        "-pix_fmt", "pal8",
        "-filter_complex", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none",
    ),
}  # fmt: skip
"""What ffmpeg is asked for, by suffix; each frame of a GIF has a palette of its own."""


def movie(
    trajectory: xarray.Dataset,
    path: str | os.PathLike[str],
    every: int = 1,
    replica: int = 0,
    fps: float = 15.0,
    lattice: Lattice | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write the spins of one replica through time as ``.mp4`` (H.264) or ``.gif``, the time above each frame::

        sdgnn.interchange.movie(run.trajectory, "quench.mp4", every=2, fps=10)

    Every ``every``-th recorded time is a frame, ``fps`` of them a second; :class:`~sdgnn.analysis.plots.Film` draws
    them, on any lattice. One frame is in memory at once. ``lattice`` is read from the trajectory if not given;
    ``progress`` is told how many frames are done. Needs ``pip install 'sdgnn[movie]'``. Raises UserError without, on
    another suffix, on a trajectory without spins, on a rate that is not positive and when the file cannot be written.
    """
    require("movie", "a movie")
    import matplotlib as mpl
    from imageio_ffmpeg import get_ffmpeg_exe
    from matplotlib.animation import FFMpegWriter

    suffix = Path(path).suffix
    if suffix not in ENCODING:
        raise UserError(f"{path} for a movie", allowed=", ".join(ENCODING))
    if not 0 < fps <= 1000:
        raise UserError(f"{fps:g} frames a second", allowed="a positive number up to 1000")
    frames = Frames.of(trajectory, every, replica, lattice)
    film = Film(frames.lattice)
    writer = FFMpegWriter(fps=fps, codec="libx264", extra_args=ENCODING[suffix])  # type: ignore[arg-type]
    with atomic_path(path) as temporary, mpl.rc_context({"animation.ffmpeg_path": get_ffmpeg_exe()}):
        try:
            with writer.saving(film.figure, temporary, RESOLUTION):
                for state in counted(frames, progress):
                    film.show(state.spins, frames.caption(state))
                    writer.grab_frame()
        except CalledProcessError as error:
            if error.returncode == -signal.SIGXFSZ:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG)) from error
            raise OSError(f"ffmpeg ended with status {error.returncode}: {error.stderr.strip()}") from error
