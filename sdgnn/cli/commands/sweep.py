"""A sweep of simulations from one configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.cli.commands.console import say, warn
from sdgnn.cli.commands.single_run import MAY_DIFFER, Start, doubts_about, run_dynamics
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.sweeps import Batch, axes, batches
from sdgnn.cli.results import open_results
from sdgnn.dynamics import open_trajectory
from sdgnn.dynamics.sweeps import NAME, write_sweep

if TYPE_CHECKING:
    import xarray

RUNS = "runs"
"""Where the trajectories of the batches lie, in the folder of the sweep."""


def run_sweep(config: SimulateConfig, resume: bool = False) -> Path:
    """Simulate all points into a results folder, join their trajectories in one data set, and return the folder."""
    plan = batches(config)
    doubts = []
    for batch in plan:  # a mistake in any of them is found before the first runs
        doubts += doubts_about(batch.config, Start.within(batch.config, streams=batch.streams).field)
    warn(doubts)
    results = open_results(config, "simulate", resume, MAY_DIFFER)
    for number, batch in enumerate(plan):
        say(f"batch {number + 1} of {len(plan)}: {len(batch.points)} point(s)")
        place = results.path / RUNS / f"{number:03d}"
        start = Start.within(batch.config, place if results.resumed else None, batch.streams)
        watch = None if config.guard is None else config.guard.build(start.field)
        run_dynamics(batch.config, start, place, results.resumed, watch, list(batch.streams))
    dims = axes(config)
    parts = trajectories(config, plan, results.path, tuple(len(values) for values in dims.values()))
    odd = write_sweep(results.path, dims, parts, {"config": config.to_yaml()})
    if odd:
        say(f"of different shapes at different points, in {results.path / RUNS} alone: {', '.join(odd)}")
    say(f"sweep over {', '.join(dims)}: {results.path / NAME}")
    return results.path


def trajectories(
    config: SimulateConfig, plan: list[Batch], folder: Path, shape: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], xarray.Dataset]]:
    """Indices and trajectory of every point, its replicas numbered from 0, their streams beside."""
    count = config.replicas
    for number, batch in enumerate(plan):
        data = open_trajectory(folder / RUNS / f"{number:03d}")
        for k, point in enumerate(batch.points):
            own = data.isel(replica=slice(k * count, (k + 1) * count))
            own = own.assign_coords(stream=("replica", own["replica"].values), replica=np.arange(count))
            yield tuple(map(int, np.unravel_index(point, shape))), own
