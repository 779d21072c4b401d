"""Analysis of a trajectory from a configuration."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.analysis.domains.coarsening import ROUTES, coarsening
from sdgnn.analysis.orders.density import DENSITIES, densities
from sdgnn.analysis.spectra.dynamical import dynamical_structure_factor, wave_vector_path
from sdgnn.analysis.statistics.agreement import agreement
from sdgnn.analysis.statistics.equilibrium import equilibrium
from sdgnn.analysis.statistics.replicas import ReplicaGroup, each_group, replica_groups
from sdgnn.analysis.trajectories import analyze, averaged, lattice_of_run
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.sweep import RUNS
from sdgnn.cli.config.commands import AnalyzeConfig
from sdgnn.cli.report import Page, Section
from sdgnn.cli.report.run import run_section
from sdgnn.cli.report.trajectory import (
    agreement_section,
    density_section,
    growth_section,
    spectrum_section,
    trajectory_sections,
)
from sdgnn.cli.results import Results, open_results
from sdgnn.common.errors import UserError
from sdgnn.common.progress import progress_bar
from sdgnn.common.provenance import provenance
from sdgnn.dynamics import open_trajectory
from sdgnn.dynamics.sweeps import NAME
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray


def analyze_folder(config: AnalyzeConfig, resume: bool = False) -> Path:
    """Analyse a trajectory, or all those of a sweep, into a results folder and return it."""
    if is_sweep(config.trajectory):
        from sdgnn.cli.commands.analyze_sweep import analyze_sweep

        return analyze_sweep(config, resume)
    trajectory = open_trajectory(config.trajectory)
    lattice = lattice_of_run(config.trajectory)
    order = None if config.order is None else wave_vectors(config.order, lattice)
    results = open_results(config, "analyze", resume)
    with timed(f"analysing {config.trajectory}"):
        found = analyze(trajectory, lattice, order)
    source = {"run": configuration(config.trajectory)}
    groups = replica_groups(trajectory)
    if len(groups) > 1:
        say(f"{len(groups)} settings, each with its own means and errors: {'; '.join(s.label for s in groups)}")
    results.write_netcdf("analysis.nc", found.assign_attrs(source))
    content = series(found)
    sections = [
        run_section(trajectory, lattice, config.trajectory), *trajectory_sections(trajectory, found, lattice),
    ]  # fmt: skip
    if config.against is not None:
        with timed(f"comparing with {config.against}"):
            together = agreement(analyze(open_trajectory(config.against), lattice, order), found)
        content["agreement"] = agreements(together)
        results.write_netcdf("agreement.nc", together.assign_attrs(source, against=configuration(config.against)))
        sections.append(agreement_section(together, config.against.name, config.trajectory.name))
    if config.discard is not None:
        content["equilibrium"] = in_equilibrium(trajectory, config.discard)
    if config.domains is not None:
        wanted, growth = config.domains, {}
        for setting, name in named(groups, "domains"):
            with timed(f"growth of domains {setting.label}".strip()):
                part = setting.of(trajectory)
                domains = coarsening(part, lattice, wanted.map, wanted.window, wanted.smoothing)
            growth[setting.label] = laws(domains)
            results.write_netcdf(name, domains.assign_attrs(source, setting=setting.label))
            sections.append(growth_section(domains, setting.label))
        content["growth"] = growth if len(growth) > 1 else growth[""]
    if config.electrons is not None:
        field = config.electrons.on(lattice)
        chosen = every(trajectory, "spins", config.electrons.every)
        with progress_bar("electrons", chosen["spins"].shape[0], "times") as progress:
            electrons = densities(chosen, field, lattice, progress)
        content["electrons"] = series(averaged(electrons[list(DENSITIES)]))
        results.write_netcdf("density.nc", electrons.assign_attrs(source))
        sections.append(density_section(electrons, lattice))
    if config.spectrum is not None:
        q, along = wave_vector_path(lattice, wave_vectors(config.spectrum.path, lattice))
        for setting, name in named(groups, "spectrum"):
            with timed(f"dynamical structure factor {setting.label}".strip()):
                spectrum = dynamical_structure_factor(setting.of(trajectory), lattice, q, config.spectrum.segment)
            results.write_netcdf(name, spectrum.to_dataset().assign_attrs(source, setting=setting.label))
            sections.append(spectrum_section(spectrum, along, setting.label))
    results.write_json("analysis.json", content)
    write_page(config, results, sections)
    say(f"analysis: {results.path}")
    return results.path


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep, finished or not."""
    return (folder / NAME).exists() or (folder / RUNS).is_dir()


