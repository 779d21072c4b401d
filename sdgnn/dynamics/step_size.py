"""A time step from field, damping, temperature and the accuracy that is wanted; warnings of too long ones."""

from __future__ import annotations

import dataclasses
import math
import warnings

import torch

from sdgnn.arrays import Numbers
from sdgnn.dynamics.equation import dot, gyration, velocity
from sdgnn.dynamics.integrator import Integrator, PerReplica
from sdgnn.dynamics.state import State
from sdgnn.errors import NumericalError, StepSizeWarning, UserError
from sdgnn.fields import Field
from sdgnn.processes import largest
from sdgnn.schedules import Schedule

LARGEST_ANGLE = 1.0
"""Angle |H| dt g sqrt(1 + alpha^2) that a step never exceeds: no scheme follows faster precession."""
TRIALS = 4
LARGEST_GROWTH = 4.0
TOO_LARGE = 0.1
"""Error of a direction per radian, or D dt of the bath, from which on a step is called too large."""
FIRST_LOOK = 128
"""Shorter runs are not checked: a look costs about four evaluations of the field."""


def suggest_dt(field: Field, spins: Numbers, integrator: Integrator, accuracy: float = 0.01) -> float:
    """The time step (hbar / t) at which ``integrator`` misses the path by about ``accuracy``.

    ``accuracy`` is the error of the worst spin's direction, in radian, per radian that the fastest spin turns. The dt
    of ``integrator`` plays no role; ``integrator.with_dt(suggest_dt(...))`` uses the answer. ``spins`` should be
    typical of the run, or its fastest part, which is often the random start of a quench.

    1. Precession. A spin turns at the rate W = g sqrt(1 + alpha^2) |H|. Integrators of second order miss the angle
       x = W dt of one step by c x^3 (c = 1/6 for Heun, 1/12 for the midpoint rules, 0 for rotations), that is c x^2
       per radian: dt = sqrt(accuracy / c) / W, with W of the largest field, at most LARGEST_ANGLE / W.
    2. Electrons. The field of electrons points mostly along the spin and turns with it, so that W overrates the
       motion by far. The error at this dt is therefore measured, as 4/3 of the distance between one step and two
       half steps, and dt corrected by the law (error per radian) ~ dt^2, but never beyond W dt = LARGEST_ANGLE.
    3. Bath. Noise makes spins diffuse with D = g alpha kT; second moments of a step's angles are right up to the
       relative error D dt, so dt <= accuracy / D, with D of the highest kT.

    Fields that depend on time are those of time 0.

    Raises UserError unless 0 < accuracy < 1, on bad spins, and when there is neither field nor bath.
    """
    if not 0 < accuracy < 1:
        raise UserError(f"accuracy {accuracy}", allowed="between 0 and 1 (radian of error per radian turned)")
    state = integrator.init(field, spins).evaluated(field)
    fastest, turning = _speeds(field, state, integrator)
    hottest = integrator.kT.highest if isinstance(integrator.kT, Schedule) else integrator.kT
    diffusion = _diffusion(integrator, state, hottest)
    longest = accuracy / diffusion if diffusion > 0 else math.inf
    if fastest == 0:
        if diffusion == 0:
            raise UserError("a time step without field and bath", allowed="spins that feel a field, or damping and kT")
        return longest
    limit = LARGEST_ANGLE / fastest
    dt = min(math.sqrt(accuracy / integrator.phase_error) / fastest, limit) if integrator.phase_error else limit
    for _ in range(TRIALS if turning else 0):
        error = _error(field, state, integrator.with_dt(dt))
        growth = min(LARGEST_GROWTH, math.sqrt(accuracy * turning * dt / max(error, 1e-300)))
        dt = min(dt * growth, limit)
        if growth < LARGEST_GROWTH / 2:
            break
    return min(dt, longest)


class StepWatch:
    """Warns once in a run (:class:`~sdgnn.errors.StepSizeWarning`) when its dt is too large.

    It looks at steps 0, 128, 256, 512, ... of runs of at least 128 steps. A step is too large when it misses the path
    of some spin by more than TOO_LARGE of the way that the fastest one turns (of 1 radian, if that is less), measured
    without noise by two half steps as in :func:`suggest_dt`, or when D dt of the bath exceeds TOO_LARGE.
    """

    def __init__(self, field: Field, integrator: Integrator, steps: int) -> None:
        self._field, self._integrator = field, integrator
        self._looks = steps >= FIRST_LOOK and integrator.keeps_time

    def __call__(self, state: State) -> State:
        """The state, its field evaluated where the watch has looked."""
        if not self._looks or (state.step and (state.step < FIRST_LOOK or state.step & (state.step - 1))):
            return state
        state, dt = state.evaluated(self._field), self._integrator.dt
        spread = _diffusion(self._integrator, state, self._integrator.temperature(state.time)) * dt
        turning = _speeds(self._field, state, self._integrator)[1]
        missed = 0.0
        if turning:
            try:
                missed = _error(self._field, state, self._integrator) / min(turning * dt, 1.0)
            except NumericalError:
                missed = math.inf
        if max(missed, spread) > TOO_LARGE:
            self._looks = False
            reason = (
                f"spins diffuse by D dt = {spread:.2g} in a step" if spread > missed else
                f"a step misses the path of a spin by {missed:.2g} rad per radian that the fastest one turns"
            )  # fmt: skip
            better = suggest_dt(self._field, state.spins, self._integrator)
            warnings.warn(
                f"dt = {dt:g} is too large at step {state.step} (time {state.time:g}): {reason}; "
                f"use dt = {better:.2g} or less (suggest_dt), or take no number of this run for the equation's",
                StepSizeWarning,
                stacklevel=3,
            )
        return state


def _speeds(field: Field, state: State, integrator: Integrator) -> tuple[float, float]:
    """W of the largest field, and the angular velocity of the fastest spin, 0 where it is only rounding."""
    alpha = integrator.alpha(state.spins)
    vectors = state.result(field).field
    turns = gyration(alpha, integrator.form) * (1 + alpha**2).sqrt() * dot(vectors, vectors).sqrt()
    speed = velocity(state.spins, vectors, alpha, integrator.form)
    fastest, turning = largest(torch.stack([turns.max(), dot(speed, speed).sqrt().max()])).tolist()
    return fastest, turning if turning >= 100 * torch.finfo(state.spins.dtype).eps * fastest else 0.0


def _diffusion(integrator: Integrator, state: State, kT: PerReplica) -> float:
    """Largest D = g alpha kT of the replicas."""
    alpha = integrator.alpha(state.spins)
    temperature = state.spins.new_tensor(kT).reshape(-1, 1, 1)
    return float((gyration(alpha, integrator.form) * alpha * temperature).max())


def _error(field: Field, state: State, integrator: Integrator) -> float:
    """How far the worst spin's direction is off after one step without noise: 4/3 of its distance to two half steps."""
    whole = dataclasses.replace(integrator, kT=0.0)
    half = whole.with_dt(integrator.dt / 2)
    refined = half.step(field, half.step(field, state)).spins
    return 4 / 3 * float(largest((whole.step(field, state).spins - refined).norm(dim=-1).max()))
