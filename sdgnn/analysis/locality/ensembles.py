"""Ensembles of spin states for the locality floor: a state, and others that agree with it near a site."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.analysis.trajectories import lattice_of_run
from sdgnn.common.errors import UserError
from sdgnn.data import store
from sdgnn.dynamics import open_trajectory
from sdgnn.dynamics.times import in_window
from sdgnn.fields import check_spins
from sdgnn.lattice import Lattice

CANDIDATES = 512
"""Windows of given states among which the best fits to the frozen spins are looked for."""


class StateEnsemble(ABC):
    """An ensemble of states from which the surroundings of frozen spins can be drawn again."""

    @abstractmethod
    def check(self, lattice: Lattice) -> None:
        """Raises UserError when the states do not fit ``lattice``."""

    @abstractmethod
    def environment(self, lattice: Lattice, seed: int) -> Float[Tensor, "site 3"]:
        """A state."""

    @abstractmethod
    def redraw(
        self,
        lattice: Lattice,
        kept: Float[Tensor, "site 3"],
        near: Bool[np.ndarray, " site"],
        count: int,
        seed: int,
    ) -> Float[Tensor, "replica site 3"]:
        """``count`` states to take the place of ``kept`` where not ``near``, given what it is where ``near``."""


@dataclass(frozen=True)
class Independent(StateEnsemble):
    """Spins drawn independently at every site: random ones, or an order with noise, (S + g n) / |S + g n|.

    Redrawn are all of them. An order, which the near spins tell, stays. It is not turned: the floor is the same for all
    orientations, since fields turn with the spins; with spin-orbit coupling or DMI it is that of this orientation.

        Independent(sdgnn.spins.random)
        Independent(noisy_order(sdgnn.spins.tetrahedral, strength=0.3))
    """

    draw: Callable[[Lattice, int, int], Tensor]
    """(lattice, replicas, seed) -> spins (replica, site, 3)."""

    def check(self, lattice: Lattice) -> None:
        self.draw(lattice, 1, 0)

    def environment(self, lattice: Lattice, seed: int) -> Float[Tensor, "site 3"]:
        return self.draw(lattice, 1, seed)[0]

    def redraw(
        self, lattice: Lattice, kept: Tensor, near: np.ndarray, count: int, seed: int
    ) -> Float[Tensor, "replica site 3"]:
        return self.draw(lattice, count, seed)


def noisy_order(order: Callable[[Lattice], Tensor], strength: float) -> Callable[[Lattice, int, int], Tensor]:
    """Draws an ordered state (1, site, 3) with noise of standard deviation ``strength`` in each component."""
    return lambda lattice, replicas, seed: textures.noisy(order(lattice).repeat(replicas, 1, 1), strength, seed)


@dataclass(frozen=True, eq=False)
class Windows(StateEnsemble):
    """Windows of given states, such as snapshots of a run on the same or a larger lattice.

    Surroundings are other windows, turned to agree best with the frozen spins (least squares): the ``count`` best of
    512 drawn at random. Turned spins must be as likely as they were: not with spin-orbit coupling, where
    :func:`.locality_floor` raises UserError. Where no window fits well, the seam adds to the spread, so that the floor
    comes out too high for smooth states; many independent states make it sharper.
    """

    states: Tensor
    """(state, site, 3) unit spins."""
    lattice: Lattice
    """Their lattice."""

    @classmethod
    def recorded(cls, folder: Path, since: float = 0.0) -> Windows:
        """All replicas of a run from a time on. Raises UserError where no spins were recorded."""
        trajectory = open_trajectory(folder)
        if "spins" not in trajectory:
            raise UserError(f"{folder} without recorded spins", fix="run with the observer spins")
        spins = trajectory["spins"]
        values = spins.values[in_window(trajectory[spins.dims[0]].values, (since, math.inf))]
        return cls._some(values.reshape(-1, *values.shape[2:]), lattice_of_run(folder), f"{folder} since {since:g}")

    @classmethod
    def labelled(cls, path: Path, protocol: str | None = None, since: float = 0.0) -> Windows:
        """The states of a label set, of one protocol and from a step on where asked for."""
        labels = store.read(path)
        chosen = [
            i
            for i, (name, step) in enumerate(zip(labels.protocol, labels.steps, strict=True))
            if (protocol is None or name == protocol) and (not since or step >= since)
        ]
        return cls._some(labels.spins.numpy()[chosen], labels.lattice, f"{path} ({', '.join(labels.counts)})")

    @classmethod
    def _some(cls, states: np.ndarray, lattice: Lattice, where: str) -> Windows:
        if len(states) < 2:
            raise UserError(f"{len(states)} state(s) in {where}", allowed="at least 2")
        spins = torch.from_numpy(states.astype(np.float64))
        return cls(spins / spins.norm(dim=-1, keepdim=True), lattice)

    def check(self, lattice: Lattice) -> None:
        check_spins(self.states, self.lattice, unit=True)
        if not lattice.same_family(self.lattice) or any(
            small > large for small, large in zip(lattice.shape or (), self.lattice.shape or (), strict=True)
        ):
            raise UserError(
                f"states on {self.lattice!r} for a field on {lattice!r}",
                allowed="a lattice of the same family, no larger than that of the states",
            )

    def environment(self, lattice: Lattice, seed: int) -> Float[Tensor, "site 3"]:
        return self._windows(lattice, 1, np.random.default_rng([seed, 0]))[0]

    def redraw(
        self, lattice: Lattice, kept: Tensor, near: np.ndarray, count: int, seed: int
    ) -> Float[Tensor, "replica site 3"]:
        windows = self._windows(lattice, max(CANDIDATES, count), np.random.default_rng([seed, 1]))
        frozen = torch.from_numpy(near)
        turns = best_rotations(windows[:, frozen], kept[frozen])
        turned = windows @ turns.mT
        apart = (turned[:, frozen] - kept[frozen]).square().sum((1, 2))
        # a window that is the environment itself is not another state
        apart[apart < 1e-9 * max(1, int(frozen.sum()))] = torch.inf
        return turned[apart.argsort()[:count]]

    def _windows(self, lattice: Lattice, count: int, draw: np.random.Generator) -> Float[Tensor, "window site 3"]:
        """Parts of states, of the size of ``lattice``, from random states and positions."""
        assert self.lattice.shape is not None and self.lattice.vectors is not None
        which = torch.from_numpy(draw.integers(len(self.states), size=count))
        cells = draw.integers(self.lattice.shape, size=(count, lattice.dim))
        sites = self.lattice.find(
            (lattice.positions + (cells @ self.lattice.vectors)[:, None]).reshape(-1, lattice.dim)
        )
        return self.states[which[:, None], torch.from_numpy(sites).view(count, -1)]


def best_rotations(
    states: Float[Tensor, "replica site 3"], target: Float[Tensor, "site 3"]
) -> Float[Tensor, "replica 3 3"]:
    """Rotations R that make sum_i |R S_i - T_i|^2 least; Kabsch, Acta Cryst. A32, 922 (1976)."""
    u, _, v = torch.linalg.svd(target.T @ states)
    sign = torch.linalg.det(u @ v).sign()
    u = torch.cat([u[..., :2], u[..., 2:] * sign[:, None, None]], dim=-1)
    return u @ v
