"""Loops over the places of a box: weighted sums of rows, lattice harmonics, products of spin matrices.

Functions take flat arrays and numbers of places from their start. A loop over places becomes vector instructions if the
compiler sees how far apart the rows in it are, so these distances are constants here; where a sum has as many terms as
there are channels, it is cut into blocks of :data:`BLOCK`. Nothing is compiled for one size of network alone.
"""

# mypy: ignore-errors
from __future__ import annotations

from functools import partial
from typing import no_type_check

import numba
import numpy as np

from sdgnn import compiling
from sdgnn.nn import spin_matrices
from sdgnn.nn.compiled import boxes
from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.spin_matrices import product

ONE, TWO, THREE, EIGHT = (tuple([0] * count) for count in (1, 2, 3, 8))
"""Numbers that the compiler is to know: it knows the length of a tuple."""

BLOCK = 8
"""Terms of a sum, or rows that one term is added to, in one loop over places."""

inlined = numba.njit(fastmath=True, error_model="numpy", forceinline=True)
separate = numba.njit(fastmath=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)
compiled = partial(compiling.compiled, __file__, boxes.__file__, spin_matrices.__file__)
"""Decorator of what is called from outside; takes the path of the module it stands in."""

multiply = inlined(product)


@no_type_check
@inlined
def get(x, at):
    """x[at] for at >= 0: without the test for negative places, which would keep loops from becoming vector code."""
    return x[np.uintp(at)]


@no_type_check
@inlined
def put(x, at, value):
    """x[at] = value for at >= 0."""
    x[np.uintp(at)] = value


@no_type_check
@inlined
def zero(x):
    """0 in the precision of x."""
    return x.dtype.type(0)


@no_type_check
@inlined
def load(x, at):
    """The eight components, rows in order, of one spin matrix."""
    return (get(x, at), get(x, at + STRIDE), get(x, at + 2 * STRIDE), get(x, at + 3 * STRIDE),
            get(x, at + 4 * STRIDE), get(x, at + 5 * STRIDE), get(x, at + 6 * STRIDE),
            get(x, at + 7 * STRIDE))  # fmt: skip


@no_type_check
@inlined
def store(x, at, m):
    """Write them."""
    put(x, at, m[0])
    put(x, at + STRIDE, m[1])
    put(x, at + 2 * STRIDE, m[2])
    put(x, at + 3 * STRIDE, m[3])
    put(x, at + 4 * STRIDE, m[4])
    put(x, at + 5 * STRIDE, m[5])
    put(x, at + 6 * STRIDE, m[6])
    put(x, at + 7 * STRIDE, m[7])


@no_type_check
@inlined
def add(m, w, n):
    """m + w n."""
    return (m[0] + w * n[0], m[1] + w * n[1], m[2] + w * n[2], m[3] + w * n[3],
            m[4] + w * n[4], m[5] + w * n[5], m[6] + w * n[6], m[7] + w * n[7])  # fmt: skip


@no_type_check
@inlined
def dot(m, n):
    """Sum over components."""
    return (m[0] * n[0] + m[1] * n[1] + m[2] * n[2] + m[3] * n[3]
            + m[4] * n[4] + m[5] * n[5] + m[6] * n[6] + m[7] * n[7])  # fmt: skip


@no_type_check
@inlined
def dagger(m):
    """Hermitian conjugate."""
    return (m[0], -m[1], m[2], m[3], m[4], -m[5], -m[6], -m[7])


@no_type_check
@inlined
def fill(x, row, rows, start, count):
    """Zeros in rows from ``row`` on."""
    for r in range(row, row + rows):
        for s in range(r * STRIDE + start, r * STRIDE + start + count):
            put(x, s, zero(x))


def gathering(outs, apart):
    """A loop for out_o = sum_k weight_ko x_k with ``outs`` rows out_o ``apart`` from each other."""
    outs = tuple([0] * outs)

    @no_type_check
    @inlined
    def sums(weight, at, terms, x, start, out, to, count):
        for s in range(count):
            for o in range(len(outs)):
                total = zero(out)
                for k in range(len(terms)):
                    total += get(weight, at + k * len(outs) + o) * get(x, start + k * STRIDE + s)
                put(out, to + o * apart * STRIDE + s, total)

    @no_type_check
    @inlined
    def add_sums(weight, at, terms, x, start, out, to, count):
        for s in range(count):
            for o in range(len(outs)):
                total = get(out, to + o * apart * STRIDE + s)
                for k in range(len(terms)):
                    total += get(weight, at + k * len(outs) + o) * get(x, start + k * STRIDE + s)
                put(out, to + o * apart * STRIDE + s, total)

    @no_type_check
    @separate
    def gather(weight, at, terms, x, start, out, to, count):
        """Weights (k, o) in order from ``at``, ``terms`` rows x_k in order from ``start``."""
        if terms >= BLOCK:
            sums(weight, at, EIGHT, x, start, out, to, count)
            done = BLOCK
        else:
            sums(weight, at, ONE, x, start, out, to, count)
            done = 1
        while done + BLOCK <= terms:
            add_sums(weight, at + done * len(outs), EIGHT, x, start + done * STRIDE, out, to, count)
            done += BLOCK
        while done < terms:
            add_sums(weight, at + done * len(outs), ONE, x, start + done * STRIDE, out, to, count)
            done += 1

    return gather


