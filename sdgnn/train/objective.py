"""What training minimises: torque, longitudinal field and energy errors, differentiated without a double backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.nn.potentials import Energies, Potentials, combined
from sdgnn.train.metrics import not_empty, torque_part


@dataclass(frozen=True)
class Scales:
    """Sizes of the labels (units of t) by which errors are divided, so that loss weights are plain numbers."""

    torque: float
    """Root mean square of the torque part per component."""
    longitudinal: float
    """Root mean square of the field's part along the spin, per component."""
    energy: float
    """Standard deviation of the energy per site over all states; 1 where there is no spread or no energy."""

    @classmethod
    def of(cls, sets: Sequence[LabelSet]) -> Scales:
        """Scales of all states together. Raises UserError on empty labels and labels without torque."""
        torque = longitudinal = count = 0.0
        energies = []
        for labels in sets:
            part = torque_part(not_empty(labels).field, labels.spins)
            torque += float(part.square().sum())
            longitudinal += float((labels.field - part).square().sum())
            count += part.numel()
            if labels.energy is not None:
                energies.append(labels.energy / labels.lattice.n_sites)
        if torque / count < 1e-24:
            raise UserError(
                "labels whose torque vanishes at every site",
                allowed="states that are not all collinear",
                fix="add random or noisy states",
            )
        per_site = torch.cat(energies) if energies else torch.zeros(1, dtype=torch.float32, device="cpu")
        spread = float(per_site.std(correction=0))
        return cls(
            torque=(torque / count) ** 0.5,
            longitudinal=(longitudinal / count) ** 0.5 or 1.0,
            energy=spread if spread > 1e-12 else 1.0,
        )


@dataclass(frozen=True)
class Objective:
    """L = w_T <|dT|^2>/s_T^2 + w_L <|dH_par|^2>/s_L^2 + w_E <(dE/N + c)^2>/s_E^2.

    ======== ========================== ==================================================================
    symbol   argument                   meaning
    ======== ========================== ==================================================================
    dT       from ``torque_part``       error of the field's transverse part, averaged per component
    dH_par   H error - dT               error of the part along the spin
    dE/N     energies                   predicted - true energy per site
    c        ``shift``                  constant energy per site that the network adds, learned too
    s        ``scales``                 sizes of the labels; the first term alone is 1 - R^2 of the torque
    w_T      ``torque``                 dimensionless weights
    w_L      ``longitudinal``
    w_E      ``energy``
    ======== ========================== ==================================================================

    Only torques move spins and only energy differences are physics, hence the small other weights and the shift.
    """

    scales: Scales
    torque: float
    longitudinal: float
    energy: float

    def loss(
        self,
        spins: Float[Tensor, "replica site 3"],
        field: Float[Tensor, "replica site 3"],
        energy: Float[Tensor, " replica"],
        shift: Float[Tensor, ""],
        true_field: Float[Tensor, "replica site 3"],
        true_energy: Float[Tensor, " replica"] | None,
    ) -> Float[Tensor, ""]:
        """L of given predictions, differentiable in ``field``, ``energy`` and ``shift``."""
        error = field - true_field
        transverse = torque_part(error, spins)
        loss = self.torque / self.scales.torque**2 * transverse.square().mean()
        loss = loss + self.longitudinal / self.scales.longitudinal**2 * (error - transverse).square().mean()
        if true_energy is None:
            return loss
        per_site = (energy - true_energy) / spins.shape[1] + shift
        return loss + self.energy / self.scales.energy**2 * per_site.square().mean()

    def __call__(
        self,
        potentials: Potentials,
        spins: Float[Tensor, "replica site 3"],
        shift: Float[Tensor, ""],
        true_field: Float[Tensor, "replica site 3"],
        true_energy: Float[Tensor, " replica"] | None,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "replica site 3"]]:
        """A scalar with the value of L and its gradient in the parameters, and the predicted field.

        The field is made of the slopes G_i = -dE/dS_i of one energy or several. With the constants g_i = dL/dG_i, the
        chain rule reads dL/dtheta = -d/dtheta sum_i g_i . dE/dS_i, a sum over the energies: the derivative of each E
        along its g. With H = G that is dL/dH; a part S x G gives g = dL/dH x S. A central difference of E along
        u = g / max_i |g_i|,

            dL/dtheta = - max|g| d/dtheta [E(S + eps u) - E(S - eps u)] / (2 eps)
                        + dL/dE d/dtheta [E(S + eps u) + E(S - eps u)] / 2

        needs first derivatives alone; eps = (machine epsilon)^(1/3) balances truncation, of order eps^2, and rounding.
        Where only a part of E depends on theta (``Potentials.learned``), the difference is that of this part. The
        energy term, of the first energy, takes the mean of both ends, which differs from E(S) by the same order.
        """
        totals, slopes = zip(*(_slope(energies, spins) for energies in potentials.energies), strict=True)
        with torch.enable_grad():
            slopes = tuple(slope.requires_grad_() for slope in slopes)
            field, energy = combined(spins, slopes), totals[0].requires_grad_()
            value = self.loss(spins, field, energy, shift, true_field, true_energy)
            *along, weight = torch.autograd.grad(value, (*slopes, energy), retain_graph=True, allow_unused=True)
        weights = [weight, *(None for _ in slopes[1:])]
        surrogate = torch.stack(
            [
                _along(*part, spins)
                for part in zip(potentials.learned or potentials.energies, along, weights, strict=True)
            ]
        ).sum()
        return surrogate - surrogate.detach() + value, field.detach()


def _slope(
    energies: Energies, spins: Float[Tensor, "replica site 3"]
) -> tuple[Float[Tensor, " replica"], Float[Tensor, "replica site 3"]]:
    """E and -dE/dS, as constants."""
    at = spins.detach().requires_grad_()
    with torch.enable_grad():
        total = energies(at).sum(-1)
        (slope,) = torch.autograd.grad(total.sum(), at)
    return total.detach(), -slope


def _along(
    energies: Energies,
    direction: Float[Tensor, "replica site 3"],
    weight: Float[Tensor, " replica"] | None,
    spins: Float[Tensor, "replica site 3"],
) -> Float[Tensor, ""]:
    """-(derivative of E along a direction) + weight E, by a central difference; differentiable in parameters."""
    eps = torch.finfo(spins.dtype).eps ** (1 / 3)
    size = direction.norm(dim=-1).amax(-1).clamp_min(torch.finfo(spins.dtype).tiny)
    step = eps * direction / size[:, None, None]
    up, down = energies(torch.cat([spins + step, spins - step])).sum(-1).chunk(2)
    derivative = -(size * (up - down)).sum() / (2 * eps)
    return derivative if weight is None else derivative + (weight * (up + down)).sum() / 2
