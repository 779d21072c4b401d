"""The configuration of each command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, field_validator, model_validator
from pydantic import Field as Key

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.electrons import (
    Electrons,
    ExactModelConfig,
    KPMModelConfig,
    OfHamiltonian,
    TruncatedModelConfig,
)
from sdgnn.cli.config.fields import FieldConfig
from sdgnn.cli.config.locality import LabelFloorConfig
from sdgnn.cli.config.physics import HamiltonianConfig, LatticeConfig
from sdgnn.cli.config.points import flattened, points
from sdgnn.cli.config.runs import GuardConfig, InitialConfig
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.common.settings import Count, Positive, Precision, Seed, by_default, dtype_of
from sdgnn.data.protocols import ProtocolSettings
from sdgnn.dynamics.integrators.settings import ExplicitSettings, IntegratorSettings

if TYPE_CHECKING:
    import torch


OBSERVERS = (
    "spins", "energy", "magnetization", "walker", "torque_error", "density", "chemical_potential", "chirality",
    "absolute_chirality", "chirality_map", "chirality_structure_factor", "domain_length", "domain_length_moment",
    "domain_length_walls", "domain_length_clusters", "nearest_neighbour_correlation", "nematic_map", "parallel_bonds",
    "skyrmion_number", "structure_factor", "spin_temperature", "bath_temperature", "external_field",
)  # fmt: skip
"""Names of :mod:`sdgnn.analysis.observers`, which are checked without it."""


Protocols = Annotated[tuple[ProtocolSettings, ...], Key(min_length=1)]


class LabelsConfig(Config):
    """Exact labels of spin states on one lattice."""

    lattice: LatticeConfig
    """The lattice whose states are labelled."""
    hamiltonian: HamiltonianConfig = HamiltonianConfig()
    """The s-d Hamiltonian."""
    electrons: Electrons
    """The electrons' temperature, filling or chemical potential, and how they are solved."""
    protocols: Protocols
    """Which states; each entry names its protocol."""
    seed: Seed = 0
    """Seed of the states."""
    workers: Annotated[int, Key(ge=0)] | None = None
    """Processes on this machine; none takes one per core, 0 stays in this process."""
    scheduler: str | None = None
    """Address of a running dask scheduler (tcp://...) whose workers label instead."""
    output: Path | None = None
    """Folder for labels.h5; results/generate-<date> by default."""


class GenerateConfig(LabelsConfig):
    """Exact labels of spin states."""

    realisations: Count | None = None
    """Number of realisations of the disorder, each labelled in a file of its own, labels-000.h5 and so on; to the seeds
    of the lattice, of the bond disorder and of the states, realisation r adds r. Without it, one labels.h5."""

    @model_validator(mode="after")
    def _has_disorder(self) -> GenerateConfig:
        if self.realisations is not None and not self.lattice.is_random and self.hamiltonian.disorder is None:
            raise UserError(
                f"{self.realisations} realisations of a lattice without disorder",
                allowed="amorphous lattices, a fraction of vacancies, hamiltonian.disorder",
            )
        return self

    def realisation(self, r: int) -> LabelsConfig:
        """The labels of realisation ``r``."""
        disorder = self.hamiltonian.disorder
        if disorder is not None:
            disorder = disorder.model_copy(update={"seed": disorder.seed + r})
        return self.model_copy(
            update={
                "lattice": self.lattice.model_copy(update={"seed": self.lattice.seed + r}),
                "hamiltonian": self.hamiltonian.model_copy(update={"disorder": disorder}),
                "seed": self.seed + r,
            }
        )


class EvaluateConfig(Config):
    """Errors of a network on label sets, beside fitted Heisenberg models."""

    model: str
    """The network: its folder, file or shipped name."""
    data: Annotated[tuple[Path, ...], Key(min_length=1)]
    """Label sets to judge it on; those of a folder are judged together."""
    training: tuple[Path, ...] = ()
    """Label sets, or folders of them, that the Heisenberg models are fitted to; without any, each entry of data serves
    for itself."""
    precision: Precision = "float32"
    """Precision of the network's arithmetic."""
    floor: LabelFloorConfig | None = None
    """Show the locality floor beside the errors of random and noisy ordered states: the smallest error at the halo of
    each field. Measured by diagonalisation, for labels of a known Hamiltonian; floor={} takes the defaults."""
    output: Path | None = None
    """Folder for errors.json; results/evaluate-<date> by default."""


class QuenchConfig(Config):
    """A run of several replicas, without the field that drives the spins."""

    lattice: LatticeConfig
    """The lattice."""
    initial: InitialConfig = InitialConfig()
    """The spins at time 0."""
    integrator: IntegratorSettings = ExplicitSettings()
    """Scheme, time step, damping and bath temperature."""
    steps: Annotated[int, Key(ge=0, le=2**53)]
    """Number of time steps."""
    replicas: Count = 1
    """Independent runs, each with its own first state and noise."""
    observe: dict[str, Count] = {"spins": 100, "energy": 10, "magnetization": 10}
    """Observers by name and the steps between their measurements."""
    checkpoint_every: Count = 1000
    """Steps between checkpoints, from which --resume goes on."""
    precision: Precision = "float32"
    """Precision of spins and field."""
    device: str = "cpu"
    """Where spins and fields are computed: cpu, cuda, or one of several GPUs, for example cuda:1."""
    seed: Seed = 0
    """Seed of the first states and the noise."""

    @field_validator("device")
    @classmethod
    def _present(cls, name: str) -> str:
        if name == "cpu":
            return name
        import torch

        try:
            torch.empty(0, device=name, dtype=torch.float32)
        except (RuntimeError, AssertionError) as error:
            gpus = [f"cuda:{k}" for k in range(torch.cuda.device_count())]
            raise UserError(f"device {name}", allowed=", ".join(["cpu", *gpus])) from error
        return name

    @field_validator("observe")
    @classmethod
    def _known_observers(cls, entries: dict[str, int]) -> dict[str, int]:
        for name in entries:
            if name not in OBSERVERS:
                raise UserError(
                    f"unknown observer {name}", allowed=", ".join(OBSERVERS), fix=did_you_mean(name, OBSERVERS)
                )
        return entries

    @property
    def dtype(self) -> torch.dtype:
        """``precision`` as torch names it."""
        return dtype_of(self.precision)


