"""The implicit midpoint rule."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from torch import Tensor

from sdgnn.common.errors import NumericalError
from sdgnn.common.processes import largest
from sdgnn.dynamics.integrators.equation import cayley, rotation
from sdgnn.dynamics.integrators.settings import MidpointSettings
from sdgnn.dynamics.integrators.splitting import Splitting
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
class ImplicitMidpoint(Splitting, MidpointSettings):
    """Second order; keeps |S| = 1 to rounding and, at zero damping and kT, every quadratic energy to ``tolerance``.

        S' = S + dt m x A(m),    m = (S + S')/2

    with A of :func:`.rotation`. Since S' - S is perpendicular to m, |S'| = |S|; without
    damping it is also perpendicular to H(m), and E(S') - E(S) = -H(m) . (S' - S) = 0 when E is quadratic in S
    (exchange, Zeeman, anisotropy, DMI). For electrons the energy error stays bounded.

    Solved by iterating S' = cayley(S, dt A(m)), a rotation at every stage, about the part of the field transverse to m,
    which is the same at the solution and lets the iteration converge where most of the field follows the spin, as with
    electrons. The number of field evaluations per step is that of the iterations. A replica that has
    converged is not touched again, so replicas do not depend on each other.

    Source: d'Aquino, Serpico and Miano, J. Comput. Phys. 209, 730 (2005), doi:10.1016/j.jcp.2005.04.001.

    ``motion`` raises NumericalError when the iterations do not suffice.
    """

    phase_error: ClassVar[float] = 1 / 12

    def motion(self, field: Field, state: State) -> Tensor:
        spins, alpha = state.spins, self.alpha(state.spins)
        tolerance = max(self.tolerance, 16 * torch.finfo(spins.dtype).eps)
        middle, following = spins, spins
        active = torch.ones(len(spins), dtype=torch.bool, device=spins.device)
        change = torch.full((len(spins),), torch.inf, dtype=spins.dtype, device=spins.device)
        for _ in range(self.iterations):
            vectors = self.effective_field(field, middle, state, self.dt / 2)
            better = cayley(spins, self.dt * rotation(middle, vectors, alpha, self.form))
            better = torch.where(active[:, None, None], better, following)
            change = torch.where(active, largest((better - following).abs().amax((1, 2))), change)
            following, middle = better, (spins + better) / 2
            active = active & (change > tolerance)
            if not active.any():
                return following
        worst = int(change.argmax())
        where = f"step {state.step + 1} (time {state.time:g}), replica {state.streams[worst]}"
        raise NumericalError(
            f"the implicit midpoint rule did not converge in {where}: after {self.iterations} iterations spins still "
            f"change by {float(change[worst]):.1e} (tolerance {tolerance:.1e}); shorten dt = {self.dt:g}, or raise the "
            "tolerance above the field's rounding"
        )
