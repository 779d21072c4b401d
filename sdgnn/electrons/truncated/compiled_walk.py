"""The walk on crystals on the CPU, in compiled loops on torch's threads."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.electrons.truncated import kernel
from sdgnn.electrons.truncated.balls import Ball, crystal_balls
from sdgnn.electrons.truncated.walk import Walk, WalkSettings
from sdgnn.hamiltonian import SDModel
from sdgnn.vectors import LANES

CACHE_LINE = 64
"""Bytes at whose multiples working memory begins."""


class CompiledWalk(Walk):
    """Groups of origins on one sublattice, one in each lane; threads take parts of the groups."""

    def __init__(self, model: SDModel, settings: WalkSettings, dtype: torch.dtype) -> None:
        super().__init__(model, settings)
        assert model.lattice.shape is not None
        self.number: Any = np.float32 if dtype == torch.float32 else np.float64
        self._cells = np.stack(np.unravel_index(np.arange(np.prod(model.lattice.shape)), model.lattice.shape), axis=-1)
        self._tables = [_Table.of(ball, self) for ball in crystal_balls(model, settings.cutoff, settings.steps)]

    def totals(
        self, spins: Float[Tensor, "site 3"], own: Int[np.ndarray, " origin"] | None = None
    ) -> Float[np.ndarray, " moment"]:
        return self._evaluate(spins, np.empty(0), own)[0]

    def slopes(
        self,
        spins: Float[Tensor, "site 3"],
        coefficients: Float[np.ndarray, " moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
    ) -> tuple[Float[Tensor, " site"], Float[Tensor, "site 4"]]:
        _, energies, slopes = self._evaluate(spins, coefficients, origins)
        b = 2 / self.settings.scale
        x, y, up, down = b * slopes.T
        exchange = -self.model.exchange
        found = np.stack([exchange * x, exchange * y, exchange * (up - down), up + down], axis=1)
        return torch.from_numpy(energies), torch.from_numpy(found)

    def memory(self) -> float:
        numbers = 4 * (torch.get_num_threads() + 2) + 3  # slopes of each thread, their sum and that in spins; energies
        return 8.0 * numbers * self.model.lattice.n_sites

    def _evaluate(
        self, spins: Tensor, coefficients: np.ndarray, origins: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Totals, energies and slopes in the local parts of H."""
        given = np.ascontiguousarray(spins.detach().numpy(), self.number)
        energies = np.zeros(len(given))
        weights = coefficients.astype(self.number)
        jobs = []
        threads = torch.get_num_threads()
        for b, table in enumerate(self._tables):
            sites = self.on_sublattice(b, origins)
            groups = -(-len(sites) // LANES)
            edges = np.linspace(0, groups, min(threads, groups) + 1).astype(int)
            for first, stop in itertools.pairwise(edges):
                jobs.append((table, sites[first * LANES : stop * LANES], weights, given, energies))
        if threads == 1 or len(jobs) == 1:
            results = [self._job(*job) for job in jobs]
        else:
            with ThreadPoolExecutor(threads) as pool:
                results = list(pool.map(lambda job: self._job(*job), jobs))
        totals, slopes = zip(*results, strict=True)
        return sum(totals), energies, sum(slopes)  # type: ignore[return-value]

    def _job(
        self, table: _Table, sites: np.ndarray, weights: np.ndarray, spins: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Totals and slopes of the balls around ``sites``; fills in their ``energies``."""
        settings, number, ball = self.settings, self.number, table.ball
        totals, found = np.zeros(settings.count), np.zeros(len(sites))
        slopes = np.zeros((len(spins), 4) if len(weights) else (1, 4))
        work = _aligned(kernel.working_memory(len(ball), len(ball) - ball.edge, settings.steps, settings.count), number)
        scale, exchange = settings.scale, self.model.exchange
        kernel.evaluate(
            spins, self._cells[sites // self.model.lattice.n_basis], table.offset, table.cells, ball.sizes, ball.edge,
            ball.start, table.neighbour, table.amplitude, number(-2 * exchange / scale),
            number(-2 * settings.centre / scale), number(settings.damping), settings.steps, settings.count,
            number(1 + settings.background), weights, totals, found, slopes, work,
            np.empty(len(ball) * LANES, dtype=np.int64),
        )  # fmt: skip
        energies[sites] = found
        return totals, slopes


class _Table:
    """A ball in the form that the compiled loops want."""

    def __init__(self, ball: Ball, offset: np.ndarray, cells: np.ndarray, amplitude: np.ndarray) -> None:
        self.ball, self.offset, self.cells, self.amplitude = ball, offset, cells, amplitude
        self.neighbour = ball.neighbour * kernel.ROW

    @classmethod
    def of(cls, ball: Ball, walk: CompiledWalk) -> _Table:
        """Offsets of sites along each axis, counted from ``reach`` cells before the first one."""
        lattice = walk.model.lattice
        assert lattice.shape is not None
        reach = int(np.abs(ball.cells).max())
        strides = lattice.n_basis * np.cumprod([1, *lattice.shape[:0:-1]])[::-1]
        offset = np.zeros((lattice.dim, max(lattice.shape) + 2 * reach), dtype=np.int64)
        for axis, (length, stride) in enumerate(zip(lattice.shape, strides, strict=True)):
            offset[axis] = (np.arange(offset.shape[1]) - reach) % length * stride
        cells = np.concatenate([ball.cells + reach, ball.member[:, None]], axis=1)
        return cls(ball, offset, cells, (2 / walk.settings.scale * ball.amplitude).astype(walk.number))


def _aligned(count: int, number: Any) -> np.ndarray:
    """So many numbers, from the beginning of a cache line on."""
    size = np.dtype(number).itemsize
    whole = np.empty(count * size + CACHE_LINE, dtype=np.uint8)
    start = -whole.ctypes.data % CACHE_LINE
    return whole[start : start + count * size].view(number)
