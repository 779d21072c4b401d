"""One round of messages in one box, and the slopes in everything that goes into it.

The equations are those of :class:`sdgnn.nn.layers.Interaction`; tests hold both equal. Features are rows (component,
harmonic, channel). Products are diagonal in channels, so one channel at a time goes through its three factors on every
bond, in rows (harmonic or direction, factor, component).
"""

# mypy: ignore-errors
from __future__ import annotations

from typing import no_type_check

import numpy as np

from sdgnn.nn.compiled.boxes import STRIDE
from sdgnn.nn.compiled.rows import (
    compiled,
    constant,
    dagger,
    fill,
    gathering,
    inlined,
    load,
    multiply,
    number,
    overlapping,
    scattering,
    separate,
    set_number,
    store,
    turning,
)
from sdgnn.nn.compiled.vectors import LANES, add_multiples, get, inner, put, square_root, total
from sdgnn.nn.spin_matrices import IRREP

gather_one, overlaps_one = gathering(1, 1), overlapping(1, 1)
gather_factors, scatter_factors, overlaps_factors = gathering(3, 8), scattering(3, 8), overlapping(3, 8)
gather_products, scatter_products, overlaps_products = gathering(2, 8), scattering(2, 8), overlapping(2, 8)
gather_weights, scatter_weights, overlaps_weights = gathering(3, 1), scattering(3, 1), overlapping(3, 1)
factors_to_directions, factors_to_harmonics = turning(24, back=False), turning(24, back=True)
products_to_directions, products_to_harmonics = turning(16, back=False), turning(16, back=True)

FLOOR = 0.1
"""Added to the mean square of a site's features before they are divided by its root."""


@no_type_check
@inlined
def _carve(scratch, start, rows):
    """The next ``rows`` rows of the working memory and where they end."""
    return scratch[start : start + rows * STRIDE], start + rows * STRIDE


def scratch_rows(width: int, directions: int) -> int:
    """Rows of working memory that :func:`backward`, the hungrier one, takes."""
    return 1 + 2 * 8 * directions * width + 2 * width + directions * (5 * 24 + 2 * 3 + 16)


@no_type_check
@separate
def _normalise(x, inverse, normal, rows, places):
    """Features over their root mean square at each place."""
    one, share, floor = constant(x, 1), constant(x, 1 / rows), constant(x, FLOOR)
    for s in range(0, places, LANES):
        squares = constant(x, 0)
        for r in range(0, rows, 8):
            m = load(x, r * STRIDE + s)
            squares = squares + inner(m, m)
        put(inverse, s, one / square_root(squares * share + floor))
    for r in range(rows):
        for s in range(0, places, LANES):
            put(normal, r * STRIDE + s, get(x, r * STRIDE + s) * get(inverse, s))


@no_type_check
@separate
def _gates(normal, gate, bias, out, width, first, count):
    """2 / (1 + exp(-z)) with z linear in the time-even scalars; ``gate`` (to, from)."""
    one, two = normal.dtype.type(1), normal.dtype.type(2)
    for c in range(width):
        gather_one(gate, c * width, width, normal, first, out, c * STRIDE + first, count)
        for s in range(c * STRIDE + first, c * STRIDE + first + count):
            set_number(out, s, two / (one + np.exp(-number(out, s) - bias[c])))


@no_type_check
@separate
def _factors(weight, space, spaces, c, normal, harmonic, out, even, odd, width, half, start, count):
    """Rows (direction, factor, component) of channel c from the normalised features."""
    directions = 2 * half
    for p in range(8):
        for h in range(directions):
            at = ((IRREP[p] * spaces + space[h]) * width + c) * width * 3
            gather_factors(weight, at, width, normal, (p * directions + h) * width * STRIDE + start,
                           harmonic, (h * 24 + p) * STRIDE + start, count)  # fmt: skip
    factors_to_directions(even, odd, half, harmonic, out, start, count)


@no_type_check
@separate
def _weights(bond, c, functions, out, terms, directions, first, count):
    """Rows (direction, factor): learned functions of S_i . S_j that weigh the messages of channel c."""
    for d in range(directions):
        gather_weights(bond, c * terms * 3, terms, functions, d * terms * STRIDE + first,
                       out, d * 3 * STRIDE + first, count)  # fmt: skip


