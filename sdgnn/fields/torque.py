"""The part of a field that moves spins."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def torque_part(
    field: Float[Tensor, "replica site 3"], spins: Float[Tensor, "replica site 3"]
) -> Float[Tensor, "replica site 3"]:
    """The part of a field transverse to the spins, T_i = H_i - (H_i . S_i) S_i / |S_i|^2; only this moves a spin."""
    along = (field * spins).sum(-1, keepdim=True) / (spins * spins).sum(-1, keepdim=True)
    return field - along * spins
