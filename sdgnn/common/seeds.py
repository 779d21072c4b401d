"""Seeds of random streams: whole numbers of any size."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import torch

LARGEST = 2**64 - 1
"""Largest seed of what is written to disk: label sets and runs, the key of whose noise has 64 bits."""


def check_seed(seed: Any, largest: int | None = None) -> int:
    """``seed`` as Python's int. Raises UserError unless a whole number >= 0 (and at most ``largest``)."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0 or (largest is not None and number > largest):
        up_to = "" if largest is None else f", at most {largest}"
        raise UserError(f"seed {seed!r}", allowed=f"a whole number >= 0{up_to}")
    return number


def torch_generator(seed: int) -> torch.Generator:
    """torch's generator on the CPU, which reads 32 bits: of larger seeds, 32 bits that depend on all of theirs."""
    import torch  # seeds of configurations are checked without it

    number = check_seed(seed)
    if number >= 2**32:
        number = int(np.random.SeedSequence(number).generate_state(1)[0])
    return torch.Generator(device="cpu").manual_seed(number)
