"""Growth of domains in a trajectory: lengths by four routes, exponents, scaling, Porod's tail, walls and memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.analysis.domains.ageing import autocorrelation, frozen_fraction
from sdgnn.analysis.domains.clusters import length_from_clusters, length_from_walls, site_graph, wrapping
from sdgnn.analysis.domains.growth import (
    RouteSpread,
    delayed_exponent,
    growth_exponent,
    law_exponent,
    local_exponent,
    offset_exponent,
    route_spread,
    within_window,
)
from sdgnn.analysis.domains.lengths import length_from_correlation, length_from_structure_factor
from sdgnn.analysis.domains.scaling import collapse_correlation, porod_tail
from sdgnn.analysis.domains.tracking import track
from sdgnn.analysis.domains.walls import wall_orientations
from sdgnn.analysis.orders.chirality import site_chirality
from sdgnn.analysis.orders.correlations import (
    PARALLEL,
    closest_neighbour,
    local_correlation,
    local_nematicity,
    radial_correlation,
)
from sdgnn.analysis.recorded import stacked, states
from sdgnn.analysis.spectra.static import radial_average, structure_factor
from sdgnn.analysis.statistics.replicas import require_one_group
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

ROUTES = ("correlation", "moment", "walls", "clusters")
"""Ways to a domain length: half height of C(r), 2 pi / <k> weighted by S(k)^2, length of walls, number of clusters."""

FOLLOWED = 4.0
"""Area above which clusters are followed through time, nearest-neighbour distances squared."""

DIMS = {"length": ("route",), "correlation": ("distance",), "factor": ("wave_number",), "orientation": ("angle",)}
"""Dimensions of what is measured at each time, after time and replica."""

TAIL = 1.25
"""Largest wave number of Porod's tail, 1 / nearest-neighbour distance: beyond, images of the lattice add up."""


@dataclass(frozen=True)
class DomainMap:
    """A field on the sites whose sign tells the phase."""

    function: Callable[[Tensor, Lattice], Tensor]
    """(spins, lattice) -> (replica, site)."""
    conserved: bool
    """Whether the phases cover different shares of the plane, so that correlations are those about the mean."""
    recorded: str | None = None
    """Name of the observer that records it."""


def _puddles(spins: Float[Tensor, "replica site 3"], lattice: Lattice) -> Float[Tensor, "replica site"]:
    return local_correlation(spins, lattice) - PARALLEL


def _regions(spins: Float[Tensor, "replica site 3"], lattice: Lattice) -> Float[Tensor, "replica site"]:
    return closest_neighbour(spins, lattice) - PARALLEL


DOMAIN_MAPS: dict[str, DomainMap] = {
    "chirality": DomainMap(site_chirality, conserved=False, recorded="chirality_map"),
    "nematic": DomainMap(local_nematicity, conserved=False, recorded="nematic_map"),
    "puddles": DomainMap(_puddles, conserved=True),
    "regions": DomainMap(_regions, conserved=True),
}
"""Maps by name: chirality domains, stripes along x and along y (:func:`.local_nematicity`), ferromagnetic puddles (mean
S_i . S_j of the nearest neighbours above :data:`~sdgnn.analysis.orders.correlations.PARALLEL`), and regions (that of
one neighbour above it)."""


