"""What all benchmarks share: how evaluations are timed, and what a results folder receives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from sdgnn.cli.commands.console import say
from sdgnn.cli.report.table import Table
from sdgnn.cli.results import Results
from sdgnn.common.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Result = TypeVar("Result")


def shortest_times(evaluate: Callable[[], Result], repeats: int) -> tuple[float, float, Result]:
    """Shortest wall time and shortest processor time (over all threads) of an evaluation, in seconds; its result."""
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        result = evaluate()
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    return min(walls), min(processors), result


def write_benchmark(
    results: Results, rows: list[dict[str, Any]], table: Table, figures: dict[str, Figure], **more: Any
) -> Path:
    """Write benchmark.json with the number of threads, ``more`` and the rows, table.md and figures by name; print the
    table and return the folder."""
    results.write_json("benchmark.json", {**more, "threads": torch.get_num_threads(), "rows": rows})
    for name, figure in figures.items():
        results.write_figure(name, figure)
    with atomic_path(results.path / "table.md") as temporary:
        temporary.write_text(table.markdown(), encoding="utf-8")
    say(table.for_console())
    say(f"benchmark: {results.path}")
    return results.path
