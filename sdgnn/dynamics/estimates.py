"""Time and memory that a run will take, from its first steps."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB, peak_memory
from sdgnn.common.one_line import one_line
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.fields import Field

LONG = 60.0
"""Seconds of a step from which on it is not timed again, though the first one compiles loops and makes tables."""


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a run, without its observers and what they write."""

    steps: int
    """Number of steps."""
    step_seconds: float
    """Wall time of one step of all replicas."""
    memory: float
    """Largest resident memory in bytes of the process that does the run."""

    __repr__ = one_line

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return self.steps * self.step_seconds

    def check(self, memory: float) -> None:
        """Raises UserError when the run would take more than ``memory`` GB."""
        if self.memory > memory * GB:
            raise UserError(
                f"a run that takes about {self.memory / GB:.2g} GB with memory = {memory:g}",
                allowed="as many GB as it takes",
                fix="raise memory, or run fewer replicas, a smaller lattice or a lower precision",
            )

    def __str__(self) -> str:
        return (
            f"expected: {duration(self.seconds)} for {self.steps} steps of {self.step_seconds:.2g} s, "
            f"{self.memory / GB:.2g} GB of memory; observers and writing come on top"
        )


def estimate(field: Field, spins: Numbers, integrator: Integrator, steps: int) -> Estimate:
    """What :func:`sdgnn.simulate` with these arguments will take.

    Two steps are made, whose result is dropped, and the second is timed (the first where it takes more than LONG). The
    memory is the most that this process has had until then.
    """
    state = integrator.init(field, spins)
    seconds = 0.0
    for _ in range(2):
        if seconds < LONG:
            start = clock.perf_counter()
            integrator.step(field, state)
            seconds = clock.perf_counter() - start
    return Estimate(steps, seconds, peak_memory())


def duration(seconds: float) -> str:
    """A time in words: 42 s, 3 min 20 s, 5 h 10 min, 2 d 4 h."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return "{} min {} s".format(*divmod(round(seconds), 60))
    if seconds < 86400:
        return "{} h {} min".format(*divmod(round(seconds / 60), 60))
    return "{} d {} h".format(*divmod(round(seconds / 3600), 24))
