"""Phase separation: which mixtures of two fillings have less energy than one phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line


@dataclass(frozen=True, repr=False)
class PhaseMixture:
    """The best mixture of two phases at each filling; ``low`` and ``high`` are equal where one phase is best."""

    energy: Float[np.ndarray, " filling"]
    """Energy per site of the mixture: the largest convex function that is nowhere above the energy given."""
    low: Float[np.ndarray, " filling"]
    """Filling of the phase with fewer electrons."""
    high: Float[np.ndarray, " filling"]
    """Filling of the phase with more electrons."""

    __repr__ = one_line


def phase_mixture(filling: Float[np.ndarray, " filling"], energy: Float[np.ndarray, " filling"]) -> PhaseMixture:
    """Maxwell's construction: the mixture of two fillings that has the lowest energy at each one::

        mixture = sdgnn.analysis.phase_mixture(filling, energy)
        separates = energy - mixture.energy > 5e-4

    Per site, with walls between the phases and long-range Coulomb forces left out,

        E_mixed(n) = min over a <= n <= b of [(b - n) E(a) + (n - a) E(b)] / (b - a),

    the lower convex hull of the points (a, E(a)). ``energy`` is the Helmholtz energy of the electrons per site at each
    ``filling``, that of the best state there; both phases have the chemical potential dE/dn / 2 of the chord, n being
    N_e / (2 N). Phases are searched among the fillings given, so give fine steps, and 0 and 1, where the
    energies of electrons without an energy on site are 0, if all fillings may separate.

    Source: the chord is Maxwell's; phase separation in the double-exchange model: Yunoki et al., Phys. Rev. Lett. 80,
    845 (1998), doi:10.1103/PhysRevLett.80.845. Raises UserError unless fillings rise and energies are finite.
    """
    x, y = np.asarray(filling, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        given = f"fillings of shape {x.shape} with energies of shape {y.shape}"
        raise UserError(given, allowed="two rows of one length, at least 2")
    if not (np.diff(x) > 0).all() or not np.isfinite(y).all():
        raise UserError("fillings that do not rise, or energies that are not finite", allowed="rising fillings")
    corners: list[int] = []
    for k in range(len(x)):
        while len(corners) > 1 and not _turns_up(x, y, (*corners[-2:], k)):
            corners.pop()
        corners.append(k)
    ends = x[corners]
    right = np.searchsorted(ends, x)
    pure = ends[right] == x
    return PhaseMixture(np.interp(x, ends, y[corners]), np.where(pure, x, ends[np.maximum(right - 1, 0)]), ends[right])


def _turns_up(x: np.ndarray, y: np.ndarray, corners: tuple[int, ...]) -> bool:
    """Whether the middle one of three points lies below the chord of the others."""
    a, b, c = corners
    return bool((y[b] - y[a]) * (x[c] - x[a]) < (y[c] - y[a]) * (x[b] - x[a]))
