"""A run's spins for other programs, as a movie or as a page."""

from __future__ import annotations

import math
from pathlib import Path

from sdgnn.analysis.trajectories import lattice_of_run
from sdgnn.cli.commands.console import say, timed
from sdgnn.common.errors import UserError
from sdgnn.common.progress import progress_bar
from sdgnn.dynamics import open_sweep, open_trajectory
from sdgnn.dynamics.sweeps import NAME as SWEEP
from sdgnn.interchange import export
from sdgnn.interchange.files import OF_ARRAYS, STATES
from sdgnn.interchange.pages import thinning


def export_run(folder: Path, to: Path, time: float | None, every: int | None, replica: int | None) -> None:
    """Write what :func:`sdgnn.interchange.export` makes of the run in ``folder``; files that exist are not replaced."""
    if to.exists():
        raise UserError(f"{to} exists", allowed="a new file", fix="remove it or choose another name")
    if (folder / SWEEP).exists():
        points = len(list((folder / "runs").iterdir()))
        raise UserError(
            f"{folder} is a sweep of {dict(open_sweep(folder).sizes)}",
            allowed="one run",
            fix=f"choose one of its batches, {folder}/runs/000 to {points - 1:03d}, and --replica",
        )
    trajectory, lattice = open_trajectory(folder), lattice_of_run(folder)
    if to.suffix.lower() in (*STATES, *OF_ARRAYS):
        with timed(f"writing {to}"):
            export(trajectory, to, time, every, replica, lattice)
    else:
        recorded = len(trajectory["spins"]) if "spins" in trajectory else 0
        if every is None and to.suffix.lower() == ".html":
            every = thinning(recorded)
        with progress_bar(f"writing {to}", math.ceil(recorded / (every or 1)), "frames") as progress:
            export(trajectory, to, time, every, replica, lattice, progress)
    say(f"written: {to}")
