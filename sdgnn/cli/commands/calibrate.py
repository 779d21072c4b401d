"""Calibration from a configuration."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.config.calibration import CalibrateConfig
from sdgnn.cli.results import open_results
from sdgnn.data import read
from sdgnn.train.factors import calibrate


def calibrate_model(config: CalibrateConfig) -> Path:
    """Calibrate into a results folder and return it."""
    labels = None if config.data is None else read(config.data)
    results = open_results(config, "calibrate")
    model, electrons = config.hamiltonian.build(config.lattice.build()), config.electrons
    with timed(f"calibration of {model!r}"):
        network, report = calibrate(
            model, electrons.kT, electrons.mu, electrons.filling, level=config.level, labels=labels
        )
    network.save(results.path)
    results.write_json("calibration.json", asdict(report))
    say(str(report))
    say(f"model: {results.path}")
    return results.path
