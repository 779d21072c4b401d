"""Means in equilibrium from correlated samples, with error bars that know of the correlation."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.statistics.replicas import replica_groups
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    import xarray

WINDOW = 5.0
"""Correlations are summed up to this many autocorrelation times: beyond, they add noise alone."""
RELIABLE, LONG = 200.0, 10.0
"""Autocorrelation times of all samples, and of each replica, from which on tau is trusted: it is right to a third."""
NUMBER = "walker"
"""What numbers states and measures nothing."""


@dataclass(frozen=True)
class Equilibrium:
    """A mean over times and replicas of equal settings."""

    mean: float
    """Mean of all samples."""
    error: float
    """Standard error of the mean, sqrt(variance / effective); NaN where there is one sample."""
    autocorrelation_time: float
    """tau = 1 + 2 sum_(k >= 1) rho_k, in samples; 1 for independent ones."""
    effective: float
    """Number of independent samples that know as much: samples / tau."""
    r_hat: float
    """sqrt of the variance of all samples over that within replicas; above 1.05 replicas have not come to the same
    equilibrium. NaN for one replica."""
    reliable: bool
    """Whether there are at least 200 tau of samples, and 10 tau of each replica."""


def autocorrelation_function(values: Float[np.ndarray, "replica time"]) -> Float[np.ndarray, " lag"]:
    """rho_k = <dx(t) dx(t + k)> / <dx^2> with dx from the mean of all replicas, by Fourier transforms.

    Both means are over all pairs of samples k apart in the same replica. Constant samples have rho = 1 at k = 0 alone.
    """
    if values.size == 0:
        raise UserError(f"correlations of {values.shape} samples (replica, time)", allowed="at least one")
    n = values.shape[1]
    deviation = values - values.mean()
    power = np.abs(np.fft.rfft(deviation, 2 * n)) ** 2
    summed = np.fft.irfft(power, 2 * n)[:, :n].sum(0) / np.arange(n, 0, -1)
    if not summed[0] > 0:
        return np.eye(1, n)[0]
    return summed / summed[0]


def autocorrelation_time(values: Float[np.ndarray, "replica time"]) -> float:
    """tau = 1 + 2 sum_(k=1)^W rho_k in samples, W the first with W >= 5 tau(W); at least 1.

    Sokal's window: the bias of leaving out the rest is exp(-10) for exponential correlations, and the relative error
    sqrt(2 (2 W + 1) / samples). Source: Sokal, in Functional Integration (1997), doi:10.1007/978-1-4899-0319-8_6.
    """
    sums = 2 * np.cumsum(autocorrelation_function(values)) - 1
    enough = np.arange(len(sums)) >= WINDOW * sums
    return max(1.0, float(sums[np.argmax(enough)] if enough.any() else sums[-1]))


def estimate(values: Float[np.ndarray, "replica time"]) -> Equilibrium:
    """Mean of samples in equilibrium with its error. Raises UserError without samples, or where one is not finite."""
    if values.size == 0 or not np.isfinite(values).all():
        raise UserError(f"means of {values.shape} samples (replica, time)", allowed="at least one, all of them finite")
    replicas, n = values.shape
    tau = autocorrelation_time(values)
    effective = max(1.0, values.size / tau)
    error = values.std() / math.sqrt(effective - 1) if effective > 1 else math.nan
    within = values.var(1).mean()
    r_hat = math.sqrt(values.var() / within) if within > 0 else 1.0
    return Equilibrium(
        mean=float(values.mean()), error=float(error), autocorrelation_time=tau, effective=effective,
        r_hat=r_hat if replicas > 1 else math.nan, reliable=bool(values.size >= RELIABLE * tau and n >= LONG * tau),
    )  # fmt: skip


def equilibrium(trajectory: xarray.Dataset, discard: float = 0.2) -> xarray.Dataset:
    """Means of every observable with one number per replica, over the times after the first part ``discard``.

    Replicas of the same settings (:func:`.replica_groups`) are taken together. Returns, by ``setting`` with what these
    were set to as coordinates, such as kT and damping, and a ``label``, for each observable X: ``X_mean``, ``X_error``,
    ``X_autocorrelation_time`` (in the units of time), ``X_effective``, ``X_r_hat`` and ``X_reliable``, see
    :class:`Equilibrium`::

        found = sdgnn.analysis.equilibrium(run.trajectory, discard=0.5)
        found["energy_mean"].values, found["energy_error"].values, found["energy_reliable"].values

    Raises UserError unless 0 <= discard < 1, and on a trajectory without such observables.
    """
    import xarray

    quantities = trajectory.drop_vars(NUMBER, errors="ignore").data_vars
    found = {str(n): v for n, v in quantities.items() if v.ndim == 2 and v.dims[1] == "replica" and v.size}
    if not found:
        raise UserError("equilibrium of a trajectory without numbers", allowed="a run that records energy, for example")
    groups = replica_groups(trajectory)
    coords = {n: ("setting", [group.values[n] for group in groups]) for n in groups[0].values}
    result = xarray.Dataset(coords={**coords, "label": ("setting", [group.label for group in groups])})
    for name, values in found.items():
        time = str(values.dims[0])
        late = after(trajectory[[name]], discard)[name].values.T.astype(np.float64)
        times = trajectory[time].values
        spacing = float(times[-1] - times[0]) / max(1, len(times) - 1)
        entries = [asdict(estimate(late[list(group.places)])) for group in groups]
        for key in entries[0]:
            scale = spacing if key == "autocorrelation_time" else 1
            result[f"{name}_{key}"] = ("setting", [entry[key] * scale for entry in entries])
    return result


def after(trajectory: xarray.Dataset, discard: float) -> xarray.Dataset:
    """``trajectory`` without the first part ``discard`` of the records of each schedule.

    Raises UserError unless 0 <= discard < 1.
    """
    if not 0 <= discard < 1:
        raise UserError(f"discard {discard}", allowed="a part of the run, from 0 to below 1")
    times = {str(values.dims[0]) for values in trajectory.data_vars.values() if values.dims}
    first = {time: math.ceil(discard * trajectory.sizes[time] - ROUNDING) for time in times}
    return trajectory.isel({time: slice(start, None) for time, start in first.items()})


ROUNDING = 1e-6
"""Part of a record by which a product of a part and a number of records may be off."""
