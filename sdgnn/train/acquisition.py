"""Acquisition: states of a committee's own dynamics, and the choice of those with the largest predicted errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash
from sdgnn.data.crop import check_crop, crop, largest_corner
from sdgnn.dynamics import Integrator, observers, simulate
from sdgnn.lattice import Lattice
from sdgnn.nn.committee import Committee


@dataclass(frozen=True)
class Acquisition:
    """Independent runs of the dynamics from which states are chosen for labelling."""

    lattice: Lattice
    """The lattice of interest; a crystal of the labels' family, as large as theirs or larger."""
    first: Callable[[Lattice, int, int], Tensor]
    """(lattice, replicas, seed) -> first spins (replica, site, 3)."""
    integrator: Integrator
    """Scheme, time step, damping and temperature of the bath."""
    steps: int
    """Length of each run."""
    every: int
    """Steps between the states of a run that may be chosen."""
    replicas: int
    """Runs in each round."""

    def __post_init__(self) -> None:
        if not 1 <= self.every <= self.steps or self.replicas < 1:
            raise UserError(
                f"{self.replicas} runs of {self.steps} steps with a state every {self.every}",
                allowed="at least one run, and at least one step between states and as many in all",
            )

    def run(self, committee: Committee, lattice: Lattice, replicas: int, seed: int, folder: Path) -> xarray.Dataset:
        """Spins and predicted torque errors of ``replicas`` runs on ``lattice``; goes on where it was broken off."""
        field, spins = committee.on(lattice), self.first(lattice, replicas, seed)
        watch = [observers.spins(self.every), observers.torque_error(self.every)]
        chunk = max(self.every, self.steps // 10)
        return simulate(
            field, spins, self.integrator, self.steps, seed=seed, observers=watch, folder=folder, resume=True,
            checkpoint_every=chunk,
        ).trajectory  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Everything that determines the runs, as plain values for JSON."""
        return {
            "lattice": self.lattice.to_dict(),
            "first": content_hash(self.first(self.lattice, 1, 0).numpy()),
            "integrator": self.integrator.to_dict(),
            "steps": self.steps,
            "every": self.every,
            "replicas": self.replicas,
        }


@dataclass(frozen=True)
class Pick:
    """A state chosen for labelling."""

    replica: int
    """Run that it comes from."""
    step: int
    """Step in that run."""
    corner: tuple[int, ...]
    """First unit cell of the piece that is labelled."""
    predicted: float
    """Predicted torque error of that piece, root mean square over its sites, in t."""


def pick(trajectory: xarray.Dataset, lattice: Lattice, smaller: Lattice, count: int, window: int) -> list[Pick]:
    """The states with the largest predicted torque errors, none within ``window`` steps of another one of its run.

    Of lattices larger than ``smaller``, the piece of its size with the largest errors counts. Ordered from uncertain to
    certain; fewer than ``count`` where runs are too short. Raises UserError where no such piece can be cut.
    """
    check_crop(lattice, smaller)
    candidates = []
    for time, step in enumerate(trajectory["step"].values.tolist()):
        for replica, squares in enumerate(np.square(trajectory["torque_error"][time].values.astype(np.float64))):
            corner = largest_corner(squares, lattice, smaller)
            piece = crop(torch.from_numpy(squares)[None, :, None].expand(-1, -1, 3), lattice, smaller, corner)
            candidates.append(Pick(replica, step, corner, float(piece.mean().sqrt())))
    chosen: list[Pick] = []
    for one in sorted(candidates, key=lambda p: (-p.predicted, p.step, p.replica)):
        if len(chosen) < count and all(p.replica != one.replica or abs(p.step - one.step) >= window for p in chosen):
            chosen.append(one)
    return chosen


def picked_spins(trajectory: xarray.Dataset, picks: list[Pick], lattice: Lattice, smaller: Lattice) -> Tensor:
    """Unit spins (state, site, 3), float64, of chosen states."""
    steps = trajectory["step"].values.tolist()
    states = [
        crop(_unit(trajectory["spins"][steps.index(p.step), p.replica].values[None]), lattice, smaller, p.corner)
        for p in picks
    ]
    return torch.cat(states)


def one_of_each_run(trajectory: xarray.Dataset) -> Tensor:
    """Unit spins (state, site, 3), float64: one state of each run, their times spread evenly over the runs' length."""
    times, runs = trajectory.sizes["time"], trajectory.sizes["replica"]
    chosen = [int((run + 0.5) / runs * times) for run in range(runs)]
    return torch.cat([_unit(trajectory["spins"][time, run].values[None]) for run, time in enumerate(chosen)])


def _unit(spins: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.array(spins, dtype=np.float64))
    return tensor / tensor.norm(dim=-1, keepdim=True)
