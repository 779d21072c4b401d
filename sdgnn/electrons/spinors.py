"""Spinors in compiled loops: rows of four vectors, and what the Hamiltonian of a site or a pair does with them.

A row holds Re up, Im up, Re down, Im down of :data:`~sdgnn.electrons.vectors.LANES` spinors; the local part of H on a
site is b . sigma + b_0, given as b_x, b_y, b_0 + b_z, b_0 - b_z.
"""

from __future__ import annotations

from typing import no_type_check

from sdgnn.electrons.vectors import LANES, add_multiples, inlined, splat

ROW = 4 * LANES
"""Numbers in a row."""

FOUR = (0,) * 4
"""A tuple as long as the rows, from which the compiler knows their length."""


@no_type_check
@inlined
def turned(x, b):
    """(b . sigma + b_0) x."""
    bx, by, up, down = b
    return (
        up * x[0] + bx * x[2] + by * x[3],
        up * x[1] + bx * x[3] - by * x[2],
        down * x[2] + bx * x[0] - by * x[1],
        down * x[3] + bx * x[1] + by * x[0],
    )


@no_type_check
@inlined
def add_hopped(sums, amplitudes, k, x):
    """sums + h x with the hopping h of pair k: ``amplitudes`` (pair,) are numbers, (pair, 4) t, l_x, l_y, l_z of
    h = t + i l . sigma. Loops are compiled for one of the two, without a branch.
    """
    if amplitudes.ndim == 1:
        return add_multiples(sums, x, splat(amplitudes[k]))
    lx, ly, lz = splat(amplitudes[k, 1]), splat(amplitudes[k, 2]), splat(amplitudes[k, 3])
    sums = add_multiples(sums, x, splat(amplitudes[k, 0]))
    sums = add_multiples(sums, (-x[3], x[2], -x[1], x[0]), lx)
    sums = add_multiples(sums, (x[2], x[3], -x[0], -x[1]), ly)
    return add_multiples(sums, (-x[1], x[0], x[3], -x[2]), lz)


@no_type_check
@inlined
def minus(x, factor, y):
    """x - factor y."""
    return x[0] - factor * y[0], x[1] - factor * y[1], x[2] - factor * y[2], x[3] - factor * y[3]


@no_type_check
@inlined
def scaled(factor, x):
    return factor * x[0], factor * x[1], factor * x[2], factor * x[3]


@no_type_check
@inlined
def add_products(sums, x, y):
    """Re x^+ y added to a pair of sums, which do not wait for each other."""
    return sums[0] + x[0] * y[0] + x[1] * y[1], sums[1] + x[2] * y[2] + x[3] * y[3]


@no_type_check
@inlined
def products(x, y):
    """Slopes of Re y^+ (b . sigma + b_0) x in b_x, b_y, b_0 + b_z, b_0 - b_z."""
    return (
        x[0] * y[2] + x[1] * y[3] + x[2] * y[0] + x[3] * y[1],
        x[0] * y[3] - x[1] * y[2] + x[3] * y[0] - x[2] * y[1],
        x[0] * y[0] + x[1] * y[1],
        x[2] * y[2] + x[3] * y[3],
    )
