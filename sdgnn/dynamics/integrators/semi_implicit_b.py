"""The semi-implicit scheme B of Mentink and coworkers."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from sdgnn.dynamics.integrators.equation import cayley, rotation
from sdgnn.dynamics.integrators.splitting import Splitting
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
class SemiImplicitB(Splitting):
    """Second order, keeps |S| = 1 to rounding, two field evaluations per step and no iteration.

        S~ = S + dt (S + S~)/2 x A(S)
        S' = S + dt (S + S')/2 x A((S + S~)/2)

    with A of :func:`.rotation`, of the field transverse to the spins of each stage. Implicit in
    each spin alone, so both lines have closed solutions (:func:`.cayley`). Energy drifts without
    damping, less than with Heun's scheme.

    Source: Mentink, Tretyakov, Fasolino, Katsnelson and Rasing, J. Phys.: Condens. Matter 22, 176001 (2010),
    doi:10.1088/0953-8984/22/17/176001, who turn about the whole field and have the noise inside the stages.
    """

    phase_error: ClassVar[float] = 1 / 12

    def motion(self, field: Field, state: State) -> Tensor:
        spins, alpha = state.spins, self.alpha(state.spins)
        turn = rotation(spins, self.effective_field(field, spins, state), alpha, self.form)
        middle = (spins + cayley(spins, self.dt * turn)) / 2
        turn = rotation(middle, self.effective_field(field, middle, state, self.dt / 2), alpha, self.form)
        return cayley(spins, self.dt * turn)
