"""Means and standard errors over independent replicas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray


def mean_and_error(values: Float[Tensor, " replica *rest"]) -> tuple[Float[Tensor, "*rest"], Float[Tensor, "*rest"]]:
    """Mean over replicas and its standard error s / sqrt(n), s^2 = sum (x - mean)^2 / (n - 1).

    Both have the shape of one replica. With a single replica the error is nan: nothing is known about it.
    """
    n = len(values)
    if n == 0:
        raise UserError("a mean over no replica", allowed="at least one")
    error = values.std(0, correction=1) / n**0.5 if n > 1 else torch.full_like(values[0], torch.nan)
    return values.mean(0), error


def replica_mean(values: xarray.DataArray) -> tuple[xarray.DataArray, xarray.DataArray]:
    """:func:`mean_and_error` along the dimension ``replica`` of a labelled array, in double precision."""
    rows = np.moveaxis(values.values, values.get_axis_num("replica"), 0).astype(np.float64)
    one = values.isel(replica=0, drop=True)
    mean, error = mean_and_error(torch.from_numpy(rows))
    return one.copy(data=mean.numpy()), one.copy(data=error.numpy())


def jackknife(
    values: Float[Tensor, " replica *rest"], statistic: Callable[[Tensor], Tensor]
) -> tuple[Float[Tensor, "*value"], Float[Tensor, "*value"]]:
    """``statistic(values)`` and its standard error over replicas.

    ``statistic`` takes (replica, ...) to any shape, for instance the exponent fitted to the mean of L(t). With theta_k
    what it makes of all replicas but the k-th, error^2 = (n - 1) / n sum_k (theta_k - mean theta)^2 (Efron and Stein,
    Ann. Stat. 9, 586 (1981), doi:10.1214/aos/1176345462): that of :func:`mean_and_error` for a mean, and right to
    leading order in 1 / n for smooth statistics. An interval of one error holds the truth as often as Student's t
    with n - 1 degrees of freedom says: 61 % of times for 4 replicas, 65 % for 8, 68 % for many. With a single replica
    the error is nan.
    """
    n = len(values)
    estimate = statistic(values)
    if n < 2:
        return estimate, torch.full_like(estimate, torch.nan)
    left_out = torch.stack([statistic(torch.cat([values[:k], values[k + 1 :]])) for k in range(n)])
    return estimate, ((left_out - left_out.mean(0)).square().sum(0) * (n - 1) / n).sqrt()
