"""The command simulate: spin dynamics from a configuration."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sdgnn.cli.commands.console import say, warn
from sdgnn.cli.commands.single_run import MAY_DIFFER, Start, doubts_about, run_dynamics
from sdgnn.cli.commands.sweep import run_sweep
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.cli.config.runs import GuardConfig
from sdgnn.cli.results import open_results, resumed_folder
from sdgnn.common import processes
from sdgnn.common.errors import UserError
from sdgnn.dynamics import estimate


def run_simulation(config: SimulateConfig, resume: bool = False, guard: bool = False) -> Path:
    """Simulate into a results folder and return it: a run, on all processes that torchrun has started, or a sweep.

    With ``guard`` the run is watched also where ``config`` has no such section. Raises UnknownStates when that ends it.
    """
    if guard and config.guard is None:
        config = config.model_copy(update={"guard": GuardConfig()})
    with processes.group():
        if processes.together():
            _check_shared(config)
        if config.sweep:
            return run_sweep(config, resume)
        start = Start.within(config, resumed_folder("simulate", config.output) if resume else None)
        warn(doubts_about(config, start.field))
        watch = None if config.guard is None else config.guard.build(start.field)
        told = [] if processes.together() else [estimate(start.field, start.spins, start.integrator, config.steps)]
        with closing(open_results(config, "simulate", resume, MAY_DIFFER)) as results:
            for expected in told:
                say(str(expected))
            say(repr(run_dynamics(config, start, results.path, resume=results.resumed, guard=watch)))
    say(f"trajectory: {results.path}")
    return results.path


def _check_shared(config: SimulateConfig) -> None:
    """Raises UserError on what a run on several processes cannot do."""
    if config.sweep or config.guard is not None:
        raise UserError("a sweep or guard on several processes", allowed="a single run without guard")
    if config.memory is not None:
        raise UserError("memory on several processes", allowed="memory of a run by one process", fix="leave it out")
