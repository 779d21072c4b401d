"""The walk in plain tensor operations: any lattice and device, slopes by automatic differentiation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.electrons.truncated.balls import Ball
from sdgnn.electrons.truncated.walk import Channel, Walk, WalkSettings

NODES = 200_000
"""Sites of balls that walk together on the CPU; on other devices ten times as many."""

KEPT_NODES = 20_000_000
"""Sites of balls, at most, whose tables (24 bytes each) are kept between evaluations."""


QUATERNIONS = np.array(
    [
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        [[0, 0, 0, -1], [0, 0, 1, 0], [0, -1, 0, 0], [1, 0, 0, 0]],
        [[0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0], [0, -1, 0, 0]],
        [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, -1, 0]],
    ]
)
"""1, i sigma_x, i sigma_y and i sigma_z on the real numbers Re up, Im up, Re down, Im down."""


class _Symmetric(torch.autograd.Function):
    """matrix @ x with a constant real symmetric matrix, so that the slope is matrix @ slope."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, x: Tensor) -> Tensor:
        ctx.matrix = matrix
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return None, ctx.matrix @ slopes[0]


def _sparse(matrix: scipy.sparse.csr_array) -> Tensor:
    """A sparse matrix of torch, without its warning that sparse rows are a beta feature."""
    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support", UserWarning)
        rows, columns, values = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data))
        return torch.sparse_csr_tensor(rows, columns, values, size=matrix.shape, check_invariants=True, device="cpu")


def beginning(spins: Float[Tensor, "site 3"], side: int) -> Complex[Tensor, "site 2"]:
    """Spinors of length 1 along n = side S / |S|; of a zero spin, along side z.

    Columns of 1 + n . sigma, normalised, of which the longer one is taken.
    """
    length = spins.norm(dim=-1, keepdim=True)
    pole = torch.zeros_like(spins).index_fill(-1, torch.tensor(2, device=spins.device), 1.0)
    nothing = length == 0
    x, y, z = (side * torch.where(nothing, pole, spins / torch.where(nothing, 1, length))).unbind(-1)
    zero = torch.zeros_like(x)
    up = torch.stack([torch.complex(1 + z, zero), torch.complex(x, y)], dim=-1)
    down = torch.stack([torch.complex(x, -y), torch.complex(1 - z, zero)], dim=-1)
    longer = torch.where((z >= 0)[:, None], up, down)
    return longer / (2 * torch.where(z >= 0, 1 + z, 1 - z))[:, None].sqrt()


@dataclass(frozen=True)
class _Piece:
    """Balls that walk together; on a crystal, all of one shape."""

    site: Int[Tensor, " node"]
    """Site of the lattice that each node is."""
    origin: Int[Tensor, " node"]
    """Number of its ball."""
    first: Int[Tensor, " ball"]
    """Node of each ball's centre."""
    damping: Float[Tensor, "node 1"]
    """D: less than 1 at the edge."""
    matrix: Tensor
    """Hopping: (place, place) where all balls have one shape, otherwise sparse (node, node). With spin-orbit coupling
    each place or node has four rows and columns, those of the numbers in v."""

    def hop(self, v: Complex[Tensor, "node 2"]) -> Complex[Tensor, "node 2"]:
        """sum_q h_pq v_q."""
        rows, size = torch.view_as_real(v), self.matrix.shape[0]
        if self.matrix.layout == torch.strided:
            balls = len(self.first)
            rows = rows.reshape(balls, size, -1).movedim(1, 0).reshape(size, -1)
            rows = _Symmetric.apply(self.matrix, rows).reshape(size, balls, -1).movedim(0, 1)
        else:
            rows = _Symmetric.apply(self.matrix, rows.reshape(size, -1))
        return torch.view_as_complex(rows.reshape(*v.shape, 2).contiguous())

    def product(self, weight: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, " ball"]:
        """Re <x|weight|y> of each ball."""
        by_node = (weight * (x.real * y.real + x.imag * y.imag)).sum(1)
        if self.matrix.layout == torch.strided:
            return by_node.view(len(self.first), -1).sum(1)
        return by_node.new_zeros(len(self.first)).index_add(0, self.origin, by_node)