class SimulateConfig(QuenchConfig):
    """Spin dynamics."""

    field: FieldConfig
    """What drives the spins."""
    guard: GuardConfig | None = None
    """Watch whether the run stays within what its model, a committee, knows; --guard alone takes the defaults."""
    sweep: dict[str, tuple[Any, ...]] = {}
    """Lists of values by key, for example {integrator.kT: [0.1, 0.2], seed: [0, 1, 2]}: every combination is run, those
    that differ in temperature and damping alone as one batch, and sweep.zarr holds them all."""
    memory: Positive | None = None
    """GB (10^9 bytes) that the run may take: a network on a large crystal is evaluated in blocks that leave room for
    the spins, and what cannot fit is refused before it starts. Without it, evaluating the network takes up to 2 GB."""
    output: Path | None = None
    """Folder for the trajectory and checkpoint; results/simulate-<date> by default."""

    @field_validator("sweep", mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        return flattened(given) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _every_point_is_valid(self) -> SimulateConfig:
        if self.sweep:
            points(self)
        return self


class DomainsConfig(Config):
    """Growth of domains."""

    map: Literal["chirality", "nematic", "puddles", "regions"] = "chirality"
    """Which domains: of the sign of the scalar chirality; of stripes along x and along y; ferromagnetic puddles, sites
    whose mean S_i . S_j with their nearest neighbours exceeds 0.5; or ferromagnetic regions, sites that exceed it with
    one of them at least. Needs recorded spins, or chirality_map for chirality and nematic_map for stripes."""
    window: tuple[float, float] | None = None
    """First and last time of the fitted laws; frozen fraction and autocorrelation start at the first. By default all
    times after 0."""
    smoothing: Positive = 2.0
    """Width, in nearest-neighbour distances, over which maps are smoothed before the direction of walls is read."""

    @field_validator("window")
    @classmethod
    def _grows(cls, window: tuple[float, float] | None) -> tuple[float, float] | None:
        if window is not None and not 0 < window[0] < window[1]:
            raise UserError(f"window {list(window)}", allowed="two times, 0 < first < last")
        return window


class SpectrumConfig(Config):
    """Dynamical structure factor."""

    path: Annotated[tuple[tuple[float, ...], ...], Key(min_length=2)]
    """Corners of the path of wave vectors, in fractions of the reciprocal primitive vectors:
    [[0, 0], [0.5, 0], [0.3333333, 0.3333333]]; corners must fit the lattice of the run."""
    segment: Annotated[int, Key(ge=8)] = 256
    """Recorded times in each stretch that is transformed; stretches overlap by half and are averaged."""


class Recorded(OfHamiltonian):
    """Electrons in recorded spins."""

    every: Count = 1
    """Solve the electrons at every so many of the recorded times."""


class RecordedExact(ExactModelConfig, Recorded):
    """Electrons in recorded spins, by diagonalisation."""


class RecordedKPM(KPMModelConfig, Recorded):
    """Electrons in recorded spins, by the kernel polynomial method."""


class RecordedTruncated(TruncatedModelConfig, Recorded):
    """Electrons in recorded spins, by local moments."""


RecordedElectrons = Annotated[
    Annotated[RecordedExact | RecordedKPM | RecordedTruncated, Discriminator("solver")],
    by_default("solver", "exact"),
]
"""Electrons in recorded spins by any solver."""


class AnalyzeConfig(Config):
    """Order and domains in a trajectory, or order against the swept keys of a sweep."""

    trajectory: Path
    """Folder of the run, or of a sweep, for which order and discard are taken alone."""
    order: tuple[tuple[float, ...], ...] | None = None
    """Wave vectors of the spin order whose domains are measured too, in fractions of the reciprocal primitive vectors:
    [[0.5, 0], [0, 0.5], [0.5, 0.5]] for tetrahedral order. Needs recorded spins. Without, the weights of all named
    orders that fit the lattice still stand under orders in analysis.json, of the last recorded spins."""
    against: Path | None = None
    """Folder of another run of the same physics, with the exact field or from other seeds for example, on the same
    lattice: adds the differences of all that both measured, in units of their errors, to analysis.json, a section to
    the report, and agreement.nc."""
    discard: Annotated[float, Key(ge=0, lt=1)] | None = None
    """For a run in equilibrium: the part at its start that is left out of means over time, which analysis.json then
    holds too, with errors that know of autocorrelation; 0.2 for example. The part of every run of a sweep, 0.5 unless
    said otherwise."""
    domains: DomainsConfig | None = None
    """Measure how domains grow: lengths by four routes, exponents with errors, collapse, walls and memory; domains={}
    takes the defaults. Adds growth to analysis.json, a section to the report, and domains.nc with every curve."""
    electrons: RecordedElectrons | None = None
    """Solve the electrons in the recorded spins, on large lattices by solver kpm or truncated: adds density_spread
    and density_follows to analysis.json, a section to the report, and density.nc with the maps."""
    spectrum: SpectrumConfig | None = None
    """Measure S(q, omega) along a path from spins recorded at equal steps; adds spectrum.nc and a figure."""
    output: Path | None = None
    """Folder for analysis.json, analysis.nc and report.html; results/analyze-<date> by default."""
