"""The settings that fix a network's size and reach."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class NetworkSettings(BaseModel):
    """Size of a network; immutable, unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    layers: int = Field(2, ge=1, le=16)
    """Rounds of messages between neighbours. Energies reach ``layers + 1`` bonds, fields twice as far."""
    channels: int = Field(8, ge=1, le=256)
    """Features of each kind on every directed bond. Cost and parameters grow with the square."""
    bond_functions: int = Field(5, ge=3, le=32)
    """Functions of S_i . S_j on a bond: Chebyshev polynomials and one that goes as sqrt((1 + S_i . S_j) / 2)."""
