"""Products of spin matrices a + b . sigma, the 2x2 complex matrices that spin-1/2 electrons see along their paths.

Eight real components of a matrix are irreps of spin rotation and time reversal, in e3nn's notation
``0e + 0o + 1o + 1e`` with parity standing for time reversal:

===== ========= ======= ==================
index component irrep   example
===== ========= ======= ==================
0     Re a      0e      S_i . S_j
1     Im a      0o      S_i . (S_j x S_k)
2-4   Re b      1o      S_i
5-7   Im b      1e      S_i x S_j
===== ========= ======= ==================

The set is closed under the matrix product, which therefore commutes with SO(3)_spin x time reversal.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, no_type_check

import numba
import torch
from jaxtyping import Float
from torch import Tensor

COMPONENTS = 8
IRREP = (0, 1, 2, 2, 2, 3, 3, 3)
"""Irrep (0e, 0o, 1o, 1e) of each component."""


def multiply(a: Float[Tensor, "8 ..."], b: Float[Tensor, "8 ..."]) -> Float[Tensor, "8 ..."]:
    """(a + b . sigma)(a' + b' . sigma) = a a' + b . b' + (a b' + a' b + i b x b') . sigma, element by element."""
    return torch.stack(_product(a.unbind(0), b.unbind(0)))


def path_products(factors: Float[Tensor, "8 n 3 channel"]) -> Float[Tensor, "8 n 2 channel"]:
    """A B and A B C of the factors ``[A, B, C]`` of every element and channel."""
    if factors.device.type == "cpu":
        return _PathProducts.apply(factors)
    a, b, c = factors.unbind(2)
    ab = multiply(a, b)
    return torch.stack([ab, multiply(ab, c)], dim=2)


@no_type_check
def _product(left, right):
    """Components of the product, of numbers or of tensors: a = s + i p, b = v + i w."""
    s, p, vx, vy, vz, wx, wy, wz = left
    S, P, Vx, Vy, Vz, Wx, Wy, Wz = right
    return (
        s * S - p * P + vx * Vx + vy * Vy + vz * Vz - wx * Wx - wy * Wy - wz * Wz,
        s * P + p * S + vx * Wx + vy * Wy + vz * Wz + wx * Vx + wy * Vy + wz * Vz,
        s * Vx + vx * S - p * Wx - wx * P - (vy * Wz - vz * Wy + wy * Vz - wz * Vy),
        s * Vy + vy * S - p * Wy - wy * P - (vz * Wx - vx * Wz + wz * Vx - wx * Vz),
        s * Vz + vz * S - p * Wz - wz * P - (vx * Wy - vy * Wx + wx * Vy - wy * Vx),
        s * Wx + p * Vx + vx * P + wx * S + (vy * Vz - vz * Vy) - (wy * Wz - wz * Wy),
        s * Wy + p * Vy + vy * P + wy * S + (vz * Vx - vx * Vz) - (wz * Wx - wx * Wz),
        s * Wz + p * Vz + vz * P + wz * S + (vx * Vy - vy * Vx) - (wx * Wy - wy * Wx),
    )


_kernel = numba.njit(fastmath=True, cache=True, nogil=True)
_multiply = numba.njit(fastmath=True)(_product)


@no_type_check
@numba.njit
def _load(x, n, k, c):
    return (x[0, n, k, c], x[1, n, k, c], x[2, n, k, c], x[3, n, k, c],
            x[4, n, k, c], x[5, n, k, c], x[6, n, k, c], x[7, n, k, c])  # fmt: skip


@no_type_check
@numba.njit
def _store(x, n, k, c, m):
    x[0, n, k, c], x[1, n, k, c], x[2, n, k, c], x[3, n, k, c] = m[0], m[1], m[2], m[3]
    x[4, n, k, c], x[5, n, k, c], x[6, n, k, c], x[7, n, k, c] = m[4], m[5], m[6], m[7]


@no_type_check
@numba.njit
def _dagger(m):
    """Hermitian conjugate."""
    return (m[0], -m[1], m[2], m[3], m[4], -m[5], -m[6], -m[7])


@no_type_check
@_kernel
def _forward(f, out, start, stop):
    for n in range(start, stop):
        for c in range(f.shape[3]):
            ab = _multiply(_load(f, n, 0, c), _load(f, n, 1, c))
            _store(out, n, 0, c, ab)
            _store(out, n, 1, c, _multiply(ab, _load(f, n, 2, c)))


@no_type_check
@_kernel
def _backward(f, slope, out, start, stop):
    """With <X, Y> = sum of component products, <G, A B> has the slopes G B^+ in A and A^+ G in B."""
    for n in range(start, stop):
        for c in range(f.shape[3]):
            a, b = _load(f, n, 0, c), _load(f, n, 1, c)
            g = _load(slope, n, 1, c)
            _store(out, n, 2, c, _multiply(_dagger(_multiply(a, b)), g))
            h = _multiply(g, _dagger(_load(f, n, 2, c)))
            first = _load(slope, n, 0, c)
            h = (h[0] + first[0], h[1] + first[1], h[2] + first[2], h[3] + first[3],
                 h[4] + first[4], h[5] + first[5], h[6] + first[6], h[7] + first[7])  # fmt: skip
            _store(out, n, 0, c, _multiply(h, _dagger(b)))
            _store(out, n, 1, c, _multiply(_dagger(a), h))


class _PathProducts(torch.autograd.Function):
    """:func:`path_products` in one pass over memory, and its slope in another."""

    @staticmethod
    def forward(ctx: Any, factors: Tensor) -> Tensor:
        factors = factors.contiguous()
        ctx.save_for_backward(factors)
        out = factors.new_empty(*factors.shape[:2], 2, factors.shape[3])
        _run(_forward, factors, out)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        (factors,) = ctx.saved_tensors
        out = torch.empty_like(factors)
        _run(_backward, factors, slope.contiguous(), out)
        return out


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _run(kernel: Any, *arrays: Tensor) -> None:
    """Run a kernel over all elements, shared between as many threads as torch uses."""
    elements, threads = arrays[0].shape[1], torch.get_num_threads()
    views = [array.detach().numpy() for array in arrays]
    if threads == 1 or arrays[0].numel() < 2**16:
        kernel(*views, 0, elements)
        return
    edges = [elements * k // threads for k in range(threads + 1)]
    list(_pool(threads).map(lambda k: kernel(*views, edges[k], edges[k + 1]), range(threads)))
