"""One round of messages in one box, and the slopes in everything that goes into it.

The equations are those of :class:`sdgnn.nn.layers.Interaction`; tests hold both equal. Features are rows (component,
harmonic, channel). Products are diagonal in channels, so :data:`GROUP` channels at a time go through their three
factors on every bond, in rows (channel, direction, factor, component): messages at all places of the box, then
everything else for one vector of places at a time, whose rows stay in the fastest cache.
"""

# mypy: ignore-errors
from __future__ import annotations

from typing import no_type_check

import numpy as np

from sdgnn.nn.compiled.boxes import GROUP, STRIDE
from sdgnn.nn.compiled.rows import (
    EIGHT,
    FOUR,
    ONE,
    SIX,
    add_lanes,
    compiled,
    constant,
    dagger,
    fill,
    gathered,
    inlined,
    load,
    multiply,
    number,
    overlap,
    scatter,
    separate,
    set_number,
    store,
    to_directions,
    to_harmonics,
)
from sdgnn.nn.spin_matrices import IRREP
from sdgnn.vectors import (
    LANES,
    add_multiples,
    get,
    get_rows,
    inner,
    multiples,
    put,
    put_rows,
    repeated,
    square_root,
    total,
)

FLOOR = 0.1
"""Added to the mean square of a site's features before they are divided by its root."""


@no_type_check
@inlined
def _carve(scratch, start, size):
    """The next ``size`` numbers of the working memory and where they end."""
    return scratch[start : start + size], start + size


