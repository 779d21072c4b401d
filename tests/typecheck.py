"""The checker of annotations while testing: beartype, with numpy's scalars accepted as the numbers they are."""

from __future__ import annotations

from typing import Self

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

check = beartype(
    conf=BeartypeConf(
        hint_overrides=FrozenDict(
            {
                int: int | np.integer,
                float: float | int | np.floating | np.integer,  # ints stand in for floats (PEP 484)
                Self: object,  # known only to checkers of whole classes
            }
        )
    )
)
