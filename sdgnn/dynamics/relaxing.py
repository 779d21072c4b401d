"""Energy minima: spins descend along the torque part of their field, without time, temperature or precession."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.common.one_line import one_line
from sdgnn.dynamics.integrators.equation import transverse, unit
from sdgnn.fields import Field, check_spins

FIRST_TURN = 0.05
"""Angle (rad) by which the first step turns the spin with the largest torque."""
LARGEST_TURN = 0.5
"""Angle (rad) by which no step turns a spin further."""
REMEMBERED = 8
"""Energies of so many steps, of which a new one must not exceed the largest (Grippo, Lampariello and Lucidi)."""
SHORTER = 0.25
"""Factor of a step that went too far."""


@dataclass(frozen=True)
class Relaxed:
    """States that :func:`sdgnn.relax` ended in."""

    spins: Float[Tensor, "replica site 3"]
    """Unit vectors, in the dtype and on the device of the spins given."""
    energy: Float[Tensor, " replica"]
    """Their total energies."""
    torque: Float[Tensor, " replica"]
    """Largest |S_i x H_i| that is left, in units of t."""
    evaluations: Int[Tensor, " replica"]
    """How often the field was asked."""

    __repr__ = one_line


def relax(field: Field, spins: Numbers, torque: float = 1e-5, evaluations: int = 1000) -> Relaxed:
    """The energy minimum below each state, or the state after ``evaluations`` of the field, if that is earlier.

    Spins move along the torque part T_i = H_i - (H_i . S_i) S_i of their field,

        S_i' = (S_i + tau T_i) / |S_i + tau T_i|,    tau = s . s / s . y  or  s . y / y . y  in turn,

    with s the last change of all spins and y that of -T: steps of Barzilai and Borwein, IMA J. Numer. Anal. 8, 141
    (1988), doi:10.1093/imanum/8.1.141, as micromagnetic programs take them (Exl et al., J. Appl. Phys. 115, 17D118
    (2014), doi:10.1063/1.4862839). A step is shortened while its energy exceeds the largest of the last eight, up to
    rounding. The descent ends when no |S_i x H_i| is above ``torque`` (in units of t). Its minimum is a local one:
    relax from several starts, or anneal first (:class:`~sdgnn.fields.schedules.Anneal`).

        helix = sdgnn.spins.spiral(lattice, turns=(1, 0))
        found = sdgnn.relax(field, sdgnn.spins.noisy(helix, 0.05, seed=0))  # spins, energy, torque, evaluations

    Raises UserError on fields without an energy or with a schedule, on spins that do not fit, a negative torque and
    less than two evaluations; NumericalError where the field is not finite.
    """
    if not field.has_energy or field.driven:
        raise UserError(f"a minimum of {field!r}", allowed="fields that have an energy and do not depend on time")
    if not (torque >= 0 and math.isfinite(torque)) or evaluations < 2:
        raise UserError(
            f"torque {torque:g}, {evaluations} evaluations", allowed="a finite torque >= 0 and at least 2 evaluations"
        )
    spins = check_spins(spins, field.lattice, unit=True)
    found = [_minimum(field, spins[r : r + 1], torque, evaluations) for r in range(len(spins))]
    states, energies, torques, counts = zip(*found, strict=True)
    return Relaxed(
        torch.cat(states),
        torch.cat(energies),
        torch.stack(torques).to(torch.float64),
        torch.tensor(counts, device=spins.device),
    )


def _minimum(field: Field, spins: Tensor, torque: float, evaluations: int) -> tuple[Tensor, Tensor, Tensor, int]:
    """Spins (1, site, 3), their energy (1,), largest torque and evaluations of the descent from one state."""
    energy, slope = _slope(field, spins)
    steepest = slope.norm(dim=-1).max()
    last = deque([float(energy)], maxlen=REMEMBERED)
    rounding = spins.shape[1] * torch.finfo(spins.dtype).eps
    count = 1
    step = FIRST_TURN / float(steepest) if steepest > 0 else 0.0
    while float(steepest) > torque and count < evaluations:
        moved = unit(spins + step * slope)
        there, onward = _slope(field, moved)
        count += 1
        if float(there) > max(last) + rounding:
            step *= SHORTER
            continue
        change, bend = (moved - spins).double(), (slope - onward).double()
        spins, energy, slope = moved, there, onward
        steepest = slope.norm(dim=-1).max()
        last.append(float(energy))
        across = float((change * bend).sum())
        longest = LARGEST_TURN / max(float(steepest), torch.finfo(slope.dtype).tiny)
        if across <= 0:
            step = longest
        elif count % 2:
            step = min(float(change.square().sum()) / across, longest)
        else:
            step = min(across / float(bend.square().sum()), longest)
    return spins, energy, steepest, count


def _slope(field: Field, spins: Tensor) -> tuple[Tensor, Tensor]:
    """Energy (1,) and -dE/dS (1, site, 3) on the spheres. Raises NumericalError unless both are finite."""
    result = field(spins)
    slope = transverse(result.field.to(spins), spins)
    if not (torch.isfinite(slope).all() and torch.isfinite(result.energy).all()):
        raise NumericalError(f"{field!r} is not finite for the spins that a descent has come to")
    return result.energy.detach(), slope.detach()
