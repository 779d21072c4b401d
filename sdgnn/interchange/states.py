"""States taken out of trajectories, and trajectories made of states."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.recorded import recorded_spins, states
from sdgnn.common.errors import UserError
from sdgnn.common.one_line import one_line
from sdgnn.dynamics.trajectory import LATTICE, lattice_of
from sdgnn.lattice import Lattice
from sdgnn.lattice.text import describe_lattice

if TYPE_CHECKING:
    import xarray

TIME_UNITS = "hbar / t"
"""Units of the times of dynamics; those of Monte Carlo count steps."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Spins of one replica at one time.

    Raises UserError when the spins are not finite real numbers (site, 3) on the lattice.
    """

    spins: np.ndarray
    """(site, 3), float32 or float64."""
    lattice: Lattice
    """Where the sites are."""
    time: float | None = None
    """In hbar / t; None where no time is given."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        spins = _array(self.spins)
        if spins.shape != (self.lattice.n_sites, 3):
            raise UserError(
                f"spins of shape {spins.shape}",
                allowed=f"({self.lattice.n_sites}, 3) for {self.lattice!r}",
                fix="take one replica: spins[0]" if spins.ndim == 3 else "",
            )
        if not np.isfinite(spins).all():
            raise UserError("spins that are not finite", allowed="finite numbers")
        object.__setattr__(self, "spins", spins)


@dataclass(frozen=True, eq=False)
class Frames:
    """Spins of one replica at the recorded times, read one after another."""

    lattice: Lattice
    times: Float[np.ndarray, " frame"]
    """Recorded times."""
    units: str
    """Unit of the times: hbar / t, or 1 for steps of Monte Carlo."""
    _spins: xarray.DataArray

    @classmethod
    def of(cls, trajectory: xarray.Dataset, every: int = 1, replica: int = 0, lattice: Lattice | None = None) -> Frames:
        """Every ``every``-th recorded time of one replica, counted from 0.

        ``lattice`` is read from the trajectory if not given. Raises UserError on a trajectory without spins or lattice,
        on a replica that is not there, and on ``every`` below 1.
        """
        lattice = lattice_of(trajectory) if lattice is None else lattice
        spins = thinned(trajectory, every, replica)["spins"]
        time = spins.dims[0]
        units = str(spins[time].attrs.get("units", TIME_UNITS))
        return cls(lattice, spins[time].values.astype(np.float64), units, spins.isel(replica=0))

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Snapshot]:
        for time, spins in zip(self.times, states(self._spins), strict=True):
            yield Snapshot(spins.numpy(), self.lattice, float(time))

    def caption(self, state: Snapshot) -> str:
        """The time of a state as it stands above a picture."""
        return rf"time {state.time:.4g} $\hbar/t$" if self.units == TIME_UNITS else f"step {state.time:.0f}"


def snapshot(
    trajectory: xarray.Dataset, time: float | None = None, replica: int = 0, lattice: Lattice | None = None
) -> Snapshot:
    """The state recorded nearest to ``time``, the last one without it, of one replica, counted from 0.

    ``lattice`` is read from the trajectory if not given. Raises UserError as :meth:`Frames.of`, and on times before the
    first or after the last.
    """
    (state,) = Frames.of(at_time(trajectory, time), replica=replica, lattice=lattice)
    return state


def at_time(trajectory: xarray.Dataset, time: float | None = None) -> xarray.Dataset:
    """The recorded spins nearest to ``time``, the last ones without it, as a trajectory of one time.

    Raises UserError on times before the first or after the last.
    """
    spins = _recorded(trajectory)
    name = spins.dims[0]
    times = spins[name].values
    if time is not None and not times[0] <= time <= times[-1]:
        raise UserError(f"time {time:g}", allowed=f"{times[0]:g} to {times[-1]:g}, where spins were recorded")
    k = len(times) - 1 if time is None else int(np.abs(times - time).argmin())
    return trajectory[["spins"]].isel({name: slice(k, k + 1)})


def thinned(trajectory: xarray.Dataset, every: int = 1, replica: int | None = None) -> xarray.Dataset:
    """Every ``every``-th of the times at which spins were recorded, and of one replica, counted from 0, or of all.

    Raises UserError on a trajectory without spins, on a replica that is not there, and on ``every`` below 1.
    """
    spins = _recorded(trajectory)
    if every < 1:
        raise UserError(f"every {every} recorded times", allowed="a whole number >= 1")
    count = spins.sizes["replica"]
    if replica is not None and not 0 <= replica < count:
        raise UserError(f"replica {replica}", allowed=f"0 to {count - 1}")
    chosen = slice(None) if replica is None else slice(replica, replica + 1)
    return trajectory.isel({spins.dims[0]: slice(None, None, every), "replica": chosen})


def as_trajectory(
    spins: np.ndarray | Tensor, lattice: Lattice, times: Sequence[float] | np.ndarray | None = None
) -> xarray.Dataset:
    """Spins with the labels that the trajectory of a run has::

        trajectory = sdgnn.interchange.as_trajectory(spins, lattice, times=[0.0, 10.0])

    spins: (site, 3), (replica, site, 3) or (time, replica, site, 3); times: in hbar / t, 0, 1, ... if not given.
    Raises UserError when they do not fit ``lattice`` or each other.
    """
    import xarray

    values = _array(spins)
    if values.ndim not in (2, 3, 4) or values.shape[-2:] != (lattice.n_sites, 3):
        raise UserError(
            f"spins of shape {values.shape}",
            allowed=f"(time, replica, {lattice.n_sites}, 3), without time or replica too, for {lattice!r}",
        )
    values = values.reshape((1,) * (4 - values.ndim) + values.shape)
    along = np.arange(float(len(values))) if times is None else np.asarray(times, dtype=np.float64)
    if along.shape != values.shape[:1]:
        raise UserError(f"{along.size} times of {len(values)} states", allowed="one time for each")
    return xarray.Dataset(
        {"spins": (("time", "replica", "site", "component"), values, {"units": "1"})},
        coords={
            "time": ("time", along, {"units": TIME_UNITS}),
            "replica": np.arange(values.shape[1]),
            "site": np.arange(lattice.n_sites),
            "component": list("xyz"),
            "axis": list("xyz"[: lattice.dim]),
            "position": (("site", "axis"), lattice.positions, {"units": "nearest-neighbour distance"}),
        },
        attrs={LATTICE: describe_lattice(lattice)},
    )


def _array(spins: Any) -> np.ndarray:
    """Spins as a numpy array of float32 or float64."""
    values = spins.detach().cpu().numpy() if isinstance(spins, Tensor) else np.asarray(spins)
    if values.dtype not in (np.float32, np.float64):
        raise UserError(f"spins of type {values.dtype}", allowed="float32 or float64")
    return values


def _recorded(trajectory: xarray.Dataset) -> xarray.DataArray:
    """The spins of a trajectory, (time, replica, site, component)."""
    spins = recorded_spins(trajectory)
    if spins.dims[1:] != ("replica", "site", "component"):
        raise UserError(
            f"spins with dimensions {', '.join(map(str, spins.dims))}",
            allowed="time, replica, site, component",
            fix="as_trajectory gives spins these labels; choose one point of a sweep",
        )
    return spins
