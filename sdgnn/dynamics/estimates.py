"""What a run will take, said before it starts: time from a short timing, memory from counted arrays."""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.memory import GB, Counted, resident
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, FieldResult, check_spins
from sdgnn.fields.schedules import Time
from sdgnn.lattice import Lattice

PIECE = 2**16
"""Spins on which what a step takes besides the field is measured."""
TRIALS = 3
"""Steps that are taken to measure one: a first, one whose memory is counted, one that is timed."""


@dataclass(frozen=True)
class Estimate:
    """Time and memory of a run, without its observers and what they write."""

    steps: int
    """Number of steps."""
    evaluations: int
    """Evaluations of the field in one step."""
    field_seconds: float
    """Wall time of one evaluation of all replicas."""
    other_seconds: float
    """Wall time of the rest of a step: the equation of motion and its noise."""
    memory: float
    """Largest resident memory in bytes: what the process takes now, the arrays of a step, those of the field."""

    @property
    def seconds(self) -> float:
        """Wall time of the run."""
        return self.steps * (self.evaluations * self.field_seconds + self.other_seconds)

    def check(self, memory: float) -> None:
        """Raises UserError when the run would take more than ``memory`` GB."""
        if self.memory > memory * GB:
            raise UserError(
                f"a run that takes about {self.memory / GB:.2g} GB with memory = {memory:g}",
                allowed="as many GB as it takes",
                fix="raise memory, or run fewer replicas, a smaller lattice or a lower precision",
            )

    def __str__(self) -> str:
        step = self.evaluations * self.field_seconds + self.other_seconds
        return (
            f"expected: {duration(self.seconds)} for {self.steps} steps of {step:.2g} s, "
            f"{self.memory / GB:.2g} GB of memory; observers and writing come on top"
        )


def estimate(field: Field, spins: Numbers, integrator: Integrator, steps: int) -> Estimate:
    """What :func:`sdgnn.simulate` with these arguments will take.

    The field's time is that of one evaluation, on large crystals of one block (:meth:`sdgnn.fields.Field.cost`). What a
    step takes besides is measured on a piece of the spins in a field that does not change, where implicit schemes need
    about as many evaluations as later. Sweeps of Monte Carlo, which ask a field for more than its value, are timed
    whole.
    """
    spins = check_spins(spins, field.lattice)
    replicas, sites, _ = spins.shape
    before = resident()  # fields keep working memory once they were asked
    if not integrator.keeps_time:
        seconds, held = _step(integrator, field, spins)
        return Estimate(steps, 0, 0.0, seconds, before + held)
    cost = field.cost(spins)
    piece = spins[:, : min(sites, max(1, PIECE // replicas))].clone()
    still = Still(piece)
    seconds, held = _step(integrator, still, piece)
    share = sites / piece.shape[1]
    return Estimate(
        steps, still.evaluations // TRIALS, cost.seconds, seconds * share, before + cost.bytes + held * share
    )


def _step(integrator: Integrator, field: Field, spins: Float[Tensor, "replica site 3"]) -> tuple[float, int]:
    """Wall time of a step and the bytes that torch's tensors take in it."""
    state = State(spins, 0.0, 0, 0, tuple(range(len(spins))))
    integrator.step(field, state)
    with Counted() as counted:
        integrator.step(field, state)
    start = clock.perf_counter()
    integrator.step(field, state)
    return clock.perf_counter() - start, counted.peak


class Still(Field):
    """A field of size 1 that does not depend on the spins, on any number of sites."""

    def __init__(self, spins: Float[Tensor, "replica site 3"]) -> None:
        self.lattice = Lattice.chain(spins.shape[1])
        self.evaluations = 0
        """Times that it was asked."""
        self._result = FieldResult(spins.new_zeros(len(spins)), torch.full_like(spins, 1 / math.sqrt(3)))

    def evaluate(self, spins: Float[Tensor, "replica site 3"], time: Time) -> FieldResult:
        self.evaluations += 1
        return self._result


def duration(seconds: float) -> str:
    """A time in words: 42 s, 3 min 20 s, 5 h 10 min, 2 d 4 h."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return "{} min {} s".format(*divmod(round(seconds), 60))
    if seconds < 86400:
        return "{} h {} min".format(*divmod(round(seconds / 60), 60))
    return "{} d {} h".format(*divmod(round(seconds / 3600), 24))
