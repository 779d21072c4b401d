"""Labels from a configuration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.commands.console import say, timed
from sdgnn.config.commands import GenerateConfig
from sdgnn.data import LabelSet
from sdgnn.data.generate import generate
from sdgnn.results import open_results

LABELS = "labels.h5"
"""Name of the label set in its folder."""


def run(config: GenerateConfig, resume: bool = False) -> Path:
    """Generate labels into a results folder and return it."""
    results = open_results(config, "generate", config.output, resume, free=["workers", "scheduler"])
    labels = make_labels(config, results.path / LABELS, resume=results.resumed)
    say(repr(labels))
    say(f"labels: {results.path / LABELS}")
    return results.path


def make_labels(config: GenerateConfig, path: Path, resume: bool = False) -> LabelSet:
    """The labels that ``config`` describes, generated into ``path``, with a progress bar."""
    field = config.solver.build(config.hamiltonian.build(config.lattice.build()))
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
