"""The whole pipeline: labels, training, errors, locality, a quench of a larger lattice, and a report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sdgnn.analysis.locality import LocalityFloor, locality_floor
from sdgnn.analysis.trajectories import analyze
from sdgnn.commands.analyze import series
from sdgnn.commands.console import bar, console, say, timed
from sdgnn.commands.evaluate import compare_network
from sdgnn.commands.floors import floor_at
from sdgnn.commands.generate import LABELS, make_labels
from sdgnn.commands.simulate import Start, run_dynamics
from sdgnn.commands.train import train_network
from sdgnn.config.commands import LabelsConfig
from sdgnn.config.training import DemoConfig
from sdgnn.data import LabelSet
from sdgnn.dynamics import Run
from sdgnn.lattice import Lattice
from sdgnn.nn import Model
from sdgnn.results import open_results
from sdgnn.train import Comparison

if TYPE_CHECKING:
    import xarray

REPORT = "report.html"
"""Name of the report in the folder."""


@dataclass(frozen=True)
class Outcome:
    """Everything the report shows."""

    training: LabelSet
    """Labels that the network was trained on."""
    test: LabelSet
    """Held-out labels of the same lattice."""
    larger: LabelSet
    """Labels of the larger lattice."""
    network: Model
    """The trained network."""
    errors: Comparison
    """Errors on ``test``."""
    errors_larger: Comparison
    """Errors on ``larger``."""
    floor: LocalityFloor
    """The smallest error that any reach allows."""
    quench: Run
    """The quench."""
    analysis: xarray.Dataset
    """Its analysis over replicas."""
    seconds: dict[str, float]
    """Wall time of each step."""


def run(config: DemoConfig) -> Path:
    """Run the pipeline into a results folder and return it; the path is the last line on standard output."""
    from sdgnn.report.demo import write_report

    results = open_results(config, "demo", config.output)
    outcome = pipeline(config, results.path)
    with timed("report"):
        report = write_report(config, outcome, results.path / REPORT)
    for title, errors in (("held-out states", outcome.errors), ("larger lattice", outcome.errors_larger)):
        console.print(errors.table(title=title))
    say(f"total {sum(outcome.seconds.values()):.0f} s; tensorboard --logdir {results.path / 'model'}")
    say(f"report: {report}")
    print(results.path)
    return results.path


def pipeline(config: DemoConfig, folder: Path) -> Outcome:
    """Every step in order, each with its own folder inside ``folder``."""
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)

    labels = make_labels(config.labels, folder / "labels" / LABELS)
    rest, test = labels.split([1 - config.test, config.test], config.seed)
    training, validation = rest.split([1 - config.validation, config.validation], config.seed)
    clock.lap("labels")
    larger = make_labels(larger_labels(config), folder / "larger" / LABELS)
    clock.lap("labels of the larger lattice")

    network = train_network([training], [validation], config.network, config.training, config.seed, folder / "model")
    clock.lap("training")

    with timed("errors on held-out states and on the larger lattice"):
        errors, errors_larger = (compare_network(network, [part], [training]) for part in (test, larger))
        floor = measure_floor(config, network, labels.lattice)
        reach = 2.0 * network.reach
        if reach in floor.radii:
            errors = replace(errors, floors={("network", "random"): floor_at(floor, reach)})
    clock.lap("errors and locality")

    quench = run_dynamics(
        config.quench, Start.of(config.quench, network.on(config.quench.lattice.build())), folder / "quench"
    )
    clock.lap("quench")
    with timed("analysis of the quench"):
        analysis = analyze(quench.trajectory, quench.field.lattice)
    clock.lap("analysis")
    outcome = Outcome(training, test, larger, network, errors, errors_larger, floor, quench, analysis, seconds)
    write_numbers(outcome, folder)
    return outcome


def larger_labels(config: DemoConfig) -> LabelsConfig:
    """The configuration of labels for the larger lattice: random states of the same physics, from another seed."""
    lattice = config.labels.lattice.model_copy(update={"size": config.larger.size})
    protocols = ({"protocol": "random", "states": config.larger.states},)
    return config.labels.model_copy(update={"lattice": lattice, "protocols": protocols, "seed": config.labels.seed + 1})


def measure_floor(config: DemoConfig, network: Model, lattice: Lattice) -> LocalityFloor:
    """The locality floor of the exact field at radii up to the reach of the network's field."""
    exact = config.labels.electrons.build(config.labels.hamiltonian.build(lattice))
    widest = min(int(2 * network.reach), int(min(config.labels.lattice.size) / 2))
    radii = list(range(1, widest + 1))
    total = len(radii) * config.locality.environments * config.locality.redraws
    with bar("locality", total, "states") as advance:
        return locality_floor(
            exact, radii, config.locality.environments, config.locality.redraws, config.seed, advance=advance
        )


def write_numbers(outcome: Outcome, folder: Path) -> None:
    """numbers.json: what the report shows, for programs."""
    from sdgnn.train.loop import write_json

    floor = outcome.floor
    write_json(
        folder / "numbers.json",
        {
            "errors": {"held-out": outcome.errors.to_dict(), "larger": outcome.errors_larger.to_dict()},
            "locality": {"radius": floor.radii, "torque_rmse": floor.rmse.tolist(), "torque_rms": floor.rms},
            "quench": series(outcome.analysis),
            "seconds": outcome.seconds,
        },
    )


class _Clock:
    """Writes the time since the last lap under a name."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = round(now - self._last, 1)
        self._last = now
