"""The report of the demo."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from sdgnn.analysis import plots
from sdgnn.cli.config.training import DemoConfig
from sdgnn.cli.report.fields import ACCURATE, CALIBRATED, EXACT, FAST, TRAINED, Outcome, Row, table_of_fields
from sdgnn.cli.report.page import Figure, Page, Section, details
from sdgnn.cli.report.run import run_section
from sdgnn.cli.report.table import Table, number_or_dash
from sdgnn.cli.report.trajectory import Told, told_of
from sdgnn.data import LabelSet
from sdgnn.train import Comparison, torque_part

if TYPE_CHECKING:
    import matplotlib.figure


def page(config: DemoConfig, outcome: Outcome) -> Page:
    """The report of a finished pipeline."""
    run, lattice = outcome.quench.trajectory, outcome.quench.field.lattice
    electrons = config.electrons
    ensemble = f"mu = {electrons.mu:g}" if electrons.filling is None else f"filling {electrons.filling:g}"
    told = told_of(run, outcome.analysis, lattice)
    parity = Figure(
        _parity(outcome, outcome.test, (FAST, TRAINED, best_heisenberg(outcome.rows).field)),
        "Predicted against exact torque components on held-out states.", "parity",
    )  # fmt: skip
    return Page(
        title="From a Hamiltonian to a quench",
        answer=answer(outcome.rows),
        lead=[parity, *_beside(outcome)] if outcome.beside else [parity, *told.lead[:1]],
        summary=[
            f"The s-d model on {outcome.test.lattice!r}: J = {config.hamiltonian.exchange:g}, {ensemble}, electrons "
            f"at kT = {electrons.kT:g}. {headline(outcome.rows)} The first number of each pair is on held-out exact "
            f"states of {outcome.test.lattice.n_sites} sites, the second on a lattice of "
            f"{outcome.larger.lattice.n_sites} sites on which nothing was trained; ± is one standard error over "
            "states.",
            gain(outcome.rows),
            f"The trained network then drove {config.quench.replicas} replica(s) of {lattice!r} "
            f"from {config.quench.initial.state} spins for {outcome.quench.time:g} hbar/t, measured on the fly.",
        ],
        sections=[
            _quench(outcome, told),
            _fields(outcome),
            *told.sections,
            _calibration(outcome),
            _kinds(outcome),
            _labels(outcome),
            run_section(run, lattice),
        ],
        details=details(config, **{"Wall time of each step (s)": json.dumps(outcome.seconds, indent=2)}),
    )


def best_heisenberg(rows: Sequence[Row]) -> Row:
    """The Heisenberg model with the best torque on held-out states."""
    return max((row for row in rows if row.field.startswith("Heisenberg")), key=lambda row: row.torque_r2[0])


def answer(rows: Sequence[Row]) -> str:
    """How good the trained network is, beside what anyone would fit first, and what it costs."""
    named = {row.field: row for row in rows}
    network, best = named[TRAINED], best_heisenberg(rows)
    return (
        f"The network trained on {network.labels} exact states has a torque R² of {network.r2[0]} on exact states that "
        f"it never saw and {network.r2[1]} on a larger lattice (1 is perfect; the best Heisenberg model has "
        f"{best.r2[0]}), at 1/{named[EXACT].microseconds / network.microseconds:.0f} of the time of diagonalisation."
    )


def _beside(outcome: Outcome) -> list[Figure]:
    """Exact electrons and the network through time."""
    lattice = outcome.beside[EXACT].field.lattice
    runs = {name: run.trajectory for name, run in outcome.beside.items()}
    time = runs[EXACT]["time"].values
    figure = plots.runs_beside(runs, lattice, [time[-1] * part for part in (0.2, 0.5, 1.0)])
    together = plots.going_together(runs[EXACT], runs[TRAINED], lattice)[-1]
    ends = [float(run["energy"][-1].mean()) / lattice.n_sites for run in runs.values()]
    told = (
        f"Exact electrons and the trained network on {lattice.n_sites} sites, from the same random spins and with the "
        f"same noise: at t = {time[-1]:g} ħ/t the maps are correlated by {together:.2f}, and energies are "
        f"{abs(ends[0] - ends[1]):.1g} t per site apart. Trajectories of disordered spins drift apart in time, however "
        "small the difference of their fields; averages need not."
    )
    return [Figure(figure, told, "beside")]


def _quench(outcome: Outcome, told: Told) -> Section:
    lead = told.lead[:1] if not outcome.beside else ()
    figures = [figure for figure in told.lead if figure not in lead]
    return Section("The quench", [told.answer], figures=figures)


def headline(rows: Sequence[Row]) -> str:
    """The torque R² of every kind of field in the words of the table's own rows."""
    named = {row.field: row for row in rows}
    heisenberg = [row for row in rows if row.field.startswith("Heisenberg")]
    best = best_heisenberg(rows)
    return (
        "Without any label, electrons that walk inside balls give the effective field with a torque R² of "
        f"{_r2(named[FAST])} ({FAST}), {_r2(named[ACCURATE])} ({ACCURATE}). "
        f"Calibrated on {named[CALIBRATED].labels} exact states it has {_r2(named[CALIBRATED])}, "
        f"trained on {named[TRAINED].labels} it has {_r2(named[TRAINED])}, and of {len(heisenberg)} Heisenberg models "
        f"fitted to the training states the best on the held-out ones ({best.field}) {_r2(best)}."
    )


