"""What a network learns: a function of a site's local moments, added to the energy that the electrons give it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sdgnn.common.seeds import torch_generator

FIRST = 2
"""Moments before this one are the same for all spins."""

UNIT = 0.01
"""Factors of moments are kept in this unit, in t, so that a step of training changes them by little."""

SMALLEST = 1e-3
"""Spread of a moment, at least, by which it is divided."""

DIRECTIONS = 48
"""Directions in the space of moments along which a state is compared with those that were seen."""

FAINTEST = 1e-6
"""Variance along a direction, relative to the largest one, below which it is not looked along."""

BEYOND, STEEPNESS = 4.0, 4
"""The learned part is on up to the first number times the largest squared distance of the states that were seen; the
second is the power with which it falls beyond."""

FARTHEST = 1e6
"""d^2 / r^2 counts up to here, where nothing is left of the learned part: its powers stay finite in float32."""

Sum = Callable[[Tensor], Tensor]
"""Sum over all sites of numbers (state, site, ...), those of other parts of a lattice included."""


class Readout(nn.Module):
    """E_learned = g sum_i f(M(i)), f(M) = u a . (M - m) + sum_k v_k h_k((M - m) / s), of moments M, in units of t.

    ============= ====================================================================================================
    symbol        meaning
    ============= ====================================================================================================
    M             moments M_2, M_3, ... of the spinors along and against the spin: what is left of spins and bonds when
                  all loops through the site are summed, so f is invariant under all symmetries
    m, s          their mean and spread over the states that were seen
    u a           a correction to the coefficient of each moment, by least squares or by training; u = 0.01 t
    h_k(z)        tanh(w_k . z + b_k) - tanh(b_k), hidden functions, bounded and 0 at the mean
    v, w, b       their weights, by training
    g             1 for states like those that were seen, falling to 0 for others: 1 / (1 + (d^2 / r^2)^4) with d the
                  distance of the moments' mean over all sites from m, in units of their spread from site to site along
                  its main directions; fluctuations of a smaller lattice widen r
    ============= ====================================================================================================

    Untrained, f = 0. ``counts`` are the numbers of moments of the two spinors.
    """

    def __init__(self, counts: tuple[int, int], hidden: int, seed: int) -> None:
        super().__init__()
        self.counts = counts
        size = sum(count - FIRST for count in counts)
        generator = torch_generator(seed)
        self.mean = nn.Buffer(torch.zeros(size, dtype=torch.float32, device="cpu"))
        self.spread = nn.Buffer(torch.ones(size, dtype=torch.float32, device="cpu"))
        self.directions = nn.Buffer(torch.zeros(min(DIRECTIONS, size), size, dtype=torch.float32, device="cpu"))
        self.radius = nn.Buffer(torch.ones((), dtype=torch.float32, device="cpu"))
        self.sites = nn.Buffer(torch.ones((), dtype=torch.float32, device="cpu"))
        self.factors = nn.Parameter(torch.zeros(size, dtype=torch.float32, device="cpu"))
        self.inward = nn.Parameter(
            torch.randn(hidden, size, generator=generator, dtype=torch.float32, device="cpu") / math.sqrt(size)
        )
        self.bias = nn.Parameter(0.5 * torch.randn(hidden, generator=generator, dtype=torch.float32, device="cpu"))
        self.outward = nn.Parameter(torch.zeros(hidden, dtype=torch.float32, device="cpu"))

    @torch.no_grad()
    def look(self, seen: Sequence[Float[Tensor, "_state _site channel _computed"]]) -> None:
        """Take m, s, the main directions and r from moments of sites that will be trained on, all lattices together.

        Hidden functions that were trained before stay the same functions of M.
        """
        rows = torch.cat([self.chosen(moments).reshape(-1, len(self.mean)) for moments in seen]).double()
        mean, spread = rows.mean(0), rows.std(0, correction=0).clamp_min(SMALLEST)
        if bool(self.outward.any()):
            self.bias.add_(self.inward @ ((mean - self.mean) / self.spread).to(self.mean))
            self.inward.mul_((spread / self.spread).to(self.mean))
        variance, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        count = len(self.directions)
        variance, vectors = variance.flip(0)[:count], vectors.flip(1)[:, :count]
        scale = torch.where(variance > FAINTEST * variance[0], variance.clamp_min(1e-300).rsqrt(), 0.0)
        directions = (vectors * scale).T / max(1, int((scale > 0).sum())) ** 0.5
        means = torch.cat([self.chosen(moments).double().mean(-2) for moments in seen]) - mean
        square = (means @ directions.T).square().sum(1)
        self.mean.copy_(mean)
        self.spread.copy_(spread)
        self.directions.copy_(directions)
        self.radius.copy_((BEYOND * square.max()).clamp_min(torch.finfo(torch.float32).tiny))
        self.sites.fill_(max(moments.shape[-3] for moments in seen))

    def chosen(self, moments: Float[Tensor, "*site channel computed"]) -> Float[Tensor, "*site moment"]:
        """The moments that differ from state to state, of both spinors in a row; zeros for those not walked."""
        parts = []
        for channel, count in enumerate(self.counts):
            part = moments[..., channel, FIRST:count]
            parts.append(nn.functional.pad(part, (0, count - FIRST - part.shape[-1])))
        return torch.cat(parts, dim=-1)

    def spread_out(self, row: Float[Tensor, " moment"], shape: torch.Size) -> Float[Tensor, "*site channel computed"]:
        """A number for each chosen moment, the same at all sites, in the places that these have among all moments."""
        whole = row.new_zeros(shape)
        first = 0
        for channel, count in enumerate(self.counts):
            there = min(count, shape[-1]) - FIRST
            whole[..., channel, FIRST : FIRST + there] = row[first : first + there]
            first += count - FIRST
        return whole

    def gate(self, moments: Float[Tensor, "state site channel computed"]) -> Float[Tensor, " state"]:
        """g: 1 for a state like those that were seen, 0 for one that is not."""
        return self._gate(self._away(moments).mean(1), moments.shape[1])

    def _away(self, moments: Float[Tensor, "state site channel computed"]) -> Float[Tensor, "state site moment"]:
        """M - m in the dtype of the moments, in which everything is computed, where the weights are."""
        chosen = self.chosen(moments.to(self.mean.device))
        return chosen - self.mean.to(chosen)

    def _gate(self, away: Float[Tensor, "state moment"], sites: int) -> Float[Tensor, " state"]:
        """g from the mean over so many sites."""
        radius = (self.radius * (self.sites / sites).clamp_min(1.0)).to(away)
        square = (away @ self.directions.T.to(away)).square().sum(-1) / radius
        return 1 / (1 + square.clamp_max(FARTHEST) ** STEEPNESS)

    def _local(self, away: Float[Tensor, "state site moment"]) -> Float[Tensor, "state site"]:
        """f of each site."""
        spread, factors, inward, bias, outward = (
            part.to(away) for part in (self.spread, self.factors, self.inward, self.bias, self.outward)
        )
        hidden = torch.tanh(away / spread @ inward.T + bias) - torch.tanh(bias)
        return UNIT * away @ factors + hidden @ outward

    def forward(self, moments: Float[Tensor, "state site channel computed"]) -> Float[Tensor, "state site"]:
        """g f of each site, in units of t; differentiable in the moments and weights."""
        away = self._away(moments)
        return self._gate(away.mean(1), away.shape[1])[:, None] * self._local(away)

    def with_slopes(
        self, moments: Float[Tensor, "state site channel computed"], total: Sum, sites: int
    ) -> tuple[Float[Tensor, "state site"], Float[Tensor, "state site channel computed"]]:
        """g f of each site and the slopes of its sum in the moments, as constants; ``total`` sums over all ``sites`` of
        the crystal, also where this is a part of it."""
        with torch.enable_grad():
            given = moments.detach().requires_grad_()
            away = self._away(given)
            local = self._local(away)
            (slopes,) = torch.autograd.grad(local.sum(), away, retain_graph=True)
            mean = (total(away.detach()) / sites).requires_grad_()
            gate = self._gate(mean, sites)
            (bend,) = torch.autograd.grad(gate.sum(), mean)
            gate, local = gate.detach(), local.detach()
            slopes = gate[:, None, None] * slopes + (total(local) / sites)[:, None, None] * bend[:, None]
            (in_moments,) = torch.autograd.grad(away, given, slopes)
        return gate[:, None] * local, in_moments