def scratch_rows(width: int, directions: int) -> int:
    """Rows of working memory that :func:`backward`, the hungrier one, takes."""
    rows = 1 + 8 * directions * width + 2 * width + 2 * GROUP * 24 * directions
    near = GROUP * directions * (3 * 3 + 2 * 24 + 16)
    sums = GROUP * (4 * directions * width * (2 * 3 + 2) + 3 * 32)
    return rows + -(-(near + sums) * LANES // STRIDE)


@no_type_check
@separate
def _inverses(x, out, rows, places, share):
    """1 over the root mean square of the features at each place, by which they are multiplied; ``share`` is 1 over
    their number, without those that fill up the last group of channels."""
    one, share, floor = constant(x, 1), constant(x, share), constant(x, FLOOR)
    for s in range(0, places, LANES):
        squares = constant(x, 0)
        for r in range(0, rows, 8):
            m = load(x, r * STRIDE + s)
            squares = squares + inner(m, m)
        put(out, s, one / square_root(squares * share + floor))


@no_type_check
@separate
def _gates(x, inverse, gate, bias, out, width, first, count):
    """2 / (1 + exp(-z)) with z linear in the time-even scalars; ``gate`` (to, from)."""
    one, two = x.dtype.type(1), x.dtype.type(2)
    for c in range(width):
        for s in range(first, first + count, LANES):
            put(out, c * STRIDE + s, gathered(ONE, gate, c * width, width, x, s, STRIDE)[0])
        for s in range(first, first + count):
            at = c * STRIDE + s
            set_number(out, at, two / (one + np.exp(-number(out, at) * number(inverse, s) - bias[c])))


@no_type_check
@inlined
def _at(p, h, c, space, spaces, width):
    """Where the map between harmonic h, component p of all channels and those of group c starts, in units of a
    channel's factors or products."""
    return ((IRREP[p] * spaces + space[h]) * (width // GROUP) + c) * width * GROUP


@no_type_check
@separate
def _factors(weight, space, spaces, c, x, inverse, s, near, out, to, step, even, odd, width, half):
    """Rows (channel, direction, factor, component), ``step`` apart, of group c from normalised features at place s."""
    directions, scale = 2 * half, get(inverse, s)
    for p in range(8):
        for h in range(directions):
            at, row = _at(p, h, c, space, spaces, width) * 3, (p * directions + h) * width * STRIDE + s
            put_rows(near, h * 6 * LANES, LANES, multiples(gathered(SIX, weight, at, width, x, row, STRIDE), scale))
        for g in range(GROUP):
            to_directions(even, odd, half, 3, near, g * 3 * LANES, LANES, 6 * LANES,
                          out, to + (g * directions * 24 + p) * step, 8 * step, 24 * step)  # fmt: skip


@no_type_check
@separate
def _weights(bond, c, functions, s, out, terms, directions):
    """Rows (direction, channel, factor): learned functions of S_i . S_j that weigh the messages of group c."""
    for d in range(directions):
        of_bond = gathered(SIX, bond, c * terms * 6, terms, functions, d * terms * STRIDE + s, STRIDE)
        put_rows(out, d * 6 * LANES, LANES, of_bond)


@no_type_check
@inlined
def _factor(own, weight, message, f, g, d, directions, there):
    """One factor of channel g: own + weight message."""
    at = (g * directions + d) * 3 + f
    return add_multiples(
        load(own, at * 8 * LANES, LANES),
        load(message, at * 8 * STRIDE + there),
        get(weight, (d * 6 + g * 3 + f) * LANES),
    )


@no_type_check
@separate
def _traces(own, message, weight, out, directions, present, shift, s):
    """The first components, 0e, of A B and A B C alone."""
    nothing = constant(out, 0)
    for g in range(GROUP):
        for d in range(directions):
            to, there = (g * directions + d) * 16 * LANES, s + shift[d]
            ab, abc = nothing, nothing
            if present[d]:
                a = _factor(own, weight, message, 0, g, d, directions, there)
                b = _factor(own, weight, message, 1, g, d, directions, there)
                ab = inner(dagger(a), b)
                abc = inner(dagger(multiply(a, b)), _factor(own, weight, message, 2, g, d, directions, there))
            put(out, to, ab)
            put(out, to + 8 * LANES, abc)


@no_type_check
@separate
def _products(own, message, weight, out, directions, present, shift, s):
    """A B and A B C on all bonds, in rows (channel, direction, product, component); nothing where there is no bond."""
    nothing = repeated(constant(out, 0), EIGHT)
    for g in range(GROUP):
        for d in range(directions):
            to, there = (g * directions + d) * 16 * LANES, s + shift[d]
            ab, abc = nothing, nothing
            if present[d]:
                a = _factor(own, weight, message, 0, g, d, directions, there)
                ab = multiply(a, _factor(own, weight, message, 1, g, d, directions, there))
                abc = multiply(ab, _factor(own, weight, message, 2, g, d, directions, there))
            store(out, to, LANES, ab)
            store(out, to + 8 * LANES, LANES, abc)


@no_type_check
@inlined
def _products_to_harmonics(product, p, near, even, odd, half):
    """Rows (harmonic, channel, product) of component p."""
    for g in range(GROUP):
        to_harmonics(even, odd, half, 2, product, (g * 2 * half * 16 + p) * LANES, 8 * LANES, 16 * LANES,
                     near, g * 2 * LANES, LANES, 4 * LANES)  # fmt: skip


@no_type_check
@separate
def _add_products(weight, space, spaces, c, product, near, out, s, even, odd, width, half, components, harmonics):
    """Add what the products of group c give to the features' update at place s."""
    for p in range(components):
        _products_to_harmonics(product, p, near, even, odd, half)
        for h in range(harmonics):
            at, row = _at(p, h, c, space, spaces, width) * 2, (p * 2 * half + h) * width * STRIDE + s
            scatter(FOUR, weight, at, width, near, h * 4 * LANES, LANES, out, row, STRIDE)


@no_type_check
@compiled(__file__)
def forward(scratch, features, functions, out, first_box, last_box, own_weight, message_weight, bond, out_weight,
            gate, gate_back, bias, last, share, space, even, odd, present, shift, pitch, first, count, width, half,
            terms):  # fmt: skip
    """Features (box, row * STRIDE) after the layer, inside each box; their rims are left as they were.

    After the ``last`` layer the time-even scalars without direction are all that is needed, and all that is made.
    """
    directions, n_basis = 2 * half, len(present)
    components, harmonics = (1, 1) if last else (8, directions)
    spaces = own_weight.size // (12 * width * width)
    places = n_basis * pitch
    span = (n_basis - 1) * pitch + count
    inverse, at = _carve(scratch, 0, STRIDE)
    gates, at = _carve(scratch, at, width * STRIDE)
    message, at = _carve(scratch, at, GROUP * 24 * directions * STRIDE)
    near, at = _carve(scratch, at, GROUP * 3 * directions * LANES)
    own, at = _carve(scratch, at, GROUP * 24 * directions * LANES)
    product, at = _carve(scratch, at, GROUP * 16 * directions * LANES)
    weight, at = _carve(scratch, at, GROUP * 3 * directions * LANES)
    for box in range(first_box, last_box):
        x, f, y = features[box], functions[box], out[box]
        _inverses(x, inverse, 8 * directions * width, places, share)
        _gates(x, inverse, gate, bias, gates, width, first, span)
        fill(y, 0, components * harmonics * width, first, span)
        for c in range(width // GROUP):
            for s in range(0, places, LANES):
                _factors(
                    message_weight, space, spaces, c, x, inverse, s, near, message, s, STRIDE, even, odd, width, half
                )
            for b in range(n_basis):
                for s in range(b * pitch + first, b * pitch + first + count, LANES):
                    _factors(own_weight, space, spaces, c, x, inverse, s, near, own, 0, LANES, even, odd, width, half)
                    _weights(bond, c, f, s, weight, terms, directions)
                    if last:
                        _traces(own, message, weight, product, directions, present[b], shift[b], s)
                    else:
                        _products(own, message, weight, product, directions, present[b], shift[b], s)
                    _add_products(out_weight, space, spaces, c, product, near, y, s, even, odd, width, half,
                                  components, harmonics)  # fmt: skip
        for r in range(components * harmonics):
            for c in range(width):
                row = (r * width + c) * STRIDE
                for s in range(first, first + span, LANES):
                    put(y, row + s, get(x, row + s) + get(gates, c * STRIDE + s) * get(y, row + s))


@no_type_check
@separate
def _slopes_of_products(weight, space, spaces, c, update, near, out, s, even, odd, width, half, components, harmonics):
    """Slopes in the products of group c, rows (channel, direction, product, component), from those in the update."""
    directions, nothing = 2 * half, constant(out, 0)
    for at in range(harmonics * 4 * LANES, directions * 4 * LANES, LANES):
        put(near, at, nothing)
    for p in range(components):
        for h in range(harmonics):
            at, row = _at(p, h, c, space, spaces, width) * 2, (p * directions + h) * width * STRIDE + s
            put_rows(near, h * 4 * LANES, LANES, gathered(FOUR, weight, at, width, update, row, STRIDE))
        for g in range(GROUP):
            to_directions(even, odd, half, 2, near, g * 2 * LANES, LANES, 4 * LANES,
                          out, (g * directions * 16 + p) * LANES, 8 * LANES, 16 * LANES)  # fmt: skip


@no_type_check
@inlined
def _slopes_of_factor(slope, f, to_own, to_weight, to_message, weight, message, g, d, directions, there):
    """Slopes in the parts of one factor; that in the message is added where the message came from."""
    at, of_weight = (g * directions + d) * 3 + f, (d * 6 + g * 3 + f) * LANES
    far = at * 8 * STRIDE + there
    store(to_own, at * 8 * LANES, LANES, slope)
    put(to_weight, of_weight, inner(slope, load(message, far)))
    store(to_message, far, STRIDE, add_multiples(load(to_message, far), slope, get(weight, of_weight)))


@no_type_check
@inlined
def _nothing_on(to_own, to_weight, g, d, directions):
    """No slopes where there is no bond."""
    nothing = constant(to_own, 0)
    for at in range((g * directions + d) * 24, (g * directions + d + 1) * 24):
        put(to_own, at * LANES, nothing)
    for f in range(3):
        put(to_weight, (d * 6 + g * 3 + f) * LANES, nothing)


@no_type_check
@separate
def _slopes_of_factors(own, message, weight, slope, to_own, to_weight, to_message, directions, present, shift, s):
    """Slopes in own factors, weights and messages; <G, A B> has the slopes G B^+ in A and A^+ G in B."""
    one = constant(slope, 1)
    for g in range(GROUP):
        for d in range(directions):
            if not present[d]:
                _nothing_on(to_own, to_weight, g, d, directions)
                continue
            at, there = (g * directions + d) * 16 * LANES, s + shift[d]
            a = _factor(own, weight, message, 0, g, d, directions, there)
            b = _factor(own, weight, message, 1, g, d, directions, there)
            of_abc = load(slope, at + 8 * LANES, LANES)
            of_c = multiply(dagger(multiply(a, b)), of_abc)
            _slopes_of_factor(of_c, 2, to_own, to_weight, to_message, weight, message, g, d, directions, there)
            c = _factor(own, weight, message, 2, g, d, directions, there)
            of_ab = add_multiples(multiply(of_abc, dagger(c)), load(slope, at, LANES), one)
            of_a = multiply(of_ab, dagger(b))
            _slopes_of_factor(of_a, 0, to_own, to_weight, to_message, weight, message, g, d, directions, there)
            of_b = multiply(dagger(a), of_ab)
            _slopes_of_factor(of_b, 1, to_own, to_weight, to_message, weight, message, g, d, directions, there)


@no_type_check
@separate
def _slopes_of_traces(own, message, weight, slope, to_own, to_weight, to_message, directions, present, shift, s):
    """The same from slopes g and g' in the first components of the products alone: G = g and G' = g' times unity."""
    for g in range(GROUP):
        for d in range(directions):
            if not present[d]:
                _nothing_on(to_own, to_weight, g, d, directions)
                continue
            at, there = (g * directions + d) * 16 * LANES, s + shift[d]
            a = _factor(own, weight, message, 0, g, d, directions, there)
            b = _factor(own, weight, message, 1, g, d, directions, there)
            of_abc = get(slope, at + 8 * LANES)
            of_c = multiples(dagger(multiply(a, b)), of_abc)
            _slopes_of_factor(of_c, 2, to_own, to_weight, to_message, weight, message, g, d, directions, there)
            c = multiples(dagger(_factor(own, weight, message, 2, g, d, directions, there)), of_abc)
            of_ab = (c[0] + get(slope, at), c[1], c[2], c[3], c[4], c[5], c[6], c[7])
            of_a = multiply(of_ab, dagger(b))
            _slopes_of_factor(of_a, 0, to_own, to_weight, to_message, weight, message, g, d, directions, there)
            of_b = multiply(dagger(a), of_ab)
            _slopes_of_factor(of_b, 1, to_own, to_weight, to_message, weight, message, g, d, directions, there)


@no_type_check
@separate
def _slopes_of_map(weight, space, spaces, c, slope, of, step, near, to_normal, x, inverse, s, learn, sums, even, odd,
                   width, half):  # fmt: skip
    """Slopes in the normalised features at place s, and in the weights, from those in the factors of group c."""
    directions, scale = 2 * half, get(inverse, s)
    for p in range(8):
        for g in range(GROUP):
            to_harmonics(even, odd, half, 3, slope, of + (g * directions * 24 + p) * step, 8 * step, 24 * step,
                         near, g * 3 * LANES, LANES, 6 * LANES)  # fmt: skip
        for h in range(directions):
            at, row = _at(p, h, c, space, spaces, width) * 3, (p * directions + h) * width * STRIDE + s
            scatter(SIX, weight, at, width, near, h * 6 * LANES, LANES, to_normal, row, STRIDE)
            if learn:
                values = multiples(get_rows(near, h * 6 * LANES, LANES, SIX), scale)
                overlap(sums, (IRREP[p] * spaces + space[h]) * width * 6, width, x, row, STRIDE, values)


@no_type_check
@separate
def _slopes_of_out(product, near, update, s, space, spaces, sums, even, odd, width, half, components, harmonics):
    """Slopes in the weights by which the products of one group enter the update."""
    for p in range(components):
        _products_to_harmonics(product, p, near, even, odd, half)
        for h in range(harmonics):
            row, values = (p * 2 * half + h) * width * STRIDE + s, get_rows(near, h * 4 * LANES, LANES, FOUR)
            overlap(sums, (IRREP[p] * spaces + space[h]) * width * 4, width, update, row, STRIDE, values)


@no_type_check
@separate
def _slopes_of_weights(bond, c, functions, s, to_weight, to_functions, learn, sums, terms, directions):
    """Slopes in the bond functions, added, and in what weighs them."""
    for d in range(directions):
        row = d * terms * STRIDE + s
        scatter(SIX, bond, c * terms * 6, terms, to_weight, d * 6 * LANES, LANES, to_functions, row, STRIDE)
        if learn:
            overlap(sums, 0, terms, functions, row, STRIDE, get_rows(to_weight, d * 6 * LANES, LANES, SIX))


@no_type_check
@separate
def _collect(sums, classes, each, target, c, groups):
    """Add what was summed lane by lane for group c, (class, each), to target (class, group, each)."""
    for k in range(classes):
        add_lanes(sums[k * each * LANES : (k + 1) * each * LANES], each, target, (k * groups + c) * each)


@no_type_check
@separate
def _slopes_of_gates(x, y, g, gates, update, to_gates, gate_back, inverse, to_x, learn, to_gate, to_bias, width,
                     rows, first, span):  # fmt: skip
    """Slopes in the update, which has ``rows`` rows, and through the gates in the scalars that set them."""
    one, half = constant(x, 1), constant(x, 0.5)
    for c in range(width):
        for s in range(first, first + span, LANES):
            open_, changed = get(gates, c * STRIDE + s), constant(x, 0)
            for row in range(c * STRIDE + s, rows * STRIDE, width * STRIDE):
                up = get(g, row)
                put(update, row, up * open_)
                changed = changed + up * (get(y, row) - get(x, row))
            put(to_gates, c * STRIDE + s, changed * (one - half * open_))
    for c in range(width):
        for s in range(first, first + span, LANES):
            put(to_x, c * STRIDE + s, gathered(ONE, gate_back, c * width, width, to_gates, s, STRIDE)[0])
        if learn:
            of_bias = constant(x, 0)
            for s in range(c * STRIDE + first, c * STRIDE + first + span, LANES):
                of_bias = of_bias + get(to_gates, s)
            to_bias[c] += total(of_bias)
            for o in range(width):
                of_gate = constant(x, 0)
                for s in range(first, first + span, LANES):
                    scalar = get(x, o * STRIDE + s) * get(inverse, s)
                    of_gate = of_gate + scalar * get(to_gates, c * STRIDE + s)
                to_gate[c * width + o] += total(of_gate)


@no_type_check
@compiled(__file__)
def backward(scratch, features, functions, result, slope, to_normal, to_functions, first_box, last_box,
             own_weight, message_weight, bond, out_weight, gate, gate_back, bias, last, share, learn,
             to_own_weight, to_message_weight, to_bond, to_out_weight, to_gate, to_gate_back, to_bias,
             space, even, odd, present, shift, pitch, first, count, width, half, terms):  # fmt: skip
    """Slopes in the normalised features (rims included), the bond functions and, with ``learn``, the weights.

    ``result`` are the features after the layer, ``slope`` the slopes in them, nothing outside each box; after the
    ``last`` layer in the time-even scalars without direction alone. Slopes in functions and weights are added to what
    is there.
    """
    directions, n_basis = 2 * half, len(present)
    classes = own_weight.size // (3 * width * width)
    spaces = classes // 4
    components, harmonics = (1, 1) if last else (8, directions)
    places = n_basis * pitch
    span = (n_basis - 1) * pitch + count
    inverse, at = _carve(scratch, 0, STRIDE)
    update, at = _carve(scratch, at, 8 * directions * width * STRIDE)
    gates, at = _carve(scratch, at, width * STRIDE)
    to_gates, at = _carve(scratch, at, width * STRIDE)
    message, at = _carve(scratch, at, GROUP * 24 * directions * STRIDE)
    to_message, at = _carve(scratch, at, GROUP * 24 * directions * STRIDE)
    near, at = _carve(scratch, at, GROUP * 3 * directions * LANES)
    own, at = _carve(scratch, at, GROUP * 24 * directions * LANES)
    to_own, at = _carve(scratch, at, GROUP * 24 * directions * LANES)
    product, at = _carve(scratch, at, GROUP * 16 * directions * LANES)
    weight, at = _carve(scratch, at, GROUP * 3 * directions * LANES)
    to_weight, at = _carve(scratch, at, GROUP * 3 * directions * LANES)
    own_sums, at = _carve(scratch, at, classes * width * 6 * LANES)
    message_sums, at = _carve(scratch, at, classes * width * 6 * LANES)
    out_sums, at = _carve(scratch, at, classes * width * 4 * LANES)
    bond_sums, at = _carve(scratch, at, terms * 6 * LANES)
    for box in range(first_box, last_box):
        x, f, y, g, to_x, to_f = (
            features[box], functions[box], result[box], slope[box], to_normal[box], to_functions[box],
        )  # fmt: skip
        _inverses(x, inverse, 8 * directions * width, places, share)
        _gates(x, inverse, gate, bias, gates, width, first, span)
        fill(to_x, 0, 8 * directions * width, 0, places)
        _slopes_of_gates(x, y, g, gates, update, to_gates, gate_back, inverse, to_x, learn, to_gate, to_bias, width,
                         components * harmonics * width, first, span)  # fmt: skip
        for c in range(width // GROUP):
            if learn:
                own_sums[:] = 0
                message_sums[:] = 0
                out_sums[:] = 0
                bond_sums[:] = 0
            for s in range(0, places, LANES):
                _factors(
                    message_weight, space, spaces, c, x, inverse, s, near, message, s, STRIDE, even, odd, width, half
                )
            fill(to_message, 0, GROUP * 24 * directions, 0, places)
            for b in range(n_basis):
                for s in range(b * pitch + first, b * pitch + first + count, LANES):
                    _factors(own_weight, space, spaces, c, x, inverse, s, near, own, 0, LANES, even, odd, width, half)
                    _weights(bond, c, f, s, weight, terms, directions)
                    if learn:
                        if last:
                            _traces(own, message, weight, product, directions, present[b], shift[b], s)
                        else:
                            _products(own, message, weight, product, directions, present[b], shift[b], s)
                        _slopes_of_out(product, near, update, s, space, spaces, out_sums, even, odd, width, half,
                                       components, harmonics)  # fmt: skip
                    _slopes_of_products(out_weight, space, spaces, c, update, near, product, s, even, odd, width, half,
                                        components, harmonics)  # fmt: skip
                    if last:
                        _slopes_of_traces(own, message, weight, product, to_own, to_weight, to_message, directions,
                                          present[b], shift[b], s)  # fmt: skip
                    else:
                        _slopes_of_factors(own, message, weight, product, to_own, to_weight, to_message, directions,
                                           present[b], shift[b], s)  # fmt: skip
                    _slopes_of_weights(bond, c, f, s, to_weight, to_f, learn, bond_sums, terms, directions)
                    _slopes_of_map(own_weight, space, spaces, c, to_own, 0, LANES, near, to_x, x, inverse, s, learn,
                                   own_sums, even, odd, width, half)  # fmt: skip
            for s in range(0, places, LANES):
                _slopes_of_map(message_weight, space, spaces, c, to_message, s, STRIDE, near, to_x, x, inverse, s,
                               learn, message_sums, even, odd, width, half)  # fmt: skip
            if learn:
                _collect(own_sums, classes, width * 6, to_own_weight, c, width // GROUP)
                _collect(message_sums, classes, width * 6, to_message_weight, c, width // GROUP)
                _collect(out_sums, classes, width * 4, to_out_weight, c, width // GROUP)
                _collect(bond_sums, 1, terms * 6, to_bond, c, width // GROUP)


@no_type_check
@compiled(__file__)
def finish(scratch, features, to_normal, slope, inside, first_box, last_box, rows, places, share):
    """Add to ``slope``, inside each box, what reaches the features through their normalised values."""
    square, at = _carve(scratch, 0, STRIDE)
    along, at = _carve(scratch, at, STRIDE)
    one, share, floor = constant(features, 1), constant(features, share), constant(features, FLOOR)
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
