"""The Chebyshev recursion and its reverse on the CPU, in compiled loops over blocks of vectors."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.compiling import compiled
from sdgnn.electrons import spinors, vectors
from sdgnn.electrons.kpm.engine import Recursion
from sdgnn.electrons.kpm.scaled import ScaledHamiltonian
from sdgnn.electrons.spinors import FOUR, ROW, add_products, minus, products, turned
from sdgnn.electrons.vectors import LANES, add_multiples, get_rows, inlined, put, put_rows, splat, total

CHUNK = 128
"""Sites that a moment is summed over in the working precision before it is carried on in float64."""

SOURCES = (spinors.__file__, vectors.__file__)
"""Paths of the other modules that the compiled loops consist of."""


class CompiledRecursion(Recursion[np.ndarray]):
    """Rows (:mod:`sdgnn.electrons.spinors`) of blocks of LANES vectors, (replica, block, site times ROW) on the CPU.

    The compiled loops release the lock of Python, so that threads can work on different blocks.
    """

    def __init__(self, hamiltonian: ScaledHamiltonian) -> None:
        hopping = hamiltonian.hopping
        self._local, self._factor = hamiltonian.local.numpy(), hamiltonian.factor.numpy()
        self._dtype = hamiltonian.local.dtype
        none = np.zeros((len(hopping.site), 0, 3), dtype=hopping.real.dtype)
        self._table = (
            hopping.site,
            hopping.real,
            none[..., 0] if hopping.imag is None else hopping.imag,
            none if hopping.turn_real is None else hopping.turn_real,
            none if hopping.turn_imag is None else hopping.turn_imag,
        )

    def pack(self, psi: Complex[Tensor, "replica site 2 vector"]) -> Float[np.ndarray, "replica block number"]:
        replicas, sites, _, vectors = psi.shape
        blocks = -(-vectors // LANES)
        rows = torch.view_as_real(psi.resolve_conj()).to(self._dtype).transpose(-1, -2)
        rows = torch.nn.functional.pad(rows, (0, blocks * LANES - vectors))
        rows = rows.reshape(replicas, sites, 4, blocks, LANES).permute(0, 3, 1, 2, 4)
        return rows.reshape(replicas, blocks, sites * ROW).contiguous().numpy()

    def unpack(self, rows: np.ndarray, shape: tuple[int, ...]) -> Complex[Tensor, "replica site 2 vector"]:
        (replicas, blocks, _), sites = rows.shape, shape[1]
        parts = torch.from_numpy(rows).reshape(replicas, blocks, sites, 2, 2, LANES).permute(0, 2, 3, 1, 5, 4)
        parts = parts.reshape(replicas, sites, 2, blocks * LANES, 2)[..., : shape[-1], :]
        return torch.view_as_complex(parts.contiguous())

    def first(self, start: np.ndarray) -> np.ndarray:
        return self.next(start, np.zeros_like(start)) / 2

    def next(self, last: np.ndarray, before: np.ndarray) -> np.ndarray:
        after, sums = before.copy(), np.zeros((2, LANES))
        for r, b in np.ndindex(last.shape[:2]):
            _forward(last[r, b], after[r, b], *self._table, self._factor[r], self._local[r], 1, sums)
        return after

    def forward(
        self, start: np.ndarray, count: int
    ) -> tuple[Float[Tensor, "replica moment vector"], np.ndarray, np.ndarray]:
        replicas, blocks = start.shape[:2]
        before, last = start.copy(), np.zeros_like(start)
        sums = np.zeros((replicas, count, blocks, LANES))
        for r, b in np.ndindex(replicas, blocks):
            part = np.zeros((count, LANES))
            given = (*self._table, self._factor[r], self._local[r])
            _forward(before[r, b], last[r, b], *given, 1, part[:2])
            last[r, b] /= 2
            part[1] /= 2
            _forward(last[r, b], before[r, b], *given, count // 2 - 1, part[2:])
            sums[r, :, b] = part
        moments = 2 * sums
        moments[:, 0::2] -= sums[:, :1]
        moments[:, 1::2] -= sums[:, 1:2]
        flat = torch.from_numpy(moments.reshape(replicas, count, blocks * LANES))
        return (flat, last, before) if count // 2 % 2 == 0 else (flat, before, last)

    def reverse(
        self, before: np.ndarray, last: np.ndarray, weights: Float[np.ndarray, "replica step 3"]
    ) -> Float[Tensor, "replica site 4"]:
        replicas, blocks, _ = last.shape
        gradient = np.zeros((replicas, len(self._table[0]), 4))
        coefficients = weights.astype(last.dtype)
        for r, b in np.ndindex(replicas, blocks):
            adjoint, after = coefficients[r, 0, 2] * before[r, b], np.zeros_like(last[r, b])
            given = (*self._table, self._factor[r], self._local[r])
            _reverse(before[r, b], last[r, b], adjoint, after, *given, coefficients[r, 1:], gradient[r])
        return torch.from_numpy(gradient)


@no_type_check
@inlined
def _doubled(x, own, i, table, local):
    """2 H~ x on site i, whose row of x is ``own``."""
    site, real, imag, turn_real, turn_imag, factor = table
    b0, bz = local[i, 3], local[i, 2]
    h = turned(own, (splat(local[i, 0]), splat(local[i, 1]), splat(b0 + bz), splat(b0 - bz)))
    for d in range(site.shape[1]):
        h = add_multiples(h, get_rows(x, site[i, d] * ROW, LANES, FOUR), splat(factor * real[i, d]))
    for d in range(imag.shape[1]):
        ur, ui, dr, di = get_rows(x, site[i, d] * ROW, LANES, FOUR)
        h = add_multiples(h, (-ui, ur, -di, dr), splat(factor * imag[i, d]))
    for d in range(turn_real.shape[1]):
        ur, ui, dr, di = get_rows(x, site[i, d] * ROW, LANES, FOUR)
        h = add_multiples(h, (-di, dr, -ui, ur), splat(factor * turn_real[i, d, 0]))
        h = add_multiples(h, (dr, di, -ur, -ui), splat(factor * turn_real[i, d, 1]))
        h = add_multiples(h, (-ui, ur, di, -dr), splat(factor * turn_real[i, d, 2]))
    for d in range(turn_imag.shape[1]):
        ur, ui, dr, di = get_rows(x, site[i, d] * ROW, LANES, FOUR)
        h = add_multiples(h, (-dr, -di, -ur, -ui), splat(factor * turn_imag[i, d, 0]))
        h = add_multiples(h, (-di, dr, ui, -ur), splat(factor * turn_imag[i, d, 1]))
        h = add_multiples(h, (-ur, -ui, dr, di), splat(factor * turn_imag[i, d, 2]))
    return h


@no_type_check
@compiled("kernel polynomials", __file__, *SOURCES)
def _forward(x, y, site, real, imag, turn_real, turn_imag, factor, local, steps, sums):
    """``steps`` terms in place, x and y the last and the one before; rows 2 k and 2 k + 1 of sums: <x|x>, <x|y>."""
    table = (site, real, imag, turn_real, turn_imag, factor)
    one, zero, part = splat(factor / factor), splat(factor - factor), np.zeros(2 * LANES, x.dtype)
    for k in range(steps):
        for start in range(0, len(site), CHUNK):
            even, odd = (zero, zero), (zero, zero)
            for i in range(start, min(start + CHUNK, len(site))):
                own = get_rows(x, i * ROW, LANES, FOUR)
                new = minus(_doubled(x, own, i, table, local), one, get_rows(y, i * ROW, LANES, FOUR))
                put_rows(y, i * ROW, LANES, new)
                even, odd = add_products(even, own, own), add_products(odd, own, new)
            put(part, 0, even[0] + even[1])
            put(part, LANES, odd[0] + odd[1])
            for v in range(LANES):
                sums[2 * k, v] += part[v]
                sums[2 * k + 1, v] += part[LANES + v]
        x, y = y, x


@no_type_check
@inlined
def _add_gradient(gradient, share, x, b):
    """gradient += share Re tr(sigma |x><b|) on one site, summed over lanes."""
    sx, sy, up, down = products(x, b)
    gradient[0] += share * total(sx)
    gradient[1] += share * total(sy)
    gradient[2] += share * total(up - down)
    gradient[3] += share * total(up + down)


@no_type_check
@compiled("slopes of kernel polynomials", __file__, *SOURCES)
def _reverse(x, p, b, q, site, real, imag, turn_real, turn_imag, factor, local, weights, gradient):
    """x, p = T_k, T_{k+1} and b, q = b_{k+1}, b_{k+2} run down from k = K - 1 to 0, adding to the gradient."""
    table, one = (site, real, imag, turn_real, turn_imag, factor), splat(factor / factor)
    for k in range(len(weights)):
        w, w_after, w_before = splat(weights[k, 0]), splat(weights[k, 1]), splat(weights[k, 2])
        for i in range(len(site)):
            own, adjoint = get_rows(x, i * ROW, LANES, FOUR), get_rows(b, i * ROW, LANES, FOUR)
            _add_gradient(gradient[i], 2, own, adjoint)
            after = get_rows(p, i * ROW, LANES, FOUR)
            driven = minus(minus(get_rows(q, i * ROW, LANES, FOUR), w, own), w_after, after)
            before = minus(_doubled(x, own, i, table, local), one, after)
            put_rows(p, i * ROW, LANES, before)
            new = minus(_doubled(b, adjoint, i, table, local), one, driven)
            put_rows(q, i * ROW, LANES, add_multiples(new, before, w_before))
        x, p = p, x
        b, q = q, b
    for i in range(len(site)):
        _add_gradient(gradient[i], 1, get_rows(x, i * ROW, LANES, FOUR), get_rows(b, i * ROW, LANES, FOUR))
