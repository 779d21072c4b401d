"""Points of a sweep: one configuration with lists of values becomes many."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from sdgnn.cli.config.base import Config, set_key
from sdgnn.common.errors import UserError

Kind = TypeVar("Kind", bound=Config)

FIXED = ("steps", "replicas", "observe", "checkpoint_every", "precision", "guard", "output", "sweep")
"""Keys that all points share."""


def flattened(sweep: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{integrator: {kT: [...]}}`` as ``{"integrator.kT": [...]}``."""
    flat: dict[str, Any] = {}
    for key, value in sweep.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def points(config: Kind) -> list[Kind]:
    """The configuration of every point of ``config.sweep``, the last key running fastest.

    Raises UserError on a key without values or that no point can change, and where a point is no valid configuration.
    """
    sweep: dict[str, Sequence[Any]] = config.sweep  # type: ignore[attr-defined]
    for key, values in sweep.items():
        if key.split(".")[0] in FIXED or not values:
            raise UserError(
                f"sweep of {key} over {len(values)} values",
                allowed=f"at least one value; every key but {', '.join(FIXED)}",
            )
    base = config.model_dump(mode="json", exclude={"sweep"}, exclude_unset=True)
    found = []
    for values in itertools.product(*sweep.values()):
        data = json.loads(json.dumps(base))
        for key, value in zip(sweep, values, strict=True):
            set_key(data, key, value)
        where = ", ".join(f"{key}={json.dumps(value)}" for key, value in zip(sweep, values, strict=True))
        found.append(type(config).parse(data, source=f"sweep at {where}"))
    return found