def named(groups: Sequence[ReplicaGroup], name: str) -> list[tuple[ReplicaGroup, str]]:
    """Each setting with the file of its results, NAME.nc, or NAME-0.nc and so on where there are several."""
    return [(s, f"{name}-{k}.nc" if len(groups) > 1 else f"{name}.nc") for k, s in enumerate(groups)]


def write_page(
    config: AnalyzeConfig, results: Results, sections: Sequence[Section], details: dict[str, str] | None = None
) -> None:
    """report.html of an analysis."""
    with timed("report"):
        Page(
            title=f"Analysis of {config.trajectory}",
            summary=[],
            sections=sections,
            details={
                "Configuration": config.to_yaml(),
                **(details or {}),
                "Versions": json.dumps(provenance(), indent=2),
            },
        ).write(results.path / "report.html")


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

    Where replicas differ in their settings, ``settings`` names these, and mean and error hold a list for each. Numbers
    that are not finite (an error from one replica, a length beyond the cell) become null.
    """
    parts = each_group(found)
    content: dict[str, Any] = {"settings": list(parts)} if len(parts) > 1 else {}
    for name in (str(n).removesuffix("_mean") for n in found.data_vars if str(n).endswith("_mean")):
        values = [part[f"{name}_mean"] for part in parts.values()]
        if values[0].ndim != 1:
            continue
        entry: dict[str, Any] = {"time": _finite(values[0][values[0].dims[0]].values)}
        for key in ("mean", "error"):
            lists = [_finite(part[f"{name}_{key}"].values) for part in parts.values()]
            entry[key] = lists if len(lists) > 1 else lists[0]
        content[name] = entry
    return content


def in_equilibrium(trajectory: xarray.Dataset, discard: float) -> dict[str, Any]:
    """Means over time by setting (:func:`sdgnn.analysis.equilibrium`) as plain lists; says which are not reliable."""
    found = equilibrium(trajectory, discard)
    for name in map(str, found.data_vars):
        if name.endswith("_reliable") and not found[name].all():
            say(f"{name.removesuffix('_reliable')}: too few autocorrelation times, its error is a guess")
    labels = found["label"].values.tolist()
    numbers = {str(n): _finite(v.values.astype(float)) for n, v in found.variables.items() if n != "label"}
    return {**numbers, **({"settings": labels} if len(labels) > 1 else {})}


AGREEMENT = ("within", "rms", "paired_rms")
"""Judgements of :func:`~sdgnn.analysis.statistics.agreement.agreement`."""


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
    """Exponents with their errors by route, how far the routes are apart, and how good the collapse is; null where
    there is none. Says which exponents are those of no law."""
    names = {
        "exponent": "exponent", "error": "exponent_error", "drift": "exponent_drift",
        "drift_error": "exponent_drift_error", "offset_exponent": "offset_exponent",
        "offset_exponent_error": "offset_exponent_error",
    }  # fmt: skip
    table = {key: _finite(domains[name].values) for key, name in names.items()}
    content: dict[str, Any] = {route: {key: row[k] for key, row in table.items()} for k, route in enumerate(ROUTES)}
    for k, route in enumerate(ROUTES):
        content[route]["drifts"] = bool(domains["exponent_drifts"][k])
    if drifting := [route for route in ROUTES if content[route]["drifts"]]:
        say(f"the exponent changes within the window, which is no power law: {', '.join(drifting)}")
    names = {"spread": "exponent_spread", "error": "exponent_spread_error"}
    content["routes"] = dict(zip(names, _finite(domains.attrs[name] for name in names.values()), strict=True))
    content["routes"]["disagree"] = bool(domains.attrs["routes_disagree"])
    if content["routes"]["disagree"]:
        say(f"exponents differ by {domains.attrs['exponent_spread']:.2f} between routes: L is no single length")
    (quality, spread) = _finite(np.array([domains.attrs["collapse_quality"], domains.attrs["collapse_spread"]]))
    content["collapse"] = {"quality": quality, "spread": spread}
    content["map"] = domains.attrs["map"]
    return content


def _finite(values: Iterable[float]) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]