def coarsening(
    trajectory: xarray.Dataset,
    lattice: Lattice,
    map: str = "chirality",
    window: tuple[float, float] | None = None,
    smoothing: float = 2.0,
) -> xarray.Dataset:
    """How domains grow in a trajectory of a two-dimensional crystal, from its stored spins or map::

        found = sdgnn.analysis.coarsening(run.trajectory, lattice, window=(20, 200))
        found["exponent"].to_series(), found["exponent_error"].to_series()

    ``map``: which domains, a name in :data:`DOMAIN_MAPS`. ``window``: times over which laws are fitted, by default all
    > 0; its start is the waiting time t_w. ``smoothing``: width over which maps are smoothed for the direction of
    walls. One time is in memory at once. Returns:

    ======================================= ============================ ==============================================
    length                                  (route, time, replica)       L by :data:`ROUTES`
    exponent, exponent_error                (route,)                     n of L ~ t^n in the window, see
                                                                         :func:`~sdgnn.analysis.domains.growth.growth_exponent`
    exponent_drift, exponent_drift_error,   (route,)                     its change from the first to the second half of
    exponent_drifts                                                      ln t, and whether that is more than chance
    offset_exponent, offset_exponent_error  (route,)                     n of L ~ L_0 + t^n, see
                                                                         :func:`~sdgnn.analysis.domains.growth.offset_exponent`
    delayed_exponent,                       (route,)                     n of L ~ (t - t_0)^n, see
    delayed_exponent_error                                               :func:`.delayed_exponent`
    law_exponent, law_exponent_error        (route,)                     n of a power and of that law together, see
                                                                         :func:`~sdgnn.analysis.domains.growth.law_exponent`
    local_exponent, local_exponent_error    (route, time)                d ln L / d ln t, nan near the ends
    correlation                             (time, replica, distance)    C(r)
    factor                                  (time, replica, wave_number) S(k) around the zone's centre
    orientation                             (time, replica, angle)       density of walls by direction of their normal
    phase_fraction, wrapping_fraction       (time, replica)              share of sites in phase +, and in clusters
                                                                         that wrap around the cell
    porod_exponent, porod_error             (time,)                      S ~ k^-p; nan where the tail is too short
    frozen, autocorrelation                 (later, replica)             since t_w, see :func:`.frozen_fraction`
    displacement, clusters_left             (later, replica)             mean squared, of the clusters in phase + that
                                                                         t_w had, and the share that is left: see
                                                                         :func:`~sdgnn.analysis.domains.tracking.track`
    collapse, collapse_error                (collapsed, scaled_distance) C(r) against r / L, L by walls
    ======================================= ============================ ==============================================

    with the attributes ``collapse_quality`` and ``collapse_spread`` (nan with a single replica), and
    ``exponent_spread``, ``exponent_spread_error`` and ``routes_disagree`` (1 or 0), how far exponents of the routes are
    apart: see :func:`.route_spread`. Raises UserError on an unknown map, where neither spins nor
    the map were recorded, on replicas of several settings, and on a window without a recorded time > 0.
    """
    import xarray

    require_one_group(trajectory, "growth of domains")

    if map not in DOMAIN_MAPS:
        raise UserError(f"domains of the map {map!r}", allowed=", ".join(DOMAIN_MAPS))
    if lattice.dim != 2 or not lattice.is_crystal:
        raise UserError(f"domains on {lattice!r}", allowed="two-dimensional crystals")
    chosen, graph = DOMAIN_MAPS[map], site_graph(lattice)
    source, convert = _source(trajectory, lattice, chosen)
    time = source[source.dims[0]].values.astype(np.float64)
    kept = np.flatnonzero(within_window(time, window))
    if not len(kept):
        raise UserError(
            "laws of growth without a time > 0" + ("" if window is None else f" from {window[0]:g} to {window[1]:g}"),
            allowed=f"times that were recorded: {time.min():g} to {time.max():g}" if len(time) else "a recorded state",
        )
    start = int(kept[0])

    def maps(first: int = 0) -> Iterator[Float[Tensor, "replica site"]]:
        return (convert(state.double()) for state in states(source, first))

    def phases() -> Iterator[Int[Tensor, "replica site"]]:
        return (values.sign().long() for values in maps(start))

    axes: dict[str, Any] = {"time": time, "later": time[start:], "route": list(ROUTES)}

    def measured(values: Float[Tensor, "replica site"]) -> dict[str, Tensor]:
        phase = values.sign().long()
        centred = values - values.mean(1, keepdim=True) if chosen.conserved else values
        axes["distance"], correlation = radial_correlation(centred, lattice)
        axes["wave_number"], factor = radial_average(structure_factor(centred, lattice), lattice)
        axes["angle"], orientation = wall_orientations(phase.double(), lattice, smoothing)
        lengths = [
            length_from_correlation(centred, lattice),
            length_from_structure_factor(centred, lattice, power=2),
            length_from_walls(phase, graph),
            length_from_clusters(phase, graph),
        ]
        return {
            "length": torch.stack(lengths, dim=1),
            "correlation": correlation,
            "factor": factor,
            "orientation": orientation,
            "phase_fraction": (phase > 0).double().mean(1),
            "wrapping_fraction": wrapping(phase, graph).double().mean(1),
        }

    found = {
        n: (("time", "replica", *DIMS.get(n, ())), v) for n, v in stacked(measured(values) for values in maps()).items()
    }
    displacement, left = track(phases(), graph, lattice, FOLLOWED)
    since = {
        "frozen": frozen_fraction(phases()),
        "autocorrelation": autocorrelation(maps(start)),
        "displacement": displacement,
        "clusters_left": left,
    }
    found |= {name: (("later", "replica"), values.numpy()) for name, values in since.items()}
    coords = {name: np.asarray(values) for name, values in axes.items()}
    data = xarray.Dataset(found, coords, {"map": map, "lattice": repr(lattice)})
    data["length"] = data["length"].transpose("route", "time", "replica")
    data["length"].attrs["units"] = "nearest-neighbour distance"
    data["displacement"].attrs["units"] = "nearest-neighbour distance squared"
    return _with_collapse(_with_tails(with_exponents(data, window), kept), kept)


def _source(
    trajectory: xarray.Dataset, lattice: Lattice, chosen: DomainMap
) -> tuple[xarray.DataArray, Callable[[Tensor], Tensor]]:
    """The recorded states and how they become the map."""
    if chosen.recorded is not None and chosen.recorded in trajectory:
        return trajectory[chosen.recorded], lambda values: values
    if "spins" not in trajectory:
        names = " or ".join(filter(None, ["spins", chosen.recorded]))
        raise UserError("domains of a trajectory without their map", fix=f"record the observer {names}")
    sites = trajectory.sizes["site"]
    if sites != lattice.n_sites:
        raise UserError(f"a trajectory of {sites} sites", allowed=f"{lattice.n_sites} sites of {lattice!r}")
    return trajectory["spins"], lambda spins: chosen.function(spins, lattice)


