"""The report of the demo."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sdgnn.analysis import plots
from sdgnn.analysis.plots.locality import error_by_reach
from sdgnn.config.training import DemoConfig
from sdgnn.data import LabelSet
from sdgnn.provenance import provenance
from sdgnn.report.page import Figure, Page, Section, Table
from sdgnn.report.trajectory import trajectory_sections
from sdgnn.train import Comparison, baselines, torque_part

if TYPE_CHECKING:
    import matplotlib.figure

    from sdgnn.commands.demo import Outcome


def write_report(config: DemoConfig, outcome: Outcome, path: str | os.PathLike[str]) -> Path:
    """Write the report of a finished pipeline to ``path`` (one HTML file, figures inside)."""
    return page(config, outcome).write(path)


def page(config: DemoConfig, outcome: Outcome) -> Page:
    """The report of a finished pipeline."""
    held, larger = outcome.errors["network", "all"], outcome.errors_larger["network", "all"]
    quench = trajectory_sections(outcome.quench.trajectory, outcome.analysis, outcome.quench.field.lattice)
    best = max((m.torque_r2, name) for name, protocol, m in outcome.errors.rows if name != "network")
    return Page(
        title="From a Hamiltonian to a quench",
        summary=[
            f"Exact fields of the s-d model (J = {config.labels.hamiltonian.exchange:g}, electrons at "
            f"kT = {config.labels.electrons.kT:g}) on {outcome.training.lattice!r} taught a network the effective "
            f"field of a spin. On held-out states its torque R² is {held.torque_r2:.3f}; on a lattice of "
            f"{outcome.larger.lattice.n_sites} sites, a size that it never saw, {larger.torque_r2:.3f}. "
            f"The best Heisenberg model fitted to the same labels ({best[1]}) has {best[0]:.3f}.",
            f"The network then drove {config.quench.replicas} replicas of {outcome.quench.field.lattice!r} from random "
            f"spins for {outcome.quench.time:g} hbar/t, measured on the fly.",
        ],
        sections=[_labels(outcome), _errors(outcome), _locality(outcome), *quench],
        details={
            "Configuration": config.to_yaml(),
            "Versions": json.dumps(provenance(), indent=2),
            "Wall time of each step (s)": json.dumps(outcome.seconds, indent=2),
        },
    )


def _labels(outcome: Outcome) -> Section:
    rows = [
        [name, str(len(labels)), str(labels.lattice.n_sites), ", ".join(f"{n} {p}" for p, n in labels.counts.items())]
        for name, labels in (("training", outcome.training), ("held out", outcome.test), ("larger", outcome.larger))
    ]
    return Section(
        "Labels",
        ["Independent states, each labelled by exact diagonalisation; states of one sample are never split between "
         "training and test."],
        [Table(["set", "states", "sites", "protocols"], rows)],
    )  # fmt: skip


def _errors(outcome: Outcome) -> Section:
    tables = [
        _table(errors, f"{title}: {labels.lattice!r}")
        for title, errors, labels in (
            ("held-out states", outcome.errors, outcome.test),
            ("larger lattice", outcome.errors_larger, outcome.larger),
        )
    ]
    bars = {
        title: {name: m.torque_rmse for name, protocol, m in errors.rows if protocol == "all"}
        for title, errors in (("held out", outcome.errors), ("larger lattice", outcome.errors_larger))
    }
    return Section(
        "Torque errors",
        ["The torque is the part of the effective field transverse to the spin, the only part that moves it. "
         "R² = 1 - Σ|ΔT|²/ΣT²; the Heisenberg models are fitted to the training labels by least squares."],
        tables,
        [
            Figure.of(_parity(outcome, outcome.test), "Predicted against exact torque components, held-out states."),
            Figure.of(_parity(outcome, outcome.larger), "The same on the larger lattice."),
            Figure.of(
                plots.torque_errors(bars, reference=outcome.errors["network", "all"].torque_rms),
                "Torque RMSE of each field; the line is the error of predicting nothing.",
            ),
        ],
    )  # fmt: skip


def _table(errors: Comparison, caption: str) -> Table:
    rows = [
        [name, f"{protocol} ({m.n_states})", f"{m.torque_r2:.4f}", f"{m.torque_rmse:.5f}", f"{m.angle_mean:.1f}",
         "-" if math.isnan(m.energy_rmse_shifted) else f"{m.energy_rmse_shifted:.1e}", *_floor(errors, name, protocol)]
        for name, protocol, m in errors.rows
    ]  # fmt: skip
    head = ["field", "states", "torque R²", "torque RMSE (t)", "mean angle (°)", "energy RMSE per site (t)"]
    return Table(head + (["floor R²", "floor RMSE (t)"] if errors.floors else []), rows, caption)


def _floor(errors: Comparison, name: str, protocol: str) -> tuple[str, ...]:
    """The locality floor at a field's reach, where errors have one."""
    floor = errors.floors.get((name, protocol))
    return floor.cells() if floor is not None else ("-", "-") if errors.floors else ()


def _parity(outcome: Outcome, labels: LabelSet) -> matplotlib.figure.Figure:
    fields = {"network": outcome.network.on(labels.lattice), **baselines([outcome.training], labels.lattice)}
    spins = labels.spins
    predicted = {name: torque_part(field(spins).field.double(), spins) for name, field in fields.items()}
    return plots.torque_parity(torque_part(labels.field, spins), predicted)


def _locality(outcome: Outcome) -> Section:
    reach = 2 * outcome.network.reach
    models = {"network": (float(reach), outcome.errors["network", "random"].torque_rmse)}
    return Section(
        "Error by reach",
        ["The floor is the spread of the exact torque when every spin beyond a radius is redrawn: no model that sees "
         f"only that far can have a smaller error. The network's field reaches {reach} bonds."],
        [],
        [Figure.of(error_by_reach(outcome.floor, models), "Torque RMSE on random states by reach.")],
    )  # fmt: skip
