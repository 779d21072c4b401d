"""Models of several kinds on the same labels: trained alike, judged alike, side by side."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdgnn.cli.commands.benchmark import write_benchmark
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.floors import with_floors
from sdgnn.cli.commands.train import new_network, train_network
from sdgnn.cli.config.benchmark import BenchmarkConfig, BenchmarkFloorConfig, SplitConfig
from sdgnn.cli.report.table import Columns, Table, number_or_dash
from sdgnn.cli.results import open_results
from sdgnn.common.errors import UserError
from sdgnn.common.rounding import with_error
from sdgnn.data import LabelSet, read
from sdgnn.fields import Field
from sdgnn.nn import load
from sdgnn.train import Comparison, compare, fit_heisenberg
from sdgnn.train.binding import bind

REPEATS = 5
"""Evaluations of one state whose median is the time per site."""
MODEL = "model.safetensors"
"""File that a finished training leaves in its folder."""


@dataclass(frozen=True)
class Trained:
    """A model of the benchmark, bound to the lattice of the labels."""

    field: Field
    parameters: int
    """Number of weights."""
    seconds: float
    """Wall time of the fit."""


def compare_models(config: BenchmarkConfig, resume: bool = False) -> Path:
    """Train and judge into a results folder and return it. Raises UserError where the labels are not there."""
    if not config.data.is_file():
        raise UserError(
            f"no label set at {config.data}",
            fix="put the file there, or say where it is with data=FILE",
        )
    labels = read(config.data)
    training, validation, test = split(labels, config.split)
    networks = {name: new_network(model.origin, [training], config.seed) for name, model in config.models.items()}
    results = open_results(config, "benchmark", resume)
    say(f"{len(training)} states train, {len(validation)} choose the weights, {len(test)} test: {test!r}")
    entries = heisenberg_models(config, training)
    for name, model in config.models.items():
        folder = results.path / "models" / _folder(name)
        if results.resumed and (folder / MODEL).is_file():
            network = load(folder)
        else:
            settings = model.training or config.training
            network = train_network(networks[name], [training], [validation], settings, folder, resume)
        seconds = float(network.provenance["metrics"]["run"]["seconds"])
        entries[name] = Trained(bind(network, labels), network.n_parameters, seconds)
    fields = {name: entry.field for name, entry in entries.items()}
    with timed("errors on the test states"):
        errors = compare(fields, test)
        speed = {name: microseconds_per_site(field, test) for name, field in fields.items()}
    if config.floor is not None:
        errors = add_floors(errors, fields, test, config.floor, config.seed)
    rows = [
        {**row, "parameters": entries[row["field"]].parameters, "training_seconds": entries[row["field"]].seconds,
         "torque_mse": row["torque_rmse"] ** 2, "microseconds_per_site": speed[row["field"]]}
        for row in errors.to_dict()
    ]  # fmt: skip
    states = {"training": len(training), "validation": len(validation), "test": len(test)}
    table = Table.of(
        COLUMNS, rows, f"{config.data.name}: test states", words=("model", "states"), unbroken="floor MSE"
    )  # fmt: skip
    return write_benchmark(results, rows, table, {}, labels_hash=labels.content_hash, states=states)


def split(labels: LabelSet, config: SplitConfig) -> tuple[LabelSet, LabelSet, LabelSet]:
    """Training, validation and test states. Raises UserError when a state that is named is not there."""
    if isinstance(config.test, tuple) and isinstance(config.validation, tuple):
        held = {*config.test, *config.validation}
        left = [i for i in range(len(labels)) if i not in held]
        return labels[left], labels[list(config.validation)], labels[list(config.test)]
    assert isinstance(config.test, float) and isinstance(config.validation, float)
    rest, test = labels.split([1 - config.test, config.test], config.seed)
    training, validation = rest.split([1 - config.validation, config.validation], config.seed)
    return training, validation, test


def heisenberg_models(config: BenchmarkConfig, training: LabelSet) -> dict[str, Trained]:
    """Heisenberg models fitted to the training states."""
    entries = {}
    for shells in config.heisenberg:
        start = time.monotonic()
        field = fit_heisenberg(training, shells)
        name = f"Heisenberg, {shells} shell{'s' if shells > 1 else ''}"
        entries[name] = Trained(field, len(field.couplings), round(time.monotonic() - start, 1))
    return entries


def microseconds_per_site(field: Field, labels: LabelSet) -> float:
    """Median wall time of energy and field of one float32 state, per site; a first call is not counted."""
    state = labels.spins[:1].float()
    field(state)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        field(state)
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times) / labels.lattice.n_sites


def add_floors(
    errors: Comparison, fields: dict[str, Field], test: LabelSet, config: BenchmarkFloorConfig, seed: int
) -> Comparison:
    """The errors with the floors that the configuration describes."""
    exact = config.electrons.build(config.hamiltonian.build(test.lattice.resized(*config.size)))
    return with_floors(
        errors, fields, test, exact, {name: states.build() for name, states in config.states.items()}, config, seed
    )


def _floor_mse(row: dict[str, Any]) -> str:
    """The floor's mean square, with the error that follows from that of its root where that is known."""
    floor, error = row.get("floor_torque_rmse"), row.get("floor_torque_rmse_error")
    if floor is None:
        return "-"
    return with_error(floor**2, None if error is None else 2 * floor * error, ".1e")


COLUMNS: Columns = {
    "model": lambda row: row["field"],
    "states": lambda row: f"{row['protocol']} ({row['n_states']})",
    "R²": lambda row: with_error(row["torque_r2"], row["torque_r2_error"], ".4f"),
    "MSE": lambda row: f"{row['torque_mse']:.2e}",
    "floor R²": lambda row: number_or_dash(row.get("floor_torque_r2"), ".4f"),
    "floor MSE": _floor_mse,
    "weights": lambda row: str(row["parameters"]),
    "training (s)": lambda row: f"{row['training_seconds']:.0f}",
    "µs per site": lambda row: f"{row['microseconds_per_site']:.1f}",
}
"""Columns of the table; R² and mean square error are those of the torque."""


def _folder(name: str) -> str:
    """The name of a model as a folder."""
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
