"""Groups of replicas: those of equal settings are repetitions of one another, over which means may be taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray

Key = tuple[Any, ...]

NUMBERS = ("replica", "stream")
"""Coordinates of replicas that number them."""


@dataclass(frozen=True)
class ReplicaGroup:
    """Replicas of equal settings, over which means and standard errors are taken."""

    values: dict[str, Any]
    """What they were set to, such as kT and damping."""
    places: tuple[int, ...]
    """Where they are along the dimension replica."""
    key: Key
    """Equal for equal settings, of another trajectory too."""
    label: str
    """In which settings they differ from others of the trajectory: "kT = 0.01"; empty where there are no others."""

    def of(self, trajectory: xarray.Dataset) -> xarray.Dataset:
        """These replicas alone."""
        return trajectory.isel(replica=list(self.places))


def replica_groups(trajectory: xarray.Dataset) -> tuple[ReplicaGroup, ...]:
    """Groups of replicas of equal settings, in the order of their first replicas::

        for group in sdgnn.analysis.replica_groups(trajectory):
            print(group.label, group.of(trajectory))

    Every coordinate (replica,) is a setting, but for the numbers of replicas and of their noise: kT and damping of a
    run, those of its schedules (:func:`~sdgnn.dynamics.settings.settings_of`), and what is assigned to runs that are
    put together::

        both = xarray.concat([cold, hot], "replica").assign_coords(exchange=("replica", [1.0, 1.0, 3.0, 3.0]))

    A kT that is NaN, without the settings of its schedule, tells nothing: each such replica is a setting by itself.
    """
    names = sorted(str(n) for n, c in trajectory.coords.items() if c.dims == ("replica",) and n not in NUMBERS)
    columns = {name: trajectory.coords[name].values.tolist() for name in names}
    scheduled = any(name.startswith("kT_") for name in names)
    groups: dict[Key, list[int]] = {}
    for place in range(trajectory.sizes.get("replica", 1)):
        own = [columns[name][place] for name in names]
        key = tuple(
            (name, _key(value, None if scheduled or name != "kT" else place))
            for name, value in zip(names, own, strict=True)
        )
        groups.setdefault(key, []).append(place)
    differ = [name for name in names if len({dict(key)[name] for key in groups}) > 1]
    found = []
    for key, places in groups.items():
        values = {name: columns[name][places[0]] for name in names}
        words = [f"{name} = {_text(values[name])}" for name in differ]
        if any(value != value for name, value in values.items() if name in differ):
            words.append(f"replica {places[0]}")
        found.append(ReplicaGroup(values, tuple(places), key, ", ".join(words)))
    return tuple(found)


def require_one_group(trajectory: xarray.Dataset, what: str) -> None:
    """Raises UserError unless all replicas have the same settings, so that ``what`` may average over them."""
    found = replica_groups(trajectory)
    if len(found) > 1:
        raise UserError(
            f"{what} over replicas of {len(found)} settings ({'; '.join(s.label for s in found)})",
            allowed="replicas of the same settings",
            fix="take one at a time: for setting in sdgnn.analysis.replica_groups(trajectory): setting.of(trajectory)",
        )


def by_group(
    trajectory: xarray.Dataset, function: Callable[[xarray.Dataset, ReplicaGroup], xarray.Dataset]
) -> xarray.Dataset:
    """``function(its replicas, setting)`` of every setting: along a dimension ``setting`` where there are several."""
    import xarray

    found = replica_groups(trajectory)
    parts = [function(setting.of(trajectory), setting) for setting in found]
    if len(parts) == 1:
        return parts[0]
    labels = xarray.Variable("setting", np.array([setting.label for setting in found]))
    together = xarray.concat(
        parts, dim="setting", data_vars="all", coords="different", compat="equals", join="exact",
        combine_attrs="drop_conflicts",
    )  # fmt: skip
    return together.assign_coords(setting=labels)


def each_group(found: xarray.Dataset) -> dict[str, xarray.Dataset]:
    """What was found for each setting, by its label; all under an empty one where there is a single setting."""
    if "setting" not in found.dims:
        return {"": found}
    return {str(label): found.isel(setting=k) for k, label in enumerate(found["setting"].values)}


def _key(value: Any, place: int | None) -> Any:
    """NaN equals NaN, or nothing where there is a place."""
    return ("nan", place) if value != value else value


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
