"""Where the electrons are in the states of a run: density, its spread, and how it goes with the spins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from sdgnn.analysis.orders.correlations import local_correlation
from sdgnn.common.errors import UserError
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

    if "spins" not in trajectory:
        raise UserError("densities of a trajectory without spins", fix="record the observer spins")
    spins = trajectory["spins"]
    if spins.size == 0:
        raise UserError(f"densities of spins of shape {spins.shape}", allowed="at least one time and replica")
    time = spins.dims[0]
    rows, spreads, follows = [], [], []
    for k in range(spins.sizes[time]):
        state = torch.from_numpy(np.ascontiguousarray(spins.isel({time: k}).values, dtype=np.float64))
        density = field(state).density
        if density is None:
            raise UserError(f"densities by {field!r}", allowed="fields with electrons: exact, or kernel polynomials")
        density = density.double()
        rows.append(density.numpy())
        spreads.append(density.std(1, correction=0).numpy())
        follows.append(_correlated(density, local_correlation(state, lattice)).numpy())
        if progress is not None:
            progress(k + 1)
    return xarray.Dataset(
        {
            "density": ((time, "replica", "site"), np.stack(rows), {"units": "1 / site", "long_name": "electrons"}),
            "density_spread": (
                (time, "replica"), np.stack(spreads),
                {"units": "1 / site", "long_name": "standard deviation of the density over sites"},
            ),
            "density_follows": (
                (time, "replica"), np.stack(follows),
                {"units": "1", "long_name": "correlation of density and neighbouring spins"},
            ),
        },
        coords={n: c.variable for n, c in spins.coords.items() if set(c.dims) <= {time, "replica", "site", "axis"}},
        attrs={"field": repr(field)},
    )  # fmt: skip


def _correlated(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Correlation coefficient of each row."""
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    return (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
