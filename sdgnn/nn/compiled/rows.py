"""Loops over the places of a box: weighted sums of rows, lattice harmonics, products of spin matrices.

Functions take flat arrays and numbers of places from their start. Loops over places go from one vector to the next, or two
vectors at once where both take the same weights. Nothing is compiled for one size of network alone: what runs over
channels is a loop, what runs over factors, products or directions a tuple of vectors.
"""

# mypy: ignore-errors
from __future__ import annotations

from functools import partial
from typing import no_type_check

import numba
import numpy as np

from sdgnn import compiling
from sdgnn.nn import spin_matrices
from sdgnn.nn.compiled import boxes, vectors
from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.compiled.vectors import (
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
from sdgnn.nn.spin_matrices import product

ONE, TWO, THREE, FOUR, EIGHT, NINE = (tuple([0] * count) for count in (1, 2, 3, 4, 8, 9))
"""Numbers that the compiler is to know: it knows the length of a tuple."""

PAIR = 2 * LANES
"""Places of two vectors."""

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
def load(x, at):
    """The eight components, rows in order, of one spin matrix at each of a vector of places."""
    return get_rows(x, at, STRIDE, EIGHT)


@no_type_check
@inlined
def store(x, at, m):
    """Write them."""
    put_rows(x, at, STRIDE, m)


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


def gathering(outs, apart):
    """A loop for out_o = sum_k weight_ko x_k with ``outs`` rows out_o ``apart`` from each other."""
    outs, apart = tuple([0] * outs), apart * STRIDE

    @no_type_check
    @separate
    def gather(weight, at, terms, x, start, out, to, count):
        """Weights (k, o) in order from ``at``, ``terms`` rows x_k in order from ``start``."""
        nothing = repeated(constant(out, 0), outs)
        whole = count // PAIR * PAIR
        for s in range(0, whole, PAIR):
            first, second = nothing, nothing
            for k in range(terms):
                weights, row = splats(weight, at + k * len(outs), outs), start + k * STRIDE + s
                first = add_multiples(first, weights, get(x, row))
                second = add_multiples(second, weights, get(x, row + LANES))
            put_rows(out, to + s, apart, first)
            put_rows(out, to + s + LANES, apart, second)
        for s in range(whole, count, LANES):
            only = nothing
            for k in range(terms):
                only = add_multiples(only, splats(weight, at + k * len(outs), outs), get(x, start + k * STRIDE + s))
            put_rows(out, to + s, apart, only)

    return gather


def scattering(terms, apart):
    """A loop for out_o += sum_k weight_ok x_k with ``terms`` rows x_k ``apart`` from each other: the transpose."""
    terms, apart = tuple([0] * terms), apart * STRIDE

    @no_type_check
    @separate
    def scatter(weight, at, outs, x, start, out, to, count):
        """Weights (o, k) in order from ``at``, ``outs`` rows out_o in order from ``to``."""
        whole = count // PAIR * PAIR
        for s in range(0, whole, PAIR):
            first = get_rows(x, start + s, apart, terms)
            second = get_rows(x, start + s + LANES, apart, terms)
            for o in range(outs):
                weights, row = splats(weight, at + o * len(terms), terms), to + o * STRIDE + s
                put(out, row, get(out, row) + inner(weights, first))
                put(out, row + LANES, get(out, row + LANES) + inner(weights, second))
        for s in range(whole, count, LANES):
            only = get_rows(x, start + s, apart, terms)
            for o in range(outs):
                row = to + o * STRIDE + s
                put(out, row, get(out, row) + inner(splats(weight, at + o * len(terms), terms), only))

    return scatter


def overlapping(terms, apart):
    """A loop for target_ok += sum over places of x_o y_k: slopes in the weights of both, rows y_k ``apart``."""
    terms, apart = tuple([0] * terms), apart * STRIDE

    @no_type_check
    @separate
    def overlaps(target, at, outs, x, start, y, from_, count):
        """Targets (o, k) in order from ``at``, ``outs`` rows x_o in order from ``start``."""
        nothing = repeated(constant(x, 0), terms)
        whole = outs // 2 * 2
        for o in range(0, whole, 2):
            first, second, row = nothing, nothing, start + o * STRIDE
            for s in range(0, count, LANES):
                ends = get_rows(y, from_ + s, apart, terms)
                first = add_multiples(first, ends, get(x, row + s))
                second = add_multiples(second, ends, get(x, row + STRIDE + s))
            for k in range(len(terms)):
                target[at + o * len(terms) + k] += total(first[k])
                target[at + (o + 1) * len(terms) + k] += total(second[k])
        for o in range(whole, outs):
            only, row = nothing, start + o * STRIDE
            for s in range(0, count, LANES):
                only = add_multiples(only, get_rows(y, from_ + s, apart, terms), get(x, row + s))
            for k in range(len(terms)):
                target[at + o * len(terms) + k] += total(only[k])

    return overlaps


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


def turning(rows, back):
    """A loop that turns ``rows`` rows for each lattice harmonic, even ones first, into as many for each direction.

    With ``back`` it is the transpose, which is the inverse.
    """
    apart = rows * STRIDE

    @no_type_check
    @inlined
    def turn_by(even, odd, half, square, x, out, start, count):
        evens, odds = splats(even, 0, square), splats(odd, 0, square)
        if back:
            evens, odds = _transposed(evens), _transposed(odds)
        other, unit = len(half) * apart, constant(x, 1)
        for r in range(start, rows * STRIDE + start, STRIDE):
            for s in range(r, r + count, LANES):
                first, second = get_rows(x, s, apart, half), get_rows(x, s + other, apart, half)
                if back:
                    first, second = _sum_and_difference(first, second, unit)
                first, second = _apply(evens, first), _apply(odds, second)
                if not back:
                    first, second = _sum_and_difference(first, second, unit)
                put_rows(out, s, apart, first)
                put_rows(out, s + other, apart, second)

    @no_type_check
    @separate
    def turn(even, odd, half, x, out, start, count):
        if half == 3:
            turn_by(even, odd, THREE, NINE, x, out, start, count)
        elif half == 2:
            turn_by(even, odd, TWO, FOUR, x, out, start, count)
        else:
            turn_by(even, odd, ONE, ONE, x, out, start, count)

    return turn


@no_type_check
@compiled(__file__)
def fill_rims(x, edges, box, place, home, first, last):
    """Copy features (box, row * STRIDE) of the sites that boxes first to last - 1 own into all rims."""
    for k in range(first, last):
        for row in range(0, x.shape[1], STRIDE):
            own = x[k, row : row + STRIDE]
            for e in range(edges[k], edges[k + 1]):
                x[box[e], row + place[e]] = number(own, home[e])


@no_type_check
@compiled(__file__)
def add_rims(x, edges, box, place, home, first, last):
    """Add what stands in rims to the sites that boxes first to last - 1 own."""
    for k in range(first, last):
        for row in range(0, x.shape[1], STRIDE):
            own = x[k, row : row + STRIDE]
            for e in range(edges[k], edges[k + 1]):
                set_number(own, home[e], number(own, home[e]) + x[box[e], row + place[e]])
