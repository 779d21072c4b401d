"""Active learning from a configuration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.cli.commands.console import console, say, warn
from sdgnn.cli.config.learning import LearnConfig
from sdgnn.cli.results import open_results, resumed_folder
from sdgnn.nn.images import model_of, too_small
from sdgnn.train.active_learning import Learned, exploration_of, learn
from sdgnn.train.metrics import value_and_error

REPORT = "report.html"
"""Name of the report in the folder."""


def learn_actively(config: LearnConfig, resume: bool = False) -> Path:
    """Learn into a results folder and return it; the path is the last line on standard output."""
    from sdgnn.cli.report.learning import write_report

    exact = config.electrons.build(config.hamiltonian.build(config.lattice.build()))
    warn(too_small(model_of(config.network, exact), "labels"))
    place = resumed_folder("learn", config.output) if resume else None
    settled = {} if place is None else exploration_of(place).get("integrator", {})
    exploration, protocols = config.exploration.build(exact, settled.get("dt")), config.build_protocols()
    for protocol in protocols:
        protocol.check(exact.lattice)
    results = open_results(config, "learn", resume, ["learning", "workers", "scheduler"])
    outcome = learn(
        exact, protocols, exploration, config.network, config.training, config.learning, results.path,
        validation=config.validation, seed=config.seed, workers=config.workers, scheduler=config.scheduler,
        resume=results.resumed, progress=True, say=say,
    )  # fmt: skip
    report = write_report(config, outcome, results.path, results.path / REPORT)
    console.print(table(outcome))
    say(f"{outcome.reason}; {outcome.committee!r}")
    say(f"committee: {results.path / 'committee'}")
    say(f"report: {report}")
    print(results.path)
    return results.path


def table(outcome: Learned):  # type: ignore[no-untyped-def]
    """A rich table of the rounds."""
    from rich.table import Table

    rows = Table(title="errors on fresh states of the committee's own dynamics")
    for name in ("round", "training states", "torque R²", "torque RMSE", "true / predicted error", "seconds"):
        rows.add_column(name, justify="right")
    for one in outcome.rounds:
        errors = one["errors"]
        r2 = value_and_error(errors["torque_r2"], errors.get("torque_r2_error"))
        ratio = one["reliability"]["ratio"]
        rows.add_row(
            str(one["round"]), str(one["training_states"]), r2,
            f"{errors['torque_rmse']:.5f}", "-" if ratio is None else f"{ratio:.2f}", f"{one['seconds']:.0f}",
        )  # fmt: skip
    return rows
