"""Loops over the places of a box: weighted sums of rows, lattice harmonics, products of spin matrices.

Functions take flat arrays, and where in them rows start and how far apart they are. They work on one vector of places.
Nothing is compiled for one size of network alone: what runs over channels is a loop, what runs over factors, products
or directions a tuple of vectors.
"""

# mypy: ignore-errors
from __future__ import annotations

from functools import partial
from typing import no_type_check

import numba
import numpy as np

from sdgnn import compiling, vectors
from sdgnn.nn import spin_matrices
from sdgnn.nn.compiled import boxes
from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.spin_matrices import product
from sdgnn.vectors import (
    LANES,
    add_multiples,
    get,
    get_rows,
    inner,
    put,
    put_rows,
    repeated,
    splat,
    splats,
    total,
)

ONE, TWO, THREE, FOUR, SIX, EIGHT, NINE = (tuple([0] * count) for count in (1, 2, 3, 4, 6, 8, 9))
"""Numbers that the compiler is to know: it knows the length of a tuple."""

inlined = numba.njit(fastmath=True, error_model="numpy", forceinline=True)
separate = numba.njit(fastmath=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)
compiled = partial(compiling.compiled, __file__, boxes.__file__, vectors.__file__, spin_matrices.__file__)
"""Decorator of what is called from outside; takes the path of the module it stands in."""

multiply = inlined(product)


@no_type_check
@inlined
def number(x, at):
    """x[at] for at >= 0: without the test for negative places."""
    return x[np.uintp(at)]


@no_type_check
@inlined
def set_number(x, at, value):
    """x[at] = value for at >= 0."""
    x[np.uintp(at)] = value


@no_type_check
@inlined
def constant(x, value):
    """A number in every lane, in the precision of x."""
    return splat(x.dtype.type(value))


@no_type_check
@inlined
def load(x, at, step=STRIDE):
    """The eight components, rows ``step`` apart, of one spin matrix at each of a vector of places."""
    return get_rows(x, at, step, EIGHT)


@no_type_check
@inlined
def store(x, at, step, m):
    """Write them."""
    put_rows(x, at, step, m)


@no_type_check
@inlined
def dagger(m):
    """Hermitian conjugate."""
    return (m[0], -m[1], m[2], m[3], m[4], -m[5], -m[6], -m[7])


@no_type_check
@inlined
def fill(x, row, rows, start, count):
    """Zeros in rows from ``row`` on."""
    nothing = constant(x, 0)
    for r in range(row, row + rows):
        for s in range(r * STRIDE + start, r * STRIDE + start + count, LANES):
            put(x, s, nothing)


@no_type_check
@inlined
def gathered(outs, weight, at, terms, x, start, step):
    """out_o = sum_k weight_ko x_k, weights (k, o) in order from ``at``; as many as the tuple ``outs`` is long."""
    sums = repeated(constant(x, 0), outs)
    for k in range(terms):
        sums = add_multiples(sums, splats(weight, at + k * len(outs), outs), get(x, start + k * step))
    return sums


@no_type_check
@inlined
def scatter(terms, weight, at, outs, x, start, apart, out, to, step):
    """out_o += sum_k weight_ok x_k, the transpose, weights (o, k) in order; as many rows x_k as ``terms`` is long."""
    values = get_rows(x, start, apart, terms)
    for o in range(outs):
        row = to + o * step
        put(out, row, get(out, row) + inner(splats(weight, at + o * len(terms), terms), values))


@no_type_check
@inlined
def overlap(sums, at, outs, x, start, step, values):
    """sums_ok += x_o y_k, the slopes in the weights of both, lane by lane in vectors (o, k) in order."""
    for o in range(outs):
        to = (at + o * len(values)) * LANES
        put_rows(sums, to, LANES, add_multiples(get_rows(sums, to, LANES, values), values, get(x, start + o * step)))


@no_type_check
@inlined
def add_lanes(sums, count, target, at):
    """Add the sums over the lanes of ``count`` vectors to as many numbers."""
    for k in range(count):
        target[at + k] += total(get(sums, k * LANES))


@no_type_check
@inlined
def _apply(matrix, values):
    """A matrix of 1, 4 or 9 numbers in order, or its transpose as it was read, on 1, 2 or 3 vectors."""
    if len(values) == 1:
        return (inner(matrix, values),)
    if len(values) == 2:
        return inner(matrix[:2], values), inner(matrix[2:], values)
    return inner(matrix[:3], values), inner(matrix[3:6], values), inner(matrix[6:], values)


@no_type_check
@inlined
def _transposed(matrix):
    if len(matrix) == 9:
        return (matrix[0], matrix[3], matrix[6], matrix[1], matrix[4], matrix[7], matrix[2], matrix[5], matrix[8])
    if len(matrix) == 4:
        return matrix[0], matrix[2], matrix[1], matrix[3]
    return matrix


@no_type_check
@inlined
def _sum_and_difference(first, second, unit):
    return add_multiples(first, second, unit), add_multiples(first, second, -unit)


@no_type_check
@inlined
def _turn(even, odd, half, square, back, rows, x, start, row, apart, out, to, out_row, out_apart):
    evens, odds, unit = splats(even, 0, square), splats(odd, 0, square), constant(x, 1)
    if back:
        evens, odds = _transposed(evens), _transposed(odds)
    for r in range(rows):
        at, other = start + r * row, len(half) * apart
        first, second = get_rows(x, at, apart, half), get_rows(x, at + other, apart, half)
        if back:
            first, second = _sum_and_difference(first, second, unit)
        first, second = _apply(evens, first), _apply(odds, second)
        if not back:
            first, second = _sum_and_difference(first, second, unit)
        put_rows(out, to + r * out_row, out_apart, first)
        put_rows(out, to + r * out_row + len(half) * out_apart, out_apart, second)


def _turning(back):
    @no_type_check
    @inlined
    def turn(even, odd, half, rows, x, start, row, apart, out, to, out_row, out_apart):
        if half == 3:
            _turn(even, odd, THREE, NINE, back, rows, x, start, row, apart, out, to, out_row, out_apart)
        elif half == 2:
            _turn(even, odd, TWO, FOUR, back, rows, x, start, row, apart, out, to, out_row, out_apart)
        else:
            _turn(even, odd, ONE, ONE, back, rows, x, start, row, apart, out, to, out_row, out_apart)

    return turn


to_directions = _turning(back=False)
"""Turns ``rows`` rows, ``row`` apart, of every lattice harmonic, even ones first, into rows of directions."""
to_harmonics = _turning(back=True)
"""The transpose, which is the inverse."""


@no_type_check
@compiled(__file__)
def fill_rims(x, edges, box, place, home, first, last):
    """Copy features (box, row * STRIDE) of the sites that boxes first to last - 1 own into all rims."""
    flat, size = x.reshape(-1), x.shape[1]
    for k in range(first, last):
        for row in range(0, size, STRIDE):
            for e in range(edges[k], edges[k + 1]):
                set_number(flat, box[e] * size + row + place[e], number(flat, k * size + row + home[e]))


@no_type_check
@compiled(__file__)
def add_rims(x, edges, box, place, home, first, last):
    """Add what stands in rims to the sites that boxes first to last - 1 own."""
    flat, size = x.reshape(-1), x.shape[1]
    for k in range(first, last):
        for row in range(0, size, STRIDE):
            for e in range(edges[k], edges[k + 1]):
                at = k * size + row + home[e]
                set_number(flat, at, number(flat, at) + number(flat, box[e] * size + row + place[e]))
