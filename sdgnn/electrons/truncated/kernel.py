"""The walk of spinors inside balls and its adjoint, compiled: one origin in each lane of a vector, no stored history.

Equations and symbols are those of :class:`~sdgnn.electrons.truncated.field.TruncatedField`. A row of a site of a ball
holds Re up, Im up, Re down, Im down of both columns of the 2 x 2 matrix v_n, for :data:`~sdgnn.vectors.LANES` origins.
The walk overwrites v_{n-1} with v_{n+1}; backwards, it overwrites v_{n+1} with v_{n-1} = 2 H v_n - v_{n+1}. At the
edge, which absorbs, this would magnify rounding errors: its rows are kept.
"""

# mypy: ignore-errors
from __future__ import annotations

from typing import no_type_check

import numba

from sdgnn.compiling import compiled
from sdgnn.electrons.truncated.prediction import MORE, SOURCES, predict, weights_of_moments
from sdgnn.vectors import LANES, add_multiples, get, get_rows, put, put_rows, splat

ROW = 8 * LANES
"""Numbers in a row of a ball's site."""
LOCAL = 4 * LANES
"""Numbers in its local part of H: b_x, b_y, b_0 + b_z, b_0 - b_z; and in the slopes with them."""

_separate = numba.njit(fastmath=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)
_inlined = numba.njit(fastmath=True, error_model="numpy", forceinline=True)

FOUR, EIGHT = (0,) * 4, (0,) * 8
"""Tuples as long as the rows, from which the compiler knows their length."""


@no_type_check
@_inlined
def _turned(x, b):
    """(b . sigma + b_0) x of both columns."""
    bx, by, up, down = b
    return (
        up * x[0] + bx * x[2] + by * x[3],
        up * x[1] + bx * x[3] - by * x[2],
        down * x[2] + bx * x[0] - by * x[1],
        down * x[3] + bx * x[1] + by * x[0],
        up * x[4] + bx * x[6] + by * x[7],
        up * x[5] + bx * x[7] - by * x[6],
        down * x[6] + bx * x[4] - by * x[5],
        down * x[7] + bx * x[5] + by * x[4],
    )


@no_type_check
@_inlined
def _minus(x, factor, y):
    """x - factor y."""
    return (
        x[0] - factor * y[0], x[1] - factor * y[1], x[2] - factor * y[2], x[3] - factor * y[3],
        x[4] - factor * y[4], x[5] - factor * y[5], x[6] - factor * y[6], x[7] - factor * y[7],
    )  # fmt: skip


@no_type_check
@_inlined
def _scaled(factor, x):
    return (
        factor * x[0], factor * x[1], factor * x[2], factor * x[3],
        factor * x[4], factor * x[5], factor * x[6], factor * x[7],
    )  # fmt: skip


@no_type_check
@_inlined
def _add_products(sums, x, y):
    """Re tr x^+ y added to a pair of sums, which do not wait for each other."""
    return (
        sums[0] + x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3],
        sums[1] + x[4] * y[4] + x[5] * y[5] + x[6] * y[6] + x[7] * y[7],
    )


@no_type_check
@_inlined
def _add_slopes(to_local, p, x, y):
    """Slopes of Re tr y^+ (b . sigma + b_0) x in b_x, b_y, b_0 + b_z, b_0 - b_z."""
    bx, by, up, down = get_rows(to_local, p * LOCAL, LANES, FOUR)
    put_rows(to_local, p * LOCAL, LANES, (
        bx + x[0] * y[2] + x[1] * y[3] + x[2] * y[0] + x[3] * y[1]
           + x[4] * y[6] + x[5] * y[7] + x[6] * y[4] + x[7] * y[5],
        by + x[0] * y[3] - x[1] * y[2] + x[3] * y[0] - x[2] * y[1]
           + x[4] * y[7] - x[5] * y[6] + x[7] * y[4] - x[6] * y[5],
        up + x[0] * y[0] + x[1] * y[1] + x[4] * y[4] + x[5] * y[5],
        down + x[2] * y[2] + x[3] * y[3] + x[6] * y[6] + x[7] * y[7],
    ))  # fmt: skip


