"""Ways in which local moments become an energy, each a field of its own, for benchmarks/truncated.py."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from sdgnn.electrons import TruncatedField
from sdgnn.electrons.expansion import Expansion
from sdgnn.electrons.truncated import field
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk
from sdgnn.electrons.truncated.walk import Channel, background

PLAIN = 1e9
"""A background that leaves nothing to predict."""


class Shared(TruncatedField):
    """Another share of all steps for the walk near the chemical potential."""

    def __init__(self, *args: Any, share: float, **given: Any) -> None:
        super().__init__(*args, **given)
        self.share = share

    def _steps(self, moments: int, scale: float) -> tuple[int, int]:
        with mock.patch.object(field, "SHARE", self.share):
            return super()._steps(moments, scale)


class _Matrix(TensorWalk):
    """Moments along and against the spin added before they are predicted, which is what a 2 x 2 matrix walks for."""

    def _moments(self, channel: Channel, piece: Any, spins: Tensor, shift: Tensor) -> Tensor:
        both = [super(_Matrix, self)._moments(replace(channel, side=side), piece, spins, shift) for side in (1, -1)]
        return both[0] + both[1]


class Matrix(TruncatedField):
    """Walks of equal length with one prediction for both."""

    def _walk(self, spins: Tensor, widened: int) -> tuple[Any, Any]:
        walk, expansion = super()._walk(spins, widened)
        channel = Channel(1, self.moments // 2, background(self.moments, spins.dtype))
        settings = replace(walk.settings, channels=(channel,), count=max(self.moments, walk.settings.count))
        expansion = replace(expansion, moments=settings.count)
        return _Matrix(self.model, settings, spins.dtype, spins.device), expansion


class Predicted(TruncatedField):
    """Linear prediction over another uniform background; an infinite one is the plain sum over the moments computed."""

    def __init__(self, *args: Any, background: float, **given: Any) -> None:
        super().__init__(*args, **given)
        self.background = background

    def _walk(self, spins: Tensor, widened: int) -> tuple[Any, Any]:
        walk, expansion = super()._walk(spins, widened)
        channels = tuple(replace(channel, background=self.background) for channel in walk.settings.channels)
        return CompiledWalk(self.model, replace(walk.settings, channels=channels), spins.dtype), expansion


class _Gauss(TensorWalk):
    """Moments of the levels and weights of a Gauss rule: the recursion method on the same local density of states."""

    averaged = False

    def _predicted(self, channel: Channel, moments: Tensor) -> Tensor:
        alpha, beta = recursion_coefficients(moments)
        nodes = alpha.shape[1]
        n = torch.arange(self.settings.count, dtype=moments.dtype)
        if not self.averaged:
            return moments[:, :1] * _of_levels(alpha, beta[:, : nodes - 1], n)
        doubled = torch.cat([beta[:, : nodes - 2], 2 * beta[:, nodes - 2 : nodes - 1]], dim=1)
        both = _of_levels(alpha[:, :-1], beta[:, : nodes - 2], n) + _of_levels(alpha, doubled, n)
        return moments[:, :1] * both / 2


class _AveragedGauss(_Gauss):
    """Mean of the rules of Gauss and of Laurie (anti-Gauss, doi:10.1090/S0025-5718-96-00713-4)."""

    averaged = True


def recursion_coefficients(moments: Tensor) -> tuple[Tensor, Tensor]:
    """alpha_0, ..., alpha_{m-1} and beta_1, ..., beta_m of M_0, ..., M_2m, by the modified Chebyshev algorithm."""
    steps = (moments.shape[1] - 1) // 2
    halves = torch.cat([moments.new_ones(1), 0.5 ** torch.arange(2 * steps, dtype=moments.dtype)])
    before, last = torch.zeros_like(moments), moments / moments[:, :1] * halves
    alphas, betas = [last[:, 1] / last[:, 0]], [torch.ones_like(last[:, 0])]
    own = torch.full((2 * steps + 1,), 0.25, dtype=moments.dtype)
    own[:2] = 0.5
    for k in range(1, steps + 1):
        # columns l = 0, 1, ... hold sigma_{k, k + l}
        length = 2 * steps + 1 - 2 * k
        up, here = last[:, 2 : 2 + length], last[:, 1 : 1 + length]
        down = own[k : k + length] * last[:, :length]
        new = up - alphas[-1][:, None] * here - betas[-1][:, None] * before[:, 2 : 2 + length] + down
        betas.append((new[:, 0] / last[:, 0]).clamp(min=1e-12))
        if k < steps:
            alphas.append(new[:, 1] / new[:, 0] - last[:, 1] / last[:, 0])
        before, last = last, new
    return torch.stack(alphas, dim=1), torch.stack(betas[1:], dim=1)


def _of_levels(alpha: Tensor, beta: Tensor, n: Tensor) -> Tensor:
    """sum_k w_k cos(n theta_k) of the nodes and weights of a tridiagonal matrix."""
    off = torch.diag_embed(beta.sqrt(), offset=1)
    levels, vectors = torch.linalg.eigh(torch.diag_embed(alpha) + off + off.mT)
    theta = levels.clamp(-1 + 1e-12, 1 - 1e-12).arccos()
    return (vectors[:, 0, :, None].square() * torch.cos(theta[..., None] * n)).sum(1)


class Recursion(TruncatedField):
    """Gauss rules of the local densities of states."""

    def __init__(self, *args: Any, walk: type[_Gauss], **given: Any) -> None:
        super().__init__(*args, **given)
        self.rule = walk

    def _walk(self, spins: Tensor, widened: int) -> tuple[Any, Any]:
        walk, expansion = super()._walk(spins, widened)
        count = math.ceil(8 * expansion.scale / (math.pi * self.kT))
        settings = replace(walk.settings, count=count)
        expansion = Expansion(expansion.centre, expansion.scale, self.kT, count, plain=True)
        return self.rule(self.model, settings, spins.dtype, spins.device), expansion


RULES: dict[str, tuple[type[TruncatedField], dict[str, Any]]] = {
    "one\nmatrix": (Matrix, {}),
    "share\n0.5": (Shared, {"share": 0.5}),
    "share\n0.6": (Shared, {"share": 0.6}),
    "the\npackage's": (TruncatedField, {}),
    "share\n0.8": (Shared, {"share": 0.8}),
    "sum": (Predicted, {"background": PLAIN}),
    "eps\n0.01": (Predicted, {"background": 0.01}),
    "eps\n0.001": (Predicted, {"background": 0.001}),
    "Gauss": (Recursion, {"walk": _Gauss}),
    "averaged\nGauss": (Recursion, {"walk": _AveragedGauss}),
}
"""Rules by name; the package's is a share of 0.7 and prediction over a background of max(5 / moments², 3e-4)."""
