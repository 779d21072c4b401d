"""Training from a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sdgnn.cli.commands.console import say, timed, warnings_said
from sdgnn.cli.config.training import TrainConfig
from sdgnn.cli.results import open_results
from sdgnn.common import processes
from sdgnn.common.errors import UserError
from sdgnn.common.extras import missing
from sdgnn.data import LabelSet, read_all
from sdgnn.lattice import Lattice
from sdgnn.nn import Model, NetworkSettings, Settings, create, load
from sdgnn.nn.committee import Committee
from sdgnn.train import TrainSettings
from sdgnn.train.binding import adopt, with_electrons
from sdgnn.train.loop import fit

MAY_DIFFER = ("data",)
"""Keys that may differ when a training is resumed: the labels' content counts, which the training knows."""


def train_model(config: TrainConfig, resume: bool = False) -> Path:
    """Train into a results folder and return it, on all processes that torchrun has started."""
    with processes.group():
        sets = [labels for path in config.data for labels in read_all(path)]
        parts = [labels.split([1 - config.validation, config.validation], config.seed) for labels in sets]
        training, validation = [first for first, _ in parts], [second for _, second in parts]
        family = None if config.family is None else config.family.build()
        network = new_network(config.origin, training, config.seed, family)
        results = open_results(config, "train", resume, MAY_DIFFER)
        train_network(network, training, validation, config.training, results.path, resume=results.resumed)
    say(f"model: {results.path}; {where_curves(results.path)}")
    return results.path


def where_curves(folder: Path) -> str:
    """How to see the curves of the training in ``folder``, or what they need."""
    return f"tensorboard --logdir {folder}" if not missing("train") else "curves need pip install 'sdgnn[train]'"


def new_network(
    origin: Settings | str, training: Sequence[LabelSet], seed: int, family: Lattice | None = None
) -> Model:
    """A network with initial weights from ``seed``, or a trained one by name or path, for the labels.

    The family of a new one is that given, or that of the first labels on a crystal; others may be on that crystal with
    vacancies or on other free positions. Raises UserError when the label sets are on crystals of several families, or
    of none, on a committee to go on from, and without the packages that a kind of network needs.
    """
    if isinstance(origin, str):
        network = trained(origin)
        adopt(network, training)
        return network
    if isinstance(origin, NetworkSettings):
        return create(with_electrons(origin, training), training[0].lattice if family is None else family, seed)
    return create(origin, family_of(training, family), seed)


def train_network(
    network: Model,
    training: Sequence[LabelSet],
    validation: Sequence[LabelSet],
    settings: TrainSettings,
    folder: Path,
    resume: bool = False,
) -> Model:
    """The network, trained into ``folder``, with a progress bar."""
    with warnings_said(), timed(f"training {network!r} on {sum(map(len, training))} states"):
        return fit(network, training, validation, settings, folder, resume=resume, progress=True)


def trained(name_or_path: str) -> Model:
    """A trained model to go on from. Raises UserError on committees."""
    model = load(name_or_path)
    if isinstance(model, Committee):
        raise UserError(
            f"training that starts from the committee {name_or_path}",
            allowed="a single model",
            fix="name one of its members",
        )
    return model


def family_of(training: Sequence[LabelSet], family: Lattice | None) -> Lattice:
    """The crystal for whose family a network is made; raises as :func:`new_network` says."""
    lattices = [labels.lattice for labels in training]
    lattice, *others = sorted(lattices if family is None else [family, *lattices], key=lambda one: not one.is_crystal)
    if not lattice.is_crystal:
        raise UserError(
            f"a network for labels on {lattice!r}",
            allowed="a crystal among the lattices, or as the family",
            fix="give family, for example family={type: triangular, size: [4, 4]}",
        )
    for other in others:
        if other.is_crystal and not other.same_family(lattice):
            raise UserError(f"labels on {lattice!r} and {other!r}", allowed="lattices of one family")
    return lattice
