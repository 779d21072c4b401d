"""The ends of the network in one box: functions of S_i . S_j and first features from spins, and the slopes in spins.

The equations are those of :class:`sdgnn.nn.network.Network`; tests hold both equal. Spins are rows (component), bond
functions rows (direction, function), features rows (component, harmonic, channel).
"""

# mypy: ignore-errors
from __future__ import annotations

from typing import no_type_check

from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.compiled.rows import (
    compiled,
    constant,
    fill,
    gathering,
    inlined,
    load,
    overlapping,
    scattering,
    separate,
    store,
    turning,
)
from sdgnn.nn.compiled.vectors import LANES, get, inner, put, square_root

# first features are of four kinds: a scalar, S_i, S_j, S_i x S_j
gather_kinds, scatter_kinds, overlaps_kinds = gathering(4, 1), scattering(4, 1), overlapping(4, 1)
to_directions, to_harmonics = turning(8, back=False), turning(8, back=True)


def scratch_rows(directions: int) -> int:
    """Rows of working memory that :func:`backward`, the hungrier one, takes."""
    return directions * (4 + 4 + 8 + 8 + 6) + 1


@no_type_check
@inlined
def _spin(x, at):
    return get(x, at), get(x, at + STRIDE), get(x, at + 2 * STRIDE)


@no_type_check
@inlined
def _cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@no_type_check
@separate
def _bond_functions(spins, out, smooth, terms, start, shift, d, count):
    """Chebyshev polynomials of u = S_i . S_j and the smooth sqrt((1 + u) / 2) on one bond direction."""
    row, last = d * terms * STRIDE, ((d + 1) * terms - 1) * STRIDE
    one, two, quarter = constant(spins, 1), constant(spins, 2), constant(spins, 0.25)
    for s in range(start, start + count, LANES):
        u = inner(_spin(spins, s), _spin(spins, s + shift))
        put(out, row + s, one)
        put(out, row + STRIDE + s, u)
        put(out, last + s, square_root(square_root(quarter * (one + u) * (one + u) + smooth)))
    for k in range(2, terms - 1):
        for s in range(row + k * STRIDE + start, row + k * STRIDE + start + count, LANES):
            u = get(out, s - (k - 1) * STRIDE)
            put(out, s, two * u * get(out, s - STRIDE) - get(out, s - 2 * STRIDE))


@no_type_check
@separate
def _slopes_of_functions(spins, to_functions, out, now, smooth, terms, start, shift, d, count):
    """Slope in u = S_i . S_j on one bond direction; T_k' = k U_(k-1), U_k = 2 u U_(k-1) - U_(k-2).

    ``now`` holds the rows U_(k-1), U_k.
    """
    row, last = d * terms * STRIDE, ((d + 1) * terms - 1) * STRIDE
    one, two, quarter = constant(spins, 1), constant(spins, 2), constant(spins, 0.25)
    for s in range(start, start + count, LANES):
        u = inner(_spin(spins, s), _spin(spins, s + shift))
        aligned = quarter * (one + u) * (one + u) + smooth
        root = square_root(square_root(aligned))
        put(out, s, get(to_functions, row + STRIDE + s)
            + get(to_functions, last + s) * root / aligned * quarter * (one + u) / two)  # fmt: skip
        put(now, s, one)
        put(now, STRIDE + s, two * u)
    for k in range(2, terms - 1):
        order = constant(spins, k)
        for s in range(start, start + count, LANES):
            u = inner(_spin(spins, s), _spin(spins, s + shift))
            before, last_u = get(now, s), get(now, STRIDE + s)
            put(out, s, get(out, s) + order * last_u * get(to_functions, row + k * STRIDE + s))
            put(now, s, last_u)
            put(now, STRIDE + s, two * u * last_u - before)


@no_type_check
@separate
def _first_features(spins, kinds, out, start, shift, d, count):
    """Rows (direction, component) from rows (direction, kind), on one bond direction."""
    for s in range(start, start + count, LANES):
        at = d * 4 * STRIDE + s
        first, second, twist = get(kinds, at + STRIDE), get(kinds, at + 2 * STRIDE), get(kinds, at + 3 * STRIDE)
        a, b = _spin(spins, s), _spin(spins, s + shift)
        x = _cross(a, b)
        store(out, d * 8 * STRIDE + s, (
            get(kinds, at), constant(out, 0),
            first * a[0] + second * b[0], first * a[1] + second * b[1], first * a[2] + second * b[2],
            twist * x[0], twist * x[1], twist * x[2],
        ))  # fmt: skip


@no_type_check
@separate
def _slopes_of_first_features(spins, kinds, slope, to_kinds, to_ends, start, shift, d, count):
    """Slopes in kinds and, added, in the spins at both ends: rows (direction, end, component)."""
    for s in range(start, start + count, LANES):
        at = d * 4 * STRIDE + s
        a, b = _spin(spins, s), _spin(spins, s + shift)
        m = load(slope, d * 8 * STRIDE + s)
        odd, even = (m[2], m[3], m[4]), (m[5], m[6], m[7])
        put(to_kinds, at, m[0])
        put(to_kinds, at + STRIDE, inner(odd, a))
        put(to_kinds, at + 2 * STRIDE, inner(odd, b))
        put(to_kinds, at + 3 * STRIDE, inner(even, _cross(a, b)))
    for s in range(start, start + count, LANES):
        at, to = d * 4 * STRIDE + s, d * 6 * STRIDE + s
        first, second, twist = get(kinds, at + STRIDE), get(kinds, at + 2 * STRIDE), get(kinds, at + 3 * STRIDE)
        a, b = _spin(spins, s), _spin(spins, s + shift)
        m = load(slope, d * 8 * STRIDE + s)
        even = (m[5], m[6], m[7])
        on_a, on_b = _cross(b, even), _cross(even, a)
        for p in range(3):
            put(to_ends, to + p * STRIDE, get(to_ends, to + p * STRIDE) + first * m[2 + p] + twist * on_a[p])
            there = to + (3 + p) * STRIDE
            put(to_ends, there, get(to_ends, there) + second * m[2 + p] + twist * on_b[p])


