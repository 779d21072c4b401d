"""The ends of the network in one box: functions of S_i . S_j and first features from spins, and the slopes in spins.

The equations are those of :class:`sdgnn.nn.network.Network`; tests hold both equal. Spins are rows (component), bond
functions rows (direction, function), features rows (component, harmonic, channel).
"""

# mypy: ignore-errors
from __future__ import annotations

from typing import no_type_check

from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.compiled.rows import (
    FOUR,
    add_lanes,
    compiled,
    constant,
    fill,
    gathered,
    inlined,
    load,
    overlap,
    scatter,
    separate,
    store,
    to_directions,
    to_harmonics,
)
from sdgnn.vectors import LANES, get, get_rows, inner, put, put_rows, square_root


def scratch_rows(directions: int) -> int:
    """Rows of working memory that :func:`backward`, the hungrier one, takes."""
    return 1 + -(-(directions * (4 + 4 + 8 + 8 + 6) * LANES + 2 * LANES + 4 * 32 * LANES) // STRIDE)


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
def _bond_functions(spins, out, smooth, terms, s, there, d):
    """Chebyshev polynomials of u = S_i . S_j and the smooth sqrt((1 + u) / 2) on one bond direction."""
    one, two, quarter, smooth = constant(spins, 1), constant(spins, 2), constant(spins, 0.25), constant(spins, smooth)
    row = d * terms * STRIDE + s
    u = inner(_spin(spins, s), _spin(spins, s + there))
    before, last = one, u
    put(out, row, before)
    put(out, row + STRIDE, last)
    for k in range(2, terms - 1):
        before, last = last, two * u * last - before
        put(out, row + k * STRIDE, last)
    put(out, row + (terms - 1) * STRIDE, square_root(square_root(quarter * (one + u) * (one + u) + smooth)))


@no_type_check
@inlined
def _slope_of_functions(u, to_functions, row, smooth, terms):
    """Slope in u = S_i . S_j at one vector of bonds; T_k' = k U_(k-1), U_k = 2 u U_(k-1) - U_(k-2)."""
    f = to_functions
    one, half, two, quarter = constant(f, 1), constant(f, 0.5), constant(f, 2), constant(f, 0.25)
    aligned = quarter * (one + u) * (one + u) + constant(f, smooth)
    root = square_root(square_root(aligned))
    slope = get(f, row + STRIDE) + get(f, row + (terms - 1) * STRIDE) * root / aligned * quarter * half * (one + u)
    before, last = one, two * u
    for k in range(2, terms - 1):
        slope = slope + constant(f, k) * last * get(f, row + k * STRIDE)
        before, last = last, two * u * last - before
    return slope


@no_type_check
@separate
def _first_features(spins, kinds, out, s, there, d):
    """Rows (direction, component) from rows (direction, kind) on one bond direction: of the kinds of first features, a
    scalar, S_i, S_j, S_i x S_j."""
    at = d * 4 * LANES
    first, second, twist = get(kinds, at + LANES), get(kinds, at + 2 * LANES), get(kinds, at + 3 * LANES)
    a, b = _spin(spins, s), _spin(spins, s + there)
    x = _cross(a, b)
    store(out, d * 8 * LANES, LANES, (
        get(kinds, at), constant(out, 0),
        first * a[0] + second * b[0], first * a[1] + second * b[1], first * a[2] + second * b[2],
        twist * x[0], twist * x[1], twist * x[2],
    ))  # fmt: skip


@no_type_check
@separate
def _slopes_of_first_features(spins, kinds, slope, to_kinds, to_ends, s, there, d):
    """Slopes in kinds and, added, in the spins at both ends: rows (direction, end, component)."""
    at, to = d * 4 * LANES, d * 6 * LANES
    a, b = _spin(spins, s), _spin(spins, s + there)
    m = load(slope, d * 8 * LANES, LANES)
    odd, even = (m[2], m[3], m[4]), (m[5], m[6], m[7])
    first, second, twist = get(kinds, at + LANES), get(kinds, at + 2 * LANES), get(kinds, at + 3 * LANES)
    put(to_kinds, at, m[0])
    put(to_kinds, at + LANES, inner(odd, a))
    put(to_kinds, at + 2 * LANES, inner(odd, b))
    put(to_kinds, at + 3 * LANES, inner(even, _cross(a, b)))
    on_a, on_b = _cross(b, even), _cross(even, a)
    for p in range(3):
        put(to_ends, to + p * LANES, get(to_ends, to + p * LANES) + first * odd[p] + twist * on_a[p])
        far = to + (3 + p) * LANES
        put(to_ends, far, get(to_ends, far) + second * odd[p] + twist * on_b[p])


@no_type_check
@compiled(__file__)
def forward(scratch, spins, functions, features, first_box, last_box, embedding, smoothing,
            even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Bond functions and first features inside each box, from spins (box, 3 * STRIDE), rims included."""
    directions, n_basis = 2 * half, len(present)
    smooth = smoothing * smoothing
    kinds = scratch[: 4 * directions * LANES]
    along = scratch[4 * directions * LANES : 12 * directions * LANES]
    for box in range(first_box, last_box):
        x, f, out = spins[box], functions[box], features[box]
        for b in range(n_basis):
            for s in range(b * pitch + first, b * pitch + first + count, LANES):
                for d in range(directions):
                    if present[b, d]:
                        _bond_functions(x, f, smooth, terms, s, shift[b, d], d)
                    else:
                        fill(f, d * terms, terms, s, LANES)
                for c in range(width):
                    for d in range(directions):
                        of_bond = gathered(FOUR, embedding, c * terms * 4, terms, f, d * terms * STRIDE + s, STRIDE)
                        put_rows(kinds, d * 4 * LANES, LANES, of_bond)
                        _first_features(x, kinds, along, s, shift[b, d], d)
                    to_harmonics(even, odd, half, 8, along, 0, LANES, 8 * LANES,
                                 out, c * STRIDE + s, directions * width * STRIDE, width * STRIDE)  # fmt: skip


@no_type_check
@compiled(__file__)
def backward(scratch, spins, functions, slope, to_functions, to_spins, first_box, last_box, embedding, smoothing,
             learn, to_embedding, even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Slopes in spins, rims included, and, with ``learn``, in the embedding, from those in features and functions.

    The slopes in functions that come from the first features are added to ``to_functions``.
    """
    directions, n_basis = 2 * half, len(present)
    smooth = smoothing * smoothing
    kinds = scratch[: 4 * directions * LANES]
    to_kinds = scratch[4 * directions * LANES : 8 * directions * LANES]
    along = scratch[8 * directions * LANES : 16 * directions * LANES]
    to_ends = scratch[16 * directions * LANES : 22 * directions * LANES]
    sums = scratch[22 * directions * LANES : 22 * directions * LANES + 4 * terms * LANES]
    for box in range(first_box, last_box):
        x, f, g, to_f, to_x = spins[box], functions[box], slope[box], to_functions[box], to_spins[box]
        to_x[:] = 0
        for b in range(n_basis):
            for s in range(b * pitch + first, b * pitch + first + count, LANES):
                to_ends[:] = 0
                for c in range(width):
                    to_directions(even, odd, half, 8, g, c * STRIDE + s, directions * width * STRIDE, width * STRIDE,
                                  along, 0, LANES, 8 * LANES)  # fmt: skip
                    sums[:] = 0
                    for d in range(directions):
                        at, row, of = c * terms * 4, d * terms * STRIDE + s, d * 4 * LANES
                        put_rows(kinds, of, LANES, gathered(FOUR, embedding, at, terms, f, row, STRIDE))
                        _slopes_of_first_features(x, kinds, along, to_kinds, to_ends, s, shift[b, d], d)
                        scatter(FOUR, embedding, at, terms, to_kinds, of, LANES, to_f, row, STRIDE)
                        if learn:
                            overlap(sums, 0, terms, f, row, STRIDE, get_rows(to_kinds, of, LANES, FOUR))
                    if learn:
                        add_lanes(sums, 4 * terms, to_embedding, c * terms * 4)
                for d in range(directions):
                    if not present[b, d]:
                        continue
                    there, ends = s + shift[b, d], d * 6 * LANES
                    here_spin, there_spin = _spin(x, s), _spin(x, there)
                    along_bond = _slope_of_functions(
                        inner(here_spin, there_spin), to_f, d * terms * STRIDE + s, smooth, terms
                    )
                    for p in range(3):
                        at = p * STRIDE + s
                        put(to_x, at, get(to_x, at) + get(to_ends, ends + p * LANES) + along_bond * there_spin[p])
                    for p in range(3):
                        at = p * STRIDE + there
                        put(to_x, at,
                            get(to_x, at) + get(to_ends, ends + (3 + p) * LANES)
                            + along_bond * here_spin[p])  # fmt: skip
