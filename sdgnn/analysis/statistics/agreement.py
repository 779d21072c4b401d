"""Whether two runs of the same physics agree: differences of what they show through time, in units of their errors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from sdgnn.analysis.statistics.means import replica_mean
from sdgnn.analysis.statistics.replicas import Key, ReplicaGroup, by_group, replica_groups
from sdgnn.common.errors import UserError
from sdgnn.dynamics.times import common_times

if TYPE_CHECKING:
    import xarray


def agreement(first: xarray.Dataset, second: xarray.Dataset) -> xarray.Dataset:
    """Compares two results of :func:`sdgnn.analysis.analyze`, for example of an exact field and of a network::

        found = sdgnn.analysis.agreement(analyze(exact, lattice), analyze(network, lattice))
        found.attrs["energy_rms"], found["energy_deviation"]

    For each quantity X that both measured once per replica, at the times that both have:

    ======================== ================ ================================================================
    X_first, X_second        (time,)          means over replicas
    X_first_error, ...       (time,)          and their standard errors e_1, e_2
    X_difference             (time,)          mean of second - first
    X_error                  (time,)          standard error of the difference, if the runs were independent:
                                              sqrt(e_1^2 + e_2^2)
    X_paired_error           (time,)          standard error of the difference between replicas of the same
                                              number; smaller where runs share first spins and noise and have
                                              not yet parted. nan where the numbers of replicas differ
    X_deviation              (time,)          X_difference / X_error
    ======================== ================ ================================================================

    and in the attributes ``X_within``, the share of times at which |deviation| <= 2 (0.95 expected of a large number
    of independent replicas that agree; successive times are not independent), ``X_rms``, the root mean square
    deviation, and ``X_paired_rms``, that of X_difference / X_paired_error: the stricter one for runs that share their
    noise, which tells small differences from none. ``quantities`` names them all, with spaces between.
    Where replicas differ in their settings (:func:`.replica_groups`), those of each setting are
    compared with those of the same setting, along a first dimension ``setting``; ``different`` names the settings in
    which two runs of one setting each differ. Times are the same whatever rounding made of them
    (:func:`~sdgnn.dynamics.times.common_times`). Raises UserError when nothing was measured by both, on settings of
    which the other run has none, and with a single replica of one.
    """
    names = [
        str(n) for n in first.data_vars if n in second and len(first[n].dims) == 2 and first[n].dims[1] == "replica"
    ]
    if not names:
        raise UserError("two runs without a common quantity", fix="record the same observers in both")
    partners, different = _partners(first, second)
    times = {name: _common(first[name], second[name]) for name in names}

    def compared(part: xarray.Dataset, setting: ReplicaGroup) -> xarray.Dataset:
        return _compared(part, partners[setting.key].of(second), times)

    found = by_group(first[names], compared)
    judged: dict[str, str | float] = {"quantities": " ".join(names)}
    if different:
        judged["different"] = different
    for name in names:
        deviation, difference, paired = (found[f"{name}_{key}"] for key in ("deviation", "difference", "paired_error"))
        judged[f"{name}_within"] = float((abs(deviation) <= 2).where(np.isfinite(deviation)).mean())
        judged[f"{name}_rms"] = _rms(deviation.values)
        judged[f"{name}_paired_rms"] = _rms(_in_errors(difference, paired).values)
    found.attrs = judged
    return found


def _compared(first: xarray.Dataset, second: xarray.Dataset, times: dict[str, Times]) -> xarray.Dataset:
    """Replicas of one setting."""
    import xarray

    if first.sizes["replica"] < 2 or second.sizes["replica"] < 2:
        raise UserError("agreement of single replicas", allowed="at least 2 replicas of each run and setting")
    columns: dict[str, xarray.DataArray] = {}
    for name, (one_at, other_at) in times.items():
        time = first[name].dims[0]
        one, other = (
            xarray.DataArray(data[name].values[at].astype(np.float64), {time: first[time][one_at]}, (time, "replica"))
            for data, at in ((first, one_at), (second, other_at))
        )
        (mean, error), (other_mean, other_error) = replica_mean(one), replica_mean(other)
        difference, together = other_mean - mean, (error**2 + other_error**2) ** 0.5
        as_many = one.sizes["replica"] == other.sizes["replica"]
        found = {
            "first": mean,
            "second": other_mean,
            "first_error": error,
            "second_error": other_error,
            "difference": difference,
            "error": together,
            "paired_error": replica_mean(other - one)[1] if as_many else together * np.nan,
        }
        columns |= {f"{name}_{key}": column.assign_attrs(first[name].attrs) for key, column in found.items()}
        columns[f"{name}_deviation"] = _in_errors(difference, together).assign_attrs(units="1")
    return xarray.Dataset(columns)


def _partners(first: xarray.Dataset, second: xarray.Dataset) -> tuple[dict[Key, ReplicaGroup], str]:
    """The setting of ``second`` for each key of ``first``, and in what single ones differ, in words."""
    ours, others = replica_groups(first), replica_groups(second)
    if len(ours) == len(others) == 1:
        one, other = ours[0].values, others[0].values
        odd = [n for n in one if n in other and one[n] != other[n] and not (one[n] != one[n] and other[n] != other[n])]
        return {ours[0].key: others[0]}, ", ".join(f"{n} = {one[n]:g} and {other[n]:g}" for n in odd)
    by_key = {setting.key: setting for setting in others}
    if {setting.key for setting in ours} != set(by_key):
        told = [" / ".join(s.label or "one setting" for s in run) for run in (ours, others)]
        raise UserError(f"agreement of {told[0]} with {told[1]}", allowed="the same settings in both runs")
    return by_key, ""


Times = tuple[Int[np.ndarray, " common"], Int[np.ndarray, " common"]]
"""Where the common times are, in one run and in the other."""


def _in_errors(difference: xarray.DataArray, error: xarray.DataArray) -> xarray.DataArray:
    """``difference / error``, and 0 where there is no difference."""
    return (difference / error).where(difference != 0, 0.0)


def _rms(values: np.ndarray) -> float:
    """Root mean square of what is finite."""
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(finite**2))) if len(finite) else math.nan


def _common(first: xarray.DataArray, second: xarray.DataArray) -> Times:
    """Where the times are that both have."""
    time, other = first.dims[0], second.dims[0]
    common = common_times(first[time].values.astype(np.float64), second[other].values.astype(np.float64))
    if not len(common[0]):
        raise UserError(f"{first.name} at no common time", fix="record it every so many steps in both runs")
    return common