def _r2(row: Row) -> str:
    return " and ".join(row.r2)


def gain(rows: Sequence[Row]) -> str:
    """Squared errors relative to those of the walk without labels, and costs, from the table's own rows."""
    named = {row.field: row for row in rows}
    parts = []
    for name in (CALIBRATED, TRAINED, ACCURATE):
        left = [100 * (a / b) ** 2 for a, b in zip(named[name].torque_rmse, named[FAST].torque_rmse, strict=True)]
        cost = named[name].microseconds / named[FAST].microseconds
        parts.append(f"{name} leaves {left[0]:.0f} % and {left[1]:.0f} % of it at {cost:.1f} times the cost")
    faster = named[EXACT].microseconds / named[FAST].microseconds
    return (
        f"Measured by the squared torque error of {FAST}: {'; '.join(parts)}. Diagonalisation of the larger lattice "
        f"takes {faster:.0f} times as long."
    )


def _fields(outcome: Outcome) -> Section:
    return Section(
        "Fields",
        ["The torque is the part of the effective field transverse to the spin, the only part that moves it. "
         "R² = 1 - Σ|ΔT|²/ΣT². Time of the fit is without that of the labels, and includes errors on training and "
         "validation states. Processor time is that of one evaluation of the field on the larger lattice, over all "
         "threads. The Heisenberg models are fitted by least squares."],
        [table_of_fields(outcome.rows)],
        [
            Figure(
                plots.error_against_cost({row.field: (row.microseconds, row.torque_rmse[1]) for row in outcome.rows}),
                "Torque RMSE on the larger lattice against cost; dotted: that of the exact field.", "cost",
            ),
            Figure(_parity(outcome, outcome.test), "Predicted against exact torque, held-out states.", "parity-all"),
            Figure(_parity(outcome, outcome.larger), "The same on the larger lattice.", "parity-larger"),
        ],
    )  # fmt: skip


def _calibration(outcome: Outcome) -> Section:
    found = outcome.calibration
    kept = "Factors are kept" if found.kept else "Factors do not pay, and the calibrated network is the plain walk"
    rows = [
        [one.family, str(one.states), f"{one.plain:.4f}", f"{one.calibrated:.4f}",
         number_or_dash(one.unseen, ".4f")]
        for one in found.families
    ]  # fmt: skip
    return Section(
        "Calibration",
        ["A factor of each moment of the walk, by least squares to a handful of exact states, judged on states left "
         f"out of the fit. {kept}; labels aside, this took {found.seconds:.0f} s."],
        [Table(["states", "number", "R², plain walk", "calibrated", "fitted to the other kinds alone"], rows)],
    )  # fmt: skip


def _kinds(outcome: Outcome) -> Section:
    tables = [
        _table(errors, f"{title}: {labels.lattice!r}")
        for title, errors, labels in (
            ("held-out states", outcome.errors, outcome.test),
            ("larger lattice", outcome.errors_larger, outcome.larger),
        )
    ]
    return Section("Errors by kind of state", [], tables)


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


def _table(errors: Comparison, caption: str) -> Table:
    rows = [
        [name, f"{protocol} ({m.n_states})", f"{m.torque_r2:.4f}", f"{m.torque_rmse:.5f}", f"{m.angle_mean:.1f}",
         number_or_dash(m.energy_rmse_shifted, ".1e")]
        for name, protocol, m in errors.rows
    ]  # fmt: skip
    head = ["field", "states", "torque R²", "torque RMSE (t)", "mean angle (°)", "energy RMSE per site (t)"]
    return Table(head, rows, caption, words=("field", "states"))


def _parity(outcome: Outcome, labels: LabelSet, among: Collection[str] | None = None) -> matplotlib.figure.Figure:
    spins = labels.spins
    predicted = {
        name: torque_part(field(spins).field.double(), spins)
        for name, field in outcome.fields(labels).items()
        if among is None or name in among
    }
    return plots.torque_parity(torque_part(labels.field, spins), predicted)