def scattering(terms, apart):
    """A loop for out_o += sum_k weight_ok x_k with ``terms`` rows x_k ``apart`` from each other: the transpose."""
    terms = tuple([0] * terms)

    @no_type_check
    @inlined
    def sums(weight, at, outs, x, start, out, to, count):
        for s in range(count):
            for o in range(len(outs)):
                total = get(out, to + o * STRIDE + s)
                for k in range(len(terms)):
                    total += get(weight, at + o * len(terms) + k) * get(x, start + k * apart * STRIDE + s)
                put(out, to + o * STRIDE + s, total)

    @no_type_check
    @separate
    def scatter(weight, at, outs, x, start, out, to, count):
        """Weights (o, k) in order from ``at``, ``outs`` rows out_o in order from ``to``."""
        done = 0
        while done + BLOCK <= outs:
            sums(weight, at + done * len(terms), EIGHT, x, start, out, to + done * STRIDE, count)
            done += BLOCK
        while done < outs:
            sums(weight, at + done * len(terms), ONE, x, start, out, to + done * STRIDE, count)
            done += 1

    return scatter


def overlapping(terms, apart):
    """A loop for target_ok += sum over places of x_o y_k: slopes in the weights of both, rows y_k ``apart``."""
    terms = tuple([0] * terms)

    @no_type_check
    @separate
    def overlaps(target, at, outs, x, start, y, from_, count):
        """Targets (o, k) in order from ``at``, ``outs`` rows x_o in order from ``start``."""
        for o in range(outs):
            for k in range(len(terms)):
                total = zero(x)
                for s in range(count):
                    total += get(x, start + o * STRIDE + s) * get(y, from_ + k * apart * STRIDE + s)
                target[at + o * len(terms) + k] += total

    return overlaps


def turning(rows, back):
    """A loop that turns ``rows`` rows for each lattice harmonic, even ones first, into as many for each direction.

    With ``back`` it is the transpose, which is the inverse.
    """

    @no_type_check
    @inlined
    def forth(even, odd, half, x, start, out, to, count):
        h = len(half)
        for s in range(count):
            for d in range(h):
                same, turned = zero(out), zero(out)
                for k in range(h):
                    same += get(even, d * h + k) * get(x, start + k * rows * STRIDE + s)
                    turned += get(odd, d * h + k) * get(x, start + (h + k) * rows * STRIDE + s)
                put(out, to + d * rows * STRIDE + s, same + turned)
                put(out, to + (h + d) * rows * STRIDE + s, same - turned)

    @no_type_check
    @inlined
    def reverse(even, odd, half, x, start, out, to, count):
        h = len(half)
        for s in range(count):
            for k in range(h):
                same, turned = zero(out), zero(out)
                for d in range(h):
                    here = get(x, start + d * rows * STRIDE + s)
                    there = get(x, start + (h + d) * rows * STRIDE + s)
                    same += get(even, d * h + k) * (here + there)
                    turned += get(odd, d * h + k) * (here - there)
                put(out, to + k * rows * STRIDE + s, same)
                put(out, to + (h + k) * rows * STRIDE + s, turned)

    one_way = reverse if back else forth

    @no_type_check
    @separate
    def turn(even, odd, half, x, out, start, count):
        for r in range(rows):
            at = r * STRIDE + start
            if half == 3:
                one_way(even, odd, THREE, x, at, out, at, count)
            elif half == 2:
                one_way(even, odd, TWO, x, at, out, at, count)
            else:
                one_way(even, odd, ONE, x, at, out, at, count)

    return turn


@no_type_check
@compiled()
def fill_rims(x, edges, box, place, home, first, last):
    """Copy features (box, row * STRIDE) of the sites that boxes first to last - 1 own into all rims."""
    for k in range(first, last):
        for row in range(0, x.shape[1], STRIDE):
            own = x[k, row : row + STRIDE]
            for e in range(edges[k], edges[k + 1]):
                x[box[e], row + place[e]] = get(own, home[e])


@no_type_check
@compiled()
def add_rims(x, edges, box, place, home, first, last):
    """Add what stands in rims to the sites that boxes first to last - 1 own."""
    for k in range(first, last):
        for row in range(0, x.shape[1], STRIDE):
            own = x[k, row : row + STRIDE]
            for e in range(edges[k], edges[k + 1]):
                put(own, home[e], get(own, home[e]) + x[box[e], row + place[e]])
