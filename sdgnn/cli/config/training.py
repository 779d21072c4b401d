"""The configurations of training and of the demo, which trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field as Key
from pydantic import model_validator

from sdgnn.cli.config.base import Config
from sdgnn.cli.config.commands import LabelsConfig, Protocols, QuenchConfig
from sdgnn.cli.config.physics import LatticeConfig
from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, Seed
from sdgnn.electrons.solvers import ExactElectrons
from sdgnn.nn.settings import NetworkSettings, Settings
from sdgnn.train.settings import TrainSettings

Share = Annotated[float, Key(gt=0, lt=1)]


class TrainConfig(Config):
    """Training of a network on label sets."""

    data: Annotated[tuple[Path, ...], Key(min_length=1)]
    """Label sets of one lattice family: .h5, or .npz with spins, field, lattice, shape; a folder stands for all of its
    .h5 files."""
    validation: Share = 0.1
    """Part of the independent samples of every set that is held out to choose the best weights."""
    family: LatticeConfig | None = None
    """Crystal for whose bond directions the network is made; by default that of the labels, but needed where none of
    them are on crystals: {type: triangular, size: [4, 4]} for amorphous positions in the plane."""
    network: Settings | None = None
    """The model: its kind, network unless said otherwise, and its size."""
    start: str | None = None
    """A trained model, its folder, file or shipped name, that takes the place of ``network``: training goes on from its
    weights. Labels of other electrons than its own are welcome; a tenth of the usual learning rate forgets less."""
    training: TrainSettings = TrainSettings()
    """How it is trained."""
    seed: Seed = 0
    """Seed of the initial weights and of the split; the order of the states has its own (training.seed)."""
    output: Path | None = None
    """Folder for the model, metrics, checkpoints and TensorBoard logs; results/train-<date> by default."""

    @model_validator(mode="before")
    @classmethod
    def _network_by_default(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("network") is None and given.get("start") is None:
            return {**given, "network": {}}
        return given

    @model_validator(mode="after")
    def _one_model(self) -> TrainConfig:
        if self.start is not None and self.network is not None:
            raise UserError("network and start", allowed="one of them", fix="leave network out: it is that of start")
        return self

    @property
    def origin(self) -> Settings | str:
        """Settings of a new model, or the trained one to go on from."""
        return self.network if self.network is not None else str(self.start)


class LargerConfig(Config):
    """The larger exact lattice on which fields are judged and nothing is trained."""

    lattice: LatticeConfig
    """The lattice; what is not said here, but for its size, is that of the labels' lattice."""
    protocols: Protocols
    """Which states, as in ``protocols``."""


class BesideConfig(Config):
    """A run of exact electrons beside one of the trained network, from the same spins and with the same noise."""

    lattice: LatticeConfig
    """The lattice; what is not said here, but for its size, is that of the labels' lattice."""
    steps: Count = 50
    """Steps of the integrator of ``quench``."""
    every: Count = 5
    """Steps between records."""


SIZES = ("size", "sites", "positions", "cell")
"""Keys of a lattice that say how large it is."""


class DemoConfig(LabelsConfig):
    """The fields of one Hamiltonian, without labels, calibrated and trained, and a quench."""

    electrons: ExactElectrons
    """The electrons' temperature, filling or chemical potential, and the boundary phases of exact labels."""
    test: Share = 0.15
    """Part of the labelled samples on which errors are reported and to which nothing is fitted."""
    larger: LargerConfig
    """Labels of a larger lattice, for errors alone."""
    calibrated: Count = 6
    """States of each protocol, at most, to which the calibrated network is fitted."""
    validation: Share = 0.1
    """Part of the other samples that is held out to choose the best weights."""
    network: Settings = NetworkSettings()
    """The trained model: its kind, network unless said otherwise, and its size."""
    training: TrainSettings = TrainSettings()
    """How it is trained."""
    quench: QuenchConfig
    """The quench that the trained network drives; its lattice as in ``larger``."""
    beside: BesideConfig | None = None
    """A short run of exact electrons and of the trained network, from the spins, bath and noise of ``quench``; left out
    unless given."""
    seed: Seed = 0
    """Seed of the states, of the initial weights and of the split."""
    output: Path | None = None
    """Folder for everything; results/demo-<date> by default."""

    @model_validator(mode="before")
    @classmethod
    def _one_family(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("lattice"), dict):
            return given
        family = {key: value for key, value in given["lattice"].items() if key not in SIZES}
        for part in ("larger", "quench", "beside"):
            section = given.get(part)
            if isinstance(section, dict) and isinstance(section.get("lattice"), dict):
                given = {**given, part: {**section, "lattice": {**family, **section["lattice"]}}}
        return given

    def of_beside(self) -> QuenchConfig | None:
        """The run of ``beside``, if one is asked for: that of ``quench`` with one replica on the other lattice."""
        if self.beside is None:
            return None
        observe = dict.fromkeys(("spins", "energy"), self.beside.every)
        update = {
            "lattice": self.beside.lattice, "steps": self.beside.steps, "replicas": 1, "observe": observe,
            "precision": "float64",
        }  # fmt: skip
        return self.quench.model_copy(update=update)

    def of_larger(self) -> LabelsConfig:
        """The labels of the larger lattice: the same physics, states from another seed."""
        update = {"lattice": self.larger.lattice, "protocols": self.larger.protocols, "seed": self.seed + 1}
        return self.model_copy(update=update)
