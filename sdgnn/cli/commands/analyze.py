"""The command analyze: a trajectory, or all those of a sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.analysis.domains.coarsening import coarsening
from sdgnn.analysis.orders.density import DENSITIES, densities
from sdgnn.analysis.spectra.dynamical import dynamical_structure_factor, wave_vector_path
from sdgnn.analysis.statistics.agreement import agreement
from sdgnn.analysis.statistics.replicas import ReplicaGroup, replica_groups
from sdgnn.analysis.statistics.sweeps import Point, sweep_means
from sdgnn.analysis.trajectories import analyze, averaged, lattice_of_run
from sdgnn.analysis.transitions.sweeps import has_curve, sweep_thermodynamics
from sdgnn.analysis.transitions.thermodynamics import thermodynamics
from sdgnn.cli.commands.console import say, timed
from sdgnn.cli.commands.numbers import agreements, in_equilibrium, last_orders, laws, series
from sdgnn.cli.commands.sweep import RUNS, trajectories
from sdgnn.cli.commands.transitions import exchange_rates, transitions
from sdgnn.cli.config.commands import AnalyzeConfig, SimulateConfig
from sdgnn.cli.config.sweeps import axes, batches
from sdgnn.cli.report.page import Page, Section, details
from sdgnn.cli.report.run import run_section
from sdgnn.cli.report.sweep import quantities, sweep_answer, sweep_section
from sdgnn.cli.report.trajectory import (
    agreement_section,
    density_section,
    growth_section,
    spectrum_section,
    told_of,
)
from sdgnn.cli.results import Results, open_results
from sdgnn.common.errors import UserError
from sdgnn.common.progress import progress_bar
from sdgnn.dynamics import ParallelTempering, lattice_of, open_sweep, open_trajectory
from sdgnn.dynamics.sweeps import NAME
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

DISCARD = 0.5
"""Part of each run of a sweep that is left out unless said otherwise."""
TEMPERED = 0.2
"""Part of a run of parallel tempering that is left out unless said otherwise."""
TOGETHER = ("integrator.kT", "seed", "lattice.size")
"""Swept keys whose points are put together to curves against the temperature."""


def analyze_folder(config: AnalyzeConfig, resume: bool = False) -> Path:
    """Analyse a trajectory, or all those of a sweep, into a results folder and return it."""
    if is_sweep(config.trajectory):
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
    if "spins" in trajectory and lattice.is_crystal:
        last = {setting.label: last_orders(setting.of(trajectory), lattice) for setting in groups}
        content["orders"] = last if len(groups) > 1 else last[groups[0].label]
        for label, weights in last.items():
            most = max(weights, key=lambda name: weights[name]["mean"])
            say(f"last spins {label}: {most} order has {weights[most]['mean']:.3f} of their weight".replace(" :", ":"))
    sections: list[Section] = []
    grown: dict[str, xarray.Dataset] = {}
    if config.against is not None:
        with timed(f"comparing with {config.against}"):
            together = agreement(analyze(open_trajectory(config.against), lattice, order), found)
        content["agreement"] = agreements(together)
        results.write_netcdf("agreement.nc", together.assign_attrs(source, against=configuration(config.against)))
        sections.append(agreement_section(together, config.against.name, config.trajectory.name))
    said = ""
    tempered = integrator_scheme(trajectory) == ParallelTempering.__name__
    if config.discard is not None or tempered:
        discard = TEMPERED if config.discard is None else config.discard
        content["equilibrium"] = in_equilibrium(trajectory, discard)
        if has_curve(trajectory):
            with timed("thermodynamics"):
                curves = thermodynamics(trajectory, lattice, order, discard=discard)
            content["transitions"], shown, said = transitions({"": [curves]}, results)
            sections += shown
        if tempered and "energy" in trajectory:
            content["exchanges"] = exchange_rates(trajectory, discard)
    if config.domains is not None:
        wanted, growth = config.domains, {}
        for setting, name in named(groups, "domains"):
            with timed(f"growth of domains {setting.label}".strip()):
                part = setting.of(trajectory)
                domains = coarsening(part, lattice, wanted.map, wanted.window, wanted.smoothing)
            growth[setting.label], grown[setting.label] = laws(domains), domains
            results.write_netcdf(name, domains.assign_attrs(source, setting=setting.label))
            sections.append(growth_section(domains, setting.label))
        content["growth"] = growth if len(growth) > 1 else growth[""]
    if config.electrons is not None:
        field = config.electrons.on(lattice)
        if "spins" not in trajectory:
            raise UserError("electrons of a trajectory without spins", fix="record the observer spins")
        chosen = trajectory[["spins"]].isel({trajectory["spins"].dims[0]: slice(None, None, config.electrons.every)})
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
    told = told_of(trajectory, found, lattice, grown)
    run = run_section(trajectory, lattice, config.trajectory)
    page = Page(
        f"Analysis of {config.trajectory}",
        f"{said} {told.answer}".strip(),
        told.lead,
        [],
        [*told.sections, *sections, run],
        details(config),
    )
    return write_report(page, results)


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
    swept = SimulateConfig.read(folder / "config.yaml")
    dims, order = axes(swept), config.order
    results = open_results(config, "analyze", resume)
    discard = DISCARD if config.discard is None else config.discard
    with timed(f"analysing the sweep {folder} over {', '.join(dims)}"):
        peaks = None if order is None else partial(wave_vectors, order)
        found = sweep_means(_points(swept, folder), dims, discard, peaks)
    results.write_netcdf("analysis.nc", found.assign_attrs(sweep=swept.to_yaml()))
    content: dict[str, Any] = {"axes": {str(d): found[d].values for d in found.dims}, "discard": discard}
    for name in quantities(found):
        content[name] = {key: found[f"{name}_{key}"].values for key in ("mean", "error", "reliable")}
    sections = [sweep_section(found)]
    shared = {name for name, key in zip(dims, swept.sweep, strict=True) if key in TOGETHER}
    with timed("thermodynamics"):
        families = sweep_thermodynamics(_points(swept, folder), dims, shared, discard, peaks)
    said = ""
    if families:
        content["transitions"], shown, said = transitions(families, results)
        sections += shown
    results.write_json("analysis.json", content)
    section, *others = sections
    page = Page(
        f"Analysis of {config.trajectory}", f"{said} {sweep_answer(found)}".strip(), section.figures[:2], [],
        [replace(section, figures=section.figures[2:]), *others], details(config, Sweep=swept.to_yaml()),
    )  # fmt: skip
    return write_report(page, results)


def _points(config: SimulateConfig, folder: Path) -> Iterator[Point]:
    """Every point with its trajectory and lattice."""
    shape = tuple(len(values) for values in axes(config).values())
    for place, trajectory in trajectories(config, batches(config), folder, shape):
        yield place, trajectory, lattice_of(trajectory)


def integrator_scheme(trajectory: xarray.Dataset) -> str:
    """Name of the scheme that made a trajectory; empty where it does not say."""
    return str(json.loads(trajectory.attrs.get("integrator", "{}")).get("scheme", ""))


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep, finished or not."""
    return (folder / NAME).exists() or (folder / RUNS).is_dir()


def named(groups: Sequence[ReplicaGroup], name: str) -> list[tuple[ReplicaGroup, str]]:
    """Each setting with the file of its results, NAME.nc, or NAME-0.nc and so on where there are several."""
    return [(s, f"{name}-{k}.nc" if len(groups) > 1 else f"{name}.nc") for k, s in enumerate(groups)]


def write_report(page: Page, results: Results) -> Path:
    """Write report.html of an analysis and its figures, say where the results are, and return their folder."""
    with timed("report"):
        page.write(results.path / "report.html")
    say(f"analysis: {results.path}")
    return results.path


def configuration(folder: Path) -> str:
    """The configuration of the run in ``folder``, which its analysis carries; empty for a run from Python."""
    path = folder / "config.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def wave_vectors(fractions: tuple[tuple[float, ...], ...], lattice: Lattice) -> np.ndarray:
    """(peak, dim) wave vectors from fractions of the reciprocal primitive vectors."""
    if lattice.shape is None or any(len(q) != lattice.dim for q in fractions):
        raise UserError(f"order {fractions} on {lattice!r}", allowed=f"{lattice.dim} numbers per peak, on a crystal")
    return np.array(fractions) @ (lattice.reciprocal * np.array(lattice.shape)[:, None])
