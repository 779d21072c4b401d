"""Skyrmion number of spins on a lattice from the solid angles of its triangles."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.orders.chirality import corner_spins, triple_product
from sdgnn.common.arrays import Numbers
from sdgnn.lattice import Lattice

ROUNDING = 8
"""Number of roundings of the spins that the parts of tan(Omega / 2) carry: turned collinear spins reach 6."""


def solid_angles(spins: Numbers, lattice: Lattice) -> Float[Tensor, "replica triangle"]:
    """Signed solid angle Omega spanned by the three spins of each triangle, (replica, triangle), in [-2 pi, 2 pi].

        tan(Omega / 2) = S_i . (S_j x S_k) / (1 + S_i.S_j + S_j.S_k + S_k.S_i)

    for unit spins, the sites counter-clockwise (Berg and Luescher, Nucl. Phys. B 190, 412 (1981),
    doi:10.1016/0550-3213(81)90568-X). NaN in the exceptional cases of that paper, where the numerator vanishes and the
    denominator is not positive, both up to rounding, so that no side of the triangle is the inner one: two opposite
    spins, or three spins of one plane that go around the full circle (120 degrees order).
    """
    corners = corner_spins(spins, lattice)
    a, b, c = corners
    numerator = triple_product(a, b, c)
    denominator = 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1)
    lengths = torch.stack([(corner.square().sum(-1) - 1).abs() for corner in corners]).amax(0)
    rounding = ROUNDING * lengths.clamp_min(torch.finfo(a.dtype).eps)
    undefined = (numerator.abs() <= rounding) & (denominator <= rounding)
    return (2 * torch.atan2(numerator, denominator)).masked_fill(undefined, math.nan)


def skyrmion_number(spins: Numbers, lattice: Lattice) -> Float[Tensor, " replica"]:
    """Q = sum over triangles of Omega / (4 pi), (replica,); a whole number up to rounding on the periodic lattice.

    Positive where the spins turn around the sphere in the sense in which the triangles turn around the plane (for
    S = (x, y, ...) / r, near the core, with S_z = -1 in the core and +1 outside Q = -1). Odd under time reversal, does
    not change under global rotations. Tetrahedral order has Q = +-N/2. NaN for states that have none: those with a
    triangle whose solid angle is undefined, such as collinear antiferromagnets and 120 degrees order without noise
    (see :func:`solid_angles`). Raises UserError unless two-dimensional.
    """
    return solid_angles(spins, lattice).sum(-1) / (4 * math.pi)
