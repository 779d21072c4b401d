"""One run of spin dynamics: what it starts from, and the run itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sdgnn.analysis.observers import observer
from sdgnn.cli.commands.console import timed, warnings_said
from sdgnn.cli.config.commands import QuenchConfig, SimulateConfig
from sdgnn.cli.config.runs import integrator_of
from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB
from sdgnn.dynamics import Integrator, Observer, Run, estimate, simulate
from sdgnn.dynamics.run import recorded_settings
from sdgnn.fields import Field
from sdgnn.nn.images import too_small
from sdgnn.train.guard import Guard

MAY_DIFFER = ("steps", "checkpoint_every", "guard", "device", "field.model", "initial.file")
"""Keys that may differ when a run is resumed; of files the content counts, which the run's own settings know."""
PROGRAM = 0.5
"""GB that the program takes before a run."""
ARRAYS = 16
"""Arrays as large as the spins that are there at once in a step, positions of the lattice included."""


def doubts_about(config: SimulateConfig, field: Field) -> list[str]:
    """Warnings about a run before it starts: a lattice smaller than the halo of its field, electrons counted twice."""
    twice = config.field.model is not None and config.field.electrons is not None
    said = f"the field of electrons twice: that of {config.field.model} and that of field.electrons"
    return [*([said] if twice else []), *too_small(field, "a run")]


def field_memory(config: SimulateConfig, sites: int) -> float | None:
    """GB that are left for a network by the limit of a run. Raises UserError where there are none."""
    if config.memory is None:
        return None
    arrays = ARRAYS * config.replicas * sites * 3 * config.dtype.itemsize / GB
    left = config.memory - PROGRAM - arrays
    if left <= 0:
        raise UserError(
            f"memory = {config.memory:g} for {config.replicas} replica(s) of {sites} sites",
            allowed=f"more than {PROGRAM + arrays:.2g} GB, which program and spins take",
        )
    return left


@dataclass(frozen=True)
class Start:
    """All that a run needs, built and checked before its folder is made."""

    field: Field
    """What drives the spins."""
    spins: Tensor
    """First spins, (replica, site, 3)."""
    integrator: Integrator
    """The integrator, its time step settled."""
    observers: tuple[Observer, ...]
    """What is measured."""

    @classmethod
    def within(cls, config: SimulateConfig, folder: Path | None = None, streams: range | None = None) -> Start:
        """The start that ``config`` describes, with its own field. Raises UserError where it exceeds ``memory``."""
        lattice = config.lattice.build()
        field = config.field.build(lattice, config.dtype, field_memory(config, lattice.n_sites), config.device)
        start = cls.of(config, field, folder, streams)
        if config.memory is not None:
            estimate(start.field, start.spins, start.integrator, config.steps).check(config.memory)
        return start

    @classmethod
    def of(cls, config: QuenchConfig, field: Field, folder: Path | None = None, streams: range | None = None) -> Start:
        """The start that ``config`` describes, driven by ``field``; ``streams`` numbers the first states, as the noise.

        A time step that ``config`` leaves open is that of the run in ``folder``, if there is one to go on with: derived
        again, it would have other last digits on another machine. Raises UserError where the lattice does not allow it.
        """
        settled = {} if folder is None else recorded_settings(folder).get("integrator", {})
        count = config.replicas if streams is None else streams.stop
        spins = config.initial.build(field.lattice, count, config.seed, config.dtype)[count - config.replicas :]
        spins = spins.to(config.device)
        integrator = integrator_of(config.integrator, field, spins, settled.get("dt"))
        run = (field, integrator)
        observers = tuple(observer(name, field.lattice, every, run) for name, every in config.observe.items())
        return cls(field, spins, integrator, observers)


def run_dynamics(
    config: QuenchConfig,
    start: Start,
    folder: Path,
    resume: bool = False,
    guard: Guard | None = None,
    streams: Sequence[int] | None = None,
) -> Run:
    """The run that ``config`` describes, with a progress bar; ``streams`` numbers the noise of its replicas."""
    what = f"{config.steps} steps of {config.replicas} replica(s) by {start.integrator!r} in {start.field!r}"
    with warnings_said(), timed(what):
        return simulate(
            start.field,
            start.spins,
            start.integrator,
            config.steps,
            seed=config.seed,
            observers=start.observers,
            folder=folder,
            resume=resume,
            progress=True,
            checkpoint_every=config.checkpoint_every,
            streams=streams,
            guard=guard,
        )
