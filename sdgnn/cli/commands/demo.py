"""The fields of one Hamiltonian, without labels, calibrated and trained, judged on exact states; a quench; a report."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from sdgnn.analysis.plots.beside import going_together
from sdgnn.analysis.trajectories import analyze
from sdgnn.cli.commands.benchmark import shortest_times
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.generate import LABELS, make_labels
from sdgnn.cli.commands.numbers import series
from sdgnn.cli.commands.single_run import Start, run_dynamics
from sdgnn.cli.commands.train import new_network, train_network, where_curves
from sdgnn.cli.config.training import DemoConfig
from sdgnn.cli.report.demo import page
from sdgnn.cli.report.fields import (
    ACCURATE,
    CALIBRATED,
    EXACT,
    FAST,
    TRAINED,
    Fitted,
    Outcome,
    Row,
    fields_on,
    table_of_fields,
)
from sdgnn.cli.results import open_results
from sdgnn.common.files import write_json
from sdgnn.data import LabelSet
from sdgnn.dynamics import Run
from sdgnn.fields import Field
from sdgnn.nn import Model, NetworkSettings, load
from sdgnn.train.baselines import Comparison, compare
from sdgnn.train.factors import CalibrationReport, calibrate

REPORT = "report.html"
"""Name of the report in the folder."""

REPEATS = 3
"""Evaluations of a field that are timed, of which the shortest counts."""


def run_demo(config: DemoConfig, resume: bool = False) -> Path:
    """Run the pipeline into a results folder and return it; the path is the last line on standard output."""
    results = open_results(config, "demo", resume, ["workers", "scheduler"])
    outcome = pipeline(config, results.path, results.resumed)
    with timed("report"):
        report = page(config, outcome).write(results.path / REPORT)
    say(f"calibration: {outcome.calibration!r}")
    say(table_of_fields(outcome.rows).for_console())
    say(f"total {sum(outcome.seconds.values()):.0f} s; {where_curves(results.path / 'model')}")
    say(f"report: {report}")
    print(results.path)
    return results.path


def pipeline(config: DemoConfig, folder: Path, resume: bool = False) -> Outcome:
    """Every step in order, each with its own folder inside ``folder``; with ``resume``, finished ones are read."""
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)

    labels = make_labels(config, folder / "labels" / LABELS, resume, config.network)
    rest, test = labels.split([1 - config.test, config.test], config.seed)
    training, validation = rest.split([1 - config.validation, config.validation], config.seed)
    clock.lap("labels")
    larger = make_labels(config.of_larger(), folder / "larger" / LABELS, resume, config.network)
    clock.lap("labels of the larger lattice")

    few = first_of_each(training, config.calibrated)
    with timed(f"calibration on {len(few)} states"):
        calibrated, calibration = calibrate_network(config, few)
        calibrated.model.save(folder / "calibrated")
    clock.lap("calibration")
    models = {
        FAST: Fitted(load("universal")),
        ACCURATE: Fitted(load("universal", level="accurate")),
        CALIBRATED: calibrated,
        TRAINED: train_or_read(config, training, validation, folder / "model", resume),
    }
    clock.lap("training")

    with timed("errors on held-out states and on the larger lattice, and times"):
        errors, errors_larger = (compare(fields_on(models, training, part), part) for part in (test, larger))
        rows = measure(config, models, training, larger, errors, errors_larger)
    clock.lap("errors and times")

    driving = models[TRAINED].model.on(config.quench.lattice.build())
    quench = run_dynamics(config.quench, Start.of(config.quench, driving, folder / "quench"), folder / "quench", resume)
    clock.lap("quench")
    with timed("analysis of the quench"):
        analysis = analyze(quench.trajectory, quench.field.lattice)
    clock.lap("analysis")
    together = run_beside(config, models[TRAINED].model, folder / "beside", resume)
    clock.lap("exact electrons beside the network")
    outcome = Outcome(
        training, test, larger, models, calibration, rows, errors, errors_larger, quench, analysis, together, seconds
    )
    write_numbers(outcome, folder / "numbers.json")
    return outcome


def run_beside(config: DemoConfig, network: Model, folder: Path, resume: bool) -> dict[str, Run]:
    """Exact electrons and the network from the same spins and with the same noise, where that is asked for."""
    wanted = config.of_beside()
    if wanted is None:
        return {}
    lattice = wanted.lattice.build()
    exact = config.electrons.build(config.hamiltonian.build(lattice))
    fields = {EXACT: exact, TRAINED: network.on(lattice, dtype=torch.float64)}
    parts = {name: folder / name.replace(" ", "-") for name in fields}
    return {
        name: run_dynamics(wanted, Start.of(wanted, field, parts[name]), parts[name], resume)
        for name, field in fields.items()
    }


def first_of_each(labels: LabelSet, count: int) -> LabelSet:
    """The first states of each kind, at most ``count``."""
    chosen: list[int] = []
    for name in labels.counts:
        chosen += [k for k, kind in enumerate(labels.protocol) if kind == name][:count]
    return labels[sorted(chosen)]


def calibrate_network(config: DemoConfig, few: LabelSet) -> tuple[Fitted, CalibrationReport]:
    """The network with factors fitted to ``few`` states, as fast or accurate as the one that is trained."""
    electrons = config.electrons
    network, report = calibrate(
        config.hamiltonian.build(few.lattice), electrons.kT, electrons.mu, electrons.filling, labels=few,
        level=config.network.level if isinstance(config.network, NetworkSettings) else None,
    )  # fmt: skip
    return Fitted(network, len(few), report.seconds), report


def train_or_read(config: DemoConfig, training: LabelSet, validation: LabelSet, folder: Path, resume: bool) -> Fitted:
    """The trained network; with ``resume``, a finished one is read from its folder."""
    states = len(training) + len(validation)
    if resume and (folder / "model.safetensors").is_file():
        return Fitted(load(folder), states, math.nan)
    start = time.monotonic()
    network = new_network(config.network, [training], config.seed)
    network = train_network(network, [training], [validation], config.training, folder, resume)
    return Fitted(network, states, time.monotonic() - start)


def measure(
    config: DemoConfig, models: dict[str, Fitted], training: LabelSet, larger: LabelSet, errors: Comparison,
    errors_larger: Comparison,
) -> tuple[Row, ...]:  # fmt: skip
    """A row of every field, with the time of its evaluation on the larger lattice."""
    exact = config.electrons.build(config.hamiltonian.build(larger.lattice))
    rows = [Row(EXACT, 0, 0.0, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), microseconds(exact, larger, 1))]
    for name, field in fields_on(models, training, larger).items():
        held, far = errors[name, "all"], errors_larger[name, "all"]
        fitted = models.get(name)
        labels, seconds = (len(training), math.nan) if fitted is None else (fitted.labels, fitted.seconds)
        r2, rmse = (held.torque_r2, far.torque_r2), (held.torque_rmse, far.torque_rmse)
        error = (held.torque_r2_error, far.torque_r2_error)
        rows.append(Row(name, labels, seconds, r2, rmse, error, microseconds(field, larger)))
    return tuple(rows)


def microseconds(field: Field, labels: LabelSet, repeats: int = REPEATS) -> float:
    """Processor time of one evaluation of the first state per site, over all threads, the shortest of ``repeats``."""
    _, processor, _ = shortest_times(lambda: field(labels.spins[:1]), repeats)
    return 1e6 * processor / labels.lattice.n_sites


def write_numbers(outcome: Outcome, path: Path) -> None:
    """What the report shows, for programs."""
    sets = ("held-out", "larger")
    rows = [
        {
            "field": row.field, "labels": row.labels, "microseconds_per_site": row.microseconds,
            "seconds": row.seconds, "torque_r2": dict(zip(sets, row.torque_r2, strict=True)),
            "torque_rmse": dict(zip(sets, row.torque_rmse, strict=True)),
        }
        for row in outcome.rows
    ]  # fmt: skip
    content = {
        "fields": rows,
        "errors": {"held-out": outcome.errors.to_dict(), "larger": outcome.errors_larger.to_dict()},
        "calibration": asdict(outcome.calibration),
        "quench": series(outcome.analysis),
        "beside": beside_numbers(outcome.beside),
        "seconds": outcome.seconds,
    }
    write_json(path, content)


def beside_numbers(runs: dict[str, Run]) -> dict[str, Any]:
    """Correlation of the maps of both runs, and their energies per site, by time."""
    if not runs:
        return {}
    exact, network = (runs[name].trajectory for name in (EXACT, TRAINED))
    lattice = runs[EXACT].field.lattice
    return {
        "time": exact["time"].values,
        "correlation": going_together(exact, network, lattice),
        "energy_per_site": {
            name: run.trajectory["energy"].values[:, 0] / lattice.n_sites for name, run in runs.items()
        },
    }


class _Clock:
    """Writes the time since the last lap under a name."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[name] = round(now - self._last, 1)
        self._last = now
