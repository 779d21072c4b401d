"""The configuration of active learning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.commands import LabelsConfig
from sdgnn.cli.config.physics import LatticeConfig
from sdgnn.cli.config.runs import InitialConfig, integrator_of
from sdgnn.cli.config.training import Share
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, Seed
from sdgnn.dynamics.integrators.settings import ExplicitSettings, IntegratorSettings
from sdgnn.fields.schedules import Schedule
from sdgnn.nn.settings import NetworkSettings, Settings
from sdgnn.train.settings import LearnSettings, TrainSettings

if TYPE_CHECKING:
    from sdgnn.electrons import ExactField, KPMField, TruncatedField
    from sdgnn.train.acquisition import Acquisition


class ExploreConfig(Config):
    """The dynamics whose states the committee must know."""

    lattice: LatticeConfig | None = None
    """The lattice of interest; that of the labels by default. On a larger one, the pieces of the labels' size where the
    members disagree most are cut out, closed periodically and labelled."""
    initial: InitialConfig = InitialConfig()
    """The spins at time 0."""
    integrator: IntegratorSettings = ExplicitSettings()
    """Scheme, time step, damping and bath temperature."""
    steps: Count = 200
    """Length of each run, in time steps."""
    every: Count = 10
    """Steps between the states of a run that may be picked."""
    replicas: Count = 8
    """Independent runs in each round, each with its own first state and noise."""

    @model_validator(mode="after")
    def _some_states(self) -> ExploreConfig:
        if self.every > self.steps:
            raise UserError(f"a state every {self.every} of {self.steps} steps", allowed="every <= steps")
        kT, damping = self.integrator.kT, getattr(self.integrator, "damping", None)
        several = isinstance(kT, tuple) or (isinstance(kT, Schedule) and kT.replicas is not None)
        if several or isinstance(damping, tuple):
            raise UserError("damping or kT for each replica", allowed="one number for all runs")
        return self

    def build(self, exact: ExactField | KPMField | TruncatedField, dt: float | None = None) -> Acquisition:
        """The exploration; a time step that is not given is ``dt``, else suggested for random states of ``exact``."""
        import torch

        from sdgnn.train.acquisition import Acquisition

        lattice = exact.lattice if self.lattice is None else self.lattice.build()

        def first(where, replicas, seed):  # type: ignore[no-untyped-def]
            return self.initial.build(where, replicas, seed, torch.float32)

        integrator = integrator_of(self.integrator, exact, first(exact.lattice, 1, 0), dt)
        return Acquisition(lattice, first, integrator, self.steps, self.every, self.replicas)


class LearnConfig(LabelsConfig):
    """Active learning: exact labels, a committee trained on them, its own dynamics, and labels where it disagrees."""

    validation: Share = 0.2
    """Part of the first labels that is held out to choose the best weights and to calibrate the committee."""
    network: Settings = NetworkSettings()
    """The members: their kind, network unless said otherwise, and their size."""
    training: TrainSettings = TrainSettings(epochs=30)
    """How the members are trained in each round; they go on from the round before."""
    exploration: ExploreConfig = ExploreConfig()
    """The dynamics whose states the committee must know."""
    learning: LearnSettings = LearnSettings()
    """Number of states that each round adds, and when learning stops."""
    seed: Seed = 0
    """Seed of states, noise, initial weights and the split."""
    output: Path | None = None
    """Folder for everything; results/learn-<date> by default."""
