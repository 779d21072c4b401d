"""Whether two runs of the same physics agree: differences of what they show through time, in units of their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.statistics import mean_and_error
from sdgnn.errors import UserError

if TYPE_CHECKING:
    import xarray


def agreement(first: xarray.Dataset, second: xarray.Dataset) -> xarray.Dataset:
    """Compare two results of :func:`~sdgnn.analysis.trajectories.analyze`, for example of an exact field and a network.

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
    Raises UserError when nothing was measured by both, or with a single replica.
    """
    import xarray

    names = [
        str(n) for n in first.data_vars if n in second and len(first[n].dims) == 2 and first[n].dims[1] == "replica"
    ]
    if not names:
        raise UserError("two runs without a common quantity", fix="record the same observers in both")
    if first.sizes["replica"] < 2 or second.sizes["replica"] < 2:
        raise UserError("agreement of single replicas", allowed="at least 2 replicas of each run")
    found = xarray.Dataset()
    for name in names:
        one, other = _at_common_times(first[name], second[name])
        time = one.dims[0]
        values = [torch.from_numpy(np.asarray(v.values, dtype=np.float64).T) for v in (one, other)]
        (mean, error), (other_mean, other_error) = map(mean_and_error, values)
        together = torch.hypot(error, other_error)
        paired = torch.full_like(mean, torch.nan)
        if len(values[0]) == len(values[1]):
            _, paired = mean_and_error(values[1] - values[0])
        difference = other_mean - mean
        deviation = torch.where(difference == 0, 0.0, difference / together)
        columns = {
            "first": mean,
            "second": other_mean,
            "first_error": error,
            "second_error": other_error,
            "difference": difference,
            "error": together,
            "paired_error": paired,
            "deviation": deviation,
        }
        for key, column in columns.items():
            found[f"{name}_{key}"] = ((time,), column.numpy(), one.attrs if key != "deviation" else {})
        found = found.assign_coords({time: one[time].values})
        found.attrs[f"{name}_within"] = float((deviation[deviation.isfinite()].abs() <= 2).double().mean())
        found.attrs[f"{name}_rms"] = _rms(deviation)
        found.attrs[f"{name}_paired_rms"] = _rms(torch.where(difference == 0, 0.0, difference / paired))
    found.attrs["quantities"] = " ".join(names)
    return found


def _rms(values: Float[Tensor, " time"]) -> float:
    """Root mean square of what is finite."""
    return float(values[values.isfinite()].square().mean().sqrt())


def _at_common_times(first: xarray.DataArray, second: xarray.DataArray) -> tuple[xarray.DataArray, xarray.DataArray]:
    """Both at the times that both have, under the first one's name of the dimension."""
    time, other = first.dims[0], second.dims[0]
    common = np.intersect1d(first[time].values, second[other].values)
    if not len(common):
        raise UserError(f"{first.name} at no common time", fix="record it every so many steps in both runs")
    return first.sel({time: common}), second.sel({other: common}).rename({other: time} if other != time else {})
