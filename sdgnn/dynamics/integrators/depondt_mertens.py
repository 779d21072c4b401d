"""The rotations of Depondt and Mertens."""

from __future__ import annotations

from typing import ClassVar, final

from torch import Tensor

from sdgnn.dynamics.integrators.equation import rotation, turned
from sdgnn.dynamics.integrators.splitting import Splitting
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
class DepondtMertens(Splitting):
    """Explicit, second order, two field evaluations per step; every stage is a rotation, so |S| = 1 to rounding.

        S~ = R[ -dt A(S) ] S
        S' = R[ -dt (A(S) + A(S~)) / 2 ] S

    with A of :func:`.rotation`, of the field transverse to the spins of each stage, and R[a] the
    rotation about a by the angle |a| (dS/dt = S x A turns spins about -A). Precession in a constant field is exact
    where spin and field are perpendicular. (About the whole field it would be exact everywhere, and electrons would
    be lost, see :class:`~sdgnn.dynamics.integrators.splitting.Splitting`.) Energy drifts without damping.

    Source: Depondt and Mertens, J. Phys.: Condens. Matter 21, 336005 (2009), doi:10.1088/0953-8984/21/33/336005.
    """

    phase_error: ClassVar[float] = 1 / 15
    """Largest over the angles between spin and field, 0.064 at 35 degrees."""

    def motion(self, field: Field, state: State) -> Tensor:
        spins, alpha = state.spins, self.alpha(state.spins)
        first = rotation(spins, self.effective_field(field, spins, state), alpha, self.form)
        guess = turned(spins, -self.dt * first)
        second = rotation(guess, self.effective_field(field, guess, state, self.dt), alpha, self.form)
        return turned(spins, -self.dt / 2 * (first + second))