@no_type_check
@inlined
def _factor(own, weight, message, f, shift, d, s):
    """One factor at one place: own + weight message."""
    at = (d * 24 + f * 8) * STRIDE + s
    return add_multiples(load(own, at), load(message, at + shift), get(weight, (d * 3 + f) * STRIDE + s))


@no_type_check
@separate
def _products(own, message, weight, out, directions, present, shift, pitch, first, count):
    """A B and A B C on all bonds, in rows (direction, product, component); nothing where there is no bond."""
    for b in range(len(present)):
        start = b * pitch + first
        for d in range(directions):
            if not present[b, d]:
                fill(out, d * 16, 16, start, count)
                continue
            to, along = d * 16 * STRIDE, shift[b, d]
            for s in range(start, start + count, LANES):
                a = _factor(own, weight, message, 0, along, d, s)
                store(out, to + s, multiply(a, _factor(own, weight, message, 1, along, d, s)))
            for s in range(start, start + count, LANES):
                f = _factor(own, weight, message, 2, along, d, s)
                store(out, to + 8 * STRIDE + s, multiply(load(out, to + s), f))


@no_type_check
@compiled(__file__)
def forward(scratch, features, functions, out, first_box, last_box, own_weight, message_weight, bond, out_weight,
            gate, gate_back, bias, space, even, odd, present, shift, pitch, first, count, width, half,
            terms):  # fmt: skip
    """Features (box, row * STRIDE) after the layer, inside each box; their rims are left as they were."""
    directions, n_basis = 2 * half, len(present)
    spaces = own_weight.size // (12 * width * width)
    places = n_basis * pitch
    span = (n_basis - 1) * pitch + count
    inverse, at = _carve(scratch, 0, 1)
    normal, at = _carve(scratch, at, 8 * directions * width)
    update, at = _carve(scratch, at, 8 * directions * width)
    gates, at = _carve(scratch, at, width)
    harmonic, at = _carve(scratch, at, 24 * directions)
    own, at = _carve(scratch, at, 24 * directions)
    message, at = _carve(scratch, at, 24 * directions)
    product, at = _carve(scratch, at, 16 * directions)
    weight, at = _carve(scratch, at, 3 * directions)
    for box in range(first_box, last_box):
        x, f, y = features[box], functions[box], out[box]
        _normalise(x, inverse, normal, 8 * directions * width, places)
        _gates(normal, gate, bias, gates, width, first, span)
        fill(update, 0, 8 * directions * width, first, span)
        for c in range(width):
            _factors(own_weight, space, spaces, c, normal, harmonic, own, even, odd, width, half, first, span)
            _factors(message_weight, space, spaces, c, normal, harmonic, message, even, odd, width, half, 0, places)
            _weights(bond, c, f, weight, terms, directions, first, span)
            _products(own, message, weight, product, directions, present, shift, pitch, first, count)
            products_to_harmonics(even, odd, half, product, harmonic, first, span)
            for p in range(8):
                for h in range(directions):
                    at = ((IRREP[p] * spaces + space[h]) * width + c) * width * 2
                    scatter_products(out_weight, at, width, harmonic, (h * 16 + p) * STRIDE + first,
                                     update, (p * directions + h) * width * STRIDE + first, span)  # fmt: skip
        for r in range(8 * directions):
            for c in range(width):
                row = (r * width + c) * STRIDE
                for s in range(first, first + span, LANES):
                    put(y, row + s, get(x, row + s) + get(gates, c * STRIDE + s) * get(update, row + s))


@no_type_check
@separate
def _slopes_of_factors(own, message, weight, slope, to_own, to_weight, start, shift, d, count):
    """Slopes in own factors and weights on bond direction d; <G, A B> has the slopes G B^+ in A and A^+ G in B."""
    to, of, one = d * 24 * STRIDE, d * 16 * STRIDE, constant(slope, 1)
    for s in range(start, start + count, LANES):
        a = _factor(own, weight, message, 0, shift, d, s)
        b = _factor(own, weight, message, 1, shift, d, s)
        store(to_own, to + 16 * STRIDE + s, multiply(dagger(multiply(a, b)), load(slope, of + 8 * STRIDE + s)))
    for s in range(start, start + count, LANES):
        f = _factor(own, weight, message, 2, shift, d, s)
        h = add_multiples(multiply(load(slope, of + 8 * STRIDE + s), dagger(f)), load(slope, of + s), one)
        store(to_own, to + s, h)
        store(to_own, to + 8 * STRIDE + s, multiply(dagger(_factor(own, weight, message, 0, shift, d, s)), h))
    for s in range(start, start + count, LANES):
        b = _factor(own, weight, message, 1, shift, d, s)
        store(to_own, to + s, multiply(load(to_own, to + s), dagger(b)))
    for f in range(3):
        for s in range(start, start + count, LANES):
            at = to + f * 8 * STRIDE + s
            put(to_weight, (d * 3 + f) * STRIDE + s, inner(load(to_own, at), load(message, at + shift)))


