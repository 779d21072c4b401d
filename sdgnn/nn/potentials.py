"""The energies of a model, and how their slopes make its field: what training differentiates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Energies = Callable[[Tensor], Tensor]
"""Site energies (replica, site) of spins (replica, site, 3), differentiable in spins and parameters."""
Compose = Callable[[Tensor, Sequence[Tensor]], Tensor]
"""The field (replica, site, 3) from spins and G_k = -dE_k/dS, each (replica, site, 3); differentiable in the G_k."""


def gradient(
    spins: Float[Tensor, "replica site 3"], slopes: Sequence[Float[Tensor, "replica site 3"]]
) -> Float[Tensor, "replica site 3"]:
    """H = G of a single energy: a field that conserves it."""
    (only,) = slopes
    return only


def gradient_and_twist(
    spins: Float[Tensor, "replica site 3"], slopes: Sequence[Float[Tensor, "replica site 3"]]
) -> Float[Tensor, "replica site 3"]:
    """H = G_A + S x G_B of two energies."""
    first, second = slopes
    return first + torch.linalg.cross(spins.to(second), second)


@dataclass(frozen=True)
class Potentials:
    """H = compose(S, G_1, G_2, ...) with G_k = -dE_k/dS; labels' energies are those of E_1."""

    energies: tuple[Energies, ...]
    """E_1, E_2, ... by their site energies."""
    compose: Compose = gradient
    """How their slopes make the field."""
    learned: tuple[Energies, ...] | None = None
    """Those parts of E_1, E_2, ... that depend on the weights, differentiable in these alone; None: all of them."""
