"""The walk on the CPU, in compiled loops on torch's threads."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.spinors import ROW
from sdgnn.electrons.truncated import kernel
from sdgnn.electrons.truncated.balls import Ball
from sdgnn.electrons.truncated.walk import Walk, WalkSettings
from sdgnn.electrons.vectors import LANES

NOTHING = np.empty((0, 0))
"""No coefficients: moments alone."""

CACHE_LINE = 64
"""Bytes at whose multiples working memory begins."""


@dataclass(frozen=True)
class _Table:
    """A ball in the form that the compiled loops want."""

    ball: Ball
    offset: Int[np.ndarray, "axis place"]
    """Numbers that add up to a site: of the state, and of the cell along each axis."""
    places: Int[np.ndarray, "site column"]
    """State, cell and sublattice of each site of the ball, counted from where ``offset`` begins."""
    share: Float[np.ndarray, " site"]
    """D."""
    neighbour: Int[np.ndarray, " pair"]
    amplitude: Float[np.ndarray, "pair ..."]


@dataclass(frozen=True)
class _Found:
    """What walks around some or all sites give."""

    totals: Float[np.ndarray, "state moment"]
    """Moments, with those that are predicted, summed over sites and channels."""
    energies: Float[np.ndarray, "state site"]
    slopes: Float[np.ndarray, "place 7"]
    """In the local parts of H, four numbers, and in the spins by which walks begin, where they were asked for."""
    moments: Float[np.ndarray, "states sites channel computed"]
    """Moments of single sites, where they were asked for."""


class CompiledWalk(Walk):
    """LANES origins side by side, sites of one sublattice or states of a single site; threads share the origins."""

    def __init__(self, model: SDModel, settings: WalkSettings, dtype: torch.dtype) -> None:
        super().__init__(model, settings)
        self.number: Any = np.float32 if dtype == torch.float32 else np.float64

    def totals(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> Float[np.ndarray, "state moment"]:
        return self._evaluate(spins, origins).totals

    def moments(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> tuple[Float[Tensor, "state site channel computed"], Float[np.ndarray, "state moment"]]:
        found = self._evaluate(spins, origins, with_moments=True)
        return torch.from_numpy(found.moments), found.totals

    def slopes(
        self,
        spins: Float[Tensor, "state site 3"],
        coefficients: Float[np.ndarray, "state moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
        more: Float[Tensor, "state site channel computed"] | None = None,
    ) -> tuple[Float[Tensor, "state site"], Float[Tensor, "state site 4"]]:
        found = self._evaluate(spins, origins, coefficients, more)
        slopes = found.slopes.reshape(*spins.shape[:2], -1)
        x, y, up, down = 2 / self.settings.scale * np.moveaxis(slopes[..., :4], -1, 0)
        to_spins = -self.model.exchange * np.stack([x, y, up - down], axis=-1) + slopes[..., 4:]
        both = np.concatenate([to_spins, (up + down)[..., None]], axis=-1)
        return torch.from_numpy(found.energies), torch.from_numpy(both)

    def _evaluate(
        self, spins: Tensor, origins: np.ndarray | None, coefficients: np.ndarray = NOTHING,
        more: Tensor | None = None, with_moments: bool = False,
    ) -> _Found:  # fmt: skip
        """Walks around all sites, shared by threads."""
        given = np.ascontiguousarray(spins.detach().numpy(), self.number).reshape(-1, 3)
        weights = coefficients.astype(self.number)
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

        extra = None if more is None else more.detach().cpu().numpy().astype(self.number)

        def run(share: Sequence[tuple[_Table, np.ndarray]]) -> _Found:
            return self._walked(share, weights, extra, given, spins.shape[:2], with_moments)

        if threads == 1:
            return run(shares[0])
        with ThreadPoolExecutor(threads) as pool:
            parts = zip(*map(astuple, pool.map(run, shares)), strict=True)
        return _Found(*(np.sum(part, axis=0) for part in parts))

    def _walked(
        self, share: Sequence[tuple[_Table, np.ndarray]], weights: np.ndarray, extra: np.ndarray | None,
        spins: np.ndarray, shape: tuple[int, ...], with_moments: bool,
    ) -> _Found:  # fmt: skip
        """Walks in balls around pairs (state, site)."""
        settings, number = self.settings, self.number
        scale, exchange = settings.scale, self.model.exchange
        size = (len(settings.channels), 2 * settings.steps + 1)
        moments = np.zeros((*shape, *size) if with_moments else (0,) * 4, number)
        totals, energies = np.zeros((shape[0], settings.count)), np.zeros(shape)
        to_sites, to_axes = (np.zeros((len(spins) if len(weights) else 1, count)) for count in (4, 3))
        sides = np.array([channel.side for channel in settings.channels], number)
        steps = np.array([channel.steps for channel in settings.channels])
        loadings = np.array([1 + channel.background for channel in settings.channels], number)
        sizes = [(len(table.ball), len(table.ball) - table.ball.edge) for table, _ in share]
        needed = max((kernel.working_memory(*size, settings.steps, settings.count) for size in sizes), default=0)
        work = _aligned(needed, number)
        sites = np.empty(LANES * max((size[0] for size in sizes), default=0), dtype=np.int64)
        for table, pairs in share:
            ball, found, where = table.ball, np.zeros(len(pairs)), (pairs[:, 0], pairs[:, 1])
            computed = np.zeros((len(pairs), *size) if with_moments else (0, 0, 0), number)
            kernel.evaluate(
                spins, np.column_stack([pairs[:, 0], self.cells(pairs[:, 1])]), table.offset, table.places, table.share,
                ball.sizes, ball.edge, ball.start, table.neighbour, table.amplitude, number(-2 * exchange / scale),
                number(-2 * settings.centre / scale), number(settings.damping**2), sides, steps, loadings,
                settings.count, weights, computed[:0] if extra is None else extra[where], totals, found, computed,
                to_sites, to_axes, work, sites,
            )  # fmt: skip
            energies[where] += found
            if with_moments:
                moments[where] = computed
        return _Found(totals, energies, np.concatenate([to_sites, to_axes], axis=1), moments)

    def _table(self, ball: Ball, states: int) -> _Table:
        """Offsets of sites along each axis are counted from ``reach`` cells before the first one."""
        lattice, dim = self.model.lattice, self.model.lattice.dim if self.model.is_uniform else 0
        cells = ball.images[:, :dim]
        reach = int(np.abs(cells).max(initial=0))
        longest = max(lattice.shape or (0,)) + 2 * reach if dim else 0
        offset = np.zeros((1 + dim, max(states, longest)), dtype=np.int64)
        offset[0] = np.arange(offset.shape[1]) * lattice.n_sites
        if dim:
            assert lattice.shape is not None
            strides = lattice.n_basis * np.cumprod([1, *lattice.shape[:0:-1]])[::-1]
            for axis, (length, stride) in enumerate(zip(lattice.shape, strides, strict=True)):
                offset[1 + axis] = (np.arange(offset.shape[1]) - reach) % length * stride
        zero = np.zeros((len(ball), 1), dtype=np.int64)
        places = np.concatenate([zero, cells + reach, ball.member[:, None]], axis=1)
        share = ball.damping(self.settings.damping)
        amplitude = np.ascontiguousarray(2 / self.settings.scale * ball.damped(share), self.number)
        return _Table(ball, offset, places, share.astype(self.number), ball.neighbour * ROW, amplitude)


def _aligned(count: int, number: Any) -> np.ndarray:
    """So many numbers, from the beginning of a cache line on."""
    size = np.dtype(number).itemsize
    whole = np.empty(count * size + CACHE_LINE, dtype=np.uint8)
    start = -whole.ctypes.data % CACHE_LINE
    return whole[start : start + count * size].view(number)
