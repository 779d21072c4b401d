"""The rotations of Depondt and Mertens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from sdgnn.dynamics.equation import rotation, turned
from sdgnn.dynamics.integrator import Integrator
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
@dataclass(frozen=True)
class DepondtMertens(Integrator):
    """Explicit, second order, two field evaluations per step; every stage is a rotation, so |S| = 1 to rounding.

        S~ = R[ -dt A(S, h) ] S
        S' = R[ -dt (A(S, h) + A(S~, h)) / 2 ] S

    with A of :func:`sdgnn.dynamics.equation.rotation`, R[a] the rotation about a by the angle |a| (dS/dt = S x A turns
    spins about -A) and one thermal field h. Precession in a constant field is exact at any dt.

    Source: Depondt and Mertens, J. Phys.: Condens. Matter 21, 336005 (2009), doi:10.1088/0953-8984/21/33/336005.
    """

    phase_error: ClassVar[float] = 0.0

    def step(self, field: Field, state: State) -> State:
        spins, alpha, noise = state.spins, self.alpha(state.spins), self.thermal_field(state)
        first = rotation(spins, self.total_field(field, spins, state, noise), alpha, self.form)
        guess = turned(spins, -self.dt * first)
        second = rotation(guess, self.total_field(field, guess, state, noise, self.dt), alpha, self.form)
        return state.advanced(turned(spins, -self.dt / 2 * (first + second)), self.dt)
