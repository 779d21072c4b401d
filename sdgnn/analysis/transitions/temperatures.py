"""Transition temperatures: where Binder cumulants of two sizes cross, and where the susceptibility is largest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.statistics.means import jackknife
from sdgnn.analysis.transitions.thermodynamics import binder, parameters_of, spread
from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.common.rounding import with_error

if TYPE_CHECKING:
    import xarray

AROUND = 2
"""Temperatures on each side that a fit takes."""


@dataclass(frozen=True)
class TransitionTemperature:
    """Where one route sees a transition."""

    route: str
    """"Binder crossing" or "susceptibility peak"."""
    sites: tuple[int, ...]
    """Sites of the lattices that tell."""
    kT: float
    """The temperature; NaN where the route finds none among the temperatures of the runs."""
    error: float
    """Its standard error, of the samples alone: what sizes and the spacing of temperatures leave comes on top."""

    @property
    def found(self) -> bool:
        """Whether there is one."""
        return not math.isnan(self.kT)

    __repr__ = one_line

    def __str__(self) -> str:
        sizes = " and ".join(map(str, self.sites))
        where = f"kT = {with_error(self.kT, self.error)}" if self.found else "none among these temperatures"
        return f"{self.route} of {sizes} sites: {where}"


def transition_temperatures(
    found: xarray.Dataset | Sequence[xarray.Dataset], parameter: str
) -> tuple[TransitionTemperature, ...]:
    """Transition temperatures of an order parameter from runs on lattices of one or several sizes::

        small, large = (sdgnn.analysis.thermodynamics(run.trajectory) for run in runs)
        for transition in sdgnn.analysis.transition_temperatures([small, large], "magnetization"):
            print(transition)

    **Binder crossing**, for each size and the next larger one: at temperatures that both have, the difference of their
    cumulants, U_large - U_small, is positive in the ordered phase and negative in the other. The place where it best
    changes its sign, in units of its errors, is found first; then a straight line is fitted, with weights, to the two
    temperatures on each side, and its zero is the transition. It moves with the sizes far less than the peak does.
    **Susceptibility peak**, for each size: the vertex of a parabola through log chi at the five temperatures around
    the largest. Errors: jackknife over the blocks of :func:`.thermodynamics`. NaN where the difference
    has one sign, the largest susceptibility is at an end, or the fit or its error leaves its temperatures.

    Source: Binder, Z. Phys. B 43, 119 (1981), doi:10.1007/BF01293604. Raises UserError on an order parameter that was
    not measured.
    """
    several = [found] if not isinstance(found, Sequence) else list(found)
    for one in several:
        if parameter not in parameters_of(one):
            raise UserError(f"transitions of {parameter!r}", allowed=", ".join(parameters_of(one)))
    by_size = sorted(several, key=lambda one: int(one.attrs["sites"]))
    crossings = [_crossing(small, large, parameter) for small, large in pairwise(by_size)]
    return *crossings, *(_peak(one, parameter) for one in by_size)


def _crossing(small: xarray.Dataset, large: xarray.Dataset, parameter: str) -> TransitionTemperature:
    sites = (int(small.attrs["sites"]), int(large.attrs["sites"]))
    nothing = TransitionTemperature("Binder crossing", sites, math.nan, math.nan)
    of_small, of_large = (one["kT"].values for one in (small, large))
    near = np.isclose(of_small[:, None], of_large[None], rtol=1e-6)
    rows, columns = np.nonzero(near)
    if len(rows) < 2 or sites[0] == sites[1]:
        return nothing
    kT = of_small[rows]
    moments = torch.stack(
        [
            torch.from_numpy(one[f"{parameter}_moments"].values[places].transpose(1, 0, 2))
            for one, places in ((small, rows), (large, columns))
        ],
        dim=1,
    )  # (block, size, kT, power)

    def difference(part: Tensor) -> Tensor:
        of_size = binder(part.mean(0))
        return of_size[1] - of_size[0]

    apart, error = (value.numpy() for value in jackknife(moments, difference))
    scale = np.where(error > 0, error, np.inf)
    sums = np.cumsum(apart / scale)
    gain = 2 * sums[:-1] - sums[-1]  # ordered up to here, disordered from here on
    last = int(np.argmax(gain))
    if apart[last] <= 0 or apart[last + 1] >= 0:
        return nothing
    window = slice(max(0, last + 1 - AROUND), last + 1 + AROUND)
    place, weights = kT[window], 1 / scale[window]
    fit = _weighted(place, weights, 1)

    def zero(part: Tensor) -> Tensor:
        offset, slope = fit @ difference(part)[window]
        return place.mean() - offset / slope

    where, uncertain = jackknife(moments, zero)
    return _checked(nothing, float(where), float(uncertain), place)


def _peak(found: xarray.Dataset, parameter: str) -> TransitionTemperature:
    sites = (int(found.attrs["sites"]),)
    nothing = TransitionTemperature("susceptibility peak", sites, math.nan, math.nan)
    kT, chi = found["kT"].values, found[f"{parameter}_susceptibility"].values
    top = int(np.argmax(chi))
    if not 0 < top < len(kT) - 1:
        return nothing
    window = slice(max(0, top - AROUND), top + AROUND + 1)
    place = kT[window].copy()
    weights = chi[window] / found[f"{parameter}_susceptibility_error"].values[window]
    if not np.isfinite(weights).all():
        return nothing
    fit = _weighted(place, weights, 2)
    moments = torch.from_numpy(found[f"{parameter}_moments"].values.transpose(1, 0, 2))

    def vertex(part: Tensor) -> Tensor:
        mean = part.mean(0)[window]
        chi = spread(mean) / torch.from_numpy(place)
        _, slope, curvature = fit @ chi.clamp_min(torch.finfo(chi.dtype).tiny).log()
        return place.mean() - slope / (2 * curvature)

    where, uncertain = jackknife(moments, vertex)
    return _checked(nothing, float(where), float(uncertain), place)


def _checked(
    nothing: TransitionTemperature, where: float, error: float, place: Float[np.ndarray, " temperature"]
) -> TransitionTemperature:
    """The transition, unless it lies outside of the temperatures of its fit or anywhere among them."""
    if not place[0] <= where <= place[-1] or not error < place[-1] - place[0]:
        return nothing
    return TransitionTemperature(nothing.route, nothing.sites, where, error)


def _weighted(
    place: Float[np.ndarray, " temperature"], weights: Float[np.ndarray, " temperature"], degree: int
) -> Float[Tensor, "coefficient temperature"]:
    """The matrix that makes coefficients of a weighted polynomial around the mean of ``place`` out of values there."""
    powers = np.vander(place - place.mean(), degree + 1, increasing=True)
    return torch.from_numpy(np.linalg.pinv(powers * weights[:, None]) * weights)
