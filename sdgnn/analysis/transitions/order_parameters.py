"""Order parameters of a trajectory, each with its samples of every replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.orders.bragg import bragg_weight
from sdgnn.analysis.orders.chirality import mean_chirality
from sdgnn.analysis.recorded import stacked, states
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

RECORDED = ("magnetization", "chirality")
"""Order parameters that are used where a run has recorded them."""
NAMES = {
    "magnetization": "mean spin",
    "chirality": "mean scalar chirality",
    "bragg_amplitude": "root of the weight of the order's Bragg peaks",
}
"""Order parameters that are measured of recorded spins."""


def order_parameters(
    trajectory: xarray.Dataset,
    lattice: Lattice,
    order: Float[np.ndarray, "peak dim"] | None = None,
    parameters: Sequence[str] | None = None,
) -> xarray.Dataset:
    """Samples (time, replica, component) of order parameters, and the energy (time, replica) if it was recorded.

    A scalar has one component. Without ``parameters``, the ``magnetization`` and, in two dimensions, the ``chirality``,
    as they were recorded or else from recorded spins, and with the wave vectors of an ``order`` the
    ``bragg_amplitude`` sqrt(sum_Q S(Q) / N) from recorded spins (:func:`~sdgnn.analysis.bragg_weight`), the modulus of
    the vector of that order. ``parameters`` names others that were recorded, one number or vector for each replica.
    Raises UserError where one was not, and where there is none.
    """
    import xarray

    chosen = [name for name in RECORDED if name in trajectory] if parameters is None else list(parameters)
    found: dict[str, xarray.DataArray] = {}
    for name in chosen:
        if name not in trajectory or trajectory[name].ndim not in (2, 3) or trajectory[name].dims[1] != "replica":
            known = [str(n) for n, v in trajectory.data_vars.items() if v.ndim in (2, 3) and v.dims[1] == "replica"]
            raise UserError(f"an order parameter {name!r} of a trajectory", allowed=", ".join(known) or "none")
        values = trajectory[name]
        found[name] = _with_components(values.values, str(values.dims[0]), name, values.attrs.get("long_name", name))
    if "spins" in trajectory and parameters is None:
        spins = trajectory["spins"]
        missing = [name for name in _measurable(lattice, order) if name not in found]

        def measured(state: Tensor) -> dict[str, Tensor]:
            return {name: _measure(name, state, lattice, order) for name in missing}

        for name, samples in stacked(map(measured, states(spins))).items() if missing else ():
            found[name] = _with_components(samples, str(spins.dims[0]), name, NAMES[name])
    elif order is not None:
        raise UserError("the Bragg peaks of a trajectory without spins", fix="record the observer spins")
    if not found:
        raise UserError(
            "a trajectory without order parameters", allowed="one that records magnetization, chirality or spins"
        )
    if "energy" in trajectory:
        found["energy"] = trajectory["energy"]
    coords = {n: c for n, c in trajectory.coords.items() if c.dims == ("replica",)}
    return xarray.Dataset({name: values.variable for name, values in found.items()}, coords)


def _measurable(lattice: Lattice, order: Float[np.ndarray, "peak dim"] | None) -> list[str]:
    """What can be measured of spins on a lattice."""
    plane = lattice.dim == 2 and len(lattice.triangles) > 0
    return ["magnetization", *(["chirality"] if plane else []), *(["bragg_amplitude"] if order is not None else [])]


def _measure(
    name: str, spins: Float[Tensor, "replica site 3"], lattice: Lattice, order: Float[np.ndarray, "peak dim"] | None
) -> Tensor:
    if name == "magnetization":
        return spins.mean(1)
    if name == "chirality":
        return mean_chirality(spins, lattice)
    assert order is not None
    return torch.sqrt(bragg_weight(spins, lattice, order))


def _with_components(values: np.ndarray, time: str, name: str, words: str) -> xarray.DataArray:
    import xarray

    samples = values.astype(np.float64).reshape(*values.shape[:2], -1)
    return xarray.DataArray(samples, dims=(time, "replica", f"{name}_component"), attrs={"long_name": words})
