"""The configuration of ``sdgnn dataset``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field as Key
from pydantic import field_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.commands import Protocols
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, Seed
from sdgnn.data.drawn import DrawnHamiltonians
from sdgnn.electrons.solvers import ExactElectrons

if TYPE_CHECKING:
    from sdgnn.data.dataset import Member


class DatasetLatticeConfig(Config):
    """A lattice of the data set, and which of its states are labelled."""

    lattice: LatticeConfig
    """The lattice."""
    twists: tuple[Count, ...] | None = None
    """Boundary phases along each primitive vector that labels are averaged over: with spins repeated, exact at so many
    times the length."""
    protocols: Protocols
    """Which states of each of its Hamiltonians."""


class DatasetConfig(Config):
    """Exact labels of many Hamiltonians, with a data card."""

    title: str = "Exact effective fields of s-d Hamiltonians drawn at random"
    """Title of the data set."""
    creators: Annotated[tuple[str, ...], Key(min_length=1)]
    """Who makes it, as "Family, Given" or the name of a group; for the citation."""
    count: Count = 120
    """Number of Hamiltonians; they take the lattices in turn."""
    hamiltonians: DrawnHamiltonians = DrawnHamiltonians()
    """How they are drawn."""
    lattices: Annotated[tuple[DatasetLatticeConfig, ...], Key(min_length=1)]
    """The lattices, each of a type of its own."""
    held_out: Annotated[int, Key(ge=2)] = 5
    """Of so many Hamiltonians, counted on each lattice, the last one is held out: in a file of its own."""
    seed: Seed = 0
    """Seed of the states; Hamiltonian n has seed + n."""
    workers: Annotated[int, Key(ge=0)] | None = None
    """Processes on this machine; none takes one per core, 0 stays in this process."""
    scheduler: str | None = None
    """Address of a running dask scheduler (tcp://...) whose workers label instead."""
    output: Path | None = None
    """Folder for the files; results/dataset-<date> by default."""

    @field_validator("lattices")
    @classmethod
    def _of_several_types(cls, given: tuple[DatasetLatticeConfig, ...]) -> tuple[DatasetLatticeConfig, ...]:
        types = [one.lattice.type for one in given]
        if len(set(types)) < len(types):
            raise UserError(f"lattices of types {', '.join(types)}", allowed="each type once: it names the files")
        return given

    @field_validator("creators")
    @classmethod
    def _named(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in given):
            raise UserError(f"creators {list(given)}", allowed='names, as "Family, Given"')
        return given

    def is_held_out(self, number: int) -> bool:
        """Whether Hamiltonian ``number`` is one of those that are held out."""
        return number // len(self.lattices) % self.held_out == self.held_out - 1

    def members(self) -> Iterator[Member]:
        """The label set of each Hamiltonian."""
        from sdgnn.data.dataset import Member

        for number in range(self.count):
            place = self.lattices[number % len(self.lattices)]
            found = self.hamiltonians.draw(self.hamiltonians.generator(number))
            kind = place.lattice.type
            electrons = ExactElectrons(kT=found.kT, filling=found.filling, twists=place.twists)
            yield Member(
                name=f"{number:03d}-{kind}",
                file=f"{kind}-{'held-out' if self.is_held_out(number) else 'training'}.h5",
                field=electrons.build(HamiltonianConfig(exchange=found.exchange).build(place.lattice.build())),
                protocols=place.protocols,
                seed=self.seed + number,
            )
