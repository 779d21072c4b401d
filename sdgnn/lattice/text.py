"""Lattices as text, for files that hold positions besides or need none."""

from __future__ import annotations

import json
import math

import numpy as np

from sdgnn.common.errors import UserError
from sdgnn.lattice.lattice import Lattice


def describe_lattice(lattice: Lattice) -> str:
    """What positions do not tell of a lattice, as JSON."""
    described = lattice.to_dict()
    if not lattice.is_crystal:
        del described["positions"]
    return json.dumps(described)


def lattice_described(text: str, positions: np.ndarray | None) -> Lattice:
    """The lattice of which :func:`describe_lattice` wrote ``text``; ``positions`` (site, dim) are needed if it is free.

    Raises UserError when they tell no lattice, or one with another number of sites, before that is built.
    """
    try:
        data = json.loads(text)
        if data["name"] == "free":
            data["positions"] = positions
        elif positions is not None and math.prod(data["shape"]) * len(data["basis"]) != len(positions):
            raise UserError(f"a lattice of {data['shape']} unit cells with {len(positions)} positions")
        return Lattice.from_dict(data)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"a description of a lattice that cannot be read ({error!r})") from None
