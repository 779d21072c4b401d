"""A time step from field, damping, temperature and the accuracy that is wanted; warnings of too long ones."""

from __future__ import annotations

import dataclasses
import math
import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import NumericalError, StepSizeWarning, UserError
from sdgnn.common.processes import largest, total
from sdgnn.dynamics.integrators.equation import diffusion, dot, gyration, transverse, unit, velocity
from sdgnn.dynamics.integrators.integrator import Integrator, PerReplica, per_replica
from sdgnn.dynamics.spin_temperature import laplacian
from sdgnn.dynamics.state import State, evaluate
from sdgnn.fields import Field
from sdgnn.fields.schedules import Schedule

LARGEST_ANGLE = 1.0
"""Angle |H| dt g sqrt(1 + alpha^2) that a step never exceeds: no scheme follows faster precession."""
TRIALS = 4
LARGEST_GROWTH = 4.0
TOO_LARGE = 0.1
"""Error of a direction per radian from which on a step is called too large."""
ANHARMONIC = 4.0
"""Factor of (D_s dt)^2 in the bias of the spins' temperature, measured."""
TOLERANCE = 0.01
"""Relative error of the spins' temperature from which on a step, or the drift without damping, is too large."""
FIRST_LOOK = 128
"""Shorter runs are not checked: a look costs about seven evaluations of the field."""


@dataclasses.dataclass(frozen=True)
class Miss:
    """What one step without noise misses: 4/3 of the distance between its result S' and that of two half steps, S''."""

    path: float
    """What the step misses of the worst spin's direction, in radian."""
    energy: Float[Tensor, " replica"]
    """Too much of it, - 4/3 (S' - S'') . H at (S' + S'') / 2, in units of t: no difference of two large energies."""

    @classmethod
    def of(cls, field: Field, state: State, integrator: Integrator) -> Miss:
        """Of a step of ``integrator`` from ``state``, five evaluations of the field for a scheme of two a step."""
        quiet = integrator.replace(kT=0.0)
        half = quiet.with_dt(integrator.dt / 2)
        whole = quiet.step(field, state).spins
        refined = half.step(field, half.step(field, state)).spins
        apart = whole - refined
        middle = unit(whole + refined)
        along = transverse(evaluate(field, middle, state, integrator.dt).field, middle)
        energy = -4 / 3 * total(dot(apart, along).sum((1, 2)).double())
        return cls(4 / 3 * float(largest(apart.norm(dim=-1).max())), energy)


def suggest_dt(field: Field, spins: Numbers, integrator: Integrator, accuracy: float = TOLERANCE) -> float:
    """The time step (hbar / t) at which ``integrator`` misses path and temperature by at most about ``accuracy``.

    ``accuracy`` is the error of the worst spin's direction, in radian, per radian that the fastest spin turns, and, in
    a bath, the relative error of the temperature that the spins take (:func:`temperature_bias`). The dt of
    ``integrator`` plays no role; ``integrator.with_dt(suggest_dt(...))`` uses the answer. ``spins`` should be typical
    of the run, or its fastest part, which is often the random start of a quench.

    1. Precession. A spin turns at the rate W = g sqrt(1 + alpha^2) |H|. Integrators of second order miss the angle
       x = W dt of one step by c x^3 (c = 1/6 for Heun, 1/12 for the midpoint rules, 1/15 for the rotations of Depondt
       and Mertens), that is c x^2 per radian: dt = sqrt(accuracy / c) / W, with W of the largest field, at most
       LARGEST_ANGLE / W.
    2. Electrons. The field of electrons points mostly along the spin and turns with it, so that W overrates the
       motion by far. The error at this dt is therefore measured, as 4/3 of the distance between one step and two
       half steps, and dt corrected by the law (error per radian) ~ dt^2, but never beyond W dt = LARGEST_ANGLE.
    3. Bath. dt is shortened until the bias of the spins' temperature, which falls as dt^2 or faster, is at most
       ``accuracy``, with the highest kT.

    The bias is that of the given spins: a run that comes to stiffer states is warned there (:class:`StepWatch`).
    Fields that depend on time are those of time 0.

    Raises UserError unless 0 < accuracy < 1, on bad spins, and when there is neither field nor bath.
    """
    if not 0 < accuracy < 1:
        raise UserError(f"accuracy {accuracy}", allowed="between 0 and 1 (radian of error per radian turned)")
    state = integrator.init(field, spins).evaluated(field)
    fastest, turning = _speeds(field, state, integrator)
    hottest = integrator.kT.highest if isinstance(integrator.kT, Schedule) else integrator.kT
    spread = _spread(integrator, state, hottest) / integrator.dt
    longest = math.sqrt(accuracy / ANHARMONIC) / spread if spread > 0 else math.inf
    if fastest == 0:
        if spread == 0:
            raise UserError("a time step without field and bath", allowed="spins that feel a field, or damping and kT")
        return longest
    limit = LARGEST_ANGLE / fastest
    dt = min(math.sqrt(accuracy / integrator.phase_error) / fastest, limit) if integrator.phase_error else limit
    for _ in range(TRIALS if turning else 0):
        error = Miss.of(field, state, integrator.with_dt(dt)).path
        growth = min(LARGEST_GROWTH, math.sqrt(accuracy * turning * dt / max(error, 1e-300)))
        dt = min(dt * growth, limit)
        if growth < LARGEST_GROWTH / 2:
            break
    dt = min(dt, longest)
    for _ in range(TRIALS if spread else 0):
        shorter = integrator.with_dt(dt)
        bias = sum(map(abs, temperature_bias(field, state, shorter, hottest, Miss.of(field, state, shorter))))
        if bias <= accuracy:
            break
        dt *= 0.95 * math.sqrt(accuracy / bias)
    return dt