@no_type_check
@_separate
def _onwards(last, before, table, local, first, stop, factor, kept, keep):
    """before <- 2 H last - factor before at sites first to stop - 1 of a ball; <last|last> and <last|new> of them.

    Rows of the new spinors are kept from row ``keep`` on, unless that is negative.
    """
    start, neighbour, amplitude = table
    zero, left = splat(factor - factor), splat(factor)
    even, odd = (zero, zero), (zero, zero)
    for p in range(first, stop):
        x = get_rows(last, p * ROW, LANES, EIGHT)
        h = _turned(x, get_rows(local, p * LOCAL, LANES, FOUR))
        for k in range(start[p], start[p + 1]):
            h = add_multiples(h, get_rows(last, neighbour[k], LANES, EIGHT), splat(amplitude[k]))
        y = _minus(h, left, get_rows(before, p * ROW, LANES, EIGHT))
        put_rows(before, p * ROW, LANES, y)
        if keep >= 0:
            put_rows(kept, (keep + p - first) * ROW, LANES, y)
        even, odd = _add_products(even, x, x), _add_products(odd, x, y)
    return even[0] + even[1], odd[0] + odd[1]


@no_type_check
@_separate
def _forwards(last, before, table, local, sizes, edge, left, steps, kept, keep, sums):
    """All spinors up to v_m = v_steps, which ends in ``last`` if steps is even, in ``before`` otherwise.

    Row n of ``sums`` becomes <v_n|v_n>, <v_n|v_{n+1}> inside, and both at the edge, which begins at site ``edge``.
    """
    one, zero = left / left, splat(left - left)
    half, rim, centre = one / (one + one), sizes[-1] - edge, last
    last[: sizes[-1] * ROW] = 0
    before[: sizes[-1] * ROW] = 0
    put(centre, 0, splat(half))
    put(centre, 6 * LANES, splat(half))
    for n in range(steps):
        stop = sizes[min(n + 1, len(sizes) - 1)]
        inside = _onwards(last, before, table, local, 0, min(stop, edge), one, kept, -1)
        row = (n + 2 - len(sizes)) * rim if keep else -1
        at_edge = _onwards(last, before, table, local, edge, max(stop, edge), left, kept, row)
        if n == 0:  # H v_0 was 2 H (v_0 / 2)
            two = splat(one + one)
            inside = two * two * inside[0], two * inside[1]
            put(centre, 0, splat(one))
            put(centre, 6 * LANES, splat(one))
        put_rows(sums, 4 * n * LANES, LANES, (inside[0], inside[1], at_edge[0], at_edge[1]))
        last, before = before, last
    even, at_edge = (zero, zero), (zero, zero)
    for p in range(sizes[min(steps, len(sizes) - 1)]):
        x = get_rows(last, p * ROW, LANES, EIGHT)
        if p < edge:
            even = _add_products(even, x, x)
        else:
            at_edge = _add_products(at_edge, x, x)
    put_rows(sums, 4 * steps * LANES, LANES, (even[0] + even[1], zero, at_edge[0] + at_edge[1], zero))


@no_type_check
@_separate
def _moments(sums, moments, left, steps):
    """M_0, ..., M_2m of all lanes: M_2n = M_2n-2 + 2 (<v_n|v_n> - <v_n-1|D^2|v_n-1>), odd ones with <v_n|v_n+1>."""
    one = left / left
    two, factor = splat(one + one), splat(left)
    for odd in range(2):
        put(moments, odd * LANES, get(sums, odd * LANES))
        for n in range(1, steps + 1 - odd):
            at, then = (4 * n + odd) * LANES, (4 * n - 4 + odd) * LANES
            inside = get(sums, at) - get(sums, then)
            at_edge = get(sums, at + 2 * LANES) - factor * get(sums, then + 2 * LANES)
            to = (2 * n + odd) * LANES
            put(moments, to, get(moments, to - 2 * LANES) + two * (inside + at_edge))


@no_type_check
@_separate
def _slopes_of_sums(weights, slopes, left, steps):
    """Slopes of sum_n W_n M_n in the rows of ``sums``, the adjoint of :func:`_moments`."""
    zero, lost = splat(left - left), splat(left / left - left)
    for odd in range(2):
        later = zero
        for n in range(steps, -1, -1):
            at = (4 * n + odd) * LANES
            here = get(weights, (2 * n + odd) * LANES) if 2 * n + odd <= 2 * steps else zero
            put(slopes, at, here + here if n > 0 else here - later)
            put(slopes, at + 2 * LANES, (here + here) + lost * (later + later))
            later = later + here


