"""Order parameter, susceptibility, Binder cumulant and specific heat against temperature, with error bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.statistics.equilibrium import after, autocorrelation_time
from sdgnn.analysis.statistics.means import jackknife
from sdgnn.analysis.statistics.replicas import replica_groups
from sdgnn.analysis.transitions.order_parameters import order_parameters
from sdgnn.common.errors import UserError
from sdgnn.dynamics import lattice_of
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

BLOCKS = 20
"""Blocks into which the samples of each temperature are cut, in the order of time, one replica after the other."""
LONG = 2.0
"""Autocorrelation times that a block must have for its error bars to be trusted."""


def thermodynamics(
    trajectory: xarray.Dataset,
    lattice: Lattice | None = None,
    order: Float[np.ndarray, "peak dim"] | None = None,
    parameters: Sequence[str] | None = None,
    discard: float = 0.2,
) -> xarray.Dataset:
    """Order parameters m and energy against the temperature kT of the replicas, over times after the part ``discard``.

    Of a run in equilibrium whose replicas have temperatures of their own, above all of
    :class:`~sdgnn.ParallelTempering`; replicas of equal kT are taken together. For each order parameter X of
    :func:`.order_parameters` (magnetization, chirality, ...), with m per site and averages over samples at one kT:

    ======================= ==========================================================================================
    X_mean                  <abs(m)>
    X_susceptibility        chi = N (<m^2> - <abs(m)>^2) / kT
    X_binder                U = 1 - <m^4> / (3 <m^2>^2)
    energy_per_site         <E> / N, if the energy was recorded
    specific_heat           c = (<E^2> - <E>^2) / (N kT^2), per site, likewise
    X_error, ...            standard errors of each, ``X_mean_error`` and so on
    X_reliable              whether the error bars of X can be trusted: blocks of at least two autocorrelation times
    ======================= ==========================================================================================

    For a parameter of n components, m^2 is the square of its length. U tends to 2/3 in perfect order and, where m is
    normally distributed in disorder, to 1 - (n + 2) / (3 n): 0 for a scalar (n = 1), 1/3 for n = 2, 4/9 for n = 3,
    16/27 for nine components (tetrahedral order). chi has its maximum near the transition; the response to a field is
    N <m^2> / (n kT) in disorder, without the second term.

    Errors are those of a jackknife over 20 blocks of successive samples, left out at all temperatures together, so that
    they hold for exchanged replicas too. ``X_moments`` (kT, block, power) keeps what blocks have of <abs(m)>, <m^2>,
    <m^4> for :func:`~sdgnn.analysis.transition_temperatures`.

        run = sdgnn.simulate(field, spins, sdgnn.ParallelTempering(kT=ladder, moves=moves), steps=4000)
        found = sdgnn.analysis.thermodynamics(run.trajectory)
        found["chirality_susceptibility"], found["chirality_susceptibility_error"]

    Source of U: Binder, Z. Phys. B 43, 119 (1981), doi:10.1007/BF01293604. Raises UserError where kT of a replica
    depends on time, where replicas of one kT differ in other settings, and with fewer than 20 samples.
    """
    where = lattice_of(trajectory) if lattice is None else lattice
    return of_samples(order_parameters(after(trajectory, discard), where, order, parameters), where.n_sites)


def of_samples(samples: xarray.Dataset, sites: int) -> xarray.Dataset:
    """:func:`thermodynamics` of the samples of :func:`.order_parameters` on a lattice of ``sites`` sites."""
    import xarray

    temperatures = replica_temperatures(samples)
    values = np.unique(temperatures)
    result = xarray.Dataset(
        coords={"kT": ("kT", values, {"units": "t", "long_name": "temperature of the spins' bath"})}
    )
    kT = torch.from_numpy(values)

    def add(name: str, words: str, blocks: Tensor, statistic: Callable[[Tensor], Tensor]) -> None:
        found, error = jackknife(blocks, lambda part: statistic(part.mean(0)))
        result[name] = ("kT", found.numpy(), {"long_name": words})
        result[f"{name}_error"] = ("kT", error.numpy(), {"long_name": f"standard error of the {words}"})

    def at_each(entry: xarray.DataArray) -> list[np.ndarray]:
        series = entry.transpose("replica", ...).values.astype(np.float64)
        return [series[temperatures == value] for value in values]

    if "energy" in samples:
        centre = float(samples["energy"].mean())  # lest squares lose their digits
        blocks = _moments([energy - centre for energy in at_each(samples["energy"])], (1, 2))
        add("energy_per_site", "energy per site", blocks, lambda m: (m[:, 0] + centre) / sites)
        add("specific_heat", "specific heat per site", blocks, lambda m: (m[:, 1] - m[:, 0] ** 2) / (sites * kT**2))
    for name, entry in samples.drop_vars("energy", errors="ignore").data_vars.items():
        moduli = [np.linalg.norm(m, axis=-1) for m in at_each(entry)]
        blocks, words = _moments(moduli, (1, 2, 4)), entry.attrs.get("long_name", str(name))
        add(f"{name}_mean", f"modulus of the {words}", blocks, lambda m: m[:, 0])
        add(f"{name}_susceptibility", f"susceptibility of the {words}", blocks, lambda m: spread(m) * sites / kT)
        add(f"{name}_binder", f"Binder cumulant of the {words}", blocks, binder)
        result[f"{name}_moments"] = (("kT", "block", "power"), blocks.numpy().transpose(1, 0, 2))
        result[f"{name}_reliable"] = ("kT", [_long_enough(m) for m in moduli])
    return result.assign_coords(power=("power", [1, 2, 4])).assign_attrs(sites=sites)


def parameters_of(found: xarray.Dataset) -> list[str]:
    """Order parameters in what :func:`thermodynamics` found."""
    return [str(name).removesuffix("_binder") for name in found.data_vars if str(name).endswith("_binder")]


def binder(moments: Float[Tensor, "*rest power"]) -> Float[Tensor, "*rest"]:
    """U = 1 - <m^4> / (3 <m^2>^2) of <abs(m)>, <m^2>, <m^4>."""
    return 1 - moments[..., 2] / (3 * moments[..., 1] ** 2)


def spread(moments: Float[Tensor, "*rest power"]) -> Float[Tensor, "*rest"]:
    """<m^2> - <abs(m)>^2 of <abs(m)>, <m^2>, <m^4>."""
    return moments[..., 1] - moments[..., 0] ** 2


def replica_temperatures(samples: xarray.Dataset) -> Float[np.ndarray, " replica"]:
    """kT of every replica.

    Raises UserError where one depends on time, or where replicas of one kT differ in other settings.
    """
    known = samples.coords.get("kT")
    if known is None or known.dims != ("replica",) or np.isnan(known.values).any():
        raise UserError("temperatures of replicas that follow a schedule, or none", allowed="a constant kT each")
    groups = replica_groups(samples)
    if len(groups) > len(np.unique(known.values)):
        raise UserError(
            f"replicas of equal kT with other settings ({'; '.join(group.label for group in groups)})",
            allowed="replicas that differ in kT alone",
            fix="take those of one setting at a time, by sdgnn.analysis.replica_groups",
        )
    return known.values.astype(np.float64)


def _moments(
    values: Sequence[Float[np.ndarray, "replica time"]], powers: tuple[int, ...]
) -> Float[Tensor, "block temperature power"]:
    """Means of the powers in BLOCKS blocks of the samples at each temperature."""
    if min(v.size for v in values) < BLOCKS:
        raise UserError(f"{min(v.size for v in values)} samples at a temperature", allowed=f"at least {BLOCKS}")
    if not all(np.isfinite(v).all() for v in values):
        raise UserError("samples that are not finite", fix="look at the run with sdgnn.analysis.analyze")
    blocks = zip(*(np.array_split(v.ravel(), BLOCKS) for v in values), strict=True)
    return torch.tensor([[[np.mean(b**p) for p in powers] for b in row] for row in blocks], device="cpu")


def _long_enough(values: Float[np.ndarray, "replica time"]) -> bool:
    return values.size / BLOCKS >= LONG * autocorrelation_time(values)
