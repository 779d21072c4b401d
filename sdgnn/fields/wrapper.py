"""Fields that evaluate another field in their own way."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from sdgnn.fields.protocol import Field, is_linear, pairs_of


class Wrapper(Field):
    """A field made of one other, as linear in the spins as that one and with the same interacting pairs."""

    field: Field
    """The other field."""

    def __init__(self, field: Field) -> None:
        self.field, self.lattice = field, field.lattice

    @property
    def made_of(self) -> tuple[Field, ...]:
        return (self.field,)

    @property
    def linear(self) -> bool:
        """Whether E is linear in every single spin."""
        return is_linear(self.field)

    def pairs(self) -> Int[np.ndarray, "pair 2"] | None:
        """Sites that interact, each pair in both orders; None where that is unknown."""
        return pairs_of(self.field)

    def __repr__(self) -> str:
        return repr(self.field)
