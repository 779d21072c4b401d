"""The speed of dynamics: spin updates per second by lattice, replicas and field, memory, and what the field leaves."""

from __future__ import annotations

import itertools
import multiprocessing
import time as clock
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.observers import observer
from sdgnn.analysis.plots.cost import speed_by_size
from sdgnn.cli.commands.benchmark import write_benchmark
from sdgnn.cli.commands.console import timed
from sdgnn.cli.config.benchmark import DynamicsBenchmarkConfig
from sdgnn.cli.config.runs import integrator_of
from sdgnn.cli.report.table import Columns, Table
from sdgnn.cli.results import open_results
from sdgnn.common.memory import peak_memory
from sdgnn.dynamics import estimate, simulate
from sdgnn.fields import Field, FieldResult
from sdgnn.fields.schedules import Time
from sdgnn.fields.wrapper import Wrapper

COLUMNS: Columns = {
    "lattice": lambda row: " x ".join(map(str, row["lattice"])),
    "replicas": lambda row: str(row["replicas"]),
    "field": lambda row: row["field"],
    "updates/s": lambda row: f"{row['updates_per_second']:,.0f}",
    "per CPU s": lambda row: f"{row['updates_per_cpu_second']:,.0f}",
    "outside the field": lambda row: f"{100 * row['share_outside_field']:.1f} %",
    "memory (GB)": lambda row: f"{row['peak_bytes'] / 1e9:.2f}",
    "estimated (GB)": lambda row: f"{row['estimated_bytes'] / 1e9:.2f}",
}
"""Columns of the table: spins times steps by wall and by processor time, the share of a run that is not the field's,
the largest resident memory of a process that does this run alone, and the estimate of it."""


class Timed(Wrapper):
    """A field that adds up the time that it takes, and is the same in all else."""

    def __init__(self, field: Field) -> None:
        super().__init__(field)
        self.seconds = 0.0
        """Wall time of all evaluations so far."""

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        start = clock.perf_counter()
        result = self.field.evaluate(spins, time)
        self.seconds += clock.perf_counter() - start
        return result


def measure_speed(config: DynamicsBenchmarkConfig, resume: bool = False) -> Path:
    """Time every field on every lattice with every number of replicas into a results folder and return it."""
    results = open_results(config, "benchmark-dynamics", resume)
    rows: list[dict[str, Any]] = []
    for size, replicas, name in itertools.product(config.sizes, config.replicas, config.fields):
        with timed(f"{name} on {' x '.join(map(str, size))}, {replicas} replica(s)"):
            rows.append(alone(config, size, replicas, name))
    title = f"spin updates (spins times steps); {torch.get_num_threads()} thread(s)"
    table = Table.of(COLUMNS, rows, title, words=("lattice", "field"))
    return write_benchmark(results, rows, table, {"speed": speed_by_size(rows)})


def alone(config: DynamicsBenchmarkConfig, size: tuple[int, ...], replicas: int, name: str) -> dict[str, Any]:
    """The row of one run, measured in a process of its own: its largest memory is then that of the run."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as pool:
        return pool.submit(measure, config.to_yaml(), size, replicas, name, torch.get_num_threads()).result()


def measure(plain: str, size: tuple[int, ...], replicas: int, name: str, threads: int) -> dict[str, Any]:
    """Time and memory of one run by this process; the shortest of all repeats counts."""
    torch.set_num_threads(threads)
    config = DynamicsBenchmarkConfig.from_yaml(plain)
    lattice = config.lattice.build().resized(*size)
    field = Timed(config.fields[name].build(lattice, config.dtype, config.memory))
    spins = config.initial.build(lattice, replicas, config.seed, config.dtype)
    integrator = integrator_of(config.integrator, field, spins)
    observers = [observer(what, lattice, every) for what, every in config.observe.items()]
    simulate(field, spins, integrator, 1, observers=observers)  # loops are compiled, tables made
    expected = estimate(field, spins, integrator, config.steps)
    best: tuple[float, float, float] | None = None
    for _ in range(config.repeats):
        field.seconds, wall, processor = 0.0, clock.perf_counter(), clock.process_time()
        simulate(field, spins, integrator, config.steps, seed=config.seed, observers=observers)
        took = clock.perf_counter() - wall, clock.process_time() - processor, field.seconds
        best = took if best is None else min(best, took)
    assert best is not None
    wall, processor, inside = best
    updates = config.steps * replicas * lattice.n_sites
    return {
        "lattice": list(size),
        "sites": lattice.n_sites,
        "replicas": replicas,
        "field": name,
        "updates_per_second": updates / wall,
        "updates_per_cpu_second": updates / processor,
        "share_outside_field": 1 - inside / wall,
        "peak_bytes": peak_memory(),
        "estimated_bytes": expected.memory,
        "seconds": wall,
        "estimated_seconds": expected.seconds,
    }