@no_type_check
@_separate
def _back(x, y, m1, m2, table, local, to_local, first, stop, before, left, kept, keep, a, b, c):
    """y <- v_{n-1} from x = v_n and y = v_{n+1}; m2 <- mu_n = 2 H m1 + 2 a v_n + b v_{n+1} + c v_{n-1} - left m2.

    Sites from ``before`` on have v_{n-1} = 0; rows kept from ``keep`` on are used unless that is negative.
    """
    start, neighbour, amplitude = table
    one, factor = splat(left / left), splat(left)
    zero, twice = one - one, a + a
    for p in range(first, stop):
        local_part = get_rows(local, p * LOCAL, LANES, FOUR)
        own, adjoint = get_rows(x, p * ROW, LANES, EIGHT), get_rows(m1, p * ROW, LANES, EIGHT)
        _add_slopes(to_local, p, own, adjoint)
        after = get_rows(y, p * ROW, LANES, EIGHT)
        h = _turned(adjoint, local_part)
        if p < before and keep < 0:
            then = _minus(_turned(own, local_part), one, after)
            for k in range(start[p], start[p + 1]):
                at, t = neighbour[k], splat(amplitude[k])
                then = add_multiples(then, get_rows(x, at, LANES, EIGHT), t)
                h = add_multiples(h, get_rows(m1, at, LANES, EIGHT), t)
        else:
            then = (zero, zero, zero, zero, zero, zero, zero, zero)
            if p < before:
                then = get_rows(kept, (keep + p - first) * ROW, LANES, EIGHT)
            for k in range(start[p], start[p + 1]):
                h = add_multiples(h, get_rows(m1, neighbour[k], LANES, EIGHT), splat(amplitude[k]))
        own, after = get_rows(x, p * ROW, LANES, EIGHT), get_rows(y, p * ROW, LANES, EIGHT)
        put_rows(y, p * ROW, LANES, then)
        h = add_multiples(add_multiples(add_multiples(h, own, twice), after, b), then, c)
        put_rows(m2, p * ROW, LANES, _minus(h, factor, get_rows(m2, p * ROW, LANES, EIGHT)))


@no_type_check
@_separate
def _backwards(x, y, m1, m2, table, local, to_local, sizes, edge, left, steps, kept, slopes):
    """Slopes in the local parts, from those in the sums, given x = v_{steps - 1} and y = v_steps."""
    one = left / left
    rim, last = sizes[-1] - edge, len(sizes) - 1
    m2[: sizes[-1] * ROW] = 0
    to_local[: sizes[-1] * LOCAL] = 0
    for p in range(sizes[-1]):
        at = (4 * steps + (0 if p < edge else 2)) * LANES
        a, c = get(slopes, at), get(slopes, at - 3 * LANES)
        row = _scaled(a + a, get_rows(y, p * ROW, LANES, EIGHT))
        put_rows(m1, p * ROW, LANES, add_multiples(row, get_rows(x, p * ROW, LANES, EIGHT), c))
    for n in range(steps - 1, 0, -1):
        stop, before = sizes[min(n, last)], sizes[min(n - 1, last)]
        a, b, a_edge, b_edge = get_rows(slopes, 4 * n * LANES, LANES, FOUR)
        c, c_edge = get(slopes, (4 * n - 3) * LANES), get(slopes, (4 * n - 1) * LANES)
        _back(x, y, m1, m2, table, local, to_local, 0, min(stop, edge), before, one, kept, -1, a, b, c)
        row = (n - 1 - last) * rim
        _back(x, y, m1, m2, table, local, to_local, edge, max(stop, edge), before, left, kept, max(row, 0),
              a_edge, b_edge, c_edge)  # fmt: skip
        x, y, m1, m2 = y, x, m2, m1
    half = splat(one / (one + one))
    _add_slopes(to_local, 0, _scaled(half, get_rows(x, 0, LANES, EIGHT)), get_rows(m1, 0, LANES, EIGHT))


