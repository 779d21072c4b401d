"""The walk of spinors inside balls and its adjoint, compiled: one origin in each lane of a vector, no stored history.

Equations and symbols are those of :class:`~sdgnn.electrons.truncated.field.TruncatedField`. A row of a site of a ball
holds the spinor v_n (:mod:`sdgnn.electrons.spinors`) of as many origins as a vector has lanes.
The walk overwrites v_{n-1} with v_{n+1}; backwards, it overwrites v_{n+1} with v_{n-1} = 2 H v_n - v_{n+1}. At the
edge, which absorbs, this would magnify rounding errors: its rows are kept.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from sdgnn.common.compiling import compiled
from sdgnn.electrons import spinors, vectors
from sdgnn.electrons.spinors import FOUR, ROW, add_hopped, add_products, minus, products, scaled, turned
from sdgnn.electrons.truncated import prediction
from sdgnn.electrons.truncated.prediction import MORE, correlated, predict, weights_of_moments
from sdgnn.electrons.vectors import LANES, add_multiples, get, get_rows, inlined, put, put_rows, separate, splat

TOGETHER = 32
"""Groups of origins whose moments are added up in the precision of the walk before they are added to the totals."""


@no_type_check
@inlined
def _add_slopes(to_local, p, x, y):
    """Slopes of Re y^+ H x in the local part of H on site p, added to ``to_local``."""
    before, more = get_rows(to_local, p * ROW, LANES, FOUR), products(x, y)
    put_rows(to_local, p * ROW, LANES, (
        before[0] + more[0], before[1] + more[1], before[2] + more[2], before[3] + more[3],
    ))  # fmt: skip


@no_type_check
@separate
def _onwards(last, before, table, local, first, stop, factor, kept, keep):
    """before <- 2 H last - factor before at sites first to stop - 1 of a ball; <last|last> and <last|new> of them.

    Rows of the new spinors are kept from row ``keep`` on, unless that is negative.
    """
    start, neighbour, amplitude = table
    zero, left = splat(factor - factor), splat(factor)
    even, odd = (zero, zero), (zero, zero)
    for p in range(first, stop):
        x = get_rows(last, p * ROW, LANES, FOUR)
        h = turned(x, get_rows(local, p * ROW, LANES, FOUR))
        for k in range(start[p], start[p + 1]):
            h = add_hopped(h, amplitude, k, get_rows(last, neighbour[k], LANES, FOUR))
        y = minus(h, left, get_rows(before, p * ROW, LANES, FOUR))
        put_rows(before, p * ROW, LANES, y)
        if keep >= 0:
            put_rows(kept, (keep + p - first) * ROW, LANES, y)
        even, odd = add_products(even, x, x), add_products(odd, x, y)
    return even[0] + even[1], odd[0] + odd[1]


@no_type_check
@separate
def _forwards(last, before, first, table, local, sizes, edge, left, steps, kept, keep, sums):
    """All spinors from v_0 = ``first`` to v_m = v_steps, which ends in ``last`` if steps is even, else in ``before``.

    Row n of ``sums`` becomes <v_n|v_n>, <v_n|v_{n+1}> inside, and both at the edge, which begins at site ``edge``.
    """
    one, zero = left / left, splat(left - left)
    half, rim, centre = splat(one / (one + one)), sizes[-1] - edge, last
    begin = get_rows(first, 0, LANES, FOUR)
    last[: sizes[-1] * ROW] = 0
    before[: sizes[-1] * ROW] = 0
    put_rows(centre, 0, LANES, scaled(half, begin))
    for n in range(steps):
        stop = sizes[min(n + 1, len(sizes) - 1)]
        inside = _onwards(last, before, table, local, 0, min(stop, edge), one, kept, -1)
        row = (n + 2 - len(sizes)) * rim if keep else -1
        at_edge = _onwards(last, before, table, local, edge, max(stop, edge), left, kept, row)
        if n == 0:  # H v_0 was 2 H (v_0 / 2)
            two = splat(one + one)
            inside = two * two * inside[0], two * inside[1]
            put_rows(centre, 0, LANES, begin)
        put_rows(sums, 4 * n * LANES, LANES, (inside[0], inside[1], at_edge[0], at_edge[1]))
        last, before = before, last
    even, at_edge = (zero, zero), (zero, zero)
    for p in range(sizes[min(steps, len(sizes) - 1)]):
        x = get_rows(last, p * ROW, LANES, FOUR)
        if p < edge:
            even = add_products(even, x, x)
        else:
            at_edge = add_products(at_edge, x, x)
    put_rows(sums, 4 * steps * LANES, LANES, (even[0] + even[1], zero, at_edge[0] + at_edge[1], zero))


@no_type_check
@separate
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
@separate
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
@separate
def _back(x, y, m1, m2, table, local, to_local, first, stop, before, left, kept, keep, a, b, c):
    """y <- v_{n-1} from x = v_n and y = v_{n+1}; m2 <- mu_n = 2 H m1 + 2 a v_n + b v_{n+1} + c v_{n-1} - left m2.

    Sites from ``before`` on have v_{n-1} = 0; rows kept from ``keep`` on are used unless that is negative.
    """
    start, neighbour, amplitude = table
    one, factor = splat(left / left), splat(left)
    zero, twice = one - one, a + a
    for p in range(first, stop):
        local_part = get_rows(local, p * ROW, LANES, FOUR)
        own, adjoint = get_rows(x, p * ROW, LANES, FOUR), get_rows(m1, p * ROW, LANES, FOUR)
        _add_slopes(to_local, p, own, adjoint)
        after = get_rows(y, p * ROW, LANES, FOUR)
        h = turned(adjoint, local_part)
        if p < before and keep < 0:
            then = minus(turned(own, local_part), one, after)
            for k in range(start[p], start[p + 1]):
                then = add_hopped(then, amplitude, k, get_rows(x, neighbour[k], LANES, FOUR))
                h = add_hopped(h, amplitude, k, get_rows(m1, neighbour[k], LANES, FOUR))
        else:
            then = (zero, zero, zero, zero)
            if p < before:
                then = get_rows(kept, (keep + p - first) * ROW, LANES, FOUR)
            for k in range(start[p], start[p + 1]):
                h = add_hopped(h, amplitude, k, get_rows(m1, neighbour[k], LANES, FOUR))
        own, after = get_rows(x, p * ROW, LANES, FOUR), get_rows(y, p * ROW, LANES, FOUR)
        put_rows(y, p * ROW, LANES, then)
        h = add_multiples(add_multiples(add_multiples(h, own, twice), after, b), then, c)
        put_rows(m2, p * ROW, LANES, minus(h, factor, get_rows(m2, p * ROW, LANES, FOUR)))


@no_type_check
@separate
def _backwards(x, y, m1, m2, table, local, to_local, to_axis, sizes, edge, left, steps, kept, slopes):
    """Slopes in the local parts, from those in the sums, given x = v_{steps - 1} and y = v_steps.

    ``to_axis`` becomes mu_0^+ sigma v_0 with mu_0, the slope in v_0, but for its part along v_0 that no turn has.
    """
    one = left / left
    rim, last = sizes[-1] - edge, len(sizes) - 1
    m2[: sizes[-1] * ROW] = 0
    for p in range(sizes[-1]):
        at = (4 * steps + (0 if p < edge else 2)) * LANES
        a, c = get(slopes, at), get(slopes, at - 3 * LANES)
        row = scaled(a + a, get_rows(y, p * ROW, LANES, FOUR))
        put_rows(m1, p * ROW, LANES, add_multiples(row, get_rows(x, p * ROW, LANES, FOUR), c))
    for n in range(steps - 1, 0, -1):
        stop, before = sizes[min(n, last)], sizes[min(n - 1, last)]
        a, b, a_edge, b_edge = get_rows(slopes, 4 * n * LANES, LANES, FOUR)
        c, c_edge = get(slopes, (4 * n - 3) * LANES), get(slopes, (4 * n - 1) * LANES)
        _back(x, y, m1, m2, table, local, to_local, 0, min(stop, edge), before, one, kept, -1, a, b, c)
        row = (n - 1 - last) * rim
        _back(x, y, m1, m2, table, local, to_local, edge, max(stop, edge), before, left, kept, max(row, 0),
              a_edge, b_edge, c_edge)  # fmt: skip
        x, y, m1, m2 = y, x, m2, m1
    half, begin = splat(one / (one + one)), get_rows(x, 0, LANES, FOUR)
    _add_slopes(to_local, 0, scaled(half, begin), get_rows(m1, 0, LANES, FOUR))
    h = turned(get_rows(m1, 0, LANES, FOUR), get_rows(local, 0, LANES, FOUR))
    start, neighbour, amplitude = table
    for k in range(start[0], start[1]):
        h = add_hopped(h, amplitude, k, get_rows(m1, neighbour[k], LANES, FOUR))
    h = add_multiples(scaled(half, h), get_rows(y, 0, LANES, FOUR), get(slopes, LANES))
    bx, by, up, down = products(begin, minus(h, splat(one), get_rows(m2, 0, LANES, FOUR)))
    put(to_axis, 0, bx)
    put(to_axis, LANES, by)
    put(to_axis, 2 * LANES, up - down)


@no_type_check
@separate
def _begin(spins, places, side, axis, first):
    """v_0 of LANES origins, the spinors along ``axis``, which is side S / |S|; its last row becomes side / (2 |S|)."""
    one = side / side
    two, zero = one + one, side - side
    for lane in range(LANES):
        at = places[lane]
        x, y, z = spins[at, 0], spins[at, 1], spins[at, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > zero:
            x, y, z = side * x / length, side * y / length, side * z / length
            axis[3 * LANES + lane] = side / (two * length)
        else:
            x, y, z = zero, zero, side
            axis[3 * LANES + lane] = zero
        axis[lane], axis[LANES + lane], axis[2 * LANES + lane] = x, y, z
        norm = np.sqrt(two * (one + abs(z)))
        if z >= zero:
            first[lane], first[LANES + lane] = (one + z) / norm, zero
            first[2 * LANES + lane], first[3 * LANES + lane] = x / norm, y / norm
        else:
            first[lane], first[LANES + lane] = x / norm, -y / norm
            first[2 * LANES + lane], first[3 * LANES + lane] = (one - z) / norm, zero


@no_type_check
@separate
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
            to, b_here, b0_here = p * ROW + lane, b * share[p], b0 * share[p]
            local[to] = b_here * x
            local[to + LANES] = b_here * y
            local[to + 2 * LANES] = b0_here + b_here * z
            local[to + 3 * LANES] = b0_here - b_here * z


def working_memory(sites: int, rim: int, steps: int, count: int) -> int:
    """Numbers that :func:`evaluate` works in, for balls of ``sites`` sites, ``rim`` of them at the edge."""
    rows = 6 * sites + (steps + 1) * rim + 3  # two spinors, their adjoints, local parts and slopes; edge; centre
    moments = 2 * (count + MORE) + 4 * (2 * steps + MORE) + 2 * count + 1
    return LANES * (4 * rows + 8 * (steps + 1) + moments)


@no_type_check
@separate
def _add_rows(sums, rows, count):
    """Rows added to their sums."""
    for n in range(count):
        put(sums, n * LANES, get(sums, n * LANES) + get(rows, n * LANES))


@no_type_check
@separate
def _add_to_states(totals, states, sums, lanes, count):
    """Sums of the first lanes added to those of their states, and set to zero."""
    for n in range(count):
        for lane in range(lanes):
            totals[states[lane], n] += sums[n * LANES + lane]
    sums[: count * LANES] = 0


@no_type_check
@compiled("the walk of electrons", __file__, prediction.__file__, spinors.__file__, vectors.__file__)
def evaluate(spins, origins, offset, ball, share, sizes, edge, start, neighbour, amplitude, b, b0, left, sides,
             steps_of, loadings, count, coefficients, more, totals, energies, computed, to_sites, to_axes, work,
             places):  # fmt: skip
    """Moments of the balls around origins and, with coefficients, the slopes of sum_n c_n M_n.

    An origin is a state and a unit cell; ``share`` is D of each site of the ball, ``left`` is D^2 at its edge. Walks of
    each channel begin along the spin (``sides`` 1) or against it (-1), of so many ``steps_of``, and are predicted with
    1 + eps = ``loadings``. Everything is added to what is there: to ``totals`` (state, moment) the sums of the
    predicted moments, to ``energies`` (origin,) those of single origins with the ``coefficients`` (state, moment), to
    ``to_sites`` (site, 4) the slopes in b_x, b_y, b_0 + b_z, b_0 - b_z, and to ``to_axes`` (site, 3) those in the spins
    by which walks begin. ``computed`` (origin, channel, moment), unless empty, becomes the moments of each origin
    before prediction; ``more``, of the same shape, is added to the slopes in them.
    """
    table = (start, neighbour, amplitude)
    sites, rim, most = sizes[-1], sizes[-1] - edge, steps_of.max()
    row = sites * ROW
    x, y, m1, m2 = work[:row], work[row : 2 * row], work[2 * row : 3 * row], work[3 * row : 4 * row]
    local, to_local = work[4 * row : 5 * row], work[5 * row : 6 * row]
    at = 6 * row
    first_row, axis, to_axis = work[at : at + ROW], work[at + ROW : at + 2 * ROW], work[at + 2 * ROW : at + 3 * ROW]
    at += 3 * ROW
    kept = work[at : at + (most + 1) * rim * ROW]
    at += (most + 1) * rim * ROW
    sums, slopes = work[at : at + 4 * (most + 1) * LANES], work[at + 4 * (most + 1) * LANES :]
    at += 8 * (most + 1) * LANES
    row = (count + MORE) * LANES
    moments, weights = work[at : at + row], work[at + row : at + 2 * row]
    at += 2 * row
    row = (2 * most + MORE) * LANES
    predictor, scratch = work[at : at + row], work[at + row : at + 4 * row]
    at += 4 * row
    row = count * LANES
    of_lane, sum_of_moments, energy = work[at : at + row], work[at + row : at + 2 * row], work[at + 2 * row :]
    sum_of_moments[:] = 0
    states, groups, valid = np.full(LANES, -1), 0, 0
    with_field, zero = coefficients.shape[0] > 0, left - left
    for first in range(0, len(origins), LANES):
        valid = min(LANES, len(origins) - first)
        unlike = valid < LANES or groups == TOGETHER
        for lane in range(LANES):
            unlike = unlike or origins[min(first + lane, len(origins) - 1), 0] != states[lane]
        if unlike:
            _add_to_states(totals, states, sum_of_moments, LANES if groups else 0, count)
            groups = 0
            for lane in range(LANES):
                states[lane] = origins[min(first + lane, len(origins) - 1), 0]
                for n in range(count if with_field else 0):
                    of_lane[n * LANES + lane] = coefficients[states[lane], n]
        groups += 1
        _gather(spins, origins, first, offset, places, ball, share, b, b0, local)
        to_local[:] = 0
        for channel in range(len(sides)):
            side, steps, loading = sides[channel], steps_of[channel], loadings[channel]
            order = 2 * steps
            _begin(spins, places, side, axis, first_row)
            _forwards(x, y, first_row, table, local, sizes, edge, left, steps, kept, with_field, sums)
            _moments(sums, moments, left, steps)
            for lane in range(valid if len(computed) else 0):
                for n in range(order + 1):
                    computed[first + lane, channel, n] = moments[n * LANES + lane]
            predict(moments, predictor, order, count, loading)
            _add_rows(sum_of_moments, moments, count)
            if not with_field:
                continue
            put(energy, 0, correlated(of_lane, 0, moments, 0, count))
            weights[: count * LANES] = of_lane[: count * LANES]
            for lane in range(valid):
                energies[first + lane] += energy[lane]
            weights_of_moments(moments, predictor, weights, scratch, order, count, loading)
            for lane in range(valid if len(more) else 0):
                for n in range(order + 1):
                    weights[n * LANES + lane] += more[first + lane, channel, n]
            _slopes_of_sums(weights, slopes, left, steps)
            if steps % 2:
                last, before = y, x
            else:
                last, before = x, y
            _backwards(before, last, m1, m2, table, local, to_local, to_axis, sizes, edge, left, steps, kept, slopes)
            for lane in range(valid):
                along = zero
                for part in range(3):
                    along += axis[part * LANES + lane] * to_axis[part * LANES + lane]
                for part in range(3):
                    across = to_axis[part * LANES + lane] - along * axis[part * LANES + lane]
                    to_axes[places[lane], part] += axis[3 * LANES + lane] * across
        if not with_field:
            continue
        for p in range(sites):
            for lane in range(valid):
                at_site = places[p * LANES + lane]
                for part in range(4):
                    to_sites[at_site, part] += share[p] * to_local[p * ROW + part * LANES + lane]
    _add_to_states(totals, states, sum_of_moments, valid, count)
