"""How fast this processor multiplies and adds now, to say how near to that a compiled loop comes.

    python benchmarks/peak.py

Prints multiply-adds of 16 float32 numbers per ns of processor time, by loops of the package's own vectors. On shared
machines the figure changes from minute to minute: measure it at the time, and in the process, of what it is beside.
"""

from __future__ import annotations

import time
from typing import no_type_check

import numba
import numpy as np

from sdgnn.electrons.vectors import LANES, get_rows, splat, total

ROUNDS = 2_000_000
TWELVE = (0,) * 12
"""Independent sums: more than the latency of an addition times the number of units."""


@no_type_check
@numba.njit(fastmath=True, error_model="numpy")
def _sums(x, rounds):
    s = get_rows(x, 0, LANES, TWELVE)
    f, g = splat(x[0]), splat(x[1])
    for _ in range(rounds):
        s = (
            s[0] * f + g, s[1] * f + g, s[2] * f + g, s[3] * f + g, s[4] * f + g, s[5] * f + g,
            s[6] * f + g, s[7] * f + g, s[8] * f + g, s[9] * f + g, s[10] * f + g, s[11] * f + g,
        )  # fmt: skip
    return total(s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7] + s[8] + s[9] + s[10] + s[11])


def multiply_adds(repeats: int = 3) -> float:
    """Vector multiply-adds per ns, the best of some tries."""
    x = np.linspace(0.5, 0.9, len(TWELVE) * LANES, dtype=np.float32)
    _sums(x, 1)
    best = 0.0
    for _ in range(repeats):
        start = time.process_time()
        _sums(x, ROUNDS)
        best = max(best, len(TWELVE) * ROUNDS / (time.process_time() - start) * 1e-9)
    return best


if __name__ == "__main__":
    print(f"{multiply_adds():.2f} multiply-adds of 16 float32 numbers per ns")
