"""Protocols in the abstract: independent samples, each from a seed of its own; orders that samples start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.common.seeds import check_seed
from sdgnn.fields import Field
from sdgnn.lattice import Lattice

ORDERS: dict[str, Callable[[Lattice], Tensor]] = {
    "ferro": textures.ferro,
    "neel": textures.neel,
    "stripe": textures.stripe,
    "order120": textures.order120,
    "tetrahedral": textures.tetrahedral,
}
"""Ordered states by name, each of a lattice, (1, site, 3)."""


def sample_seed(seed: int, protocol: int, sample: int) -> int:
    """Seed in [0, 2^63) of sample ``sample`` of protocol number ``protocol`` in a set of seed ``seed``."""
    sequence = np.random.SeedSequence(entropy=check_seed(seed), spawn_key=(protocol, sample))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


class Sample(NamedTuple):
    """States drawn together from one seed."""

    spins: Float[Tensor, "state site 3"]
    """(state, site, 3) unit spins, float64."""
    names: tuple[str, ...]
    """What each state is, as stored under ``protocol``."""
    steps: tuple[int, ...]
    """Time step in the run each state was taken from, -1 outside runs."""


@dataclass(frozen=True)
class Protocol(ABC):
    """A number of samples, each drawn from its own seed. Raises UserError for settings that make no sense."""

    name: ClassVar[str]
    """Name of the protocol in configurations and files."""

    @property
    @abstractmethod
    def samples(self) -> int:
        """Number of independent samples."""

    @property
    def states_per_sample(self) -> int:
        """Number of states in each sample."""
        return 1

    @abstractmethod
    def check(self, lattice: Lattice) -> None:
        """Raises UserError when the states do not fit ``lattice``."""

    @abstractmethod
    def sample(self, lattice: Lattice, index: int, seed: int, field: Field) -> Sample:
        """Sample ``index``, drawn from ``seed`` alone. ``field`` labels the set; only runs use it."""

    def part(self, first: int, count: int) -> Protocol:
        """A protocol that can draw samples first, ..., first + count - 1 and may know less than this one."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain settings, with the protocol's name under ``protocol``."""
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"protocol": self.name, **settings}


def at_least_one(what: str, value: Any) -> None:
    """UserError unless ``value`` is a whole number >= 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{what} {value!r}", allowed="a whole number >= 1")


def known_order(order: str, *others: str) -> None:
    """UserError unless ``order`` is in ORDERS; the message names ``others`` as allowed too."""
    if order not in ORDERS:
        raise UserError(f"order {order!r}", allowed=", ".join((*others, *ORDERS)), fix=did_you_mean(order, ORDERS))


def numbers(what: str, values: Sequence[float], low: float, high: float) -> tuple[float, ...]:
    """At least one finite number in [low, high], else UserError."""
    numbers = tuple(float(value) for value in values)
    if not numbers or not all(np.isfinite(x) and low <= x <= high for x in numbers):
        raise UserError(f"{what} {list(values)}", allowed=f"finite numbers from {low:g} to {high:g}, at least one")
    return numbers
