"""Diagonalisation, the kernel polynomial method and a network side by side: seconds and errors on growing lattices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdgnn import spins
from sdgnn.commands.console import say, timed
from sdgnn.commands.tables import Table
from sdgnn.config.benchmark import ElectronsBenchmarkConfig
from sdgnn.config.physics import SolverConfig
from sdgnn.electrons import KPMResult
from sdgnn.fields import Field, FieldResult
from sdgnn.lattice import Lattice
from sdgnn.nn import load
from sdgnn.results import open_results
from sdgnn.train import torque_part

HEAD = ("lattice", "sites", "field", "s per state", "CPU s", "field error", "torque error", "R²", "own estimate")
"""Columns of the tables: wall and processor time of one state; root mean square errors of a component against the
reference, in t; R² of the torque; the error of the field as the kernel polynomial method (moments x vectors) estimates
it."""


def run(config: ElectronsBenchmarkConfig, resume: bool = False) -> Path:
    """Time and compare all fields on all lattices into a results folder and return it."""
    results = open_results(config, "benchmark-electrons", config.output, resume)
    family = config.lattice.build()
    smallest = min((family.resized(*size) for size in config.sizes), key=lambda lattice: lattice.n_sites)
    for field in fields_on(config, smallest).values():
        field(spins.random(smallest, 1, config.seed))  # compilation is not timed
    rows: list[dict[str, Any]] = []
    for size in config.sizes:
        lattice = family.resized(*size)
        with timed(f"{lattice!r}"):
            rows += compare_on(config, lattice)
    results.write_json("benchmark.json", {"threads": torch.get_num_threads(), "rows": rows})
    title = f"random states; {torch.get_num_threads()} thread(s)"
    Table(title, HEAD, [*map(cells, rows)], left=("lattice", "field"), whole="field").write(results)
    say(f"benchmark: {results.path}")
    return results.path


def fields_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> dict[str, Field]:
    """The fields by name; the first is the reference."""
    model = config.hamiltonian.build(lattice)
    solver = SolverConfig(kT=config.kT, filling=config.filling)
    kernel = {}
    for settings in config.kpm:
        size = f"{settings.moments} moments x {settings.vectors or 'all'}"
        if settings.tolerance is not None:
            size = f"tolerance {settings.tolerance:g}"
        name = f"KPM, {size}{', plain' if settings.probing == 'plain' else ''}, {settings.precision}"
        kernel[name] = solver.model_copy(update={"kpm": settings}).build(model)
    fields: dict[str, Field] = {}
    if lattice.n_sites <= config.exact_sites:
        fields["exact, float64"] = solver.build(model)
    fields |= dict(reversed(kernel.items()))
    if config.model is not None:
        fields["network, float32"] = load(config.model).on(lattice)
    return fields


def compare_on(config: ElectronsBenchmarkConfig, lattice: Lattice) -> list[dict[str, Any]]:
    """A row for each field on one lattice."""
    states = spins.random(lattice, config.replicas, config.seed)
    reference: Tensor | None = None
    rows = []
    for name, field in fields_on(config, lattice).items():
        seconds, processor, result = best_time(field, states, config.repeats)
        row: dict[str, Any] = {
            "lattice": list(lattice.shape or ()),
            "sites": lattice.n_sites,
            "field": name,
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


def best_time(field: Field, states: Tensor, repeats: int) -> tuple[float, float, FieldResult]:
    """Shortest wall and processor time of energy and field of all states, and the result."""
    times = []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        result = field(states)
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
