"""The configurations of the benchmarks: accuracy of models, electrons solved in several ways, speed of dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field as Key
from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.electrons import Electrons
from sdgnn.cli.config.fields import FieldConfig
from sdgnn.cli.config.locality import FloorConfig, States
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.cli.config.runs import InitialConfig
from sdgnn.cli.config.training import Share
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, NotNegative, Positive, Precision, Seed, dtype_of
from sdgnn.dynamics.integrators.settings import ExplicitSettings, IntegratorSettings
from sdgnn.electrons.settings import Filling, KPMSettings, TruncatedSettings
from sdgnn.nn.settings import Settings
from sdgnn.train.settings import TrainSettings

if TYPE_CHECKING:
    import torch

Numbers = Annotated[tuple[Annotated[int, Key(ge=0)], ...], Key(min_length=1)]


class SplitConfig(Config):
    """Which states judge the models and which choose their weights; all others train them."""

    test: Share | Numbers = 0.2
    """Judged on these alone, once, after everything is chosen: a share of the independent samples, or numbers of states
    from 0."""
    validation: Share | Numbers = 0.1
    """Choose the best weights during training: a share of what is left, or numbers of states."""
    seed: Seed = 0
    """Seed of the shares."""

    @model_validator(mode="after")
    def _disjoint(self) -> SplitConfig:
        if isinstance(self.test, tuple) != isinstance(self.validation, tuple):
            raise UserError("one of test and validation in shares, the other in numbers", allowed="both alike")
        if isinstance(self.test, tuple) and isinstance(self.validation, tuple):
            twice = sorted(set(self.test) & set(self.validation))
            if twice:
                raise UserError(f"states {twice} in test and validation", allowed="each state once")
        return self


class BenchmarkModelConfig(Config):
    """One model that is trained."""

    network: Settings | None = None
    """Kind and size of a network that is trained here."""
    start: str | None = None
    """Or a trained model, its folder, file or shipped name, from whose weights training goes on."""
    training: TrainSettings | None = None
    """How it is trained; without this, as the benchmark says."""

    @model_validator(mode="after")
    def _one_model(self) -> BenchmarkModelConfig:
        if (self.network is None) == (self.start is None):
            raise UserError("a model with both or neither of network and start", allowed="one of them")
        return self

    @property
    def origin(self) -> Settings | str:
        """Settings of a new model, or the trained one to go on from."""
        return self.network if self.network is not None else str(self.start)


class BenchmarkFloorConfig(FloorConfig):
    """The floor beside the errors, from the Hamiltonian of the labels on a lattice that is quick to diagonalise."""

    size: tuple[Count, ...]
    """Unit cells along each primitive vector."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian of the labels."""
    electrons: Electrons
    """The electrons' temperature, filling or chemical potential, and how they are solved."""
    states: dict[str, States] = {}
    """Ensemble of states, as in sdgnn locality, by protocol of the test states (unknown where labels tell none)."""
    environments: Count = 3
    """Environments whose near spins are frozen."""
    redraws: Annotated[int, Key(ge=2)] = 3
    """Times that the far spins are redrawn, for each environment and radius."""


class BenchmarkConfig(Config):
    """Models of several kinds, trained on the same labels and judged on the same held-out states."""

    data: Path
    """Label set."""
    split: SplitConfig = SplitConfig()
    """How it is split."""
    heisenberg: tuple[Count, ...] = (1, 5)
    """Neighbour shells of the Heisenberg models, fitted by linear least squares."""
    models: Annotated[dict[str, BenchmarkModelConfig], Key(min_length=1)]
    """Models by the name they have in the table."""
    training: TrainSettings = TrainSettings()
    """How they are trained."""
    floor: BenchmarkFloorConfig | None = None
    """The locality floor at the halo of each model; left out where absent."""
    seed: Seed = 0
    """Seed of the initial weights."""
    output: Path | None = None
    """Folder for benchmark.json, table.md and the models; results/benchmark-<date> by default."""


class TruncatedEntry(TruncatedSettings):
    """A field of local moments that is compared."""

    precision: Precision = "float64"
    """Precision of the spins that it is given, and of its arithmetic."""


class ElectronsBenchmarkConfig(Config):
    """Electrons solved in several ways, and a network, on the same random states: time and error."""

    lattice: LatticeConfig
    """A crystal of the family that is compared on."""
    sizes: Annotated[tuple[tuple[Count, ...], ...], Key(min_length=1)]
    """Unit cells along each primitive vector, one entry for each lattice."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    kT: NotNegative = 0.05
    """Electron temperature."""
    filling: Filling = 0.25
    """N_e / (2 N_sites)."""
    kpm: Annotated[tuple[KPMSettings, ...], Key(min_length=1)] = (KPMSettings(),)
    """Settings of the kernel polynomial method that are compared."""
    truncated: tuple[TruncatedEntry, ...] = (TruncatedEntry(),)
    """Settings of fields of local moments that are compared: {cutoff: 5, moments: 41}, or {level: fast}."""
    model: str | None = None
    """A trained network: its folder, file or shipped name."""
    exact_sites: Count = 576
    """Lattices with more sites are not diagonalised; the last entry of kpm is the reference there."""
    replicas: Count = 1
    """Random states on each lattice."""
    repeats: Count = 1
    """Evaluations of all states, of which the shortest counts."""
    seed: Seed = 0
    """Seed of the states."""
    output: Path | None = None
    """Folder for benchmark.json, table.md and the figure as cost.png and cost.pdf; results/benchmark-electrons-<date>
    by default."""


class DynamicsBenchmarkConfig(Config):
    """Short runs by several fields on growing lattices: how fast, how large, and where the time goes."""

    lattice: LatticeConfig
    """A crystal of the family that is run on."""
    sizes: Annotated[tuple[tuple[Count, ...], ...], Key(min_length=1)]
    """Unit cells along each primitive vector, one entry for each lattice."""
    replicas: Annotated[tuple[Count, ...], Key(min_length=1)] = (1, 8)
    """Numbers of replicas that run together."""
    fields: Annotated[dict[str, FieldConfig], Key(min_length=1)]
    """Fields by the name they have in the table."""
    initial: InitialConfig = InitialConfig()
    """The spins at time 0."""
    integrator: IntegratorSettings = ExplicitSettings(dt=0.1, kT=0.01)
    """Scheme, time step, damping and bath temperature."""
    observe: dict[str, Count] = {"energy": 10, "magnetization": 10}
    """Observers by name and the steps between their measurements."""
    steps: Count = 10
    """Time steps of each run."""
    repeats: Count = 3
    """Runs, of which the shortest counts."""
    precision: Precision = "float32"
    """Precision of spins and field."""
    memory: Positive | None = None
    """GB that evaluating a network may take, 2 by default; large crystals are evaluated in blocks."""
    seed: Seed = 0
    """Seed of the first states and the noise."""
    output: Path | None = None
    """Folder for benchmark.json, table.md and the figure as speed.png and speed.pdf; results/benchmark-dynamics-<date>
    by default."""

    @property
    def dtype(self) -> torch.dtype:
        """``precision`` as torch names it."""
        return dtype_of(self.precision)
