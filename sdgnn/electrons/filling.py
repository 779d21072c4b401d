"""Occupations of energy levels at temperature kT, and the chemical potential that gives a filling."""

from __future__ import annotations

import torch
from torch import Tensor

from sdgnn.errors import UserError

DEGENERACY = 1e-9
"""At kT = 0, levels closer than this to the Fermi level share its electrons equally."""


def occupation(levels: Tensor, mu: Tensor, kT: float) -> Tensor:
    """Fermi function f = 1 / (exp((e - mu)/kT) + 1); at kT = 0 the step, 1/2 at e = mu.

    levels (..., level), mu (...,).
    """
    x = levels - mu[..., None]
    if kT == 0:
        return torch.heaviside(-x, torch.full_like(x[:1].reshape(-1)[:1], 0.5))
    return torch.sigmoid(-x / kT)


def grand_potential(levels: Tensor, mu: Tensor, kT: float) -> Tensor:
    """Omega = -kT sum ln(1 + exp(-(e - mu)/kT)); at kT = 0, sum of e - mu over e < mu. Shape (...,)."""
    x = levels - mu[..., None]
    if kT == 0:
        return x.clamp(max=0).sum(-1)
    return -kT * torch.nn.functional.softplus(-x / kT, threshold=700).sum(-1)


def check_filling(filling: float) -> float:
    """The filling N_e / (2 N_sites), refused outside [0, 1]."""
    if not 0 <= filling <= 1:
        raise UserError(f"filling {filling}", allowed="N_e / (2 N_sites) in [0, 1]")
    return float(filling)


def chemical_potential(levels: Tensor, electrons: float, kT: float) -> Tensor:
    """mu with sum f(e) = electrons, for each row of levels (replica, level), kT > 0, to machine precision.

    Newton steps kept inside a shrinking bracket, on all rows at once.
    """
    n_levels = levels.shape[-1]
    if not 0 < electrons < n_levels:
        raise UserError(
            f"{electrons:g} electrons in {n_levels} levels at kT = {kT:g}",
            allowed="strictly between empty and full, where mu is finite",
        )
    margin = kT * 40 + 1
    low, high = levels.amin(-1) - margin, levels.amax(-1) + margin
    # far outside the band only ln(N/electrons) more is needed; widen until the root is enclosed
    while bool((occupation(levels, low, kT).sum(-1) > electrons).any()):
        low = low - margin
    while bool((occupation(levels, high, kT).sum(-1) < electrons).any()):
        high = high + margin
    mu = (low + high) / 2
    for _ in range(200):
        f = occupation(levels, mu, kT)
        excess = f.sum(-1) - electrons
        low = torch.where(excess < 0, mu, low)
        high = torch.where(excess > 0, mu, high)
        newton = mu - excess * kT / (f * (1 - f)).sum(-1).clamp(min=1e-300)
        step = torch.where((newton > low) & (newton < high), newton, (low + high) / 2)
        if bool(((step - mu).abs() <= 1e-15 * (1 + mu.abs())).all()):
            return step
        mu = step
    return mu


def ground_state_occupation(levels: Tensor, electrons: float) -> tuple[Tensor, Tensor]:
    """(mu, f) at kT = 0: the lowest levels filled, those at the Fermi level sharing what is left equally.

    levels (replica, level); returns mu (replica,) and f (replica, level). With a gap, mu is in its middle.
    """
    n_levels = levels.shape[-1]
    ordered = levels.sort(-1).values
    highest = min(max(int(-(-electrons // 1)) - 1, 0), n_levels - 1)
    fermi = ordered[..., highest : highest + 1]
    at_level = (levels - fermi).abs() <= DEGENERACY
    below = levels < fermi - DEGENERACY
    share = (electrons - below.sum(-1, keepdim=True)) / at_level.sum(-1, keepdim=True)
    f = below + at_level * share
    full = bool(electrons == highest + 1) and highest + 1 < n_levels
    above = ordered[..., highest + 1] if full else fermi[..., 0]
    return (fermi[..., 0] + above) / 2, f.to(levels.dtype)
