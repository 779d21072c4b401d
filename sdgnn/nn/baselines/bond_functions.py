"""Functions of S_i . S_j on a bond, and of the bond's strength."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SMOOTHING = 0.05
"""Rounds off sqrt((1 + S_i . S_j) / 2), the hopping of an electron that follows the spins, at opposite spins."""


def bond_functions(overlap: Float[Tensor, " ..."], count: int) -> Float[Tensor, "... function"]:
    """Chebyshev polynomials T_0 ... T_(count-2) of u = S_i . S_j and a smooth sqrt((1 + u) / 2)."""
    functions = [torch.ones_like(overlap), overlap]
    while len(functions) < count - 1:
        functions.append(2 * overlap * functions[-1] - functions[-2])
    aligned = ((1 + overlap) / 2).square() + SMOOTHING**2
    return torch.stack([*functions, aligned.pow(0.25)], dim=-1)


def of_strength(
    functions: Float[Tensor, "bond function"], strength: Float[Tensor, " bond"], powers: int
) -> Float[Tensor, "bond term"]:
    """Functions on bonds times s, s (s - 1), ..., s (s - 1)^powers of their strength s; 0 where there is no bond."""
    terms = [functions * strength[..., None]]
    for _ in range(powers):
        terms.append(terms[-1] * (strength[..., None] - 1))
    return torch.cat(terms, dim=-1)
