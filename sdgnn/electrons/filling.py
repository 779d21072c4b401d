"""Occupations of energy levels at temperature kT, and the chemical potential that gives a filling."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

DEGENERACY = 4096
"""Levels closer to each other than so many roundings of the largest one are one level, which rounding has split."""

WHOLE = 1e-9
"""A number of electrons closer than this to a whole number is meant to be whole (1/3 of 36 in floating point)."""

COLDEST = 1e-200
"""kT below this counts as this, in t: occupations and energies are those at kT = 0 to all digits."""

HALVINGS = 70
"""Bisections of the bracket of mu, which is some 80 kT wide: to below the rounding of mu / kT."""


class Occupations(NamedTuple):
    """How electrons fill energy levels."""

    mu: Float[Tensor, " replica"]
    """(replica,) chemical potential."""
    f: Float[Tensor, "replica level"]
    """(replica, level) electrons in each level, in [0, 1]."""
    energy: Float[Tensor, " replica"]
    """(replica,) the grand potential Omega at given mu, F = Omega + mu N_e at given filling."""


def occupation(
    levels: Float[Tensor, "replica level"], mu: Float[Tensor, " replica"], kT: float
) -> Float[Tensor, "replica level"]:
    """Fermi function f = 1 / (exp((e - mu)/kT) + 1); at kT = 0 the step, 1/2 at e = mu."""
    return torch.sigmoid(-_from(levels, mu) / max(kT, COLDEST))


def grand_potential(
    levels: Float[Tensor, "replica level"], mu: Float[Tensor, " replica"], kT: float
) -> Float[Tensor, " replica"]:
    """Omega = -kT sum ln(1 + exp(-(e - mu)/kT)); at kT = 0, sum of e - mu over e < mu."""
    kT = max(kT, COLDEST)
    return -kT * torch.nn.functional.softplus((mu[..., None] - levels) / kT, threshold=700).sum(-1)


def occupations(
    levels: Float[Tensor, "replica level"], kT: float, mu: float | None = None, filling: float | None = None
) -> Occupations:
    """Electrons at the given mu, or at the one at which f has the mean ``filling``.

    mu at a filling is the root of sum f(e) = N_e, found as mu_0 + d. mu_0 is the limit kT -> 0: the Fermi level where
    levels are filled in part, the middle of the gap where N_e is whole. d is of the order of kT and found by bisection
    of its own, so that f keeps all digits where kT is below the rounding of mu itself; the excess of electrons is
    summed as particles above minus holes below mu_0, so that it keeps its sign where both are exponentially small.
    Degenerate levels share their electrons equally, at kT = 0 too. Without electrons mu is -inf, with all levels full
    +inf.
    """
    if mu is not None:
        given = levels.new_full(levels.shape[:1], mu)
        return Occupations(given, occupation(levels, given, kT), grand_potential(levels, given, kT))
    assert filling is not None
    kT = max(kT, COLDEST)
    count = levels.shape[-1]
    electrons = filling * count
    if electrons in (0, count):
        f = torch.full_like(levels, filling)
        return Occupations(
            levels.new_full(levels.shape[:1], math.copysign(math.inf, filling - 0.5)), f, (f * levels).sum(-1)
        )
    nearest = round(electrons)
    whole = abs(electrons - nearest) < WHOLE and 0 < nearest < count
    if whole:
        electrons = float(nearest)
    ordered, highest = levels.sort(-1).values, math.ceil(electrons) - 1
    start = (ordered[:, highest] + ordered[:, highest + whole]) / 2
    shift = _root(_from(ordered, start), electrons, kT)
    excess = shift[:, None] - _from(levels, start)
    omega = -kT * torch.nn.functional.softplus(excess / kT, threshold=700).sum(-1)
    found = start + shift
    return Occupations(found, torch.sigmoid(excess / kT), omega + found * electrons)


def _from(levels: Tensor, start: Tensor) -> Tensor:
    """e - ``start`` (replica, level), 0 for levels that are there but for rounding."""
    rounding = DEGENERACY * torch.finfo(levels.dtype).eps * levels.abs().amax(-1, keepdim=True)
    distance = levels - start[..., None]
    return torch.where(distance.abs() <= rounding, 0.0, distance)


def _root(ordered: Tensor, electrons: float, kT: float) -> Tensor:
    """d (replica,) at which ascending levels hold so many electrons, sum 1 / (exp((e - d)/kT) + 1); 0 as kT -> 0."""
    below = int(electrons)

    def excess(shift: Tensor) -> Tensor:
        x = (ordered - shift[:, None]) / kT
        return torch.sigmoid(-x[:, below:]).sum(-1) - torch.sigmoid(x[:, :below]).sum(-1) - (electrons - below)

    reach = torch.full_like(ordered[:, 0], 40 * kT)
    while bool((outside := (excess(-reach) > 0) | (excess(reach) < 0)).any()):
        reach = torch.where(outside, 2 * reach, reach)
    low, high = -reach, reach
    shift = torch.zeros_like(reach)
    for _ in range(HALVINGS):
        found = excess(shift)
        low, high = torch.where(found <= 0, shift, low), torch.where(found >= 0, shift, high)
        shift = (low + high) / 2
    return shift
