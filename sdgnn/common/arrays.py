"""Numbers that a user gives as a tensor, an array or a list."""

from __future__ import annotations

import math
from typing import Any, SupportsFloat

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from sdgnn.common.errors import UserError

Numbers = Tensor | ArrayLike
"""Tensors on any device, arrays of numpy, lists of numbers."""


def as_tensor(values: Any, what: str = "spins") -> Tensor:
    """:data:`Numbers` as a float32 or float64 tensor without autograd's graph; Python's numbers are float64.

    Tensors stay on their device and share memory, everything else is copied to the CPU. Raises UserError.
    """
    if isinstance(values, Tensor):
        found = values.clone() if values.is_inference() else values.detach()
    else:
        try:
            array = np.array(values)
            found = torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
        except (TypeError, ValueError, RuntimeError) as error:
            why = type(values).__name__ if isinstance(error, TypeError) else error
            raise UserError(f"{what} that are no array of numbers ({why})", allowed="a tensor, array or list") from None
    if found.dtype not in (torch.float32, torch.float64):
        raise UserError(f"{what} of dtype {found.dtype}", allowed="float32 or float64")
    return found


def finite(what: str, value: SupportsFloat) -> float:
    """``value`` as a float. Raises UserError unless it is a finite number; ``what`` names it."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what} {value!r}", allowed="a number") from error
    if not math.isfinite(number):
        raise UserError(f"{what} {number}", allowed="a finite number")
    return number