@no_type_check
@compiled(__file__)
def forward(scratch, spins, functions, features, first_box, last_box, embedding, smoothing,
            even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Bond functions and first features inside each box, from spins (box, 3 * STRIDE), rims included."""
    directions, n_basis = 2 * half, len(present)
    span = (n_basis - 1) * pitch + count
    smooth = constant(spins, smoothing * smoothing)
    kinds = scratch[: 4 * directions * STRIDE]
    along = scratch[4 * directions * STRIDE : 12 * directions * STRIDE]
    harmonic = scratch[12 * directions * STRIDE : 20 * directions * STRIDE]
    for box in range(first_box, last_box):
        x, f, out = spins[box], functions[box], features[box]
        for b in range(n_basis):
            for d in range(directions):
                if present[b, d]:
                    _bond_functions(x, f, smooth, terms, b * pitch + first, shift[b, d], d, count)
                else:
                    fill(f, d * terms, terms, b * pitch + first, count)
        for c in range(width):
            for d in range(directions):
                gather_kinds(embedding, c * terms * 4, terms, f, d * terms * STRIDE + first,
                             kinds, d * 4 * STRIDE + first, span)  # fmt: skip
                for b in range(n_basis):
                    _first_features(x, kinds, along, b * pitch + first, shift[b, d], d, count)
            to_harmonics(even, odd, half, along, harmonic, first, span)
            for p in range(8):
                for h in range(directions):
                    to, of = ((p * directions + h) * width + c) * STRIDE, (h * 8 + p) * STRIDE
                    for s in range(first, first + span, LANES):
                        put(out, to + s, get(harmonic, of + s))


@no_type_check
@compiled(__file__)
def backward(scratch, spins, functions, slope, to_functions, to_spins, first_box, last_box, embedding, smoothing,
             learn, to_embedding, even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Slopes in spins, rims included, and, with ``learn``, in the embedding, from those in features and functions.

    The slopes in functions that come from the first features are added to ``to_functions``.
    """
    directions, n_basis = 2 * half, len(present)
    span = (n_basis - 1) * pitch + count
    smooth = constant(spins, smoothing * smoothing)
    kinds = scratch[: 4 * directions * STRIDE]
    along = scratch[4 * directions * STRIDE : 12 * directions * STRIDE]
    harmonic = scratch[12 * directions * STRIDE : 20 * directions * STRIDE]
    to_kinds = scratch[20 * directions * STRIDE : 24 * directions * STRIDE]
    to_ends = scratch[24 * directions * STRIDE : 30 * directions * STRIDE]
    to_overlap = scratch[30 * directions * STRIDE : (30 * directions + 1) * STRIDE]
    for box in range(first_box, last_box):
        x, f, g, to_f, to_x = spins[box], functions[box], slope[box], to_functions[box], to_spins[box]
        to_x[:] = 0
        to_ends[:] = 0
        for c in range(width):
            for p in range(8):
                for h in range(directions):
                    at, to = ((p * directions + h) * width + c) * STRIDE, (h * 8 + p) * STRIDE
                    for s in range(first, first + span, LANES):
                        put(harmonic, to + s, get(g, at + s))
            to_directions(even, odd, half, harmonic, along, first, span)
            for d in range(directions):
                at, row, of = c * terms * 4, d * terms * STRIDE + first, d * 4 * STRIDE + first
                gather_kinds(embedding, at, terms, f, row, kinds, of, span)
                for b in range(n_basis):
                    _slopes_of_first_features(
                        x, kinds, along, to_kinds, to_ends, b * pitch + first, shift[b, d], d, count
                    )
                scatter_kinds(embedding, at, terms, to_kinds, of, to_f, row, span)
                if learn:
                    overlaps_kinds(to_embedding, at, terms, f, row, to_kinds, of, span)
        for b in range(n_basis):
            start = b * pitch + first
            for d in range(directions):
                if not present[b, d]:
                    continue
                there, ends = shift[b, d], d * 6 * STRIDE
                _slopes_of_functions(x, to_f, to_overlap, kinds, smooth, terms, start, there, d, count)
                for p in range(3):
                    row = p * STRIDE
                    for s in range(start, start + count, LANES):
                        put(to_x, row + s,
                            get(to_x, row + s) + get(to_ends, ends + row + s)
                            + get(to_overlap, s) * get(x, row + there + s))  # fmt: skip
                    for s in range(start, start + count, LANES):
                        put(to_x, row + there + s,
                            get(to_x, row + there + s) + get(to_ends, ends + 3 * STRIDE + row + s)
                            + get(to_overlap, s) * get(x, row + s))  # fmt: skip
