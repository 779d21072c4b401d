"""Hybrid Monte Carlo: Boltzmann's distribution for every field with an energy, electrons' and learned ones too."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, ClassVar, final

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field as Key
from scipy.special import ndtr
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.processes import total
from sdgnn.common.settings import Positive
from sdgnn.dynamics.integrators.equation import dot, transverse, unit
from sdgnn.dynamics.integrators.integrator import Integrator, per_replica
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.integrators.settings import HybridMonteCarloSettings
from sdgnn.dynamics.state import State, evaluate
from sdgnn.fields import Field
from sdgnn.fields.schedules import Schedule

SHORTEST = 0.7
"""Leaps of one step have a length between this part of ``dt`` and all of it, so that no orbit closes."""
ACCEPTED = 0.9
"""Part of the steps of every replica that :func:`suggest_leap` wants to be accepted."""
PILOT = 60
"""Steps of a search for the length of a leap; the second half of them counts."""
MEMORY = 5
"""Steps of that search over which acceptances are averaged."""


@final
class HybridMonteCarlo(Integrator, HybridMonteCarloSettings):
    """All spins move at once along their field, and the move is accepted by its total energy; time counts steps.

    For every field that has an energy and does not depend on time: the field of electrons and learned fields, for which
    :class:`.MonteCarlo`, that moves one spin at a time, would have to evaluate the electrons anew for every site. Each
    spin gets a momentum p in its tangent plane, normal with the variance kT per component. The motion of

        K(S, p) = E(S) + sum_i p_i^2 / 2

    is followed for ``leaps`` leaps of length dt, each a kick, a great circle and a kick, with H_perp the part of the
    field transverse to the spin,

        p -> p + dt/2 H_perp,    S, p -> S cos wt + (p/w) sin wt, p cos wt - w S sin wt (w = |p|, t = dt),
        p -> p + dt/2 H_perp,

    and the new spins are taken with the probability min(1, exp(-dK / kT)). The motion is reversible and keeps volumes,
    so Boltzmann's distribution exp(-E / kT) is kept without any error of the step; too long a dt shows as rejections.
    :func:`suggest_leap` finds a dt at which enough of the steps are accepted. One step takes ``leaps`` evaluations of
    the field. ``dt`` is in units of t^(-1/2) and no time of the dynamics.

    Sources: Duane et al., Phys. Lett. B 195, 216 (1987), doi:10.1016/0370-2693(87)91197-X; great circles: Byrne and
    Girolami, Scand. J. Stat. 40, 825 (2013), doi:10.1111/sjos.12036.

        move = sdgnn.HybridMonteCarlo(dt=0.5, kT=0.02)
        run = sdgnn.simulate(field, spins, move, steps=1000)

    ``step`` raises UserError on fields without energy and on fields that depend on time.
    """

    dt: Positive
    """Length of a leap, in units of t^(-1/2)."""
    damping: Annotated[float, Key(ge=0, le=0)] = 0.0
    """Gilbert damping, which is 0: Monte Carlo has no motion in time."""
    phase_error: ClassVar[float] = 0.0
    keeps_time: ClassVar[bool] = False

    def step(self, field: Field, state: State) -> State:
        return self.trial(field, state)[0]

    def trial(self, field: Field, state: State) -> tuple[State, Float[Tensor, " replica"]]:
        """The state one step later, with the field's answer there, and the probabilities of having been accepted."""
        if not field.has_energy or field.driven:
            raise UserError(f"hybrid Monte Carlo of {field!r}", allowed="fields with an energy, constant in time")
        spins = state.spins
        before = state.result(field)
        kT = per_replica(self.temperature(state.time), spins)
        momenta, length, limit = self._drawn(state, kT)
        moved, after = spins, before
        kinetic = _kinetic(momenta)
        for _ in range(self.leaps):
            momenta = momenta + length / 2 * transverse(after.field, moved)
            moved, momenta = _along_great_circles(moved, momenta, length)
            after = evaluate(field, moved, state)
            momenta = momenta + length / 2 * transverse(after.field, moved)
        change = (after.energy - before.energy).to(spins.device) + _kinetic(momenta) - kinetic
        reduced = change / kT.double().expand(len(spins), 1, 1)[:, 0, 0]
        log_probability = torch.where(change <= 0, torch.zeros_like(change), -reduced)
        taken = limit < log_probability
        result = before.where(~taken, after)
        following = state.advanced(torch.where(taken[:, None, None], moved, spins), 1.0)
        return replace(following, cached=(field, result)), log_probability.exp()

    def _drawn(
        self, state: State, kT: Float[Tensor, "batch 1 1"]
    ) -> tuple[Float[Tensor, "replica site 3"], Float[Tensor, "replica 1 1"], Float[Tensor, " replica"]]:
        """Momenta, length of the leaps, and the logarithm of a uniform number in (0, 1), of each replica."""
        spins = state.spins
        sites = range(state.first_site, state.first_site + spins.shape[1])
        noise = torch.from_numpy(normal(state.seed, state.streams, state.step, sites, Purpose.TRIAL)).to(spins)
        numbers = ndtr(normal(state.seed, state.streams, state.step, range(1), Purpose.DECISION)[:, 0])
        length = self.dt * (SHORTEST + (1 - SHORTEST) * numbers[:, :1, None])
        limit = torch.from_numpy(np.log(numbers[:, 1])).to(spins.device)
        return kT.sqrt() * transverse(noise, spins), torch.from_numpy(length).to(spins), limit


