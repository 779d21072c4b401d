"""Protocols in the abstract: independent samples, each from a seed of its own; orders that samples start from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from sdgnn.common.seeds import check_seed
from sdgnn.common.settings import Settings
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    from torch import Tensor

    from sdgnn.fields import Field

UNKNOWN = -1
"""Seed or step of a state for which there is none."""
Order = Literal[
    "ferro", "neel", "stripe", "order120", "tetrahedral", "q0", "sqrt3", "zigzag", "stripy", "a_type", "c_type",
    "spiral",
]  # fmt: skip
"""Ordered states of :mod:`sdgnn.spins` by name."""
ORDERS: tuple[Order, ...] = get_args(Order)


def ordered(order: Order, lattice: Lattice) -> Tensor:
    """The ordered state (1, site, 3) of ``lattice``. Raises UserError on lattices that do not allow it."""
    from sdgnn import spins

    state: Tensor = getattr(spins, order)(lattice)
    return state


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


class Protocol(Settings, ABC):
    """A number of samples, each drawn from its own seed. Raises UserError for settings that make no sense.

    The key ``protocol`` is its name in configurations and files.
    """

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
        return self.model_dump(mode="json")
