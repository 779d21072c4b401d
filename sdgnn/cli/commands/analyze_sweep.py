"""Analysis of a sweep from a configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sdgnn.analysis.statistics.sweeps import Point, sweep_means
from sdgnn.cli.commands.analyze import wave_vectors, write_page
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.sweep import trajectories
from sdgnn.cli.config.commands import AnalyzeConfig, SimulateConfig
from sdgnn.cli.config.sweeps import axes, batches
from sdgnn.cli.report.sweep import quantities, sweep_section
from sdgnn.cli.results import open_results
from sdgnn.common.errors import UserError
from sdgnn.dynamics import lattice_of, open_sweep

DISCARD = 0.5
"""Part of each run that is left out unless said otherwise."""


def analyze_sweep(config: AnalyzeConfig, resume: bool = False) -> Path:
    """Means of all points against the swept keys into a results folder; returns the folder."""
    folder = config.trajectory
    for name in ("against", "domains", "electrons", "spectrum"):
        if getattr(config, name) is not None:
            raise UserError(
                f"{name} of a sweep",
                allowed="order and discard",
                fix=f"analyse one of its runs, {folder / 'runs' / '000'}",
            )
    open_sweep(folder)  # refuses one that is not finished
    swept = SimulateConfig.load(folder / "config.yaml")
    dims, order = axes(swept), config.order
    results = open_results(config, "analyze", resume)
    discard = DISCARD if config.discard is None else config.discard
    with timed(f"analysing the sweep {folder} over {', '.join(dims)}"):
        peaks = None if order is None else partial(wave_vectors, order)
        found = sweep_means(_points(swept, folder), dims, discard, peaks)
    results.write_netcdf("analysis.nc", found.assign_attrs(sweep=swept.to_yaml()))
    content: dict[str, Any] = {"axes": {str(d): found[d].values.tolist() for d in found.dims}, "discard": discard}
    for name in quantities(found):
        columns = {key: found[f"{name}_{key}"].values.tolist() for key in ("mean", "error", "reliable")}
        content[name] = {key: _plain(values) for key, values in columns.items()}
    results.write_json("analysis.json", content)
    write_page(config, results, [sweep_section(found)], {"Sweep": swept.to_yaml()})
    say(f"analysis: {results.path}")
    return results.path


def _points(config: SimulateConfig, folder: Path) -> Iterator[Point]:
    """Every point with its trajectory and lattice."""
    shape = tuple(len(values) for values in axes(config).values())
    for place, trajectory in trajectories(config, batches(config), folder, shape):
        yield place, trajectory, lattice_of(trajectory)


def _plain(values: Any) -> Any:
    """Numbers of nested lists, null where there is none."""
    if isinstance(values, list):
        return [_plain(row) for row in values]
    return values if math.isfinite(values) else None
