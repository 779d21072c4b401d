"""Where the electrons are in the states of a run: density, its spread, and how it goes with the spins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from sdgnn.analysis.orders.correlations import local_correlation
from sdgnn.analysis.recorded import recorded_spins, stacked, states
from sdgnn.common.errors import UserError
from sdgnn.common.progress import counted
from sdgnn.fields import Field
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray


DENSITIES = ("density_spread", "density_follows")
"""What :func:`densities` finds once per state."""


def densities(
    trajectory: xarray.Dataset,
    field: Field,
    lattice: Lattice,
    progress: Callable[[int], None] | None = None,
) -> xarray.Dataset:
    """Electrons per site in all recorded spins of a crystal, solved by ``field``, exact or by kernel polynomials.

    ================= ========================== =================================================================
    density           (time, replica, site)      n_i
    density_spread    (time, replica)            standard deviation of n_i over sites
    density_follows   (time, replica)            correlation coefficient over sites of n_i with the mean
                                                 S_i . S_j of the nearest neighbours: negative where holes sit
                                                 among parallel spins; nan where either is the same everywhere
    ================= ========================== =================================================================

    ``progress`` is told how many times are done. The noise of kernel polynomials adds to the spread: compare with more
    vectors. Raises UserError without recorded spins, and for a field without electrons.
    """
    import xarray

    spins = recorded_spins(trajectory, "densities")
    time = spins.dims[0]

    def measured(state: torch.Tensor) -> dict[str, torch.Tensor]:
        density = field(state.double()).density
        if density is None:
            raise UserError(f"densities by {field!r}", allowed="fields with electrons: exact, or kernel polynomials")
        density = density.double()
        correlation = _correlated(density, local_correlation(state.double(), lattice))
        return {"density": density, "density_spread": density.std(1, correction=0), "density_follows": correlation}

    found = stacked(measured(state) for state in counted(states(spins), progress))
    words = {
        "density": ("1 / site", "electrons"),
        "density_spread": ("1 / site", "standard deviation of the density over sites"),
        "density_follows": ("1", "correlation of density and neighbouring spins"),
    }
    dims = (time, "replica", "site")
    return xarray.Dataset(
        {n: (dims[: v.ndim], v, dict(zip(("units", "long_name"), words[n], strict=True))) for n, v in found.items()},
        coords={n: c.variable for n, c in spins.coords.items() if set(c.dims) <= {*dims, "axis"}},
        attrs={"field": repr(field)},
    )


def _correlated(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Correlation coefficient of each row."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
