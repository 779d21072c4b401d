"""What each replica of a run was set to, as coordinates of its records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.observers import Coordinate
from sdgnn.fields import Field, Sum, Zeeman
from sdgnn.fields.schedules import Schedule


def settings_of(field: Field, integrator: Integrator, replicas: int) -> dict[str, Coordinate]:
    """Settings (replica,) by name: all that may differ between the replicas of one run.

    ================ =====================================================================================
    damping          alpha
    kT               of the bath; NaN where it depends on time
    kT_before, ...   then the settings of its schedule, under the names that they have there
    zeeman_high, ... settings of the schedule of the external field (zeeman2_... of a second one)
    ================ =====================================================================================
    """
    scheduled = isinstance(integrator.kT, Schedule)
    found = {
        "damping": _coordinate(integrator.damping, replicas, "1", "Gilbert damping"),
        "kT": _coordinate(math.nan if scheduled else integrator.kT, replicas, "t", "temperature of the spins' bath"),
    }
    if isinstance(integrator.kT, Schedule):
        found |= schedule_settings("kT", integrator.kT.model_dump(), replicas, "t")
    parts = field.parts if isinstance(field, Sum) else (field,)
    driven = [part.schedule for part in parts if isinstance(part, Zeeman) and part.schedule is not None]
    for k, schedule in enumerate(driven):
        found |= schedule_settings(f"zeeman{k + 1}" if k else "zeeman", schedule.model_dump(), replicas, "1")
    return found


def schedule_settings(name: str, schedule: dict[str, Any], replicas: int, units: str) -> dict[str, Coordinate]:
    """The settings of a schedule, which are in ``units`` but for its times, as ``name_before`` and so on."""
    times = ("at", "duration", "begin", "period", "centre", "width")
    return {
        f"{name}_{key}": _coordinate(value, replicas, "hbar / t" if key in times else units, f"{name}: {key}")
        for key, value in schedule.items()
        if key != "kind"
    }


def _coordinate(value: Any, replicas: int, units: str, long_name: str) -> Coordinate:
    values = np.array(np.broadcast_to(np.asarray(value, dtype=np.float64), replicas))
    return ("replica",), values, {"units": units, "long_name": long_name}