def suggest_leap(field: Field, spins: Numbers, integrator: HybridMonteCarlo, seed: int = 0) -> float:
    """The length of a leap at which every replica of ``integrator`` accepts about 9 of 10 steps or more in ``field``.

    By a short run from ``spins`` at the temperatures of ``integrator``, whose dt is where the search begins: after each
    of its 60 steps the logarithm of dt changes by p - 0.9 with p the lowest probability of acceptance of all
    replicas, averaged over the last few steps; the answer is the geometric mean of the second half. Raises UserError at
    kT = 0.
    """
    hottest = integrator.kT.highest if isinstance(integrator.kT, Schedule) else integrator.kT
    if np.min(hottest) <= 0:
        raise UserError(f"a leap of hybrid Monte Carlo at kT = {hottest}", allowed="kT > 0, or a dt of your own")
    state, dt, late = integrator.init(field, spins, seed), integrator.dt, []
    accepted = torch.full((len(state.spins),), ACCEPTED, dtype=torch.float64, device=state.spins.device)
    for trial in range(PILOT):
        state, probability = integrator.with_dt(dt).trial(field, state)
        accepted = accepted + (probability - accepted) / MEMORY
        dt *= math.exp(float(accepted.min()) - ACCEPTED)
        if trial >= PILOT // 2:
            late.append(math.log(dt))
    return math.exp(sum(late) / len(late))


def _kinetic(momenta: Float[Tensor, "replica site 3"]) -> Float[Tensor, " replica"]:
    """sum_i p_i^2 / 2 of the whole crystal."""
    return total(dot(momenta, momenta).double().sum((1, 2))) / 2


def _along_great_circles(
    spins: Float[Tensor, "replica site 3"],
    momenta: Float[Tensor, "replica site 3"],
    length: Float[Tensor, "replica 1 1"],
) -> tuple[Float[Tensor, "replica site 3"], Float[Tensor, "replica site 3"]]:
    """Spins and momenta after free motion for ``length``."""
    speed = dot(momenta, momenta).sqrt()
    angle = speed * length
    cosine, sine = torch.cos(angle), torch.sin(angle)
    turned = unit(spins * cosine + length * torch.sinc(angle / torch.pi) * momenta)
    return turned, transverse(momenta * cosine - speed * sine * spins, turned)
