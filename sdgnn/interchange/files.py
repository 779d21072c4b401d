"""One trajectory to one file, and first states of a run from a file, whose suffix says how."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import check_spins
from sdgnn.interchange.arrays import read_npz, write_netcdf, write_npz
from sdgnn.interchange.movies import movie
from sdgnn.interchange.ovf import read_ovf, write_ovf
from sdgnn.interchange.pages import player
from sdgnn.interchange.states import at_time, snapshot, thinned
from sdgnn.interchange.vtk import write_pvd, write_vtk
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

STATES = (".ovf", ".omf", ".vti", ".vtp")
"""Suffixes of files that hold one state."""
TRAJECTORIES = (".pvd", ".npz", ".nc", ".mp4", ".gif", ".html")
"""Suffixes of files that hold states through time."""
OF_ARRAYS = (".npz", ".nc")
"""Suffixes of files that hold all replicas, and may hold one time alone."""


def export(
    trajectory: xarray.Dataset,
    path: str | os.PathLike[str],
    time: float | None = None,
    every: int | None = None,
    replica: int | None = None,
    lattice: Lattice | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Writes a trajectory, or one state of it, in the format of the suffix of ``path``::

        sdgnn.interchange.export(run.trajectory, "early.vtp", time=100, replica=2)

    ==================== ==================================================================================
    .ovf, .omf           one state for OOMMF, mumax3, Ubermag (:func:`~sdgnn.interchange.write_ovf`)
    .vti, .vtp           one state for ParaView (:func:`~sdgnn.interchange.write_vtk`)
    .pvd                 all times for ParaView (:func:`~sdgnn.interchange.write_pvd`)
    .npz                 spins, times and positions of all replicas (:func:`~sdgnn.interchange.write_npz`)
    .nc                  all that was recorded (:func:`~sdgnn.interchange.write_netcdf`)
    .mp4, .gif           a movie (:func:`~sdgnn.interchange.movie`)
    .html                a page with a slider (:func:`~sdgnn.interchange.player`)
    ==================== ==================================================================================

    ``time`` chooses the recorded state nearest to it (the last one without it; .npz and .nc then hold that state
    alone), ``every`` takes every so many of the recorded times, ``replica`` one replica, counted from 0 (by default the
    first, and all of .npz and .nc). Raises UserError on another suffix, on a choice that the format does not know, and
    as the functions named.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*STATES, *TRAJECTORIES):
        raise UserError(f"{path} to export to", allowed=f"names ending in {', '.join((*STATES, *TRAJECTORIES))}")
    if suffix in STATES and every is not None:
        raise UserError(f"every {every} times to {path}", allowed="one state", fix="choose it by time, or take .pvd")
    if time is not None and (every is not None or suffix not in (*STATES, *OF_ARRAYS)):
        what = f"to {path}" if every is None else f"and every {every} times"
        raise UserError(f"time {time:g} {what}", allowed=f"time alone, for {', '.join((*STATES, *OF_ARRAYS))}")
    one, step = replica or 0, every or 1
    if suffix in STATES:
        state = snapshot(trajectory, time, one, lattice)
        write_vtk(state, path) if suffix in (".vti", ".vtp") else write_ovf(state, path)
    elif suffix in OF_ARRAYS:
        chosen = trajectory if time is None else at_time(trajectory, time)
        if every is not None or replica is not None:
            chosen = thinned(chosen, step, replica)
        write_npz(chosen, path, lattice) if suffix == ".npz" else write_netcdf(chosen, path)
    elif suffix == ".pvd":
        write_pvd(trajectory, path, step, one, lattice, progress)
    elif suffix == ".html":
        player(trajectory, every, one, lattice, progress).save(path)
    else:
        movie(trajectory, path, step, one, lattice=lattice, progress=progress)


def first_states(path: str | os.PathLike[str], lattice: Lattice, replicas: int = 1) -> Float[Tensor, "replica site 3"]:
    """Spins to start a run on ``lattice`` from: OVF 2.0, or ``.npz``, of which the last time is taken::

        spins = sdgnn.interchange.first_states("last.ovf", lattice, replicas=4)

    A file with one state gives it to every replica; one with several gives each in turn, so that ``replicas`` must be a
    multiple of their number. In the file's precision. Raises UserError on files that cannot be read
    (:func:`~sdgnn.interchange.read_ovf`, :func:`~sdgnn.interchange.read_npz`), on another lattice, on another number of
    states and on spins that are no unit vectors.
    """
    path = Path(path)
    if path.suffix not in (".ovf", ".omf", ".npz"):
        raise UserError(f"first states from {path}", allowed=".ovf, .omf, .npz")
    if path.suffix == ".npz":
        states = read_npz(path, lattice)["spins"].values[-1]
    else:
        states = read_ovf(path, lattice).spins[None]
    if replicas % len(states):
        raise UserError(
            f"{replicas} replica(s) from the {len(states)} states in {path}",
            allowed=f"one state, or a multiple of {len(states)} replicas",
        )
    spins = torch.from_numpy(np.ascontiguousarray(states)).repeat(replicas // len(states), 1, 1)
    return check_spins(spins, lattice, unit=True)
