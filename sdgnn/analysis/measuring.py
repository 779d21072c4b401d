"""Order parameters and other measures of a run's states, by name, over time and replica."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.observers import BASIC, MEASURES, Measure, available, q_coordinate
from sdgnn.analysis.orders.order_weights import DIRECTIONS, fitting_orders, order_weight, require_order
from sdgnn.analysis.recorded import recorded_spins, stacked, states
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.dynamics.run import Run
from sdgnn.dynamics.trajectory import lattice_of, open_trajectory
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray


def measure(run: Run | xarray.Dataset | str | Path, *names: str) -> xarray.Dataset:
    """Order parameters, skyrmion number and other measures of every recorded state::

        found = sdgnn.measure(run, "skyrmion_number", "chirality", "tetrahedral")
        found["chirality"].mean("replica")

    ``run`` is what :func:`sdgnn.simulate` returned, its trajectory, or its folder; ``run.measure(...)`` is the same.
    A name is

    ============================== ==========================================================================
    name                           what
    ============================== ==========================================================================
    of :func:`.observer`           chirality, skyrmion_number, domain_length, structure_factor, ...
    of an order (ferro, neel, ...) weight of its modes, see :func:`.order_weight`
    of what was recorded           energy, magnetization, density, ...: as it is
    ============================== ==========================================================================

    What was recorded under a name is taken as it is; all else is computed from the recorded spins, one time in memory
    at once. Without names: every number per state that the lattice allows, and all those that were recorded.

    Returns (time, replica, ...) arrays by name, with units and words; settings of replicas are coordinates, so that
    means can be taken by :func:`.replica_groups`. The dimension of time may be ``time_N`` as in the trajectory. Raises
    UserError on unknown names, on those that the lattice does not allow, and where spins are needed and were not
    recorded.
    """
    trajectory = trajectory_of(run)
    lattice = lattice_of(trajectory)
    return measured(trajectory, lattice, names or numbers(trajectory, lattice))


def trajectory_of(run: Run | xarray.Dataset | str | Path) -> xarray.Dataset:
    """The trajectory of a run, of its folder, or what already is one."""
    if isinstance(run, Run):
        return run.trajectory
    return open_trajectory(run) if isinstance(run, str | Path) else run


def numbers(trajectory: xarray.Dataset, lattice: Lattice) -> tuple[str, ...]:
    """Everything that is one number per state: what was recorded, and with spins what the lattice allows."""
    recorded = [str(name) for name, values in trajectory.data_vars.items() if values.dims[1:] == ("replica",)]
    if "spins" not in trajectory or not trajectory["spins"].size:
        return tuple(recorded)
    allowed = [name for name in available(lattice) if name in MEASURES and not MEASURES[name].dims]
    return tuple(dict.fromkeys([*recorded, *allowed]))


def measured(trajectory: xarray.Dataset, lattice: Lattice, names: Iterable[str]) -> xarray.Dataset:
    """:func:`measure` of a trajectory of states on ``lattice``."""
    import xarray

    names = tuple(dict.fromkeys(names))
    found = {name: trajectory[name] for name in names if name in trajectory.data_vars}
    wanted = {name: measure_of(name, lattice, trajectory) for name in names if name not in found}
    if wanted:
        found |= of_spins(recorded_spins(trajectory, ", ".join(wanted)), lattice, wanted)
    result = xarray.Dataset({name: found[name].variable for name in names})
    coords = {n: c.variable for n, c in trajectory.coords.items() if set(c.dims) <= set(result.dims)}
    if "wave_vector" in result.dims:
        coords["q"] = q_coordinate(lattice)
    return result.assign_coords(coords).assign_attrs(trajectory.attrs)


def measure_of(name: str, lattice: Lattice, trajectory: xarray.Dataset) -> Measure:
    """The measure ``name`` on ``lattice``. Raises UserError where there is none of a trajectory that lacks it."""
    if name in MEASURES and name in available(lattice):
        return MEASURES[name]
    if name in DIRECTIONS:
        require_order(lattice, name)
        return Measure(partial(order_weight, order=name), (), "1", f"weight of {name} order")
    if name in BASIC:
        raise UserError(f"{name!r} of a run that has not recorded it", fix=f"record the observer {name}")
    known = names_known(trajectory, lattice)
    raise UserError(
        f"a measure {name!r} on {lattice!r}" if name in MEASURES else f"a measure named {name!r}",
        allowed=", ".join(known), fix=did_you_mean(name, known),
    )  # fmt: skip


def names_known(trajectory: xarray.Dataset, lattice: Lattice) -> list[str]:
    """Names that :func:`measure` knows for a trajectory on this lattice."""
    orders = fitting_orders(lattice) if lattice.is_crystal else ()
    return sorted({*map(str, trajectory.data_vars), *(n for n in available(lattice) if n in MEASURES), *orders})


def with_order(measure: Measure, peaks: Float[np.ndarray, "peak dim"]) -> Measure:
    """A measure of (spins, lattice, wave vectors of an order) for the order with these ``peaks``."""

    def function(spins: Tensor, lattice: Lattice) -> Tensor:
        return measure.function(spins, lattice, peaks)

    return measure._replace(function=function)


def of_spins(spins: xarray.DataArray, lattice: Lattice, wanted: Mapping[str, Measure]) -> dict[str, xarray.DataArray]:
    """Measures of stored spins (time, replica, site, component), one time in memory at once."""
    import xarray

    rows = ({name: one.function(state, lattice) for name, one in wanted.items()} for state in states(spins))
    return {
        name: xarray.DataArray(
            values, dims=(spins.dims[0], "replica", *wanted[name].dims), attrs=wanted[name].attributes
        )
        for name, values in stacked(rows).items()
    }
