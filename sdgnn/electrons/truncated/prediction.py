"""Moments beyond those that were computed: linear prediction, one site in each lane of compiled loops.

The moments M_0, ..., M_p of a site are those of a density of states on the circle e = centre + scale cos(theta). Of all
densities that share them, the one of largest entropy has moments that obey M_n = sum_j a_j M_{n-j} for n > p, with the
a_j that solve the Yule-Walker equations

    sum_k (M_|j-k| + eps M_0 delta_jk) a_k = M_j,     j = 1, ..., p

(Burg; see Ganahl et al., Phys. Rev. B 90, 115144, doi:10.1103/PhysRevB.90.115144, for moments of spectral functions).
Levinson's recursion solves them in p^2 steps. eps, a small uniform background, keeps the a_j stable and in reach of
float32: eps -> infinity is the plain sum over the moments computed, eps = 0 resolves sharp levels.
"""

from __future__ import annotations

from typing import no_type_check

from sdgnn.electrons.vectors import LANES, add_multiples, get, get_rows, inlined, put, put_rows, separate, splat

MORE = 8
"""Moments that are predicted together."""


@no_type_check
@inlined
def _products(x, first, y, other, step, count):
    """sum_j x_{first + j} y_{other + step j} over j < count, in four sums that do not wait for each other."""
    zero = splat(x.dtype.type(0))
    s0, s1, s2, s3 = zero, zero, zero, zero
    whole = max(count - count % 4, 0)
    for j in range(0, whole, 4):
        a, b, on = (first + j) * LANES, (other + step * j) * LANES, step * LANES
        s0 = s0 + get(x, a) * get(y, b)
        s1 = s1 + get(x, a + LANES) * get(y, b + on)
        s2 = s2 + get(x, a + 2 * LANES) * get(y, b + 2 * on)
        s3 = s3 + get(x, a + 3 * LANES) * get(y, b + 3 * on)
    for j in range(whole, count):
        s0 = s0 + get(x, (first + j) * LANES) * get(y, (other + step * j) * LANES)
    return (s0 + s1) + (s2 + s3)


@no_type_check
@separate
def _convolved(x, y, k, count):
    """sum_j x_j y_{k-j} over j < count."""
    return _products(x, 0, y, k, -1, count)


@no_type_check
@separate
def correlated(x, first, y, other, count):
    """sum_j x_{first + j} y_{other + j} over j < count."""
    return _products(x, first, y, other, 1, count)


@no_type_check
@separate
def _eight(x, at, step, y, start, count):
    """sum_j x_{at + step j} y_{start + j + i} over j < count, for i = 0, ..., 7."""
    zero = splat(x.dtype.type(0))
    sums = (zero, zero, zero, zero, zero, zero, zero, zero)
    for j in range(count):
        sums = add_multiples(sums, get_rows(y, (start + j) * LANES, LANES, sums), get(x, (at + step * j) * LANES))
    return sums


@no_type_check
@separate
def _longer(a, moments, k, error):
    """Predictor a_1, ..., a_k (kept from index 0) from that of k - 1 terms, and its mean square error."""
    miss = get(moments, k * LANES) - _convolved(a, moments, k - 1, k - 1)
    last = miss / error
    for j in range(k // 2):
        left, right = get(a, j * LANES), get(a, (k - 2 - j) * LANES)
        put(a, j * LANES, left - last * right)
        put(a, (k - 2 - j) * LANES, right - last * left)
    put(a, (k - 1) * LANES, last)
    return error - last * miss


@no_type_check
@separate
def predict(moments, a, order, count, loading):
    """The predictor a, and moments order + 1, ..., count - 1 in place after the given ones.

    Both arrays end with MORE vectors to work in.
    """
    error = get(moments, 0) * splat(loading)
    for k in range(1, order + 1):
        error = _longer(a, moments, k, error)
    a[order * LANES : (order + MORE) * LANES] = 0
    for n in range(order + 1, count, MORE):
        put_rows(moments, n * LANES, LANES, _eight(moments, n - 1, -1, a, 0, order))
        for i in range(1, MORE):
            at = (n + i) * LANES
            put(moments, at, get(moments, at) + _convolved(a, moments, n + i - 1, i))


@no_type_check
@separate
def weights_of_moments(moments, a, slopes, scratch, order, count, loading):
    """The slopes of a sum over all ``count`` moments become, in place, those in the computed ones (M_0 excepted).

    ``scratch`` holds 3 order vectors.
    """
    to_a, again, y = scratch[: order * LANES], scratch[order * LANES :], scratch[2 * order * LANES :]
    n = count - 1
    while n - MORE >= order:
        more = _eight(slopes, n + 1, 1, a, 0, min(order, count - 1 - n))
        for i in range(MORE):
            at = (n - i) * LANES
            put(slopes, at, get(slopes, at) + more[i] + correlated(a, 0, slopes, n - i + 1, i))
        n -= MORE
    while n >= 0:
        least = max(0, order - n)
        more = correlated(a, least, slopes, n + 1 + least, min(order, count - 1 - n) - least)
        put(slopes, n * LANES, get(slopes, n * LANES) + more)
        n -= 1
    whole = order - order % MORE
    for j in range(0, whole, MORE):
        sums = _eight(slopes, order + 1, 1, moments, order - j - MORE + 1, count - order - 1)
        for i in range(MORE):
            put(to_a, (j + MORE - 1 - i) * LANES, sums[i])
    for j in range(whole, order):
        put(to_a, j * LANES, correlated(slopes, order + 1, moments, order - j, count - order - 1))
    # T y = slope in a, with the Toeplitz matrix T of the Yule-Walker equations: then dE = y . (dr - dT a)
    error = get(moments, 0) * splat(loading)
    put(y, 0, get(to_a, 0) / error)
    for k in range(1, order):
        error = _longer(again, moments, k, error)
        last = (get(to_a, k * LANES) - _convolved(y, moments, k, k)) / error
        for j in range(k):
            put(y, j * LANES, get(y, j * LANES) - last * get(again, (k - 1 - j) * LANES))
        put(y, k * LANES, last)
    for lag in range(1, order + 1):
        change = get(y, (lag - 1) * LANES)
        for j in range(order - lag):
            here, there = j * LANES, (j + lag) * LANES
            change = change - get(y, here) * get(a, there) - get(y, there) * get(a, here)
        put(slopes, lag * LANES, get(slopes, lag * LANES) + change)
