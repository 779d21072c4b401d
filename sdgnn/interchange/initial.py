"""First states of runs, from files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import check_spins
from sdgnn.interchange.arrays import read_npz
from sdgnn.interchange.ovf import read_ovf
from sdgnn.lattice import Lattice


def first_states(path: str | os.PathLike[str], lattice: Lattice, replicas: int = 1) -> Float[Tensor, "replica site 3"]:
    """Spins to start a run on ``lattice`` from: OVF 2.0, or ``.npz``, of which the last time is taken.

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
