"""Heun's predictor-corrector scheme."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from sdgnn.dynamics.integrators.equation import velocity
from sdgnn.dynamics.integrators.splitting import Splitting
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
class Heun(Splitting):
    """Explicit, second order, two field evaluations per step; spins are renormalised at its end.

        S~ = S + dt f(S)
        S' = S + dt [ f(S) + f(S~) ] / 2,    then S' / |S'|

    with f = dS/dt of :mod:`sdgnn.dynamics.integrators.equation`. Energy drifts without damping. In a bath see
    :class:`~sdgnn.dynamics.integrators.splitting.Splitting`.

    Source: Garcia-Palacios and Lazaro, Phys. Rev. B 58, 14937 (1998), doi:10.1103/PhysRevB.58.14937, who have the noise
    inside the stages.
    """

    phase_error: ClassVar[float] = 1 / 6

    def motion(self, field: Field, state: State) -> Tensor:
        spins, alpha = state.spins, self.alpha(state.spins)
        first = velocity(spins, self.effective_field(field, spins, state), alpha, self.form)
        guess = spins + self.dt * first
        second = velocity(guess, self.effective_field(field, guess, state, self.dt), alpha, self.form)
        return spins + self.dt / 2 * (first + second)
