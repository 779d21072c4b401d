"""The settings that fix a model's kind, size and cutoff."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field

from sdgnn.common.settings import Settings as _Settings
from sdgnn.common.settings import by_default
from sdgnn.electrons.hopping import ExponentialHopping
from sdgnn.electrons.settings import EnsembleSettings, TruncatedSettings


class ModelSettings(_Settings):
    """What the settings of all kinds of models have in common."""

    kind: str
    """Name of the kind."""


class ElectronsSettings(EnsembleSettings):
    """Electrons that a network knows: Hamiltonian, temperature, and filling or chemical potential."""

    hamiltonian: dict[str, Any]
    """hopping, exchange, disorder and spin_orbit, as ``SDModel.to_dict()`` has them."""

    def without_seed(self) -> tuple[Any, ...]:
        """What two realisations of bond disorder share."""
        physics = {name: value for name, value in self.hamiltonian.items() if name != "disorder"}
        disorder = {k: v for k, v in (self.hamiltonian.get("disorder") or {}).items() if k != "seed"}
        return physics, disorder, self.kT, self.filling, self.mu

    def __repr__(self) -> str:
        ensemble = f"mu {self.mu:g}" if self.filling is None else f"filling {self.filling:g}"
        physics = ", ".join(f"{name} {value}" for name, value in self.hamiltonian.items() if value is not None)
        return f"electrons of {physics}, kT {self.kT:g}, {ensemble}"


class NetworkSettings(TruncatedSettings, ModelSettings):
    """Size of the network: electrons that walk inside balls, and a learned function of their moments."""

    kind: Literal["network"] = "network"
    """The network of this package."""
    hidden: int | None = Field(32, ge=0, le=1024)
    """Hidden functions of the moments; with 0 a factor of each moment is learned, with null nothing."""
    electrons: ElectronsSettings | None = None
    """The electrons that are learned; those of the labels where these say it."""


class EquivariantSize(ModelSettings):
    """Size of the equivariant network, alone or as a part of a model."""

    layers: int = Field(2, ge=1, le=16)
    """Rounds of messages between neighbours. The cutoff of energies is ``layers + 1`` bonds, the halo of fields twice
    that."""
    channels: int = Field(8, ge=1, le=256)
    """Features of each kind on every directed bond. Cost and parameters grow with the square."""
    bond_functions: int = Field(5, ge=3, le=32)
    """Functions of S_i . S_j on a bond: Chebyshev polynomials and one that goes as sqrt((1 + S_i . S_j) / 2)."""


class EquivariantSettings(EquivariantSize):
    """Size of the equivariant network."""

    kind: Literal["equivariant"] = "equivariant"
    """Messages between neighbours, multiplied as spin matrices along bonds."""
    hopping: ExponentialHopping | None = None
    """How strong bonds of any length are: by the hopping along them. Without it, crystals have bonds between nearest
    neighbours, of strength 1, and bonds on free positions fade out beyond the nearest-neighbour distance."""
    strength_powers: int = Field(0, ge=0, le=4)
    """Powers of (strength - 1) by which functions on bonds are multiplied beside the strength itself, each with weights
    of its own: what bonds of other strengths do is learned. They vanish on bonds of strength 1."""


class TwoEnergiesSettings(EquivariantSize):
    """Size of each of two equivariant networks whose energies make a field that need not be a gradient."""

    kind: Literal["two-energies"] = "two-energies"
    """H = -dE_A/dS + S x (-dE_B/dS), for labels of electrons out of equilibrium."""


class BehlerParrinelloSettings(ModelSettings):
    """Size of a Behler-Parrinello model: invariants of a site's neighbourhood into a small dense network."""

    kind: Literal["behler-parrinello"] = "behler-parrinello"
    """Bond products and scalar chiralities of the neighbourhood in power-spectrum and bispectrum form."""
    shells: int = Field(3, ge=1, le=8)
    """Neighbour shells around a site on whose spins its energy depends; the halo of fields is twice as wide."""
    pair_shells: int = Field(2, ge=1, le=8)
    """Products S_j . S_k are taken of spins in the neighbourhood up to this many shells apart, and of the centre with
    all of them."""
    chirality_shells: int = Field(2, ge=0, le=8)
    """Scalar chiralities S_i . (S_j x S_k) are taken of three spins in the neighbourhood up to this many shells apart;
    0 for none."""
    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((64, 64), min_length=1, max_length=8)
    """Widths of the hidden layers."""


class DistancesSettings(ModelSettings):
    """Size of a message passing network that knows how far its neighbours are, not in which direction."""

    kind: Literal["distances"] = "distances"
    """Messages weighted by functions of the distance."""
    layers: int = Field(2, ge=1, le=16)
    """Rounds of messages."""
    channels: int = Field(16, ge=1, le=256)
    """Features of each kind on every site."""
    bond_functions: int = Field(5, ge=3, le=32)
    """Functions of S_i . S_j on a bond: Chebyshev polynomials and one that goes as sqrt((1 + S_i . S_j) / 2)."""
    shells: int = Field(2, ge=1, le=8)
    """Neighbour shells that send messages. The cutoff of energies is ``layers`` times the radius of the
    outermost one."""


Settings = Annotated[
    Annotated[
        NetworkSettings | EquivariantSettings | TwoEnergiesSettings | BehlerParrinelloSettings | DistancesSettings,
        Discriminator("kind"),
    ],
    by_default("kind", "network"),
]
"""Settings of any kind, told apart by ``kind``; the network where none is given."""
