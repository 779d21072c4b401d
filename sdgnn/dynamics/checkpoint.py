"""Checkpoints of a run: the state in one file that is replaced as a whole."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from sdgnn.dynamics.state import State
from sdgnn.errors import UserError
from sdgnn.files import atomic_path

NAME = "checkpoint.npz"
"""The checkpoint's name in a run's folder."""


def save_checkpoint(path: str | os.PathLike[str], state: State) -> None:
    """Writes ``state`` (spins, time, step, seed, replicas) to an .npz file, completely or not at all.

    Raises UserError when the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            spins=state.spins.cpu().numpy(),
            time=np.float64(state.time),
            step=np.int64(state.step),
            seed=np.uint64(state.seed),
            replicas=np.array(state.replicas, dtype=np.int64),
        )


def load_checkpoint(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> State:
    """The state that :func:`save_checkpoint` wrote, bit for bit. Raises UserError when the file cannot be read."""
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            return State(
                spins=torch.from_numpy(file["spins"]).to(device),
                time=float(file["time"]),
                step=int(file["step"]),
                seed=int(file["seed"]),
                replicas=tuple(int(r) for r in file["replicas"]),
            )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(
            f"checkpoint {path} cannot be read ({error})",
            allowed=f"the {NAME} of a run",
            fix="start the run again in another folder",
        ) from error