def with_exponents(data: xarray.Dataset, window: tuple[float, float] | None) -> xarray.Dataset:
    """The exponents of :func:`coarsening` from the lengths in ``data``, beside what else it holds."""
    time, length = data["time"].values, torch.tensor(data["length"].values, dtype=torch.float64, device="cpu")
    fits = np.full((10, len(ROUTES)), math.nan)
    drifts, fitted = np.zeros(len(ROUTES), dtype=np.int8), []
    local = np.full((2, len(ROUTES), len(time)), math.nan)
    for n in range(len(ROUTES)):
        by_replica = length[n].T
        try:
            fit = growth_exponent(time, by_replica, window)
        except UserError:
            continue  # a route without finite lengths at three times has no exponent
        fits[:4, n] = fit.value, fit.error, fit.drift, fit.drift_error
        drifts[n] = fit.drifts
        fitted.append(n)
        with suppress(UserError):  # of which a bent law needs a fourth
            laws = (law(time, by_replica, window) for law in (offset_exponent, delayed_exponent, law_exponent))
            fits[4:, n] = [number for found in laws for number in (found.value, found.error)]
        at, slope, error = local_exponent(time, by_replica)
        place = np.searchsorted(time, at * (1 - 1e-9))
        local[:, n, place] = slope, error
    data = data.assign(exponent_drifts=(("route",), drifts))
    kinds = ("exponent", "exponent_drift", "offset_exponent", "delayed_exponent", "law_exponent")
    for name, row in zip((name for kind in kinds for name in (kind, f"{kind}_error")), fits, strict=True):
        data[name] = (("route",), row)
    data["local_exponent"], data["local_exponent_error"] = ((("route", "time"), values) for values in local)
    spread = RouteSpread(math.nan, math.nan, disagree=False)
    with suppress(UserError):  # of fewer than two routes, or of routes without finite lengths in common
        spread = route_spread(time, length[fitted].transpose(1, 2), window)
    return data.assign_attrs(
        exponent_spread=spread.value, exponent_spread_error=spread.error, routes_disagree=int(spread.disagree)
    )


LEAST_TAIL = 6
"""Wave numbers that a tail needs."""
COLLAPSED = 5
"""Times whose curves are compared, at most."""


def _with_tails(data: xarray.Dataset, kept: Int[np.ndarray, " kept"]) -> xarray.Dataset:
    """``data`` with Porod's tail at the times ``kept``."""
    tails = np.full((2, data.sizes["time"]), math.nan)
    k, factor = torch.tensor(data["wave_number"].values, device="cpu"), torch.from_numpy(data["factor"].values)
    for at_time in kept.tolist():
        ends = (3 / float(data["length"][0, at_time].mean()), TAIL)
        if factor.shape[1] > 1 and ((k >= ends[0]) & (k <= TAIL)).sum() >= LEAST_TAIL:
            tail = porod_tail(k, factor[at_time], ends, dim=2)
            tails[:, at_time] = tail.exponent, tail.error
    return data.assign(porod_exponent=("time", tails[0]), porod_error=("time", tails[1]))


def _with_collapse(data: xarray.Dataset, kept: Int[np.ndarray, " kept"]) -> xarray.Dataset:
    """``data`` with the collapse of C(r) by the length of walls at up to five of the times ``kept``, even in ln t."""
    data = data.assign_attrs(collapse_quality=math.nan, collapse_spread=math.nan)
    mean = data["length"].sel(route="walls").mean("replica", skipna=False).values
    kept = kept[np.isfinite(mean[kept])]
    if len(kept) < 2 or data.sizes["replica"] < 2:
        return data
    logarithm = np.log(data["time"].values[kept])
    wanted = np.linspace(logarithm[0], logarithm[-1], COLLAPSED)
    chosen = np.unique(kept[np.abs(logarithm[:, None] - wanted).argmin(axis=0)])
    distance, lengths = torch.tensor(data["distance"].values, device="cpu"), torch.from_numpy(mean[chosen])
    x = np.linspace(0.1, min(2.0, 0.99 * float(distance[-1] / lengths.max())), 24)
    found = collapse_correlation(distance, torch.from_numpy(data["correlation"].values[chosen]), lengths, x)
    data = data.assign_coords(collapsed=data["time"].values[chosen], scaled_distance=found.x)
    curves = {"collapse": found.curves, "collapse_error": found.errors}
    data = data.assign({name: (("collapsed", "scaled_distance"), values) for name, values in curves.items()})
    return data.assign_attrs(collapse_quality=found.quality, collapse_spread=found.spread)
