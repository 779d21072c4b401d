"""Occupations of energy levels at temperature kT, and the chemical potential that gives a filling."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

DEGENERACY = 1e-9
"""At kT = 0, levels closer than this (in units of t) to the Fermi level share its electrons equally."""

WHOLE = 1e-9
"""A number of electrons closer than this to a whole number is meant to be whole (1/3 of 36 in floating point)."""

HALVINGS = 70
"""Bisections of the bracket of mu: from hundreds of t to below the rounding of mu."""


def occupation(
    levels: Float[Tensor, "replica level"], mu: Float[Tensor, " replica"], kT: float
) -> Float[Tensor, "replica level"]:
    """Fermi function f = 1 / (exp((e - mu)/kT) + 1); at kT = 0 the step, 1/2 at e = mu."""
    x = levels - mu[..., None]
    if kT == 0:
        return torch.where(x.abs() <= DEGENERACY, 0.5, (x < 0).to(levels.dtype))
    return torch.sigmoid(-x / kT)


def grand_potential(
    levels: Float[Tensor, "replica level"], mu: Float[Tensor, " replica"], kT: float
) -> Float[Tensor, " replica"]:
    """Omega = -kT sum ln(1 + exp(-(e - mu)/kT)); at kT = 0, sum of e - mu over e < mu."""
    x = levels - mu[..., None]
    if kT == 0:
        return x.clamp(max=0).sum(-1)
    return -kT * torch.nn.functional.softplus(-x / kT, threshold=700).sum(-1)


def chemical_potential(
    levels: Float[Tensor, "replica level"], electrons: float, kT: float
) -> Float[Tensor, " replica"]:
    """mu with sum f(e) = electrons for each replica, to rounding; infinite for no electrons and for full levels.

    Bisection. The excess of electrons is summed as particles above minus holes below the Fermi level, so that it keeps
    its sign where both are exponentially small (kT far below a gap); kT -> 0 ends in the middle of the gap.
    """
    mu, _ = ground_state_occupation(levels, electrons)
    if kT == 0 or bool(mu.isinf().any()):
        return mu
    ordered = levels.sort(-1).values
    electrons = _whole(electrons)
    below = int(electrons)
    margin = 40 * kT
    low, high = ordered[..., 0] - margin, ordered[..., -1] + margin
    while bool((_excess(ordered, low, below, electrons, kT) > 0).any()):
        low = low - margin
    while bool((_excess(ordered, high, below, electrons, kT) < 0).any()):
        high = high + margin
    for _ in range(HALVINGS):
        excess = _excess(ordered, mu, below, electrons, kT)
        low, high = torch.where(excess <= 0, mu, low), torch.where(excess >= 0, mu, high)
        mu = (low + high) / 2
    return mu


def occupations(
    levels: Float[Tensor, "replica level"], kT: float, mu: float | None, filling: float | None
) -> tuple[Float[Tensor, " replica"], Float[Tensor, "replica level"]]:
    """(mu, f) at the given mu, or where f has the mean ``filling``."""
    if mu is not None:
        given = levels.new_full(levels.shape[:1], mu)
        return given, occupation(levels, given, kT)
    assert filling is not None
    electrons = filling * levels.shape[-1]
    found, f = ground_state_occupation(levels, electrons)
    if kT == 0 or bool(found.isinf().any()):
        return found, f
    found = chemical_potential(levels, electrons, kT)
    return found, occupation(levels, found, kT)


def ground_state_occupation(
    levels: Float[Tensor, "replica level"], electrons: float
) -> tuple[Float[Tensor, " replica"], Float[Tensor, "replica level"]]:
    """(mu, f) at kT = 0: the lowest levels filled, those at the Fermi level sharing what is left equally.

    With a gap, mu is in its middle; without electrons it is -inf, with all levels full +inf.
    """
    n_levels = levels.shape[-1]
    electrons = _whole(electrons)
    if electrons in (0, n_levels):
        return levels.new_full(levels.shape[:-1], math.copysign(math.inf, electrons - 0.5)), torch.full_like(
            levels, float(electrons > 0)
        )
    ordered = levels.sort(-1).values
    highest = math.ceil(electrons) - 1
    fermi = ordered[..., highest : highest + 1]
    at_level = (levels - fermi).abs() <= DEGENERACY
    below = levels < fermi - DEGENERACY
    share = (electrons - below.sum(-1, keepdim=True)) / at_level.sum(-1, keepdim=True)
    above = ordered[..., highest + 1] if electrons == highest + 1 else fermi[..., 0]
    return (fermi[..., 0] + above) / 2, (below + at_level * share).to(levels.dtype)


def _whole(electrons: float) -> float:
    """``electrons``, rounded if it is whole but for floating point."""
    nearest = round(electrons)
    return float(nearest) if abs(electrons - nearest) < WHOLE else electrons


def _excess(ordered: Tensor, mu: Tensor, below: int, electrons: float, kT: float) -> Tensor:
    """sum f - electrons (replica,), for ascending levels of which the ``below`` lowest are filled at kT = 0."""
    x = (ordered - mu[..., None]) / kT
    holes, particles = torch.sigmoid(x[..., :below]), torch.sigmoid(-x[..., below:])
    return particles.sum(-1) - holes.sum(-1) - (electrons - below)
