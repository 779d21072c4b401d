"""Labels from a configuration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.cli.commands.console import say, timed, warn
from sdgnn.cli.config.commands import GenerateConfig, LabelsConfig
from sdgnn.cli.results import open_results
from sdgnn.data import LabelSet
from sdgnn.data.generate import generate
from sdgnn.data.protocols import Snapshots
from sdgnn.data.solvers import describe
from sdgnn.fields import Field
from sdgnn.nn import NetworkSettings, Settings, load
from sdgnn.nn.images import model_of, too_small
from sdgnn.train.binding import electrons_of, other_electrons

LABELS = "labels.h5"
"""Name of the label set in its folder."""


def generate_labels(config: GenerateConfig, resume: bool = False) -> Path:
    """Generate labels into a results folder and return it."""
    results = open_results(config, "generate", resume, ["workers", "scheduler"])
    named = {LABELS: config} if config.realisations is None else realisations(config, config.realisations)
    for name, one in named.items():
        say(repr(make_labels(one, results.path / name, resume=results.resumed)))
    say(f"labels: {results.path / LABELS if config.realisations is None else results.path}")
    return results.path


def realisations(config: GenerateConfig, count: int) -> dict[str, LabelsConfig]:
    """Each realisation of the disorder with the name of its label set."""
    return {f"labels-{r:03d}.h5": config.realisation(r) for r in range(count)}


def make_labels(config: LabelsConfig, path: Path, resume: bool = False, network: Settings | None = None) -> LabelSet:
    """The labels that ``config`` describes, generated into ``path``, with a progress bar.

    Lattices smaller than what a ``network`` of these settings sees, one of the default size without any, are warned of.
    """
    network = NetworkSettings() if network is None else network
    field = config.electrons.build(config.hamiltonian.build(config.lattice.build()))
    warn(too_small(model_of(network, field), "labels"))
    protocols = config.protocols
    warn(text for protocol in protocols if isinstance(protocol, Snapshots) for text in other_drive(protocol, field))
    with timed(f"labels by {field!r}"):
        return generate(
            field,
            protocols,
            path,
            seed=config.seed,
            workers=config.workers,
            scheduler=config.scheduler,
            resume=resume,
            progress=True,
        )


def other_drive(protocol: Snapshots, field: Field) -> list[str]:
    """Warnings about runs that a model drives whose electrons are not those of the labels."""
    if protocol.model is None:
        return []
    return other_electrons(load(protocol.model), electrons_of(describe(field)), "the labels of its runs")
