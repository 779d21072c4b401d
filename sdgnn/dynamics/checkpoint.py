"""Checkpoints of a run: the last state, and the one before it, each in one file with checksums (those of zip)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sdgnn.common.errors import DamagedFileWarning, UserError
from sdgnn.common.files import PARSER_ERRORS, atomic_path
from sdgnn.dynamics.state import State

NAME = "checkpoint.npz"
"""The checkpoint's name in a run's folder."""
PREVIOUS = "checkpoint.previous.npz"
"""The name of the one before."""
DAMAGED = "checkpoint.damaged.npz"
"""Where one that cannot be read is left, so that it does not take the place of the one before."""


def save_checkpoint(folder: str | os.PathLike[str], state: State) -> None:
    """Writes ``state`` (spins, time, step, seed, streams) to :data:`NAME` in ``folder``; the old one becomes
    :data:`PREVIOUS`.

    At every moment at least one of them is complete. Raises UserError when the disk is full or the folder cannot be
    written.
    """
    path = Path(folder) / NAME
    arrays: dict[str, Any] = {
        "spins": state.spins.cpu().numpy(),
        "time": np.float64(state.time),
        "step": np.int64(state.step),
        "seed": np.uint64(state.seed),
        "replicas": np.array(state.streams, dtype=np.int64),
    }
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays)
        if path.exists():
            path.replace(path.with_name(PREVIOUS))


def last_checkpoint(folder: str | os.PathLike[str], device: torch.device | str = "cpu") -> State | None:
    """The newest state that is intact in a run's folder, None where there is no checkpoint.

    Warns (DamagedFileWarning) when that is the one before the last; the last is set aside under the name
    :data:`DAMAGED`. Raises UserError when there are checkpoints and none can be read.
    """
    found = [path for path in (Path(folder) / NAME, Path(folder) / PREVIOUS) if path.is_file()]
    damaged: list[UserError] = []
    for path in found:
        try:
            state = load_checkpoint(path, device)
        except UserError as error:
            damaged.append(error)
            continue
        for newer in damaged:
            found[0].replace(found[0].with_name(DAMAGED))
            warnings.warn(f"{newer.given}; going on from {path.name}, step {state.step}", DamagedFileWarning, 2)
        return state
    if damaged:
        raise damaged[0]
    return None


def load_checkpoint(path: str | os.PathLike[str], device: torch.device | str = "cpu") -> State:
    """The state that :func:`save_checkpoint` wrote, bit for bit.

    Raises UserError when the file cannot be read or is not what was written.
    """
    try:
        with np.load(Path(path), allow_pickle=False) as file:
            arrays = {name: file[name] for name in ("spins", "time", "step", "seed", "replicas")}
        return State(
            spins=torch.from_numpy(arrays["spins"]).to(device),
            time=float(arrays["time"]),
            step=int(arrays["step"]),
            seed=int(arrays["seed"]),
            streams=tuple(int(r) for r in arrays["replicas"]),
        )
    except PARSER_ERRORS as error:
        raise UserError(
            f"checkpoint {path} cannot be read ({error})",
            allowed=f"the {NAME} of a run",
            fix="start the run again in another folder",
        ) from error
