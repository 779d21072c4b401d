"""What all integrators share: settings per replica and the first state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.seeds import LARGEST, check_seed
from sdgnn.common.settings import Positive
from sdgnn.dynamics.integrators.settings import LLGSettings
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, check_spins
from sdgnn.fields.schedules import Schedule

PerReplica = float | Sequence[float] | np.ndarray | Tensor
"""One number for all replicas, or one for each."""


class Integrator(LLGSettings, ABC):
    """One way from a state of spins to the next.

    ``init`` makes a state and ``step`` returns the next one; both leave their arguments alone.

    Raises UserError on dt <= 0, damping or kT < 0, numbers that are not finite and unknown forms.
    """

    dt: Positive
    """Time step in hbar / t."""

    phase_error: ClassVar[float]
    """c of the angle c x^3 by which a step misses a spin that turns by the angle x in a constant field."""
    keeps_time: ClassVar[bool] = True
    """Whether dt is a time; Monte Carlo counts steps."""

    def init(
        self,
        field: Field,
        spins: Numbers,
        seed: int = 0,
        streams: Sequence[int] | None = None,
    ) -> State:
        """The state at time 0.

        ``streams`` numbers the noise streams, one per replica (0, 1, ... if not given): replica 5 run by itself with
        ``streams=[5]`` meets the same noise as among others. Raises UserError on spins that are not unit vectors on
        the field's lattice, and when damping or kT are given for another number of replicas.
        """
        spins = check_spins(spins, field.lattice, unit=True).clone()
        numbers = tuple(range(len(spins))) if streams is None else tuple(map(int, streams))
        if len(numbers) != len(spins) or len(set(numbers)) != len(numbers) or min(numbers) < 0:
            raise UserError(
                f"noise streams {list(numbers)} for {len(spins)} replicas",
                allowed="one number >= 0 per replica, all different",
            )
        seed = check_seed(seed, LARGEST)
        for name, values in (("damping", self.damping), ("kT", self.kT)):
            count = values.replicas if isinstance(values, Schedule) else np.size(values) if np.ndim(values) else None
            if count not in (None, len(spins)):
                raise UserError(
                    f"{count} values of {name} for {len(spins)} replicas", allowed="one number or one per replica"
                )
        return State(spins=spins, time=0.0, step=0, seed=seed, streams=numbers)

    @abstractmethod
    def step(self, field: Field, state: State) -> State:
        """The state one dt later. Raises NumericalError, naming step and replica, on numbers that are not finite."""

    def with_dt(self, dt: float) -> Self:
        """The same integrator with another time step."""
        return self.replace(dt=dt)

    def to_dict(self) -> dict[str, Any]:
        """Plain settings, with the name of the scheme."""
        return {"scheme": type(self).__name__, **self.model_dump(mode="json", exclude={"scheme"})}

    def alpha(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "batch 1 1"]:
        """Damping broadcast against spins: (1, 1, 1) or (replica, 1, 1)."""
        return per_replica(self.damping, spins)

    def temperature(self, time: float) -> PerReplica:
        """kT of the bath at ``time``: one number, or one per replica."""
        return self.kT(time) if isinstance(self.kT, Schedule) else self.kT


def per_replica(values: PerReplica, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "batch 1 1"]:
    """Numbers as a tensor (replica or 1, 1, 1) like the spins."""
    return spins.new_tensor(values).reshape(-1, 1, 1)
