"""Movies of trajectories."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots import Film
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path
from sdgnn.interchange.states import TIME_UNITS, Frames
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

ENCODING: dict[str, tuple[str, ...]] = {
    ".mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "10"),
    ".gif": (
        "-c:v", "gif", "-pix_fmt", "pal8",
        "-vf", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none",
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
    """Write the spins of one replica through time as ``.mp4`` (H.264) or ``.gif``, the time above each frame.

    Every ``every``-th recorded time is a frame, ``fps`` of them a second; :class:`~sdgnn.analysis.plots.Film` draws
    them, on any lattice. One frame is in memory at once. ``lattice`` is read from the trajectory if not given;
    ``progress`` is told how many frames are done. Raises UserError on another suffix, on a trajectory without spins,
    on a rate that is not positive and when the file cannot be written.
    """
    suffix = Path(path).suffix
    if suffix not in ENCODING:
        raise UserError(f"{path} for a movie", allowed=", ".join(ENCODING))
    if not 0 < fps <= 1000:
        raise UserError(f"{fps:g} frames a second", allowed="a positive number up to 1000")
    frames = Frames.of(trajectory, every, replica, lattice)
    with atomic_path(path) as temporary:
        _encode(pictures(frames), temporary, fps, ENCODING[suffix], progress)


def _encode(
    pictures: Iterator[np.ndarray], path: Path, fps: float, encoding: Sequence[str],
    progress: Callable[[int], None] | None,
) -> None:  # fmt: skip
    """Pictures of one size as a movie by ffmpeg. Raises OSError with its words when it does not end well."""
    from imageio_ffmpeg import get_ffmpeg_exe

    first = next(pictures)
    size = f"{first.shape[1]}x{first.shape[0]}"
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{fps:g}", "-i", "-")
    command = [get_ffmpeg_exe(), "-y", "-v", "error", *given, *encoding, str(path)]
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as ffmpeg:
            assert ffmpeg.stdin is not None
            try:
                for done, picture in enumerate(chain([first], pictures), 1):
                    ffmpeg.stdin.write(np.ascontiguousarray(picture).data)
                    if progress is not None:
                        progress(done)
                ffmpeg.stdin.close()
            except BrokenPipeError:  # ffmpeg has ended, and said why
                with suppress(BrokenPipeError):
                    ffmpeg.stdin.close()
            except BaseException:
                ffmpeg.kill()
                raise
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if ffmpeg.returncode == -signal.SIGXFSZ:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    if ffmpeg.returncode:
        raise OSError(f"ffmpeg ended with status {ffmpeg.returncode}: {words}")


def pictures(frames: Frames) -> Iterator[np.ndarray]:
    """A picture (height, width, 3) of each time, its time above it."""
    film = Film(frames.lattice)
    for state in frames:
        yield film.picture(state.spins, caption(state.time or 0.0, frames.units))


def caption(time: float, units: str) -> str:
    """A time as it stands above a picture."""
    return rf"time {time:.4g} $\hbar/t$" if units == TIME_UNITS else f"step {time:.0f}"
