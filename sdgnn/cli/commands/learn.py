"""Active learning from a configuration."""

from __future__ import annotations

from pathlib import Path

from sdgnn.cli.commands.console import say, warn
from sdgnn.cli.config.learning import LearnConfig
from sdgnn.cli.report.learning import page
from sdgnn.cli.report.table import Columns, Table, number_or_dash
from sdgnn.cli.results import open_results, resumed_folder
from sdgnn.common.rounding import with_error
from sdgnn.nn.images import model_of, too_small
from sdgnn.train.active_learning import Learned, exploration_of, learn

REPORT = "report.html"
"""Name of the report in the folder."""


def learn_actively(config: LearnConfig, resume: bool = False) -> Path:
    """Learn into a results folder and return it; the path is the last line on standard output."""
    exact = config.electrons.build(config.hamiltonian.build(config.lattice.build()))
    warn(too_small(model_of(config.network, exact), "labels"))
    place = resumed_folder("learn", config.output) if resume else None
    settled = {} if place is None else exploration_of(place).get("integrator", {})
    exploration, protocols = config.exploration.build(exact, settled.get("dt")), config.protocols
    for protocol in protocols:
        protocol.check(exact.lattice)
    results = open_results(config, "learn", resume, ["learning", "workers", "scheduler"])
    outcome = learn(
        exact, protocols, exploration, config.network, config.training, config.learning, results.path,
        validation=config.validation, seed=config.seed, workers=config.workers, scheduler=config.scheduler,
        resume=results.resumed, progress=True, say=say,
    )  # fmt: skip
    report = page(config, outcome, results.path).write(results.path / REPORT)
    say(rounds_table(outcome).for_console())
    say(f"{outcome.reason}; {outcome.committee!r}")
    say(f"committee: {results.path / 'committee'}")
    say(f"report: {report}")
    print(results.path)
    return results.path


def rounds_table(outcome: Learned) -> Table:
    """Errors of every round."""
    columns: Columns = {
        "round": lambda one: str(one["round"]),
        "training states": lambda one: str(one["training_states"]),
        "torque R²": lambda one: with_error(one["errors"]["torque_r2"], one["errors"].get("torque_r2_error"), ".4f"),
        "torque RMSE": lambda one: f"{one['errors']['torque_rmse']:.5f}",
        "true / predicted error": lambda one: number_or_dash(one["reliability"]["ratio"], ".2f"),
        "seconds": lambda one: f"{one['seconds']:.0f}",
    }
    return Table.of(columns, outcome.rounds, "errors on fresh states of the committee's own dynamics")