@no_type_check
@separate
def _slopes_of_messages(to_own, weight, to_message, start, shift, d, count):
    """Slopes in the messages, at the places they came from."""
    for f in range(3):
        at, of = (d * 24 + f * 8) * STRIDE, (d * 3 + f) * STRIDE
        for s in range(start, start + count, LANES):
            there = at + shift + s
            store(to_message, there, add_multiples(load(to_message, there), load(to_own, at + s), get(weight, of + s)))


@no_type_check
@inlined
def _slopes_of_bonds(own, message, weight, slope, to_own, to_weight, to_message, directions, present, shift, pitch,
                     first, count, places):  # fmt: skip
    """All of them, on all bonds."""
    fill(to_message, 0, 24 * directions, 0, places)
    for b in range(len(present)):
        start = b * pitch + first
        for d in range(directions):
            if present[b, d]:
                _slopes_of_factors(own, message, weight, slope, to_own, to_weight, start, shift[b, d], d, count)
                _slopes_of_messages(to_own, weight, to_message, start, shift[b, d], d, count)
            else:
                fill(to_own, d * 24, 24, start, count)
                fill(to_weight, d * 3, 3, start, count)


@no_type_check
@separate
def _slopes_of_map(weight, space, spaces, c, slope, to_normal, normal, learn, to_weight, width, directions, start,
                   count):  # fmt: skip
    """Slopes in the normalised features, and in the weights, from those in the harmonics of channel c's factors."""
    for p in range(8):
        for h in range(directions):
            at = ((IRREP[p] * spaces + space[h]) * width + c) * width * 3
            row, of = (p * directions + h) * width * STRIDE + start, (h * 24 + p) * STRIDE + start
            scatter_factors(weight, at, width, slope, of, to_normal, row, count)
            if learn:
                overlaps_factors(to_weight, at, width, normal, row, slope, of, count)


