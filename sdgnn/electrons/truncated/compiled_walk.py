"""The walk on the CPU, in compiled loops on torch's threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.electrons.truncated import kernel
from sdgnn.electrons.truncated.balls import Ball
from sdgnn.electrons.truncated.walk import Walk, WalkSettings
from sdgnn.hamiltonian import SDModel
from sdgnn.vectors import LANES

CACHE_LINE = 64
"""Bytes at whose multiples working memory begins."""


@dataclass(frozen=True)
class _Table:
    """A ball in the form that the compiled loops want."""

    ball: Ball
    offset: Int[np.ndarray, "axis place"]
    """Numbers that add up to a site: of the state, and of the cell along each axis."""
    places: Int[np.ndarray, "site column"]
    """Of each site of the ball: state, cell and sublattice, counted from where ``offset`` begins."""
    share: Float[np.ndarray, " site"]
    """D."""
    neighbour: Int[np.ndarray, " pair"]
    amplitude: Float[np.ndarray, " pair"]


class CompiledWalk(Walk):
    """LANES origins side by side, sites of one sublattice or states of a single site; threads share the origins."""

    def __init__(self, model: SDModel, settings: WalkSettings, dtype: torch.dtype) -> None:
        super().__init__(model, settings)
        self.number: Any = np.float32 if dtype == torch.float32 else np.float64

    def totals(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> Float[np.ndarray, "state moment"]:
        return self._evaluate(spins, np.empty((0, 0)), origins)[0]

    def slopes(
        self,
        spins: Float[Tensor, "state site 3"],
        coefficients: Float[np.ndarray, "state moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
    ) -> tuple[Float[Tensor, "state site"], Float[Tensor, "state site 4"]]:
        _, energies, slopes = self._evaluate(spins, coefficients, origins)
        x, y, up, down = 2 / self.settings.scale * np.moveaxis(slopes, -1, 0)
        exchange = -self.model.exchange
        found = np.stack([exchange * x, exchange * y, exchange * (up - down), up + down], axis=-1)
        return torch.from_numpy(energies), torch.from_numpy(found)

    def memory(self) -> float:
        numbers = 4 * (torch.get_num_threads() + 2) + 3  # slopes of each thread, their sum and that in spins; energies
        return 8.0 * numbers * self.model.lattice.n_sites

    def _evaluate(
        self, spins: Tensor, coefficients: np.ndarray, origins: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Totals, energies and slopes in the local parts of H."""
        given = np.ascontiguousarray(spins.detach().numpy(), self.number).reshape(-1, 3)
        weights, energies = coefficients.astype(self.number), np.zeros(spins.shape[:2])
        states = np.arange(len(spins))
        threads = torch.get_num_threads()
        shares: list[list[tuple[_Table, np.ndarray]]] = [[] for _ in range(threads)]
        for number, (ball, sites) in enumerate(self.balls(origins)):
            table = self._table(ball, len(spins))
            pairs = np.stack([np.repeat(states, len(sites)), np.tile(sites, len(spins))], axis=1)
            if self.model.is_uniform:
                groups = -(-len(pairs) // LANES)
                edges = LANES * (groups * np.arange(1, threads) // threads)
                for share, part in zip(shares, np.split(pairs, edges), strict=True):
                    share.append((table, part))
            else:
                shares[number % threads].append((table, pairs))

        def run(share: Sequence[tuple[_Table, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
            return self._walked(share, weights, given, energies)

        if threads == 1:
            totals, slopes = run(shares[0])
        else:
            with ThreadPoolExecutor(threads) as pool:
                all_totals, all_slopes = zip(*pool.map(run, shares), strict=True)
            totals, slopes = np.sum(all_totals, axis=0), np.sum(all_slopes, axis=0)
        return totals, energies, slopes.reshape(*spins.shape[:2], -1) if len(weights) else slopes

    def _walked(
        self, share: Sequence[tuple[_Table, np.ndarray]], weights: np.ndarray, spins: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Totals and slopes of balls around pairs (state, site); fills in their ``energies``."""
        settings, number = self.settings, self.number
        scale, exchange = settings.scale, self.model.exchange
        totals = np.zeros((len(energies), settings.count))
        slopes = np.zeros((len(spins) if len(weights) else 1, 4))
        sizes = [(len(table.ball), len(table.ball) - table.ball.edge) for table, _ in share]
        needed = max((kernel.working_memory(*size, settings.steps, settings.count) for size in sizes), default=0)
        work = _aligned(needed, number)
        sites = np.empty(LANES * max((size[0] for size in sizes), default=0), dtype=np.int64)
        for table, pairs in share:
            ball, found = table.ball, np.zeros(len(pairs))
            kernel.evaluate(
                spins, np.column_stack([pairs[:, 0], self.cells(pairs[:, 1])]), table.offset, table.places, table.share,
                ball.sizes, ball.edge, ball.start, table.neighbour, table.amplitude, number(-2 * exchange / scale),
                number(-2 * settings.centre / scale), number(settings.damping**2), settings.steps, settings.count,
                number(1 + settings.background), weights, totals, found, slopes, work, sites,
            )  # fmt: skip
            energies[pairs[:, 0], pairs[:, 1]] = found
        return totals, slopes

    def _table(self, ball: Ball, states: int) -> _Table:
        """Offsets of sites along each axis are counted from ``reach`` cells before the first one."""
        lattice, dim = self.model.lattice, ball.cells.shape[1]
        reach = int(np.abs(ball.cells).max(initial=0))
        longest = max(lattice.shape or (0,)) + 2 * reach if dim else 0
        offset = np.zeros((1 + dim, max(states, longest)), dtype=np.int64)
        offset[0] = np.arange(offset.shape[1]) * lattice.n_sites
        if dim:
            assert lattice.shape is not None
            strides = lattice.n_basis * np.cumprod([1, *lattice.shape[:0:-1]])[::-1]
            for axis, (length, stride) in enumerate(zip(lattice.shape, strides, strict=True)):
                offset[1 + axis] = (np.arange(offset.shape[1]) - reach) % length * stride
        zero = np.zeros((len(ball), 1), dtype=np.int64)
        places = np.concatenate([zero, ball.cells + reach, ball.member[:, None]], axis=1)
        share = ball.damping(self.settings.damping)
        amplitude = (2 / self.settings.scale * ball.damped(share)).astype(self.number)
        return _Table(ball, offset, places, share.astype(self.number), ball.neighbour * kernel.ROW, amplitude)


def _aligned(count: int, number: Any) -> np.ndarray:
    """So many numbers, from the beginning of a cache line on."""
    size = np.dtype(number).itemsize
    whole = np.empty(count * size + CACHE_LINE, dtype=np.uint8)
    start = -whole.ctypes.data % CACHE_LINE
    return whole[start : start + count * size].view(number)