def temperature_bias(
    field: Field, state: State, integrator: Integrator, kT: PerReplica, miss: Miss
) -> tuple[float, float, float]:
    """Three terms of T_spin / kT - 1 in equilibrium at steps of ``integrator``; zeros without a bath.

        m / (P dt),    (gamma dt)^2 / 3,    4 (D_s dt)^2

    Their sum is an estimate, the sum of their sizes one from above.

    ======= ============================================================================================
    m       energy by which a step without noise misses, of ``miss``
    P       power that damping takes, g alpha sum_i |S_i x H_i|^2, or that the bath gives, g alpha kT L,
            whichever is larger; summed over replicas, as m is
    L       Laplacian of E on the spheres (:func:`sdgnn.dynamics.spin_temperature.spin_temperature`)
    gamma   relaxation rate of a spin, g alpha L / (2 sites); L < 0, near maxima of E, counts as 0
    D_s     diffusion of a spin, g alpha kT; gamma and D_s are the largest of the replicas
    ======= ============================================================================================

    Derivation. In equilibrium P is g alpha L T_spin, and balances the bath's power g alpha L kT. A motion whose energy
    comes out too large by m heats with the power m / dt besides: T_spin / kT - 1 = m / (P dt). Motion and kicks that
    follow each other, each by itself exact, leave a harmonic mode at <a^2> = (gamma dt) coth(gamma dt) times its value
    in equilibrium, which is the second term. The third stands for what is not harmonic; its shape, second order of the
    commutator of kick, kick and damping, is derived, its factor 4 measured: between 2.1 and 5.1 on the Heisenberg
    square lattice where that term rules, at kT from 1 to 4 and D_s dt from 0.08 to 0.2 (column "rest" of
    ``python benchmarks/integrators.py``).

    All spins of the run enter, so that lattices of a few sites give an estimate that fluctuates.
    """
    if _spread(integrator, state, kT) == 0:
        return 0.0, 0.0, 0.0
    alpha, temperature = (per_replica(values, state.spins) for values in (integrator.damping, kT))
    rate = (gyration(alpha, integrator.form) * alpha)[:, 0, 0].double()
    slope, curvature, sites = _landscape(field, state)
    power = (rate * torch.maximum(slope, temperature[:, 0, 0] * curvature)).sum()
    share = float(miss.energy.sum() / (power * integrator.dt)) if power > 0 else 0.0
    relaxed = float((rate * curvature.clamp_min(0)).max()) / (2 * sites) * integrator.dt
    return share, relaxed**2 / 3, ANHARMONIC * _spread(integrator, state, kT) ** 2


