"""Ways in which local moments become an energy, each a field of its own, for benchmarks/truncated.py."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from torch import Tensor

from sdgnn.electrons import TruncatedField
from sdgnn.electrons.expansion import Expansion
from sdgnn.electrons.truncated.compiled_walk import CompiledWalk
from sdgnn.electrons.truncated.tensor_walk import TensorWalk


class Predicted(TruncatedField):
    """Linear prediction over another uniform background; None is the plain sum over the moments computed."""

    def __init__(self, *args: Any, background: float | None, **given: Any) -> None:
        super().__init__(*args, **given)
        self.background = background

    def _walk(self, spins: Tensor, widened: int) -> tuple[Any, Any]:
        walk, expansion = super()._walk(spins, widened)
        if self.background is None:
            settings = dataclasses.replace(walk.settings, count=self.moments)
            expansion = Expansion(expansion.centre, expansion.scale, self.kT, self.moments, plain=True)
        else:
            settings = dataclasses.replace(walk.settings, background=self.background)
        return CompiledWalk(self.model, settings, spins.dtype), expansion


class _Doubled(TensorWalk):
    """M_2n = 2 <v_n|D|v_n> - M_0, M_2n+1 = 2 <v_n|D|v_n+1> - M_1: products of polynomials as if there were no edge."""

    def _moments(self, piece: Any, local: Tensor) -> Tensor:
        b, damping = piece.damping * local[piece.site], piece.damping

        def twice_h(v: Tensor) -> Tensor:
            return piece.hop(v) + b[:, :, :1] * v[:, :1] + b[:, :, 1:] * v[:, 1:]

        before = torch.zeros(len(piece.site), 2, 2, dtype=b.dtype)
        before[piece.first] = torch.eye(2, dtype=b.dtype)
        last = twice_h(before) / 2
        moments = [piece.product(damping, before, before), piece.product(damping, before, last)]
        for n in range(1, self.settings.steps + 1):
            moments.append(2 * piece.product(damping, last, last) - moments[0])
            if n < self.settings.steps:
                new = twice_h(last) - damping**2 * before
                moments.append(2 * piece.product(damping, last, new) - moments[1])
                before, last = last, new
        return torch.stack(moments, dim=1)


class Doubled(TruncatedField):
    """Plain sums of moments by doubling, which are those of no density of states where the edge absorbs."""

    def _walk(self, spins: Tensor, widened: int) -> tuple[Any, Any]:
        walk, expansion = super()._walk(spins, widened)
        settings = dataclasses.replace(walk.settings, count=self.moments)
        expansion = Expansion(expansion.centre, expansion.scale, self.kT, self.moments, plain=True)
        return _Doubled(self.model, settings, spins.dtype, spins.device), expansion


class _Gauss(TensorWalk):
    """Moments of the levels and weights of a Gauss rule: the recursion method on the same local density of states."""

    averaged = False

    def _predicted(self, moments: Tensor) -> Tensor:
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
        settings = dataclasses.replace(walk.settings, count=count)
        expansion = Expansion(expansion.centre, expansion.scale, self.kT, count, plain=True)
        return self.rule(self.model, settings, spins.dtype, spins.device), expansion


RULES: dict[str, tuple[type[TruncatedField], dict[str, Any]]] = {
    "sum, by\ndoubling": (Doubled, {}),
    "sum": (Predicted, {"background": None}),
    "predicted\n0.1": (Predicted, {"background": 0.1}),
    "predicted\n0.01": (Predicted, {"background": 0.01}),
    "predicted\n0.001": (Predicted, {"background": 0.001}),
    "predicted\n5 / moments²": (TruncatedField, {}),
    "Gauss": (Recursion, {"walk": _Gauss}),
    "averaged\nGauss": (Recursion, {"walk": _AveragedGauss}),
}
"""Rules by name; the package's is prediction over a background of max(5 / moments², 3e-4)."""
