"""How far a field reaches: the smallest error of any model that sees only the spins within a radius."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.analysis.periodic import inner_radius, nearest_image
from sdgnn.errors import UserError
from sdgnn.fields import Field
from sdgnn.lattice import Lattice
from sdgnn.neighbours import LENGTH_TOLERANCE

SITE = 0
"""The site whose field is probed; on crystals with one site per cell all are equivalent."""


@dataclass(frozen=True)
class LocalityFloor:
    """Spread of the exact torque when everything beyond a radius is redrawn, in units of t."""

    radii: tuple[float, ...]
    """Radii R in nearest-neighbour distances; spins at distance <= R stay."""
    rmse: Float[np.ndarray, " radius"]
    """Root mean square per component of the torque's deviation from its mean at fixed near spins."""
    rms: float
    """Root mean square of the torque per component: the error of predicting nothing."""

    @property
    def r2(self) -> Float[np.ndarray, " radius"]:
        """Highest torque R^2 that a model seeing only R can reach: 1 - (rmse / rms)^2."""
        return 1 - (self.rmse / self.rms) ** 2


def locality_floor(
    field: Field,
    radii: Sequence[float],
    environments: int = 8,
    redraws: int = 8,
    seed: int = 0,
    advance: Callable[[int], None] = lambda done: None,
) -> LocalityFloor:
    """The floor of the torque error by reach, for random spins.

    Spins within R of a site are frozen and all others redrawn ``redraws`` times, uniform on the sphere. A model that
    sees only R can at best predict the mean torque <T>_R at the frozen spins, so its mean square error per component is
    at least sigma_R^2 = < |T - <T>_R|^2 > / 3, here with the unbiased estimate of the variance, averaged over
    ``environments`` of the frozen spins. Energies that reach r give fields that reach 2 r: compare at the
    field's reach. The statistical error is of order 1 / sqrt(2 environments (redraws - 1)).

    ``advance`` is called with the states done so far. Raises UserError when a radius exceeds half the cell (the frozen
    spins would meet their images) and on fewer than one environment or two redraws.
    """
    lattice = field.lattice
    if environments < 1 or redraws < 2:
        raise UserError(f"{environments} environments with {redraws} redraws", allowed="at least 1 and at least 2")
    distance = distances(lattice)
    widest = inner_radius(lattice.cell)
    if not radii or min(radii) < 0 or max(radii) > widest + LENGTH_TOLERANCE:
        raise UserError(f"radii {list(radii)}", allowed=f"0 to {widest:.3g}, within half of {lattice!r}")
    variance, total, done = np.zeros(len(radii)), [], 0
    for e in range(environments):
        kept = textures.random(lattice, 1, seed + e)
        others = textures.random(lattice, redraws * len(radii), seed + environments + e)
        for k, radius in enumerate(radii):
            far = torch.from_numpy(distance > radius + LENGTH_TOLERANCE)[None, :, None]
            states = torch.where(far, others[k * redraws : (k + 1) * redraws], kept)
            torque = _torque(field, states)
            variance[k] += float(torque.var(0, correction=1).sum()) / 3 / environments
            total.append(float(torque.square().sum(-1).mean()) / 3)
            done += redraws
            advance(done)
    return LocalityFloor(tuple(map(float, radii)), np.sqrt(variance), float(np.sqrt(np.mean(total))))


def distances(lattice: Lattice) -> Float[np.ndarray, " site"]:
    """Distance of every site from the probed one, to the nearest periodic image."""
    return np.linalg.norm(nearest_image(lattice.positions - lattice.positions[SITE], lattice.cell), axis=1)


def _torque(field: Field, spins: Float[Tensor, "replica site 3"]) -> Float[Tensor, "replica 3"]:
    """Transverse field at the probed site."""
    vector, spin = field(spins).field[:, SITE].double(), spins[:, SITE]
    return vector - (vector * spin).sum(-1, keepdim=True) * spin