class StepWatch:
    """Warns once in a run (:class:`~sdgnn.common.errors.StepSizeWarning`) when its dt is too large.

    It looks at steps 0, 128, 256, 512, ... of runs of at least 128 steps. A step is too large when it misses the path
    of some spin by more than TOO_LARGE of the way that the fastest one turns (of 1 radian, if that is less), measured
    without noise by two half steps as in :func:`suggest_dt`, or when the bath's temperature comes out wrong by more
    than TOLERANCE (:func:`temperature_bias`).

    Without damping energy is conserved where the field does not depend on time and derives from an energy. There the
    watch follows the energy since the first look, and warns when its change per site exceeds TOLERANCE of the spins'
    temperature then (of their root mean square torque, if that is less): heat that warms a harmonic magnet by as much.
    Of the integrators only :class:`~sdgnn.dynamics.integrators.midpoint.ImplicitMidpoint` has no such drift.
    """

    def __init__(self, field: Field, integrator: Integrator, steps: int) -> None:
        self._field, self._integrator = field, integrator
        self._looks = steps >= FIRST_LOOK and integrator.keeps_time
        self._start: tuple[Tensor, Tensor] | None = None

    def __call__(self, state: State) -> State:
        """The state, its field evaluated where the watch has looked."""
        if not self._looks or (state.step and (state.step < FIRST_LOOK or state.step & (state.step - 1))):
            return state
        state = state.evaluated(self._field)
        reason = self._too_large(state)
        if reason:
            better = suggest_dt(self._field, state.spins, self._integrator)
            self._warn(
                f"dt = {self._integrator.dt:g} is too large at step {state.step} (time {state.time:g}): {reason}; "
                f"use dt = {better:.2g} or less (suggest_dt), or take no number of this run for the equation's"
            )
        elif drift := self._drift(state):
            self._warn(
                f"without damping the energy of a run is conserved; until step {state.step} (time {state.time:g}) that "
                f"of this one has changed by {drift:.2g} of the spins' temperature per site: use the implicit midpoint "
                f"rule (scheme implicit-midpoint), or a shorter dt than {self._integrator.dt:g}"
            )
        return state

    def _warn(self, message: str) -> None:
        self._looks = False
        warnings.warn(message, StepSizeWarning, stacklevel=4)

    def _too_large(self, state: State) -> str:
        """Why dt is too large for the state, or nothing."""
        field, integrator = self._field, self._integrator
        turning = _speeds(field, state, integrator)[1]
        try:
            miss = Miss.of(field, state, integrator)
            missed = miss.path / min(turning * integrator.dt, 1.0) if turning else 0.0
            terms = temperature_bias(field, state, integrator, integrator.temperature(state.time), miss)
            bias = sum(map(abs, terms))
        except NumericalError:
            missed, bias = math.inf, 0.0
        if missed > TOO_LARGE:
            return f"a step misses the path of a spin by {missed:.2g} rad per radian that the fastest one turns"
        if bias > TOLERANCE:
            return f"the spins' temperature differs from the bath's by about {100 * bias:.2g} %"
        return ""

    def _drift(self, state: State) -> float:
        """Change of the energy per site since the first look, in units of the temperature then, where it matters."""
        still = per_replica(self._integrator.damping, state.spins)[:, 0, 0] == 0
        if not still.any() or not self._field.has_energy or self._field.driven:
            return 0.0
        energy = state.result(self._field).energy.double()
        if self._start is None:
            self._start = energy, self._scale(state)
        before, scale = self._start
        worst = float(torch.where(still & (scale > 0), (energy - before).abs() / scale, 0.0).max())
        return worst if worst > TOLERANCE else 0.0

    def _scale(self, state: State) -> Float[Tensor, " replica"]:
        """Sites times the spins' temperature, or times their root mean square torque where that is less."""
        slope, curvature, sites = _landscape(self._field, state)
        return torch.minimum(sites * slope / curvature.abs(), (sites * slope).sqrt())


def _landscape(field: Field, state: State) -> tuple[Float[Tensor, " replica"], Float[Tensor, " replica"], float]:
    """sum_i |S_i x H_i|^2, the Laplacian L of E and the number of sites, of the whole crystal."""
    result = state.result(field)
    torque = transverse(result.field, state.spins)
    slope = total(dot(torque, torque).sum((1, 2)).double())
    curvature = total(laplacian(field, state, result).double())
    return slope, curvature, float(total(state.spins.new_tensor(state.spins.shape[1])))


def _speeds(field: Field, state: State, integrator: Integrator) -> tuple[float, float]:
    """W of the largest field, and the angular velocity of the fastest spin, 0 where it is only rounding."""
    alpha = integrator.alpha(state.spins)
    vectors = state.result(field).field
    turns = gyration(alpha, integrator.form) * (1 + alpha**2).sqrt() * dot(vectors, vectors).sqrt()
    speed = velocity(state.spins, vectors, alpha, integrator.form)
    fastest, turning = largest(torch.stack([turns.max(), dot(speed, speed).sqrt().max()])).tolist()
    return fastest, turning if turning >= 100 * torch.finfo(state.spins.dtype).eps * fastest else 0.0


def _spread(integrator: Integrator, state: State, kT: PerReplica) -> float:
    """Largest D_s dt of the replicas."""
    alpha, temperature = (per_replica(values, state.spins) for values in (integrator.damping, kT))
    return float(diffusion(alpha, temperature, integrator.form).max()) * integrator.dt