@no_type_check
@_separate
def _gather(spins, origins, first, offset, places, ball, share, b, b0, local):
    """Local parts of the balls around LANES origins; ``places``, the sites in them."""
    for lane in range(LANES):
        origin = origins[min(first + lane, len(origins) - 1)]
        for p in range(len(ball)):
            at = 0
            for axis in range(offset.shape[0]):
                at += offset[axis, origin[axis] + ball[p, axis]]
            at += ball[p, -1]
            places[p * LANES + lane] = at
            x, y, z = spins[at, 0], spins[at, 1], spins[at, 2]
            to, b_here, b0_here = p * LOCAL + lane, b * share[p], b0 * share[p]
            local[to] = b_here * x
            local[to + LANES] = b_here * y
            local[to + 2 * LANES] = b0_here + b_here * z
            local[to + 3 * LANES] = b0_here - b_here * z


def working_memory(sites: int, rim: int, steps: int, count: int) -> int:
    """Numbers that :func:`evaluate` works in, for balls of ``sites`` sites, ``rim`` of them at the edge."""
    rows = 4 * 8 + 2 * 4  # spinors and their adjoints; local parts and the slopes in them
    moments = 2 * (count + MORE) + 4 * (2 * steps) + MORE
    return LANES * (rows * sites + 8 * (steps + 1) * rim + 8 * (steps + 1) + moments)


@no_type_check
@compiled(__file__, *SOURCES)
def evaluate(spins, origins, offset, ball, share, sizes, edge, start, neighbour, amplitude, b, b0, left, steps,
             count, loading, coefficients, totals, energies, to_sites, work, places):  # fmt: skip
    """Moments of the balls around origins and, with coefficients, the slopes of sum_n c_n M_n.

    An origin is a state and a unit cell; ``share`` is D of each site of the ball, ``left`` is D^2 at its edge.
    ``totals`` (state, moment) gets the sums of the predicted moments, ``energies`` (origin,) those of single origins
    with the ``coefficients`` (state, moment), and ``to_sites`` (site, 4) the slopes in b_x, b_y, b_0 + b_z, b_0 - b_z.
    """
    table = (start, neighbour, amplitude)
    sites, rim, order = sizes[-1], sizes[-1] - edge, 2 * steps
    row, at = sites * ROW, 0
    x, y, m1, m2 = work[:row], work[row : 2 * row], work[2 * row : 3 * row], work[3 * row : 4 * row]
    at = 4 * row
    local, to_local = work[at : at + row // 2], work[at + row // 2 : at + row]
    at += row
    kept = work[at : at + (steps + 1) * rim * ROW]
    at += (steps + 1) * rim * ROW
    sums, slopes = work[at : at + 4 * (steps + 1) * LANES], work[at + 4 * (steps + 1) * LANES :]
    at += 8 * (steps + 1) * LANES
    row = (count + MORE) * LANES
    moments, weights = work[at : at + row], work[at + row : at + 2 * row]
    at += 2 * row
    predictor, scratch = work[at : at + (order + MORE) * LANES], work[at + (order + MORE) * LANES :]
    with_field = coefficients.shape[0] > 0
    if steps % 2:
        last, before = y, x
    else:
        last, before = x, y
    for first in range(0, len(origins), LANES):
        valid = min(LANES, len(origins) - first)
        _gather(spins, origins, first, offset, places, ball, share, b, b0, local)
        _forwards(x, y, table, local, sizes, edge, left, steps, kept, with_field, sums)
        _moments(sums, moments, left, steps)
        predict(moments, predictor, order, count, loading)
        for lane in range(valid):
            state = origins[first + lane, 0]
            for n in range(count):
                totals[state, n] += moments[n * LANES + lane]
        if not with_field:
            continue
        for lane in range(LANES):
            origin = min(first + lane, len(origins) - 1)
            energy = 0.0
            for n in range(count):
                coefficient = coefficients[origins[origin, 0], n]
                energy += coefficient * moments[n * LANES + lane]
                weights[n * LANES + lane] = coefficient
            energies[origin] = energy
        weights_of_moments(moments, predictor, weights, scratch, order, count, loading)
        _slopes_of_sums(weights, slopes, left, steps)
        _backwards(before, last, m1, m2, table, local, to_local, sizes, edge, left, steps, kept, slopes)
        for p in range(sites):
            for lane in range(valid):
                at_site = places[p * LANES + lane]
                for part in range(4):
                    to_sites[at_site, part] += share[p] * to_local[p * LOCAL + part * LANES + lane]
