"""Steps that choose their own length, without a bath."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import NumericalError
from sdgnn.common.processes import largest
from sdgnn.dynamics.integrators.equation import dot, unit, velocity
from sdgnn.dynamics.integrators.settings import AdaptiveSettings
from sdgnn.dynamics.integrators.splitting import Splitting
from sdgnn.dynamics.state import State
from sdgnn.fields import Field

NODES = (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0)
"""Times of the second to the seventh stage, as parts of a substep."""
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
"""Weights of the slopes in each stage; the last row is the result of fifth order."""
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
"""Weights of the slopes in the difference between the results of fifth and fourth order."""
SAFETY, SHRINK, GROWTH = 0.9, 0.2, 5.0


@final
class DormandPrince(Splitting, AdaptiveSettings):
    """Fifth order with adaptive substeps, for kT = 0; spins are renormalised.

    ``dt`` is the time between states: what is recorded lies on a regular axis whatever happens in between. A step goes
    there in substeps h of the embedded pair of orders 5 and 4, six field evaluations each, the seventh slope being
    the first of the next. The slope at a stage is that of its spins divided by their length, dy/dt = f(y / |y|), the
    same equation on the sphere, so that no stage runs away, however long the attempt. A substep counts when the
    difference e of the two results is at most ``tolerance`` for every spin of the replica; the next one, or the
    repeated one, has the length 0.9 h (tolerance / e)^(1/5), between a fifth and five times h. The first attempt of a
    step is dt, so nothing is remembered from one step to the next, and each replica has its own substeps: a restart
    and the company of other replicas change no bit.

    Where a substep ends would depend on the noise before, which biases the noise, so kT > 0 is refused.

    Source: Dormand and Prince, J. Comput. Appl. Math. 6, 19 (1980), doi:10.1016/0771-050X(80)90013-3.

    Raises UserError on kT > 0; ``motion`` raises NumericalError when the substeps do not suffice.
    """

    phase_error: ClassVar[float] = 0.0

    def motion(self, field: Field, state: State) -> Tensor:
        spins, alpha = state.spins, self.alpha(state.spins)
        tolerance = max(self.tolerance, 16 * torch.finfo(spins.dtype).eps)
        rest = torch.full((len(spins),), self.dt, dtype=torch.float64, device=spins.device)
        length = rest.clone()
        slope = self._slope(field, spins, state, alpha)
        for _ in range(self.substeps):
            guess, slopes = spins, [slope]
            for node, weights in zip(NODES, STAGES, strict=True):
                guess = unit(spins + _weighted(weights, slopes, length))
                slopes.append(self._slope(field, guess, state, alpha, self.dt - rest + node * length))
            difference = _weighted(ERROR, slopes, length)
            error = largest(dot(difference, difference).sqrt().double().amax((1, 2)))
            good = (error <= tolerance) & (rest > 0)
            spins = torch.where(good[:, None, None], guess, spins)
            slope = torch.where(good[:, None, None], slopes[-1], slope)
            rest = torch.where(good, rest - length, rest)
            if not (rest > 0).any():
                return spins
            factor = (SAFETY * (tolerance / error.clamp_min(1e-300)) ** 0.2).clamp(SHRINK, GROWTH)
            length = torch.minimum(length * factor, rest)
        slowest = int(rest.argmax())
        raise NumericalError(
            f"adaptive steps did not arrive in step {state.step + 1} (time {state.time:g}), replica "
            f"{state.streams[slowest]}: after {self.substeps} substeps {float(rest[slowest]):.3g} of dt = {self.dt:g} "
            f"is left (tolerance {tolerance:.1e}); shorten dt, or raise the tolerance above the field's rounding"
        )

    def _slope(self, field: Field, spins: Tensor, state: State, alpha: Tensor, after: float | Tensor = 0.0) -> Tensor:
        """dS/dt at a stage of the step that follows ``state``, ``after`` its time."""
        return velocity(spins, self.effective_field(field, spins, state, after), alpha, self.form)


def _weighted(
    weights: tuple[float, ...], slopes: list[Tensor], length: Float[Tensor, " replica"]
) -> Float[Tensor, "replica site 3"]:
    """h sum_k w_k dS/dt_k with the substep h of each replica."""
    total = sum(weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight)
    assert isinstance(total, Tensor)
    return length.to(total)[:, None, None] * total
