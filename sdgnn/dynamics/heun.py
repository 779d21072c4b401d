"""Heun's predictor-corrector scheme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from sdgnn.dynamics.equation import unit, velocity
from sdgnn.dynamics.integrator import Integrator
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
@dataclass(frozen=True)
class Heun(Integrator):
    """Explicit, second order, two field evaluations per step; spins are renormalised at its end.

        S~ = S + dt f(S, h)
        S' = S + dt [ f(S, h) + f(S~, h) ] / 2,    then S' / |S'|

    with f = dS/dt of :mod:`sdgnn.dynamics.equation` and one thermal field h for both stages, which makes it converge
    to the Stratonovich solution. Energy drifts upwards without damping, as dt^3 per time.

    Source: Garcia-Palacios and Lazaro, Phys. Rev. B 58, 14937 (1998), doi:10.1103/PhysRevB.58.14937.
    """

    phase_error: ClassVar[float] = 1 / 6

    def step(self, field: Field, state: State) -> State:
        spins, alpha, noise = state.spins, self.alpha(state.spins), self.thermal_field(state)
        first = velocity(spins, self.total_field(field, spins, state, noise), alpha, self.form)
        guess = spins + self.dt * first
        second = velocity(guess, self.total_field(field, guess, state, noise, self.dt), alpha, self.form)
        return state.advanced(unit(spins + self.dt / 2 * (first + second)), self.dt)
