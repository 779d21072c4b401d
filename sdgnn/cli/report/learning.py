"""The report of active learning."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sdgnn.analysis.plots.learning import error_by_round, picked_states, reliability_curves
from sdgnn.cli.config.learning import LearnConfig
from sdgnn.cli.report.page import Figure, Page, Section, details
from sdgnn.cli.report.table import Table
from sdgnn.common.rounding import with_error
from sdgnn.dynamics import open_trajectory
from sdgnn.train.active_learning import Learned


def page(config: LearnConfig, outcome: Learned, folder: Path) -> Page:
    """The report of what was learned in ``folder``."""
    first, last = outcome.rounds[0]["errors"], outcome.rounds[-1]["errors"]
    return Page(
        title="Learning from its own dynamics",
        answer=(
            f"On fresh states of its own dynamics the torque R² went from {_r2(first)} to {_r2(last)}, with "
            f"{outcome.rounds[-1]['training_states']} exactly labelled states; ± is one standard error over the fresh "
            "states."
        ),
        lead=[_by_round(config, outcome), _reliability(outcome)],
        summary=[
            f"A committee of {config.learning.members} models was trained in {len(outcome.rounds)} round(s), on "
            f"{outcome.rounds[0]['training_states']} exactly labelled states at first and "
            f"{outcome.rounds[-1]['training_states']} at last. It ended because: {outcome.reason}.",
            f"Labels by {config.electrons.build(config.hamiltonian.build(config.lattice.build()))!r}.",
            f"{outcome.committee!r}.",
        ],
        sections=[_errors(config, outcome), _calibration(outcome), _picks(outcome, folder)],
        details=details(config),
    )


def _r2(row: dict) -> str:
    """Torque R² with its standard error; rounds of older versions have none."""
    return with_error(row["torque_r2"], row.get("torque_r2_error"), ".4f")


def _errors(config: LearnConfig, outcome: Learned) -> Section:
    names = [row["field"] for row in outcome.rounds[-1]["comparison"] if row["protocol"] == "all"]
    rows = [
        [str(one["round"]), str(one["training_states"]), str(one["validation_states"]), name, _r2(row),
         f"{row['torque_rmse']:.5f}", f"{one['seconds']:.0f}"]
        for one in outcome.rounds for name in names for row in [_row(one, name)]
    ]  # fmt: skip
    head = ["round", "training states", "validation states", "field", "torque R²", "torque RMSE (t)", "seconds"]
    return Section(
        "Errors by round",
        ["Every round is judged on states that nothing was trained on, one from each of several runs driven by the "
         "round's own committee, at times spread over the runs, and labelled exactly. Errors of R² are "
         "standard errors over these states; of a handful they are rough."],
        [Table(head, rows, "fresh states", words=("field",))],
    )  # fmt: skip


def _by_round(config: LearnConfig, outcome: Learned) -> Figure:
    names = [row["field"] for row in outcome.rounds[-1]["comparison"] if row["protocol"] == "all"]
    curves = {name: [_row(one, name)["torque_rmse"] for one in outcome.rounds] for name in names}
    target = config.learning.target_rmse
    if target is None and config.learning.target_r2 is not None:
        target = math.sqrt(1 - config.learning.target_r2) * outcome.rounds[-1]["errors"]["torque_rms"]
    figure = error_by_round([one["training_states"] for one in outcome.rounds], curves, target)
    return Figure(figure, "Torque RMSE on fresh states, per component, by the number of training states.", "by_round")


def _reliability(outcome: Learned) -> Figure:
    shown = {f"round {k}": outcome.rounds[k]["reliability"] for k in sorted({0, len(outcome.rounds) - 1})}
    curves = {name: (found["predicted"], found["true"]) for name, found in shown.items()}
    told = "True against predicted error on fresh states, in bins of sites."
    return Figure(reliability_curves(curves), told, "reliability")


def _row(one: dict, name: str) -> dict:
    return next(row for row in one["comparison"] if row["field"] == name and row["protocol"] == "all")


def _calibration(outcome: Learned) -> Section:
    rows = [
        [str(one["round"]), f"{one['calibration']['factor']:.2f}", f"{one['calibration']['common']:.4f}",
         str(one["validation_states"]), f"{one['calibration']['limit']:.4f}", _number(one["reliability"]["ratio"]),
         _number(one["reliability"]["correlation"]), _number(one["reliability"]["state_correlation"])]
        for one in outcome.rounds
    ]  # fmt: skip
    head = ["round", "factor", "common (t)", "validation states", "99 % of sites below (t)",
            "true / predicted on fresh states", "correlation, sites", "correlation, states"]  # fmt: skip
    return Section(
        "Predicted against true error",
        ["The predicted error e of a site's torque follows from the standard deviation d over the members, "
         "e² = (factor d)² + common²; both numbers are fitted on the validation states. Here it is checked on the "
         "fresh states, which took no part in that. Rank correlations tell whether sites, or states, of larger "
         "predicted error have the larger true error."],
        [Table(head, rows, "calibration")],
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _picks(outcome: Learned, folder: Path) -> Section:
    figures, rows = [], []
    for one in outcome.rounds:
        if "picks" not in one:
            continue
        runs = open_trajectory(folder / f"round-{one['round']:02d}" / "explore")
        predicted = np.sqrt(np.square(runs["torque_error"].values).mean(-1))
        picks = [(pick["step"], pick["replica"]) for pick in one["picks"]]
        figure = picked_states(runs["step"].values, predicted, picks)
        figures.append(
            Figure(
                figure,
                f"Round {one['round']}: predicted error of each run through time; circles: picked.",
                f"picks-{one['round']:02d}",
            )
        )
        rows += [
            [
                str(one["round"]),
                str(pick["replica"]),
                str(pick["step"]),
                f"{pick['predicted']:.4f}",
                f"{pick['true']:.4f}",
            ]
            for pick in one["picks"]
        ]
    head = ["round", "run", "step", "predicted error (t)", "true error (t)"]
    return Section(
        "Where the picked states come from",
        ["States of the committee's own runs with the largest predicted error, at most one per run and time window."],
        [Table(head, rows, "picked states, root mean square over their sites")] if rows else [],
        figures,
    )