class TensorWalk(Walk):
    """Walks piece by piece; tables of crystals are shared by all balls around sites of one sublattice."""

    def __init__(self, model: SDModel, settings: WalkSettings, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(model, settings)
        self.dtype, self.device = dtype, device
        self._kept: list[tuple[_Piece, np.ndarray]] | None = None

    def moments(
        self, spins: Float[Tensor, "state site 3"], origins: Int[np.ndarray, " origin"] | None = None
    ) -> tuple[Float[Tensor, "state site channel computed"], Float[np.ndarray, "state moment"]]:
        count = 2 * self.settings.steps + 1
        given = spins.detach().to(device=self.device, dtype=self.dtype)
        found = given.new_zeros(*given.shape[:2], len(self.settings.channels), count)
        totals = np.zeros((len(spins), self.settings.count))
        shift = torch.zeros(spins.shape[1], dtype=self.dtype, device=self.device)
        with torch.no_grad():
            for channel, piece, sites in self._walks(origins):
                where, number = torch.from_numpy(sites).to(self.device), self.settings.channels.index(channel)
                for state, one in enumerate(given):
                    moments = self._moments(channel, piece, one, shift)
                    found[state, where, number, : moments.shape[1]] = moments
                    totals[state] += self._predicted(channel, moments).sum(0, dtype=torch.float64).cpu().numpy()
        return found, totals

    def slopes(
        self,
        spins: Float[Tensor, "state site 3"],
        coefficients: Float[np.ndarray, "state moment"],
        origins: Int[np.ndarray, " origin"] | None = None,
        more: Float[Tensor, "state site channel computed"] | None = None,
    ) -> tuple[Float[Tensor, "state site"], Float[Tensor, "state site 4"]]:
        given = spins.detach().to(device=self.device, dtype=self.dtype)
        weights = torch.from_numpy(coefficients).to(device=self.device, dtype=self.dtype)
        energies, found = given.new_zeros(given.shape[:2]), given.new_zeros(*given.shape[:2], 4)
        for channel, piece, sites in self._walks(origins):
            where = torch.from_numpy(sites).to(self.device)
            for state in range(len(given)):
                one = given[state].clone().requires_grad_()
                shift = torch.zeros(len(one), dtype=self.dtype, device=self.device, requires_grad=True)
                with torch.enable_grad():
                    moments = self._moments(channel, piece, one, shift)
                    by_ball = self._predicted(channel, moments) @ weights[state]
                    whole = by_ball.sum()
                    if more is not None:
                        extra = more[state, where, self.settings.channels.index(channel)].to(moments)
                        whole = whole + (extra[:, : moments.shape[1]] * moments).sum()
                    to_spins, to_shift = torch.autograd.grad(whole, (one, shift))
                energies[state, where] += by_ball.detach()
                found[state] += torch.cat([to_spins, to_shift[:, None]], dim=1)
        return energies, found

    def _local(self, spins: Tensor, shift: Tensor) -> Complex[Tensor, "site 2 2"]:
        """b . sigma + b_0 of each site, of 2 H."""
        spins = spins.to(device=self.device, dtype=self.dtype)
        factor, centre = 2 / self.settings.scale, self.settings.centre
        x, y, z = (-factor * self.model.exchange * spins).unbind(-1)
        b0 = factor * (shift - centre)
        off = torch.complex(x, -y)
        rows = [torch.stack([torch.complex(b0 + z, 0 * z), off], -1)]
        rows.append(torch.stack([off.conj(), torch.complex(b0 - z, 0 * z)], -1))
        return torch.stack(rows, -2)

    def _moments(self, channel: Channel, piece: _Piece, spins: Tensor, shift: Tensor) -> Float[Tensor, "ball moment"]:
        """M_0, ..., M_2m."""
        b = piece.damping[..., None] * self._local(spins, shift)[piece.site]
        left, one = piece.damping**2, torch.ones_like(piece.damping)

        def twice_h(v: Tensor) -> Tensor:
            return piece.hop(v) + (b @ v[..., None])[..., 0]

        centres = spins.to(device=self.device, dtype=self.dtype)[piece.site[piece.first]]
        before = torch.zeros(len(piece.site), 2, dtype=b.dtype, device=b.device)
        before = before.index_copy(0, piece.first, beginning(centres, channel.side))
        last = twice_h(before) / 2
        moments = [piece.product(one, before, before), piece.product(one, before, last)]
        for n in range(1, channel.steps + 1):
            lost = piece.product(left, before, before)
            moments.append(moments[-2] + 2 * (piece.product(one, last, last) - lost))
            if n < channel.steps:
                new = twice_h(last) - left * before
                lost = piece.product(left, before, last)
                moments.append(moments[-2] + 2 * (piece.product(one, last, new) - lost))
                before, last = last, new
        return torch.stack(moments, dim=1)

    def _predicted(self, channel: Channel, moments: Float[Tensor, "ball moment"]) -> Float[Tensor, "ball more"]:
        """With the moments that linear prediction adds (see :mod:`sdgnn.electrons.truncated.prediction`)."""
        order = moments.shape[1] - 1
        if self.settings.count <= order + 1:
            return moments
        lag = (torch.arange(order, device="cpu")[:, None] - torch.arange(order, device="cpu")).abs().to(moments.device)
        toeplitz = moments[:, lag] + channel.background * moments[:, :1, None] * torch.eye(
            order, dtype=torch.float32, device="cpu"
        ).to(moments)
        predictor = torch.linalg.solve(toeplitz, moments[:, 1:]).flip(1)
        found = list(moments.unbind(1))
        for n in range(order + 1, self.settings.count):
            found.append((predictor * torch.stack(found[n - order :], dim=1)).sum(1))
        return torch.stack(found, dim=1)

    def _walks(self, origins: np.ndarray | None) -> Iterator[tuple[Channel, _Piece, Int[np.ndarray, " ball"]]]:
        """Channels in balls, with the sites that these are around."""
        for piece, sites in self._pieces(origins):
            for channel in self.settings.channels:
                yield channel, piece, sites

    def _pieces(self, origins: np.ndarray | None) -> Iterator[tuple[_Piece, Int[np.ndarray, " ball"]]]:
        """Balls with the sites they are around; those around all sites are kept unless they are too many."""
        if self._kept is not None and origins is None:
            yield from self._kept
            return
        kept: list[tuple[_Piece, np.ndarray]] = []
        nodes = 0
        for made in self._crystal(origins) if self.model.is_uniform else self._graph(origins):
            nodes += len(made[0].site)
            kept = [*kept, made] if nodes <= KEPT_NODES else []
            yield made
        if origins is None and nodes <= KEPT_NODES:
            self._kept = kept

    def _nodes(self) -> int:
        return NODES if self.device.type == "cpu" else 10 * NODES

    def _crystal(self, origins: np.ndarray | None) -> Iterator[tuple[_Piece, np.ndarray]]:
        for ball, sites in self.balls(origins):
            matrix = self._matrix([ball]).toarray()
            for part in np.array_split(sites, max(1, -(-len(sites) * len(ball) // self._nodes()))):
                yield self._piece([ball] * len(part), self.sites_of(ball, part).ravel(), torch.from_numpy(matrix)), part

    def _graph(self, origins: np.ndarray | None) -> Iterator[tuple[_Piece, np.ndarray]]:
        every = self.balls(origins)
        while True:
            balls, sites, nodes = [], [], 0
            for ball, site in every:
                balls.append(ball)
                sites.append(site)
                nodes += len(ball)
                if nodes > self._nodes():
                    break
            if not balls:
                return
            of_balls = np.concatenate([ball.member for ball in balls])
            yield self._piece(balls, of_balls, _sparse(self._matrix(balls))), np.concatenate(sites)

    def _matrix(self, balls: Sequence[Ball]) -> scipy.sparse.csr_array:
        """2 / scale times the hopping inside balls, one after the other; see :attr:`_Piece.matrix`."""
        before = np.cumsum([0, *(len(ball) for ball in balls)])
        pairs = np.cumsum([0, *(len(ball.neighbour) for ball in balls)])
        parts = zip(before, pairs, balls)
        columns, starts = zip(*((ball.neighbour + b, ball.start[:-1] + p) for b, p, ball in parts), strict=True)
        damped = [ball.damped(ball.damping(self.settings.damping)) for ball in balls]
        amplitude = 2 / self.settings.scale * np.concatenate(damped)
        places = (np.concatenate(columns), np.append(np.concatenate(starts), pairs[-1]))
        if amplitude.ndim == 1:
            return scipy.sparse.csr_array((amplitude, *places), shape=(before[-1],) * 2)
        return scipy.sparse.bsr_array(
            (np.tensordot(amplitude, QUATERNIONS, 1), *places), shape=(4 * before[-1],) * 2
        ).tocsr()

    def _piece(self, balls: Sequence[Ball], sites: np.ndarray, matrix: Tensor) -> _Piece:
        sizes = np.array([len(ball) for ball in balls])
        first = np.cumsum(sizes) - sizes
        shares = np.concatenate([ball.damping(self.settings.damping) for ball in balls])
        damping = torch.from_numpy(shares[:, None])
        damping, matrix = (values.to(device=self.device, dtype=self.dtype) for values in (damping, matrix))
        numbers = (np.ascontiguousarray(sites), np.repeat(np.arange(len(balls)), sizes), first)
        site, origin, first_node = (torch.from_numpy(values).to(self.device) for values in numbers)
        return _Piece(site, origin, first_node, damping, matrix)
