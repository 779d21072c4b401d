"""Diagonalisation, kernel polynomials, local moments and a network: seconds and errors on growing lattices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdgnn import spins
from sdgnn.analysis.plots.cost import error_by_cost
from sdgnn.cli.commands.benchmark import shortest_times, write_benchmark
from sdgnn.cli.commands.console import timed
from sdgnn.cli.config.benchmark import ElectronsBenchmarkConfig
from sdgnn.cli.report.table import Columns, Table, number_or_dash
from sdgnn.cli.results import open_results
from sdgnn.electrons import KPMResult
from sdgnn.electrons.solvers import ExactElectrons, KPMElectrons, TruncatedElectrons
from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn import load
from sdgnn.train import torque_part

COLUMNS: Columns = {
    "lattice": lambda row: " x ".join(map(str, row["lattice"])),
    "sites": lambda row: str(row["sites"]),
    "field": lambda row: row["field"],
    "s per state": lambda row: f"{row['seconds']:.3g}",
    "CPU s": lambda row: f"{row['cpu_seconds']:.2g}",
    "field error": lambda row: "reference" if row.get("reference") else number_or_dash(row.get("field_rmse"), ".2g"),
    "torque error": lambda row: "reference" if row.get("reference") else number_or_dash(row.get("torque_rmse"), ".2g"),
    "R²": lambda row: number_or_dash(row.get("torque_r2"), ".4f"),
    "own estimate": lambda row: number_or_dash(row.get("estimate"), ".2g"),
}
"""Columns of the table: wall and processor time of one state; root mean square errors of a component against the
reference, in t; R² of the torque; the error of the field as the kernel polynomial method (moments x vectors) estimates
it."""


@dataclass(frozen=True)
class Solver:
    """One way to solve the electrons, or a network."""

    method: str
    """Name of the method, which solvers of several settings share."""
    field: Field
    dtype: torch.dtype = torch.float64
    """Precision of the spins that it is given."""

    def __call__(self, states: Tensor) -> FieldResult:
        return self.field(states.to(self.dtype))


def compare_solvers(config: ElectronsBenchmarkConfig, resume: bool = False) -> Path:
    """Time and compare all fields on all lattices into a results folder and return it."""
    results = open_results(config, "benchmark-electrons", resume)
    family = config.lattice.build()
    smallest = min((family.resized(*size) for size in config.sizes), key=lambda lattice: lattice.n_sites)
    for entry in fields_on(config, smallest).values():
        entry(spins.random(smallest, 1, config.seed))  # compilation is not timed
    rows: list[dict[str, Any]] = []
    for size in config.sizes:
        lattice = family.resized(*size)
        with timed(f"{lattice!r}"):
            rows += compare_on(config, lattice)
    judged = any(row.get("torque_rmse", 0) > 0 for row in rows)
    title = f"random states; {torch.get_num_threads()} thread(s)"
    table = Table.of(COLUMNS, rows, title, words=("lattice", "field"), unbroken="field")
    return write_benchmark(results, rows, table, {"cost": error_by_cost(rows)} if judged else {})


def fields_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> dict[str, Solver]:
    """The fields by name; the first is the reference."""
    model = config.hamiltonian.build(lattice)
    ensemble: dict[str, Any] = {"kT": config.kT, "filling": config.filling}
    kernel: dict[str, Solver] = {}
    for settings in config.kpm:
        size = f"{settings.moments} moments x {settings.vectors or 'all'}"
        if settings.tolerance is not None:
            size = f"tolerance {settings.tolerance:g}"
        name = f"KPM, {size}{', plain' if settings.probing == 'plain' else ''}, {settings.precision}"
        kernel[name] = Solver("KPM", KPMElectrons(**ensemble, **settings.model_dump()).build(model))
    fields: dict[str, Solver] = {}
    if lattice.n_sites <= config.exact_sites:
        fields["exact, float64"] = Solver("exact", ExactElectrons(**ensemble).build(model))
    fields |= dict(reversed(kernel.items()))
    for entry in config.truncated:
        local = TruncatedElectrons(**ensemble, **entry.model_dump(exclude={"precision"})).build(model)
        name = f"truncated, cutoff {local.cutoff}, {local.moments} moments, {entry.precision}"
        fields[name] = Solver("truncated", local, getattr(torch, entry.precision))
    if config.model is not None:
        fields["network, float32"] = Solver("network", load(config.model).on(lattice))
    return fields


def compare_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> list[dict[str, Any]]:
    """A row for each field on one lattice."""
    states = spins.random(lattice, config.replicas, config.seed)
    reference: Tensor | None = None
    rows = []
    for name, entry in fields_on(config, lattice).items():
        seconds, processor, result = shortest_times(partial(entry, states), config.repeats)
        row: dict[str, Any] = {
            "lattice": list(lattice.shape or ()),
            "sites": lattice.n_sites,
            "field": name,
            "method": entry.method,
            "seconds": seconds / config.replicas,
            "cpu_seconds": processor / config.replicas,
        }
        if isinstance(result, KPMResult) and result.noise is not None and result.truncation is not None:
            row["estimate"] = _rms(torch.hypot(result.noise, result.truncation))
        found = result.field.double()
        if reference is None:
            reference = found
            row["reference"] = True
        else:
            torque, exact = torque_part(found, states), torque_part(reference, states)
            row |= {"field_rmse": _rms(found - reference), "torque_rmse": _rms(torque - exact)}
            row["torque_r2"] = 1 - float((torque - exact).square().sum() / exact.square().sum())
        rows.append(row)
    return rows


def _rms(values: Tensor) -> float:
    return float(values.double().square().mean().sqrt())
