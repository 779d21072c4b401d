"""How well a ladder of temperatures does its work: exchange rates, round trips, and a better ladder."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.special import erfcinv

from sdgnn.analysis.statistics.equilibrium import after
from sdgnn.analysis.transitions.thermodynamics import replica_temperatures
from sdgnn.common.errors import UserError
from sdgnn.dynamics.integrators.parallel_tempering import ladders

if TYPE_CHECKING:
    import xarray

RATE = 0.3
"""Exchange rate for which a ladder is made unless said otherwise."""


def exchanges(trajectory: xarray.Dataset, discard: float = 0.2) -> xarray.Dataset:
    """Exchange rates between neighbours of a ladder, and round trips of the states of parallel tempering.

    ============ ========== =======================================================================================
    rate         (pair,)    <min(1, exp[(1/kT_k - 1/kT_k+1)(E_k - E_k+1)])> over the recorded energies: the share of
                            the attempts that succeed. Coordinates ``low`` and ``high``: the two temperatures
    round_trips  (walker,)  how often each state went from the lowest to the highest temperature and back again
    ============ ========== =======================================================================================

    Round trips are those between recorded times, from the observer ``walker``, recorded at every exchange if none is to
    be missed; without that observer there are no round trips. Rates below 0.1 anywhere cut a ladder in two. Raises
    UserError on a trajectory without energy or of one temperature.
    """
    import xarray

    late = after(trajectory, discard)
    energy, rows = _energies(late)
    temperatures = replica_temperatures(late)
    low, high, rate = [], [], []
    for cold, warm in pairwise(zip(*rows, strict=True)):
        step = 1 / temperatures[cold[0]] - 1 / temperatures[warm[0]]
        gain = step * (energy[:, list(cold)] - energy[:, list(warm)])
        rate.append(float(np.exp(np.minimum(gain, 0)).mean()))
        low.append(temperatures[cold[0]])
        high.append(temperatures[warm[0]])
    found = xarray.Dataset(
        {"rate": ("pair", rate, {"long_name": "share of exchanges that succeed"})},
        {"low": ("pair", low), "high": ("pair", high)},
    )
    if "walker" not in late:
        return found
    walkers = late["walker"].values
    numbers = np.unique(walkers)
    at_bottom, at_top = (walkers[:, [row[end] for row in rows]] for end in (0, -1))
    trips = [_round_trips((at_bottom == n).any(1), (at_top == n).any(1)) for n in numbers]
    return found.assign(round_trips=("walker", trips)).assign_coords(walker=("walker", numbers))


def suggest_temperatures(
    trajectory: xarray.Dataset,
    rate: float = RATE,
    lowest: float | None = None,
    highest: float | None = None,
    discard: float = 0.2,
) -> tuple[float, ...]:
    """A ladder on which all neighbours exchange about equally often, at least at ``rate``, from a first, rough run.

    Energies of N sites are nearly normal, with the standard deviation s(beta), beta = 1 / kT. Of two neighbours d beta
    apart, x = d beta (E_k - E_k+1) is then normal with the mean -v and the variance 2 v, v = (s d beta)^2, so that they
    exchange with the probability <min(1, e^x)> = erfc(s d beta / 2): the ladder has equal parts of the integral of s
    over beta, with s between the temperatures of the run by interpolation of its logarithm. From the
    ``lowest`` to the ``highest`` temperature, those of the run unless given; beyond these s is that of the end.

        ladder = sdgnn.analysis.suggest_temperatures(run.trajectory, rate=0.3)

    Needs one replica for each temperature, or more, of any run in equilibrium that records the energy; the number of
    temperatures grows as the root of the number of sites. Raises UserError on rates outside of 0 to 1.
    """
    if not 0 < rate < 1:
        raise UserError(f"exchange rate {rate}", allowed="between 0 and 1, for example 0.3")
    late = after(trajectory, discard)
    energy, _ = _energies(late)
    temperatures = replica_temperatures(late)
    known = np.unique(temperatures)
    ends = (known[0] if lowest is None else lowest, known[-1] if highest is None else highest)
    if not 0 < ends[0] < ends[1]:
        raise UserError(f"a ladder from kT = {ends[0]} to {ends[1]}", allowed="0 < lowest < highest")
    spread = np.array([energy[:, temperatures == value].std() for value in known])
    beta = np.linspace(1 / ends[1], 1 / ends[0], 2001)
    width = np.exp(np.interp(beta, 1 / known[::-1], np.log(np.maximum(spread[::-1], 1e-300))))
    way = np.concatenate([[0.0], np.cumsum((width[1:] + width[:-1]) / 2 * np.diff(beta))])
    count = max(2, 1 + int(np.ceil(way[-1] / (2 * erfcinv(rate)))))
    return tuple((1 / np.interp(np.linspace(way[-1], 0, count), way, beta)).tolist())


def _energies(trajectory: xarray.Dataset) -> tuple[Float[np.ndarray, "time replica"], list[list[int]]]:
    """Recorded energies, and the replicas of each ladder. Raises UserError without."""
    if "energy" not in trajectory:
        raise UserError("exchanges of a trajectory without energy", fix="record the observer energy")
    temperatures = replica_temperatures(trajectory)
    counts = np.unique(temperatures, return_counts=True)[1]
    if len(counts) < 2 or len(np.unique(counts)) > 1:
        raise UserError(
            f"a ladder of temperatures {temperatures.tolist()}",
            allowed="two or more different ones, each as often as the others",
        )
    return trajectory["energy"].values.astype(np.float64), ladders(temperatures)


def _round_trips(bottom: np.ndarray, top: np.ndarray) -> int:
    """How often a state comes back to the bottom after having been at the top since it left."""
    trips, been = 0, False
    seen = False
    for down, up in zip(bottom.tolist(), top.tolist(), strict=True):
        been = been or (seen and up)
        if down:
            trips += been
            seen, been = True, False
    return trips
