"""Configurations of the locality floor: ensembles of states, sampling, and the command that measures it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field as Key

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.electrons import Electrons
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.common.settings import Count, NotNegative, Positive, Seed
from sdgnn.data.sampling import Order, ordered

if TYPE_CHECKING:
    from sdgnn.analysis.locality.ensembles import StateEnsemble


class RandomStates(Config):
    """Random spins."""

    kind: Literal["random"]
    """Spins independent and uniform on the sphere."""

    @property
    def name(self) -> str:
        """What the states are called in tables."""
        return "random"

    def build(self) -> StateEnsemble:
        """The ensemble."""
        from sdgnn import spins
        from sdgnn.analysis.locality.ensembles import Independent

        return Independent(spins.random)


class NoisyOrderStates(Config):
    """An order with noise."""

    kind: Literal["noisy_order"]
    """An ordered state with independent noise at every site; the noise is redrawn, the order stays."""
    order: Order
    """Name of the order."""
    strength: NotNegative
    """Strength g of the noise: S -> (S + g n) / |S + g n|, n standard normal."""

    @property
    def name(self) -> str:
        """What the states are called in tables, and in label sets."""
        return f"{self.order} noise {self.strength:g}"

    def build(self) -> StateEnsemble:
        """The ensemble."""
        from sdgnn.analysis.locality.ensembles import Independent, noisy_order

        return Independent(noisy_order(partial(ordered, self.order), self.strength))


class GivenStates(Config):
    """States of a run or of a label set, on the same or a larger lattice."""

    kind: Literal["given"]
    """Surroundings are parts of other states, turned to fit the frozen spins best: an upper estimate of the floor."""
    path: Path
    """Folder of a run that recorded spins, or a label set."""
    protocol: str | None = None
    """Only states of this protocol; for label sets."""
    since: NotNegative = 0.0
    """Only states from this time (of a run, in hbar / t) or step (of a label set) on."""

    @property
    def name(self) -> str:
        """What the states are called in tables."""
        since = f" from {self.since:g}" if self.since else ""
        return f"{self.path.name}{f' {self.protocol}' if self.protocol else ''}{since}"

    def build(self) -> StateEnsemble:
        """The ensemble. Raises UserError when there are no such states."""
        from sdgnn.analysis.locality.ensembles import Windows

        if self.path.is_file():
            return Windows.labelled(self.path, self.protocol, self.since)
        return Windows.recorded(self.path, self.since)


States = Annotated[RandomStates | NoisyOrderStates | GivenStates, Key(discriminator="kind")]


class FloorConfig(Config):
    """How well the floor of the error by halo is sampled."""

    environments: Count = 8
    """Environments whose near spins are frozen, each around another site."""
    redraws: Annotated[int, Key(ge=2)] = 4
    """Times that the far spins are redrawn, for each environment and radius."""


class LabelFloorConfig(FloorConfig):
    """The floor beside errors on labels, from their own Hamiltonian."""

    size: tuple[Count, ...] | None = None
    """Unit cells along each primitive vector of the lattice that is diagonalised; without it, the labels' lattice."""


class LocalityConfig(FloorConfig):
    """The smallest torque error of any model that sees only so far, by halo and ensemble of states."""

    lattice: LatticeConfig
    """The lattice that is diagonalised; radii go up to half its shortest period."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    electrons: Electrons
    """The electrons' temperature, filling or chemical potential, and how they are solved."""
    states: Annotated[tuple[States, ...], Key(min_length=1)]
    """Ensembles of states: {kind: random}, {kind: noisy_order, order: tetrahedral, strength: 0.3},
    {kind: given, path: FOLDER of a run, or a label set}."""
    radii: Annotated[tuple[Positive, ...], Key(min_length=1)] | None = None
    """Halos of the field in nearest-neighbour distances; without any, all neighbour distances that fit, up to 5."""
    redraws: Annotated[int, Key(ge=2)] = 8
    """Times that the far spins are redrawn, for each environment and radius."""
    seed: Seed = 0
    """Seed of the states."""
    output: Path | None = None
    """Folder for locality.json and the figure; results/locality-<date> by default."""
