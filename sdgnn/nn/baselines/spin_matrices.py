"""Products of spin matrices a + b . sigma, the 2x2 complex matrices that spin-1/2 electrons see along their paths.

Eight real components of a matrix are irreps of spin rotation and time reversal, in e3nn's notation
``0e + 0o + 1o + 1e`` with parity standing for time reversal:

===== ========= ======= ==================
index component irrep   example
===== ========= ======= ==================
0     Re a      0e      S_i . S_j
1     Im a      0o      S_i . (S_j x S_k)
2-4   Re b      1o      S_i
5-7   Im b      1e      S_i x S_j
===== ========= ======= ==================

The set is closed under the matrix product, which therefore commutes with SO(3)_spin x time reversal.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

IRREP = (0, 1, 2, 2, 2, 3, 3, 3)
"""Irrep (0e, 0o, 1o, 1e) of each component."""


def multiply(a: Float[Tensor, "8 ..."], b: Float[Tensor, "8 ..."]) -> Float[Tensor, "8 ..."]:
    """(a + b . sigma)(a' + b' . sigma) = a a' + b . b' + (a b' + a' b + i b x b') . sigma, element by element."""
    s, p, vx, vy, vz, wx, wy, wz = a.unbind(0)
    S, P, Vx, Vy, Vz, Wx, Wy, Wz = b.unbind(0)
    return torch.stack(
        [
            s * S - p * P + vx * Vx + vy * Vy + vz * Vz - wx * Wx - wy * Wy - wz * Wz,
            s * P + p * S + vx * Wx + vy * Wy + vz * Wz + wx * Vx + wy * Vy + wz * Vz,
            s * Vx + vx * S - p * Wx - wx * P - (vy * Wz - vz * Wy + wy * Vz - wz * Vy),
            s * Vy + vy * S - p * Wy - wy * P - (vz * Wx - vx * Wz + wz * Vx - wx * Vz),
            s * Vz + vz * S - p * Wz - wz * P - (vx * Wy - vy * Wx + wx * Vy - wy * Vx),
            s * Wx + p * Vx + vx * P + wx * S + (vy * Vz - vz * Vy) - (wy * Wz - wz * Wy),
            s * Wy + p * Vy + vy * P + wy * S + (vz * Vx - vx * Vz) - (wz * Wx - wx * Wz),
            s * Wz + p * Vz + vz * P + wz * S + (vx * Vy - vy * Vx) - (wx * Wy - wy * Wx),
        ]
    )
