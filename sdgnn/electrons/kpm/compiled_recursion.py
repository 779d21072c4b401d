"""The Chebyshev recursion and its reverse on the CPU, in compiled loops over blocks of vectors."""

from __future__ import annotations

from typing import no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.common.compiling import compiled
from sdgnn.electrons.kpm import scaled
from sdgnn.electrons.kpm.engine import Recursion
from sdgnn.electrons.kpm.scaled import GROUP, LANES, ScaledHamiltonian

CHUNK = 128
"""Sites that a moment is summed over in the working precision before it is carried on in float64."""

_WIDTH = 4 * LANES
_kernel = compiled(__file__, scaled.__file__)
_inline = numba.njit(fastmath=True, error_model="numpy")


class CompiledRecursion(Recursion[np.ndarray]):
    """Rows are blocks (replica, block, site, 4 LANES) on the CPU.

    A row of a site holds Re up, Im up, Re down, Im down of LANES vectors. The compiled loops release the lock of
    Python, so that threads can work on different blocks.
    """

    def __init__(self, hamiltonian: ScaledHamiltonian) -> None:
        hopping = hamiltonian.hopping
        self._local, self._factor = hamiltonian.local.numpy(), hamiltonian.factor.numpy()
        self._dtype = hamiltonian.local.dtype
        self._table = (hopping.site, hopping.real, hopping.real[:, :0] if hopping.imag is None else hopping.imag)

    def pack(self, psi: Complex[Tensor, "replica site 2 vector"]) -> Float[np.ndarray, "replica block site row"]:
        replicas, sites, _, vectors = psi.shape
        blocks = -(-vectors // LANES)
        rows = torch.view_as_real(psi.resolve_conj()).to(self._dtype).transpose(-1, -2)
        rows = torch.nn.functional.pad(rows, (0, blocks * LANES - vectors))
        rows = rows.reshape(replicas, sites, 4, blocks, LANES).permute(0, 3, 1, 2, 4)
        return rows.reshape(replicas, blocks, sites, _WIDTH).contiguous().numpy()

    def unpack(self, rows: np.ndarray, shape: tuple[int, ...]) -> Complex[Tensor, "replica site 2 vector"]:
        replicas, blocks, sites, _ = rows.shape
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
        replicas, blocks, sites, _ = last.shape
        gradient = np.zeros((replicas, sites, 4))
        coefficients = weights.astype(last.dtype)
        for r, b in np.ndindex(replicas, blocks):
            adjoint, after = coefficients[r, 0, 2] * before[r, b], np.zeros_like(last[r, b])
            given = (*self._table, self._factor[r], self._local[r])
            _reverse(before[r, b], last[r, b], adjoint, after, *given, coefficients[r, 1:], gradient[r])
        return torch.from_numpy(gradient)


@no_type_check
@_inline
def _hop(out, x, i, site, real, imag, factor):
    """out = sum_j h_ij x_j over the neighbours of site i, both spins alike."""
    for d in range(0, site.shape[1], GROUP):
        a, b, c = x[site[i, d]], x[site[i, d + 1]], x[site[i, d + 2]]
        ta, tb, tc = factor * real[i, d], factor * real[i, d + 1], factor * real[i, d + 2]
        if d == 0:
            for v in range(_WIDTH):
                out[v] = ta * a[v] + tb * b[v] + tc * c[v]
        else:
            for v in range(_WIDTH):
                out[v] += ta * a[v] + tb * b[v] + tc * c[v]
    for d in range(imag.shape[1]):
        a, ta = x[site[i, d]], factor * imag[i, d]
        for row in range(0, _WIDTH, 2 * LANES):
            for v in range(row, row + LANES):
                out[v] -= ta * a[v + LANES]
                out[v + LANES] += ta * a[v]


@no_type_check
@_inline
def _step(y, x, hopped, b):
    """y <- 2 H~ x - y on one site."""
    bx, by, up, down = b[0], b[1], b[3] + b[2], b[3] - b[2]
    for v in range(LANES):
        ur, ui, dr, di = x[v], x[v + LANES], x[v + 2 * LANES], x[v + 3 * LANES]
        y[v] = up * ur + bx * dr + by * di - y[v] + hopped[v]
        y[v + LANES] = up * ui + bx * di - by * dr - y[v + LANES] + hopped[v + LANES]
        y[v + 2 * LANES] = down * dr + bx * ur - by * ui - y[v + 2 * LANES] + hopped[v + 2 * LANES]
        y[v + 3 * LANES] = down * di + bx * ui + by * ur - y[v + 3 * LANES] + hopped[v + 3 * LANES]


@no_type_check
@_inline
def _products(even, odd, x, y):
    """even += <x|x> and odd += Re <x|y> on one site, lane by lane."""
    for v in range(LANES):
        ur, ui, dr, di = x[v], x[v + LANES], x[v + 2 * LANES], x[v + 3 * LANES]
        even[v] += ur * ur + ui * ui + dr * dr + di * di
        odd[v] += ur * y[v] + ui * y[v + LANES] + dr * y[v + 2 * LANES] + di * y[v + 3 * LANES]


@no_type_check
@_kernel
def _forward(x, y, site, real, imag, factor, local, steps, sums):
    """``steps`` terms in place, x and y the last and the one before; rows 2 k and 2 k + 1 of sums: <x|x>, <x|y>."""
    n = x.shape[0]
    hopped, even, odd = np.zeros(_WIDTH, x.dtype), np.zeros(LANES, x.dtype), np.zeros(LANES, x.dtype)
    for k in range(steps):
        for start in range(0, n, CHUNK):
            even[:] = 0
            odd[:] = 0
            for i in range(start, min(start + CHUNK, n)):
                _hop(hopped, x, i, site, real, imag, factor)
                _step(y[i], x[i], hopped, local[i])
                _products(even, odd, x[i], y[i])
            for v in range(LANES):
                sums[2 * k, v] += even[v]
                sums[2 * k + 1, v] += odd[v]
        x, y = y, x


@no_type_check
@_inline
def _outer(gradient, share, x, b):
    """gradient += share Re tr(sigma |x><b|) on one site, summed over lanes."""
    sx = sy = up = down = x[0] * 0
    for v in range(LANES):
        ur, ui, dr, di = x[v], x[v + LANES], x[v + 2 * LANES], x[v + 3 * LANES]
        aur, aui, adr, adi = b[v], b[v + LANES], b[v + 2 * LANES], b[v + 3 * LANES]
        up += ur * aur + ui * aui
        down += dr * adr + di * adi
        sx += ur * adr + ui * adi + dr * aur + di * aui
        sy += ur * adi - ui * adr + di * aur - dr * aui
    gradient[0] += share * sx
    gradient[1] += share * sy
    gradient[2] += share * (up - down)
    gradient[3] += share * (up + down)


@no_type_check
@_inline
def _subtract(q, u, x, w, y):
    for v in range(_WIDTH):
        q[v] -= u * x[v] + w * y[v]


@no_type_check
@_inline
def _add(q, u, x):
    for v in range(_WIDTH):
        q[v] += u * x[v]


@no_type_check
@_kernel
def _reverse(x, p, b, q, site, real, imag, factor, local, weights, gradient):
    """x, p = T_k, T_{k+1} and b, q = b_{k+1}, b_{k+2} run down from k = K - 1 to 0, adding to the gradient."""
    n = x.shape[0]
    hopped = np.zeros(_WIDTH, x.dtype)
    for k in range(weights.shape[0]):
        w, w_after, w_before = weights[k, 0], weights[k, 1], weights[k, 2]
        for i in range(n):
            _outer(gradient[i], 2, x[i], b[i])
            _subtract(q[i], w, x[i], w_after, p[i])
            _hop(hopped, x, i, site, real, imag, factor)
            _step(p[i], x[i], hopped, local[i])
            _hop(hopped, b, i, site, real, imag, factor)
            _step(q[i], b[i], hopped, local[i])
            _add(q[i], w_before, p[i])
        x, p = p, x
        b, q = q, b
    for i in range(n):
        _outer(gradient[i], 1, x[i], b[i])
