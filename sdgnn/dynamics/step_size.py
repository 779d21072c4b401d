"""A time step from the field, the damping, the temperature and the accuracy that is wanted."""

from __future__ import annotations

import dataclasses
import math

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.dynamics.equation import dot, gyration, velocity
from sdgnn.dynamics.integrator import Integrator
from sdgnn.errors import UserError
from sdgnn.fields import Field

LARGEST_ANGLE = 1.0
"""Angle |H| dt g sqrt(1 + alpha^2) that a step never exceeds: no scheme follows faster precession."""
TRIALS = 4
LARGEST_GROWTH = 4.0


def suggest_dt(
    field: Field, spins: Float[Tensor, "replica site 3"], integrator: Integrator, accuracy: float = 0.01
) -> float:
    """The time step (hbar / t) at which ``integrator`` misses the path by about ``accuracy``.

    ``accuracy`` is the error of the worst spin's direction, in radian, per radian that the fastest spin turns. The dt
    of ``integrator`` plays no role; ``integrator.with_dt(suggest_dt(...))`` uses the answer. ``spins`` should be
    typical of the run, or its fastest part, which is often the random start of a quench.

    1. Precession. A spin turns at the rate W = g sqrt(1 + alpha^2) |H|. Integrators of second order miss the angle
       x = W dt of one step by c x^3 (c = 1/6 for Heun, 1/12 for the midpoint rules), that is c x^2 per radian:
       dt = sqrt(accuracy / c) / W, with W of the largest field.
    2. Electrons. The field of electrons points mostly along the spin and turns with it, so that W overrates the
       motion by far. The error at this dt is therefore measured, as 4/3 of the distance between one step and two
       half steps, and dt corrected by the law (error per radian) ~ dt^2, but never beyond W dt = LARGEST_ANGLE.
    3. Bath. Noise makes spins diffuse with D = g alpha kT; second moments of a step's angles are right up to the
       relative error D dt, so dt <= accuracy / D.

    Raises UserError unless 0 < accuracy < 1, on bad spins, and when there is neither field nor bath.
    """
    if not 0 < accuracy < 1:
        raise UserError(f"accuracy {accuracy}", allowed="between 0 and 1 (radian of error per radian turned)")
    state = integrator.init(field, spins)
    alpha = integrator.alpha(spins)
    gyro = gyration(alpha, integrator.form)
    vectors = state.result(field).field
    fastest = float((gyro * (1 + alpha**2).sqrt() * dot(vectors, vectors).sqrt()).max())
    diffusion = float((gyro * alpha * spins.new_tensor(integrator.kT).reshape(-1, 1, 1)).max())
    longest = accuracy / diffusion if diffusion > 0 else math.inf
    if fastest == 0:
        if diffusion == 0:
            raise UserError("a time step without field and bath", allowed="spins that feel a field, or damping and kT")
        return longest
    dt = math.sqrt(accuracy / integrator.phase_error) / fastest
    speed = velocity(spins, vectors, alpha, integrator.form)
    turning = float(dot(speed, speed).sqrt().max())
    quiet = dataclasses.replace(integrator, kT=0.0)
    at_rest = turning < 100 * torch.finfo(spins.dtype).eps * fastest
    for _ in range(0 if at_rest else TRIALS):
        whole = quiet.with_dt(dt).step(field, state).spins
        half = quiet.with_dt(dt / 2)
        error = 4 / 3 * float((whole - half.step(field, half.step(field, state)).spins).norm(dim=-1).max())
        growth = min(LARGEST_GROWTH, math.sqrt(accuracy * turning * dt / max(error, 1e-300)))
        dt = min(dt * growth, LARGEST_ANGLE / fastest)
        if growth < LARGEST_GROWTH / 2:
            break
    return min(dt, longest)