@no_type_check
@compiled(__file__)
def backward(scratch, features, functions, result, slope, to_normal, to_functions, first_box, last_box,
             own_weight, message_weight, bond, out_weight, gate, gate_back, bias, learn,
             to_own_weight, to_message_weight, to_bond, to_out_weight, to_gate, to_gate_back, to_bias,
             space, even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Slopes in the normalised features (rims included), the bond functions and, with ``learn``, the weights.

    ``result`` are the features after the layer, ``slope`` the slopes in them, nothing outside each box. Slopes in
    functions and weights are added to what is there.
    """
    directions, n_basis = 2 * half, len(present)
    spaces = own_weight.size // (12 * width * width)
    places = n_basis * pitch
    span = (n_basis - 1) * pitch + count
    one, half_of = constant(features, 1), constant(features, 0.5)
    inverse, at = _carve(scratch, 0, 1)
    normal, at = _carve(scratch, at, 8 * directions * width)
    update, at = _carve(scratch, at, 8 * directions * width)
    gates, at = _carve(scratch, at, width)
    harmonic, at = _carve(scratch, at, 24 * directions)
    own, at = _carve(scratch, at, 24 * directions)
    message, at = _carve(scratch, at, 24 * directions)
    product, at = _carve(scratch, at, 16 * directions)
    weight, at = _carve(scratch, at, 3 * directions)
    to_gates, at = _carve(scratch, at, width)
    to_own, at = _carve(scratch, at, 24 * directions)
    to_message, at = _carve(scratch, at, 24 * directions)
    to_weight, at = _carve(scratch, at, 3 * directions)
    for box in range(first_box, last_box):
        x, f, y, g, to_x, to_f = (
            features[box], functions[box], result[box], slope[box], to_normal[box], to_functions[box],
        )  # fmt: skip
        _normalise(x, inverse, normal, 8 * directions * width, places)
        _gates(normal, gate, bias, gates, width, first, span)
        fill(to_x, 0, 8 * directions * width, 0, places)
        fill(to_gates, 0, width, first, span)
        for r in range(8 * directions):
            for c in range(width):
                row = (r * width + c) * STRIDE
                for s in range(first, first + span, LANES):
                    up, at = get(g, row + s), c * STRIDE + s
                    put(update, row + s, up * get(gates, at))
                    put(to_gates, at, get(to_gates, at) + up * (get(y, row + s) - get(x, row + s)))
        for s in range(0, width * STRIDE, LANES):
            put(to_gates, s, get(to_gates, s) * (one - half_of * get(gates, s)))
        for c in range(width):
            gather_one(gate_back, c * width, width, to_gates, first, to_x, c * STRIDE + first, span)
            if learn:
                overlaps_one(to_gate, c * width, width, normal, first, to_gates, c * STRIDE + first, span)
                for s in range(first, first + span, LANES):
                    to_bias[c] += total(get(to_gates, c * STRIDE + s))
        for c in range(width):
            _factors(own_weight, space, spaces, c, normal, harmonic, own, even, odd, width, half, first, span)
            _factors(message_weight, space, spaces, c, normal, harmonic, message, even, odd, width, half, 0, places)
            _weights(bond, c, f, weight, terms, directions, first, span)
            if learn:
                _products(own, message, weight, product, directions, present, shift, pitch, first, count)
                products_to_harmonics(even, odd, half, product, harmonic, first, span)
                for p in range(8):
                    for h in range(directions):
                        at = ((IRREP[p] * spaces + space[h]) * width + c) * width * 2
                        overlaps_products(to_out_weight, at, width,
                                          update, (p * directions + h) * width * STRIDE + first,
                                          harmonic, (h * 16 + p) * STRIDE + first, span)  # fmt: skip
            for p in range(8):
                for h in range(directions):
                    at = ((IRREP[p] * spaces + space[h]) * width + c) * width * 2
                    gather_products(out_weight, at, width, update, (p * directions + h) * width * STRIDE + first,
                                    harmonic, (h * 16 + p) * STRIDE + first, span)  # fmt: skip
            products_to_directions(even, odd, half, harmonic, product, first, span)
            _slopes_of_bonds(own, message, weight, product, to_own, to_weight, to_message, directions, present, shift,
                             pitch, first, count, places)  # fmt: skip
            for d in range(directions):
                at, row, of = c * terms * 3, d * terms * STRIDE + first, d * 3 * STRIDE + first
                scatter_weights(bond, at, terms, to_weight, of, to_f, row, span)
                if learn:
                    overlaps_weights(to_bond, at, terms, f, row, to_weight, of, span)
            factors_to_harmonics(even, odd, half, to_own, harmonic, first, span)
            _slopes_of_map(own_weight, space, spaces, c, harmonic, to_x, normal, learn, to_own_weight, width,
                           directions, first, span)  # fmt: skip
            factors_to_harmonics(even, odd, half, to_message, harmonic, 0, places)
            _slopes_of_map(message_weight, space, spaces, c, harmonic, to_x, normal, learn, to_message_weight, width,
                           directions, 0, places)  # fmt: skip


@no_type_check
@compiled(__file__)
def finish(scratch, features, to_normal, slope, inside, first_box, last_box, rows, places):
    """Add to ``slope``, inside each box, what reaches the features through their normalised values."""
    square, at = _carve(scratch, 0, 1)
    along, at = _carve(scratch, at, 1)
    one, share, floor = constant(features, 1), constant(features, 1 / rows), constant(features, FLOOR)
    for box in range(first_box, last_box):
        x, to_x, g, own = features[box], to_normal[box], slope[box], inside[box]
        for s in range(0, places, LANES):
            squares, products = constant(features, 0), constant(features, 0)
            for r in range(0, rows, 8):
                m = load(x, r * STRIDE + s)
                squares = squares + inner(m, m)
                products = products + inner(m, load(to_x, r * STRIDE + s))
            inverse = one / square_root(squares * share + floor)
            put(square, s, get(own, s) * inverse)
            put(along, s, get(own, s) * inverse * inverse * inverse * share * products)
        for r in range(rows):
            for s in range(0, places, LANES):
                at = r * STRIDE + s
                put(g, at, get(g, at) + get(square, s) * get(to_x, at) - get(along, s) * get(x, at))
