"""Labels from a configuration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.commands.console import say, timed
from sdgnn.config.commands import GenerateConfig, LabelsConfig
from sdgnn.data import LabelSet
from sdgnn.data.generate import generate
from sdgnn.results import open_results

LABELS = "labels.h5"
"""Name of the label set in its folder."""


def run(config: GenerateConfig, resume: bool = False) -> Path:
    """Generate labels into a results folder and return it."""
    results = open_results(config, "generate", config.output, resume, free=["workers", "scheduler"])
    named = {LABELS: config} if config.realisations is None else realisations(config, config.realisations)
    for name, one in named.items():
        say(repr(make_labels(one, results.path / name, resume=results.resumed)))
    say(f"labels: {results.path / LABELS if config.realisations is None else results.path}")
    return results.path


def realisations(config: GenerateConfig, count: int) -> dict[str, LabelsConfig]:
    """Each realisation of the disorder with the name of its label set."""
    return {f"labels-{r:03d}.h5": config.realisation(r) for r in range(count)}


def make_labels(config: LabelsConfig, path: Path, resume: bool = False) -> LabelSet:
    """The labels that ``config`` describes, generated into ``path``, with a progress bar."""
    field = config.electrons.build(config.hamiltonian.build(config.lattice.build()))
    with timed(f"labels by {field!r}"):
        return generate(
            field,
            config.build_protocols(),
            path,
            seed=config.seed,
            workers=config.workers,
            scheduler=config.scheduler,
            resume=resume,
            progress=True,
        )
