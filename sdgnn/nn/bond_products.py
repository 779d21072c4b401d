"""The network's inner loop: gather along bonds, weigh, add and multiply spin matrices, in one pass over memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, no_type_check

import numba
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.compiling import compiled
from sdgnn.nn import spin_matrices
from sdgnn.nn.spin_matrices import multiply, product

SMALL = 2**16
"""Inputs with fewer numbers are not worth a second thread."""


@dataclass(frozen=True)
class Neighbours:
    """The bonds of a set of sites, one table per direction."""

    site: Int[Tensor, "direction site"]
    """Site reached along each direction; the site itself where there is no bond."""
    present: Float[Tensor, "direction site"]
    """1 where there is a bond, 0 where not."""
    opposite: Int[Tensor, " direction"]
    """Index of the reversed direction."""


def bond_products(
    own: Float[Tensor, "8 direction site factors"],
    message: Float[Tensor, "8 direction site factors"],
    weight: Float[Tensor, "direction site factors"],
    neighbours: Neighbours,
) -> Float[Tensor, "8 direction site products"]:
    """Products A B and A B C of the factors on every bond d of site i, factors = [A, B, C] along the last axis:

    factors[d, i] = own[d, i] + weight[d, i] message[d, j(i, d)],    0 where the bond is missing.
    """
    if own.device.type == "cpu":
        return _BondProducts.apply(own, message, weight, neighbours)
    return plain_bond_products(own, message, weight, neighbours)


def plain_bond_products(own: Tensor, message: Tensor, weight: Tensor, neighbours: Neighbours) -> Tensor:
    """The same from tensor operations, for other devices."""
    along = torch.stack([message[:, d, site] for d, site in enumerate(neighbours.site)], dim=1)
    a, b, c = ((own + weight * along) * neighbours.present[..., None]).chunk(3, dim=-1)
    ab = multiply(a, b)
    return torch.cat([ab, multiply(ab, c)], dim=-1)


_multiply = numba.njit(fastmath=True)(product)
_kernel = compiled(__file__, spin_matrices.__file__)


@no_type_check
@numba.njit
def _load(x, d, i, c):
    return (x[0, d, i, c], x[1, d, i, c], x[2, d, i, c], x[3, d, i, c],
            x[4, d, i, c], x[5, d, i, c], x[6, d, i, c], x[7, d, i, c])  # fmt: skip


@no_type_check
@numba.njit
def _store(x, d, i, c, m):
    x[0, d, i, c], x[1, d, i, c], x[2, d, i, c], x[3, d, i, c] = m[0], m[1], m[2], m[3]
    x[4, d, i, c], x[5, d, i, c], x[6, d, i, c], x[7, d, i, c] = m[4], m[5], m[6], m[7]


@no_type_check
@numba.njit(fastmath=True)
def _add(m, w, n):
    """m + w n."""
    return (m[0] + w * n[0], m[1] + w * n[1], m[2] + w * n[2], m[3] + w * n[3],
            m[4] + w * n[4], m[5] + w * n[5], m[6] + w * n[6], m[7] + w * n[7])  # fmt: skip


@no_type_check
@numba.njit(fastmath=True)
def _dot(m, n):
    return (m[0] * n[0] + m[1] * n[1] + m[2] * n[2] + m[3] * n[3]
            + m[4] * n[4] + m[5] * n[5] + m[6] * n[6] + m[7] * n[7])  # fmt: skip


@no_type_check
@numba.njit(fastmath=True)
def _dagger(m):
    """Hermitian conjugate."""
    return (m[0], -m[1], m[2], m[3], m[4], -m[5], -m[6], -m[7])


@no_type_check
@_kernel
def _forward(own, message, weight, site, present, out, start, stop):
    channels = own.shape[3] // 3
    for d in range(own.shape[1]):
        for i in range(start, stop):
            if present[d, i] == 0:
                out[:, d, i] = 0
                continue
            j = site[d, i]
            for c in range(channels):
                k, m = c + channels, c + 2 * channels
                a = _add(_load(own, d, i, c), weight[d, i, c], _load(message, d, j, c))
                b = _add(_load(own, d, i, k), weight[d, i, k], _load(message, d, j, k))
                ab = _multiply(a, b)
                _store(out, d, i, c, ab)
                f = _add(_load(own, d, i, m), weight[d, i, m], _load(message, d, j, m))
                _store(out, d, i, k, _multiply(ab, f))


@no_type_check
@_kernel
def _backward(own, message, weight, site, present, slope, to_own, to_weight, start, stop):
    """Slopes in ``own`` and ``weight``: in the product of components, <G, A B> has the slopes G B^+ and A^+ G."""
    channels = own.shape[3] // 3
    for d in range(own.shape[1]):
        for i in range(start, stop):
            if present[d, i] == 0:
                to_own[:, d, i] = 0
                to_weight[d, i] = 0
                continue
            j = site[d, i]
            for c in range(channels):
                k, m = c + channels, c + 2 * channels
                from_a, from_b, from_f = _load(message, d, j, c), _load(message, d, j, k), _load(message, d, j, m)
                a = _add(_load(own, d, i, c), weight[d, i, c], from_a)
                b = _add(_load(own, d, i, k), weight[d, i, k], from_b)
                f = _add(_load(own, d, i, m), weight[d, i, m], from_f)
                g = _load(slope, d, i, k)
                at_f = _multiply(_dagger(_multiply(a, b)), g)
                h = _add(_load(slope, d, i, c), 1, _multiply(g, _dagger(f)))
                at_a, at_b = _multiply(h, _dagger(b)), _multiply(_dagger(a), h)
                _store(to_own, d, i, c, at_a)
                _store(to_own, d, i, k, at_b)
                _store(to_own, d, i, m, at_f)
                to_weight[d, i, c] = _dot(at_a, from_a)
                to_weight[d, i, k] = _dot(at_b, from_b)
                to_weight[d, i, m] = _dot(at_f, from_f)


@no_type_check
@_kernel
def _return(to_own, weight, site, present, opposite, to_message, start, stop):
    """Slope in ``message``: site j collects, along the reversed bond, what its neighbour i made of it."""
    for p in range(to_own.shape[0]):
        for d in range(to_own.shape[1]):
            back = opposite[d]
            for j in range(start, stop):
                if present[back, j] == 0:
                    to_message[p, d, j] = 0
                    continue
                i = site[back, j]
                for c in range(to_own.shape[3]):
                    to_message[p, d, j, c] = to_own[p, d, i, c] * weight[d, i, c]


class _BondProducts(torch.autograd.Function):
    """:func:`bond_products` on the CPU; differentiable once."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, message: Tensor, weight: Tensor, neighbours: Neighbours) -> Tensor:
        own, message, weight = own.contiguous(), message.contiguous(), weight.contiguous()
        ctx.save_for_backward(own, message, weight)
        ctx.neighbours = neighbours
        out = own.new_empty(*own.shape[:3], own.shape[3] // 3 * 2)
        _run(_forward, own, message, weight, neighbours.site, neighbours.present, out)
        return out

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        if torch.is_grad_enabled():
            raise NotImplementedError(
                "second derivatives of a network on the CPU; take differences of its field, or a network on a GPU"
            )
        own, message, weight = ctx.saved_tensors
        site, present, opposite = ctx.neighbours.site, ctx.neighbours.present, ctx.neighbours.opposite
        to_own, to_message, to_weight = torch.empty_like(own), torch.empty_like(message), torch.empty_like(weight)
        _run(_backward, own, message, weight, site, present, slope.contiguous(), to_own, to_weight)
        _run(_return, to_own, weight, site, present, opposite, to_message)
        return to_own, to_message, to_weight, None


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _run(kernel: Any, first: Tensor, *rest: Tensor) -> None:
    """Run a kernel over all sites, shared between as many threads as torch uses."""
    sites, threads = first.shape[2], torch.get_num_threads()
    views = [array.detach().numpy() for array in (first, *rest)]
    if threads == 1 or first.numel() < SMALL:
        kernel(*views, 0, sites)
        return
    edges = [sites * k // threads for k in range(threads + 1)]
    list(_pool(threads).map(lambda k: kernel(*views, edges[k], edges[k + 1]), range(threads)))
