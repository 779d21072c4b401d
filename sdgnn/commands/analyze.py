"""Analysis of a trajectory from a configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.analysis.agreement import agreement
from sdgnn.analysis.coarsening import ROUTES, coarsening
from sdgnn.analysis.density import DENSITIES, densities
from sdgnn.analysis.equilibrium import equilibrium
from sdgnn.analysis.spectrum import dynamical_structure_factor, path
from sdgnn.analysis.trajectories import analyze, averaged, lattice_of_run
from sdgnn.commands.console import bar, say, timed
from sdgnn.config.commands import AnalyzeConfig
from sdgnn.dynamics import open_trajectory
from sdgnn.errors import UserError
from sdgnn.lattice import Lattice
from sdgnn.provenance import provenance
from sdgnn.report import Page
from sdgnn.report.trajectory import (
    agreement_section,
    density_section,
    growth_section,
    spectrum_section,
    trajectory_sections,
)
from sdgnn.results import open_results

if TYPE_CHECKING:
    import xarray


def run(config: AnalyzeConfig, resume: bool = False) -> Path:
    """Analyse into a results folder and return it."""
    trajectory = open_trajectory(config.trajectory)
    lattice = lattice_of_run(config.trajectory)
    order = None if config.order is None else wave_vectors(config.order, lattice)
    results = open_results(config, "analyze", config.output, resume)
    with timed(f"analysing {config.trajectory}"):
        found = analyze(trajectory, lattice, order)
    source = {"run": configuration(config.trajectory)}
    content, sections = series(found), list(trajectory_sections(trajectory, found, lattice))
    if config.against is not None:
        with timed(f"comparing with {config.against}"):
            together = agreement(analyze(open_trajectory(config.against), lattice, order), found)
        content["agreement"] = agreements(together)
        results.write_netcdf("agreement.nc", together.assign_attrs(source, against=configuration(config.against)))
        sections.append(agreement_section(together, config.against.name, config.trajectory.name))
    if config.discard is not None:
        content["equilibrium"] = in_equilibrium(trajectory, config.discard)
    if config.domains is not None:
        with timed("growth of domains"):
            wanted = config.domains
            domains = coarsening(trajectory, lattice, wanted.map, wanted.window, wanted.smoothing)
        content["growth"] = laws(domains)
        results.write_netcdf("domains.nc", domains.assign_attrs(source))
        sections.append(growth_section(domains))
    if config.electrons is not None:
        field = config.electrons.on(lattice)
        chosen = every(trajectory, "spins", config.electrons.every)
        with bar("electrons", chosen["spins"].shape[0], "times") as progress:
            electrons = densities(chosen, field, lattice, progress)
        content["electrons"] = series(averaged({name: electrons[name] for name in DENSITIES}))
        results.write_netcdf("density.nc", electrons.assign_attrs(source))
        sections.append(density_section(electrons, lattice))
    if config.spectrum is not None:
        with timed("dynamical structure factor"):
            q, along = path(lattice, wave_vectors(config.spectrum.path, lattice))
            spectrum = dynamical_structure_factor(trajectory, lattice, q, config.spectrum.segment)
        results.write_netcdf("spectrum.nc", spectrum.to_dataset().assign_attrs(source))
        sections.append(spectrum_section(spectrum, along))
    results.write_json("analysis.json", content)
    with timed("report"):
        Page(
            title=f"Analysis of {config.trajectory}",
            summary=[],
            sections=sections,
            details={"Configuration": config.to_yaml(), "Versions": json.dumps(provenance(), indent=2)},
        ).write(results.path / "report.html")
    say(f"analysis: {results.path}")
    return results.path


def every(trajectory: xarray.Dataset, name: str, count: int) -> xarray.Dataset:
    """One recorded quantity at every ``count``-th of its times. Raises UserError where it was not recorded."""
    if name not in trajectory:
        raise UserError(f"a trajectory without {name}", fix=f"record the observer {name}")
    return trajectory[[name]].isel({trajectory[name].dims[0]: slice(None, None, count)})


def configuration(folder: Path) -> str:
    """The configuration of the run in ``folder``, which its analysis carries; empty for a run from Python."""
    path = folder / "config.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def wave_vectors(fractions: tuple[tuple[float, ...], ...], lattice: Lattice) -> np.ndarray:
    """(peak, dim) wave vectors from fractions of the reciprocal primitive vectors."""
    if lattice.shape is None or any(len(q) != lattice.dim for q in fractions):
        raise UserError(f"order {fractions} on {lattice!r}", allowed=f"{lattice.dim} numbers per peak, on a crystal")
    return np.array(fractions) @ (lattice.reciprocal * np.array(lattice.shape)[:, None])


def series(found: xarray.Dataset) -> dict[str, Any]:
    """Every quantity that is one number per time, as plain lists: time, mean and error over replicas.

    Numbers that are not finite (an error from one replica, a length beyond the cell) become null.
    """
    content: dict[str, Any] = {}
    for name in map(str, found.data_vars):
        if not name.endswith("_mean") or found[name].ndim != 1:
            continue
        time = str(found[name].dims[0])
        entry = {"time": found[time], "mean": found[name], "error": found[f"{name.removesuffix('_mean')}_error"]}
        content[name.removesuffix("_mean")] = {key: _finite(values.values) for key, values in entry.items()}
    return content


def in_equilibrium(trajectory: xarray.Dataset, discard: float) -> dict[str, Any]:
    """Means over time by setting (:func:`sdgnn.analysis.equilibrium`) as plain lists; says which are not reliable."""
    found = equilibrium(trajectory, discard)
    for name in map(str, found.data_vars):
        if name.endswith("_reliable") and not found[name].all():
            say(f"{name.removesuffix('_reliable')}: too few autocorrelation times, its error is a guess")
    return {str(name): _finite(values.values.astype(float)) for name, values in found.variables.items()}


AGREEMENT = ("within", "rms", "paired_rms")
"""Judgements of :func:`~sdgnn.analysis.agreement.agreement`."""


def agreements(together: xarray.Dataset) -> dict[str, Any]:
    """By quantity: share of times within two errors and root mean square deviations; says them too."""
    content: dict[str, Any] = {}
    for name in together.attrs["quantities"].split():
        within, rms, paired = (together.attrs[f"{name}_{key}"] for key in AGREEMENT)
        share = f"within two errors at {100 * within:.0f} % of times"
        say(f"  {name}: {share}, rms deviation {rms:.2f} errors, {paired:.2f} paired")
        content[name] = dict(zip(AGREEMENT, _finite([within, rms, paired]), strict=True))
    return content


def laws(domains: xarray.Dataset) -> dict[str, Any]:
    """Exponents with their errors by route, and how good the collapse is; null where there is none."""
    names = {
        "exponent": "exponent", "error": "exponent_error", "replica_error": "exponent_replica_error",
        "window_error": "exponent_window_error", "offset_exponent": "offset_exponent",
        "offset_exponent_error": "offset_exponent_error",
    }  # fmt: skip
    table = {key: _finite(domains[name].values) for key, name in names.items()}
    content: dict[str, Any] = {route: {key: row[k] for key, row in table.items()} for k, route in enumerate(ROUTES)}
    (quality, spread) = _finite(np.array([domains.attrs["collapse_quality"], domains.attrs["collapse_spread"]]))
    content["collapse"] = {"quality": quality, "spread": spread}
    content["map"] = domains.attrs["map"]
    return content


def _finite(values: Iterable[float]) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]
