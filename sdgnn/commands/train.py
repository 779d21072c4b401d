"""Training from a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdgnn.commands.console import say, timed
from sdgnn.config.training import TrainConfig
from sdgnn.data import LabelSet
from sdgnn.errors import UserError
from sdgnn.nn import Model, Settings, create
from sdgnn.results import open_results
from sdgnn.train import TrainSettings
from sdgnn.train.loop import fit


def run(config: TrainConfig, resume: bool = False) -> Path:
    """Train into a results folder and return it."""
    sets = [LabelSet.read(path) for path in config.data]
    results = open_results(config, "train", config.output, resume)
    parts = [labels.split([1 - config.validation, config.validation], config.seed) for labels in sets]
    training, validation = [first for first, _ in parts], [second for _, second in parts]
    train_network(
        training, validation, config.network, config.training, config.seed, results.path, resume=results.resumed
    )
    say(f"model: {results.path}")
    return results.path


def train_network(
    training: Sequence[LabelSet],
    validation: Sequence[LabelSet],
    network: Settings,
    settings: TrainSettings,
    seed: int,
    folder: Path,
    resume: bool = False,
) -> Model:
    """A network with initial weights from ``seed``, trained into ``folder``, with a progress bar.

    Its family is that of the first labels on a crystal; others may be on that crystal with vacancies. Raises UserError
    when the label sets are on crystals of several families.
    """
    lattice, *others = sorted((labels.lattice for labels in training), key=lambda lattice: not lattice.is_crystal)
    for other in others:
        if other.is_crystal and not other.same_family(lattice):
            raise UserError(f"labels on {lattice!r} and {other!r}", allowed="lattices of one family")
    fresh = create(network, lattice, seed)
    with timed(f"training {fresh!r} on {sum(map(len, training))} states"):
        return fit(fresh, training, validation, settings, folder, resume=resume, progress=True)
