"""Diagonalisation, kernel polynomials, local moments and a network: seconds and errors on growing lattices."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdgnn import spins
from sdgnn.analysis.plots.cost import error_by_cost
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.tables import Table
from sdgnn.cli.config.benchmark import ElectronsBenchmarkConfig
from sdgnn.cli.config.electrons import ExactConfig, KPMConfig, TruncatedConfig
from sdgnn.cli.results import open_results
from sdgnn.common.files import atomic_path
from sdgnn.electrons import KPMResult
from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn import load
from sdgnn.train import torque_part

HEAD = ("lattice", "sites", "field", "s per state", "CPU s", "field error", "torque error", "R²", "own estimate")
"""Columns of the tables: wall and processor time of one state; root mean square errors of a component against the
reference, in t; R² of the torque; the error of the field as the kernel polynomial method (moments x vectors) estimates
it."""


@dataclass(frozen=True)
class Entry:
    """A field that is compared."""

    method: str
    """What it has in common with others of other settings."""
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
    results.write_json("benchmark.json", {"threads": torch.get_num_threads(), "rows": rows})
    if any(row.get("torque_rmse", 0) > 0 for row in rows):
        figure = error_by_cost(rows)
        for suffix in ("png", "pdf"):
            with atomic_path(results.path / f"cost.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix)
    title = f"random states; {torch.get_num_threads()} thread(s)"
    Table(title, HEAD, [*map(cells, rows)], left=("lattice", "field"), whole="field").write(results)
    say(f"benchmark: {results.path}")
    return results.path


def fields_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> dict[str, Entry]:
    """The fields by name; the first is the reference."""
    model = config.hamiltonian.build(lattice)
    ensemble: dict[str, Any] = {"kT": config.kT, "filling": config.filling}
    kernel: dict[str, Entry] = {}
    for settings in config.kpm:
        size = f"{settings.moments} moments x {settings.vectors or 'all'}"
        if settings.tolerance is not None:
            size = f"tolerance {settings.tolerance:g}"
        name = f"KPM, {size}{', plain' if settings.probing == 'plain' else ''}, {settings.precision}"
        kernel[name] = Entry("KPM", KPMConfig(**ensemble, **settings.model_dump()).build(model))
    fields: dict[str, Entry] = {}
    if lattice.n_sites <= config.exact_sites:
        fields["exact, float64"] = Entry("exact", ExactConfig(**ensemble).build(model))
    fields |= dict(reversed(kernel.items()))
    for entry in config.truncated:
        local = TruncatedConfig(**ensemble, **entry.model_dump(exclude={"precision"})).build(model)
        name = f"truncated, cutoff {local.cutoff}, {local.moments} moments, {entry.precision}"
        fields[name] = Entry("truncated", local, getattr(torch, entry.precision))
    if config.model is not None:
        fields["network, float32"] = Entry("network", load(config.model).on(lattice))
    return fields


def compare_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> list[dict[str, Any]]:
    """A row for each field on one lattice."""
    states = spins.random(lattice, config.replicas, config.seed)
    reference: Tensor | None = None
    rows = []
    for name, entry in fields_on(config, lattice).items():
        seconds, processor, result = best_time(entry, states, config.repeats)
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


def best_time(entry: Entry, states: Tensor, repeats: int) -> tuple[float, float, FieldResult]:
    """Shortest wall and processor time of energy and field of all states, and the result."""
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        result = entry(states)
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    walls, processors = zip(*times, strict=True)
    return min(walls), min(processors), result


def cells(row: dict[str, Any]) -> list[str]:
    """One row of the tables."""
    errors = [f"{row[key]:.2g}" if key in row else "-" for key in ("field_rmse", "torque_rmse")]
    if row.get("reference"):
        errors = ["reference", "reference"]
    return [
        " x ".join(map(str, row["lattice"])),
        str(row["sites"]),
        row["field"],
        f"{row['seconds']:.3g}",
        f"{row['cpu_seconds']:.2g}",
        *errors,
        f"{row['torque_r2']:.4f}" if "torque_r2" in row else "-",
        f"{row['estimate']:.2g}" if "estimate" in row else "-",
    ]


def _rms(values: Tensor) -> float:
    return float(values.double().square().mean().sqrt())
