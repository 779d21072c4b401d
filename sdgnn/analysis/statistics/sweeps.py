"""Parameter sweeps: means at every point against the swept keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.statistics.equilibrium import after, equilibrium
from sdgnn.analysis.trajectories import analyze
from sdgnn.common.errors import UserError
from sdgnn.dynamics.sweeps import labels
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

SEED = "seed"
"""The swept key whose points are repetitions of one another: their replicas are taken together."""
ORDERS = ("chirality", "absolute_chirality", "nearest_neighbour_correlation", "bragg_weight")
"""What is measured of recorded spins, whether asked for in the run or not."""
KEPT = ("mean", "error", "reliable")
"""What is kept of :class:`~sdgnn.analysis.statistics.equilibrium.Equilibrium`."""

Point = tuple[tuple[int, ...], "xarray.Dataset", Lattice]
"""Place along the axes, trajectory and lattice."""


def sweep_means(
    points: Iterable[Point],
    axes: Mapping[str, Sequence[Any]],
    discard: float = 0.5,
    order: Callable[[Lattice], Float[np.ndarray, "peak dim"]] | None = None,
) -> xarray.Dataset:
    """Means over late times and replicas of every point of a sweep, with errors that know of autocorrelation.

    ``points`` gives each point's indices along the ``axes``, its trajectory and lattice; ``discard`` the part at the
    start of each run that is left out; ``order`` the wave vectors of a spin order on each lattice, of which the Bragg
    weight is measured. For each X of :func:`numbers`: ``X_mean``, ``X_error`` and ``X_reliable``
    (:func:`.equilibrium`) with the swept keys as dimensions, but for the seed, whose points
    are repetitions; and a last dimension ``setting`` where replicas of a point differ in theirs. NaN where a point does
    not have X, or not at all times. Raises UserError as :func:`.equilibrium` and :func:`sdgnn.analysis.analyze` do.
    """
    import xarray

    dims = {name: values for name, values in axes.items() if name != SEED}
    kept = [k for k, name in enumerate(axes) if name != SEED]
    gathered: dict[tuple[int, ...], list[xarray.Dataset]] = {}
    for place, trajectory, lattice in points:
        peaks = None if order is None else order(lattice)
        late = numbers(after(trajectory, discard), lattice, peaks)
        gathered.setdefault(tuple(place[k] for k in kept), []).append(late)
    shape = tuple(len(values) for values in dims.values())
    columns: dict[str, np.ndarray] = {}
    attributes: dict[str, dict[str, Any]] = {}
    settings: list[str] = []
    for place, parts in gathered.items():
        pooled = xarray.concat(
            parts, "replica", data_vars="all", coords="minimal", compat="override", join="override",
            combine_attrs="override",
        )  # fmt: skip
        found = equilibrium(pooled, discard=0.0)
        told = found["label"].values.tolist()
        settings = settings or told
        if len(told) != len(settings):
            raise UserError(f"points of {len(settings)} and of {len(told)} settings", fix="analyse them one by one")
        for name in map(str, found.data_vars):
            if name.rpartition("_")[2] in KEPT:
                empty = np.full((*shape, len(settings)), np.nan)
                columns.setdefault(name, empty)[place] = found[name].values
                attributes[name] = dict(pooled[name.rpartition("_")[0]].attrs)
    several = len(settings) > 1
    result = xarray.Dataset(
        {
            name: ((*dims, "setting") if several else (*dims,), values if several else values[..., 0], attributes[name])
            for name, values in columns.items()
        },
        coords={name: labels(values) for name, values in dims.items()},
        attrs={"discard": discard},
    )
    return result.assign_coords(setting=settings) if several else result


def numbers(
    trajectory: xarray.Dataset, lattice: Lattice, order: Float[np.ndarray, "peak dim"] | None = None
) -> xarray.Dataset:
    """All that a trajectory shows once per time and replica: energy per site, order parameters, moduli of vectors.

    What was recorded, with ``energy_per_site`` in place of ``energy`` and, as ``magnetization``, the modulus of the
    mean spin and of every other vector; and :data:`ORDERS` from recorded spins, see :func:`~sdgnn.analysis.analyze`.
    Quantities that are not finite somewhere are left out.
    """
    import xarray

    found = analyze(trajectory, lattice, order)
    wanted = {*trajectory.data_vars, *ORDERS}
    single: dict[str, xarray.Variable] = {
        str(n): v.variable for n, v in found.data_vars.items() if n in wanted and v.dims[1:] == ("replica",)
    }
    if "energy" in single:
        energy = single.pop("energy")
        per_site = {**energy.attrs, "long_name": "energy per site"}
        single["energy_per_site"] = xarray.Variable(energy.dims, energy.values / lattice.n_sites, per_site)
    for name, values in trajectory.data_vars.items():
        if values.dims[1:] == ("replica", "component"):
            words = {**values.attrs, "long_name": f"modulus of the {values.attrs.get('long_name') or name}"}
            single[str(name)] = xarray.Variable(values.dims[:2], np.linalg.norm(values.values, axis=2), words)
    finite = {name: values for name, values in single.items() if np.isfinite(values.values).all()}
    dims = {dim for values in finite.values() for dim in values.dims}
    return xarray.Dataset(finite, {n: c.variable for n, c in trajectory.coords.items() if set(c.dims) <= dims})
