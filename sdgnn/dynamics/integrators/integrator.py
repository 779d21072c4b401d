"""What all integrators share: settings per replica and the first state."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.arrays import Numbers, finite
from sdgnn.common.errors import UserError
from sdgnn.common.seeds import LARGEST, check_seed
from sdgnn.dynamics.integrators.equation import Form
from sdgnn.dynamics.state import State
from sdgnn.fields import Field, check_spins
from sdgnn.fields.schedules import Schedule

PerReplica = float | Sequence[float] | np.ndarray | Tensor
"""One number for all replicas, or one for each."""


@dataclass(frozen=True)
class Integrator(ABC):
    """One way from a state of spins to the next.

    ``init`` makes a state and ``step`` returns the next one; both leave their arguments alone.

    Raises UserError on dt <= 0, damping or kT < 0, numbers that are not finite and unknown forms.
    """

    dt: float
    """Time step in hbar / t."""
    damping: PerReplica
    """alpha >= 0; one number, or one per replica (kept as a tuple)."""
    kT: PerReplica | Schedule = 0.0
    """Temperature of the spins' bath in units of t; one number, one per replica, or a schedule of either in time. Not
    that of the electrons. Without damping there is no contact to the bath."""
    form: Form = "gilbert"
    """"gilbert" divides by 1 + alpha^2, "landau-lifshitz" does not."""

    phase_error: ClassVar[float]
    """c of the angle c x^3 by which a step misses a spin that turns by the angle x in a constant field."""
    keeps_time: ClassVar[bool] = True
    """Whether dt is a time; Monte Carlo counts steps."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dt", finite("time step dt", self.dt))
        object.__setattr__(self, "damping", _per_replica("damping", self.damping))
        if not isinstance(self.kT, Schedule):
            object.__setattr__(self, "kT", _per_replica("bath temperature kT", self.kT))
        elif self.kT.lowest < 0:
            raise UserError(f"bath temperature kT {self.kT!r}", allowed="values >= 0")
        if self.dt <= 0:
            raise UserError(f"time step dt = {self.dt:g}", allowed="dt > 0")
        if self.form not in get_args(Form):
            raise UserError(f"form {self.form!r}", allowed=" or ".join(map(repr, get_args(Form))))

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

    def with_dt(self, dt: float) -> Integrator:
        """The same integrator with another time step."""
        return dataclasses.replace(self, dt=dt)

    def to_dict(self) -> dict[str, Any]:
        """Plain settings, with the name of the scheme."""
        settings = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
        if isinstance(self.kT, Schedule):
            plain["kT"] = self.kT.model_dump(mode="json")
        return {"scheme": type(self).__name__, **plain}

    def alpha(self, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "batch 1 1"]:
        """Damping broadcast against spins: (1, 1, 1) or (replica, 1, 1)."""
        return per_replica(self.damping, spins)

    @property
    def has_bath(self) -> bool:
        """Whether any replica is at a temperature above 0."""
        return self.kT.highest > 0 if isinstance(self.kT, Schedule) else bool(np.any(self.kT))

    def temperature(self, time: float) -> PerReplica:
        """kT of the bath at ``time``: one number, or one per replica."""
        return self.kT(time) if isinstance(self.kT, Schedule) else self.kT


def _per_replica(name: str, given: PerReplica) -> float | tuple[float, ...]:
    """One number >= 0, or a tuple of them, from a number, sequence, array or tensor."""
    plain = given.tolist() if isinstance(given, np.ndarray | Tensor) else given
    if not isinstance(plain, Sequence) or isinstance(plain, str):
        return _not_negative(name, plain)
    if not plain:
        raise UserError(f"{name} of no replica", allowed="one number, or one per replica")
    return tuple(_not_negative(name, value) for value in plain)


def _not_negative(name: str, value: Any) -> float:
    """A finite float >= 0."""
    number = finite(name, value)
    if number < 0:
        raise UserError(f"{name} {number:g}", allowed="numbers >= 0: one, or one per replica")
    return number


def per_replica(values: PerReplica, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "batch 1 1"]:
    """Numbers as a tensor (replica or 1, 1, 1) like the spins."""
    return spins.new_tensor(values).reshape(-1, 1, 1)
