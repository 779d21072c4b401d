"""The halo of a field: the smallest error of any model that sees only the spins within a radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.analysis.locality.ensembles import Independent, StateEnsemble, Windows
from sdgnn.common.errors import UserError
from sdgnn.common.files import plain
from sdgnn.common.one_line import one_line
from sdgnn.common.seeds import check_seed
from sdgnn.electrons.hamiltonian import SDModel
from sdgnn.fields import Field
from sdgnn.lattice import Lattice
from sdgnn.lattice.neighbours import LENGTH_TOLERANCE
from sdgnn.lattice.periodic import inner_radius, nearest_image

SITES = 1
"""Purpose of the random stream from which the probed sites are drawn."""

RANDOM = Independent(textures.random)
"""Independent spins, the ensemble most is known about."""


@dataclass(frozen=True)
class LocalityFloor:
    """Spread of the exact torque when everything beyond a radius is redrawn, in units of t."""

    radii: tuple[float, ...]
    """Radii R in nearest-neighbour distances; spins at distance <= R stay."""
    rmse: Float[np.ndarray, " radius"]
    """Root mean square per component of the torque's deviation from its mean at fixed near spins."""
    rmse_error: Float[np.ndarray, " radius"]
    """Standard error of ``rmse`` from the spread between environments; NaN with a single one."""
    rms: float
    """Root mean square of the torque per component: the error of predicting nothing."""
    rms_error: float
    """Standard error of ``rms``; NaN with a single environment."""

    __repr__ = one_line

    @property
    def r2(self) -> Float[np.ndarray, " radius"]:
        """Highest torque R^2 of a model seeing only R: 1 - (rmse / rms)^2; NaN without torque."""
        return 1 - (self.rmse / self.rms) ** 2 if self.rms else np.full(len(self.rmse), np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; NaN becomes None."""
        numbers = {
            "radius": self.radii,
            "torque_rmse": self.rmse,
            "torque_rmse_error": self.rmse_error,
            "torque_r2": self.r2,
            "torque_rms": self.rms,
            "torque_rms_error": self.rms_error,
        }
        return {name: plain(value) for name, value in numbers.items()}


def locality_floor(
    field: Field,
    radii: Sequence[float],
    environments: int = 8,
    redraws: int = 8,
    seed: int = 0,
    ensemble: StateEnsemble = RANDOM,
    advance: Callable[[int], None] = lambda done: None,
) -> LocalityFloor:
    """The floor of the torque error by halo, for an ensemble of states::

        floor = sdgnn.analysis.locality_floor(exact, radii=[1, 2, 3])
        floor.rmse, floor.rmse_error, floor.rms

    Spins within R of a site are frozen and all others drawn again ``redraws`` times from the ensemble. A model that
    sees only R can at best predict the mean torque <T>_R at the frozen spins, so its mean square error per component
    is at least sigma_R^2 = < |T - <T>_R|^2 > / 3, here with the unbiased estimate of the variance, averaged over
    ``environments`` of the frozen spins. Each environment is that of another site, in random order and all in turn, so
    that the floor is that of the mean over all sites where they differ (several in a cell, vacancies, disorder);
    ``rmse_error`` holds their spread. Energies of cutoff r give fields of halo 2 r: compare at the field's halo.
    The statistical error is of order 1 / sqrt(2 environments (redraws - 1)) where sites are equivalent.

    ``advance`` is called with the states done so far. Raises UserError when a radius exceeds half the cell (the frozen
    spins would meet their images), on fewer than one environment or two redraws, on states that do not fit, and on
    :class:`.Windows`, which are turned, for electrons with spin-orbit coupling.
    """
    lattice = field.lattice
    if environments < 1 or redraws < 2:
        raise UserError(f"{environments} environments with {redraws} redraws", allowed="at least 1 and at least 2")
    check_radii(lattice, radii)
    ensemble.check(lattice)
    if isinstance(ensemble, Windows) and _has_spin_orbit(field):
        raise UserError(
            f"surroundings from turned windows for {field!r}",
            allowed="electrons without spin-orbit coupling, or independent spins",
        )
    order = np.random.default_rng([check_seed(seed), SITES]).permutation(lattice.n_sites)
    variance, total, done = np.zeros((environments, len(radii))), np.zeros((environments, len(radii))), 0
    for e in range(environments):
        kept, site = ensemble.environment(lattice, seed + e), int(order[e % len(order)])
        distance = distances(lattice, site)
        for k, radius in enumerate(radii):
            near = distance <= radius + LENGTH_TOLERANCE
            others = ensemble.redraw(lattice, kept, near, redraws, seed + environments + e * len(radii) + k)
            torque = _torque(field, torch.where(torch.from_numpy(near)[None, :, None], kept, others), site)
            variance[e, k] = float(torque.var(0, correction=1).sum()) / 3
            total[e, k] = float(torque.square().sum(-1).mean()) / 3
            done += redraws
            advance(done)
    rmse, rmse_error = _root(variance)
    rms, rms_error = _root(total.mean(1, keepdims=True))
    return LocalityFloor(tuple(map(float, radii)), rmse, rmse_error, float(rms[0]), float(rms_error[0]))


def _has_spin_orbit(field: Field) -> bool:
    """Whether electrons with spin-orbit coupling are part of a field."""
    electrons = getattr(field, "electrons", field)
    model = getattr(electrons, "model", None)
    return (isinstance(model, SDModel) and model.has_spin_orbit) or any(map(_has_spin_orbit, field.made_of))


def check_radii(lattice: Lattice, radii: Sequence[float]) -> None:
    """Raises UserError unless all radii are at least 0 and at most half the lattice's shortest period."""
    widest = inner_radius(lattice.cell)
    if not radii or min(radii) < 0 or max(radii) > widest + LENGTH_TOLERANCE:
        raise UserError(f"radii {list(radii)}", allowed=f"0 to {widest:.3g}, within half of {lattice!r}")


def _root(squares: Float[np.ndarray, "environment value"]) -> tuple[np.ndarray, np.ndarray]:
    """Root of the mean over environments and its standard error, d sqrt(x) = dx / (2 sqrt(x))."""
    count = len(squares)
    root = np.sqrt(squares.mean(0))
    error = squares.std(0, ddof=1) / np.sqrt(count) if count > 1 else np.full(root.shape, np.nan)
    return root, np.divide(error, 2 * root, out=np.where(np.isnan(error), np.nan, 0.0), where=root > 0)


def distances(lattice: Lattice, site: int) -> Float[np.ndarray, " site"]:
    """Distance of every site from one, to the nearest periodic image."""
    return np.linalg.norm(nearest_image(lattice.positions - lattice.positions[site], lattice.cell), axis=1)


def _torque(field: Field, spins: Float[Tensor, "replica site 3"], site: int) -> Float[Tensor, "replica 3"]:
    """Transverse field at one site."""
    vector, spin = field(spins).field[:, site].double(), spins[:, site]
    return vector - (vector * spin).sum(-1, keepdim=True) * spin
