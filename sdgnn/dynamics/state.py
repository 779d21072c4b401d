"""The dense, frozen state of a simulation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import NumericalError
from sdgnn.common.one_line import one_line
from sdgnn.fields import Field, FieldResult


@dataclass(frozen=True, eq=False)
class State:
    """Spins of all replicas at one time, and all that a step needs to know besides the field."""

    spins: Float[Tensor, "replica site 3"]
    """Unit vectors."""
    time: float
    """In hbar / t; step times dt unless dt was changed on the way."""
    step: int
    """Steps done so far; also the counter of the noise."""
    seed: int
    """Key of the noise, see :func:`sdgnn.dynamics.integrators.noise.normal`."""
    streams: tuple[int, ...]
    """Numbers of the replicas' noise streams, 0, 1, ... unless told otherwise."""
    first_site: int = 0
    """Number of the first of these sites in the crystal, where several processes share it."""
    cached: tuple[Field, FieldResult] | None = dataclass_field(default=None, repr=False)
    """A field and its result at these spins, once evaluated: an observer and the step then share one evaluation."""

    __repr__ = one_line

    def evaluated(self, field: Field) -> State:
        """The same state with the cached result of ``field``. Raises NumericalError when that is not finite."""
        if self.cached is not None and self.cached[0] is field:
            return self
        return replace(self, cached=(field, evaluate(field, self.spins, self)))

    def result(self, field: Field) -> FieldResult:
        """What ``field`` says about these spins; not evaluated again when it is cached."""
        evaluated = self.evaluated(field).cached
        assert evaluated is not None
        return evaluated[1]

    def advanced(self, spins: Float[Tensor, "replica site 3"], dt: float) -> State:
        """The state one step later. Raises NumericalError when the new spins are not finite."""
        check_finite("spins", spins, self)
        time = (self.step + 1) * dt if self.time == self.step * dt else self.time + dt
        return replace(self, spins=spins, time=time, step=self.step + 1, cached=None)


def evaluate(
    field: Field, spins: Float[Tensor, "replica site 3"], state: State, after: float | Tensor = 0.0
) -> FieldResult:
    """``field(spins)`` at ``after`` the time of ``state`` (one number, or one per replica), checked to be finite.

    Its vectors are in the dtype and on the device of the spins. ``state`` names step and replica in the NumericalError.
    """
    later = after.cpu().numpy() if isinstance(after, Tensor) else after
    result = field(spins, state.time + later)
    vectors = result.field.detach().to(spins)
    check_finite("the field", vectors, state)
    return replace(result, energy=result.energy.detach(), field=vectors)


def check_finite(what: str, values: Float[Tensor, "replica site 3"], state: State) -> None:
    """Raises NumericalError naming the step and the first replica whose ``values`` are not finite."""
    finite = torch.isfinite(values)
    if finite.all():
        return
    replica, site, _ = torch.nonzero(~finite)[0].tolist()
    raise NumericalError(
        f"{what} became NaN or infinite in step {state.step + 1} (time {state.time:g}), "
        f"replica {state.streams[replica]}, site {state.first_site + site}; "
        "shorten dt (suggest_dt gives a safe one) or check the field"
    )
