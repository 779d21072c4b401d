"""What every solver of the electrons is asked for: temperature, mu or filling, and twists of the boundary."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sdgnn.common.errors import UserError

HOTTEST = 1e100
"""Largest kT, in t: beyond, energies of the order of kT overflow."""


class Ensemble(NamedTuple):
    """Electrons at one temperature, of one chemical potential or of one filling: the other of the two is None."""

    kT: float
    """Electron temperature, in t."""
    mu: float | None
    """Chemical potential, in t."""
    filling: float | None
    """N_e / (2 N_sites)."""

    def __str__(self) -> str:
        return f"kT={self.kT:g}, " + (f"filling={self.filling:g}" if self.mu is None else f"mu={self.mu:g}")


def check_ensemble(kT: object, mu: object, filling: object) -> Ensemble:
    """The three as floating-point numbers.

    Raises UserError unless exactly one of mu and filling is given, kT >= 0 and finite, mu finite and filling in [0, 1].
    """
    if (mu is None) == (filling is None):
        raise UserError(f"mu = {mu} with filling = {filling}", allowed="exactly one of the two")
    return Ensemble(
        _number("electron temperature kT", kT, 0, HOTTEST, "kT >= 0, and at most 1e100"),
        None if mu is None else _number("mu", mu, -HOTTEST, HOTTEST, "a finite chemical potential"),
        None if filling is None else _number("filling", filling, 0, 1, "N_e / (2 N_sites) in [0, 1]"),
    )


def _number(what: str, given: object, lowest: float, highest: float, allowed: str) -> float:
    """A number of any library between two bounds."""
    try:
        number = math.nan if isinstance(given, str) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not lowest <= number <= highest:
        raise UserError(f"{what} = {given!r}", allowed=allowed)
    return number


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
