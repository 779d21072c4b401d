"""What every solver of the electrons is asked for: temperature, mu or filling, and twists of the boundary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from sdgnn.errors import UserError


def check_ensemble(kT: float, mu: float | None, filling: float | None) -> None:
    """Raises UserError unless exactly one of mu and filling is given, kT >= 0 and filling is in [0, 1]."""
    if (mu is None) == (filling is None):
        raise UserError(f"mu = {mu} with filling = {filling}", allowed="exactly one of the two")
    if not (kT >= 0 and math.isfinite(kT)):
        raise UserError(f"electron temperature kT = {kT}", allowed="kT >= 0")
    if mu is not None and not math.isfinite(mu):
        raise UserError(f"mu = {mu}", allowed="a finite chemical potential")
    if filling is not None and not 0 <= filling <= 1:
        raise UserError(f"filling {filling}", allowed="N_e / (2 N_sites) in [0, 1]")


def check_twists(twists: Sequence[int] | None, dim: int) -> tuple[int, ...]:
    """Number of boundary phases along each axis, 1 by default. Raises UserError."""
    counts = (1,) * dim if twists is None else tuple(twists)
    if len(counts) != dim or not all(isinstance(n, int | np.integer) and n >= 1 for n in counts):
        raise UserError(f"twists {counts}", allowed=f"{dim} whole numbers >= 1, one per cell axis")
    return tuple(int(n) for n in counts)


def phases(twists: Sequence[int]) -> list[tuple[float, ...] | None]:
    """All combinations of m_a / n_a, the phases across the cell as fractions of 2 pi; None for periodic boundaries."""
    every = itertools.product(*[[m / n for m in range(n)] for n in twists])
    return [phase if any(phase) else None for phase in every]
