"""The energies of a model, and how their slopes make its field: what training differentiates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Energies = Callable[[Tensor], Tensor]
"""Site energies (replica, site) of spins (replica, site, 3), differentiable in spins and parameters."""


def combined(
    spins: Float[Tensor, "replica site 3"], slopes: Sequence[Float[Tensor, "replica site 3"]]
) -> Float[Tensor, "replica site 3"]:
    """H = G of a single energy, a field that conserves it, or H = G_A + S x G_B of two; differentiable in the G."""
    first, *second = slopes
    return first + torch.linalg.cross(spins.to(second[0]), second[0]) if second else first


@dataclass(frozen=True)
class Potentials:
    """Energies E_k whose slopes G_k = -dE_k/dS make the field (:func:`combined`); labels' energies are those of E_1."""

    energies: tuple[Energies, ...]
    """E_1, and E_2 where there are two, by their site energies."""
    learned: tuple[Energies, ...] | None = None
    """Parts of E_1, E_2 that depend on the weights, differentiable in weights alone; None where all of each does."""
