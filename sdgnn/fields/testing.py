"""Does a field keep its promises? Checks that any implementation of the field protocol can be put through."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.fields.protocol import Field

LAWS = ("shape", "replicas", "slope", "spin rotation", "time reversal", "lattice")
"""What is checked: shapes, independence of replicas, H = -dE/dS, and the symmetries of the Hamiltonian."""
CONSERVATIVE = 1e-6
"""Circulation above which a float64 field is no gradient."""


def check_field(field: Field, broken: Collection[str] = (), seed: int = 0, tolerance: float = 1e-8) -> None:
    """Raises AssertionError, naming the law, unless a float64 field obeys all of them on random spins.

    ============== ==============================================================================================
    law            meaning
    ============== ==============================================================================================
    shape          energy (replica,), field (replica, site, 3), both finite
    replicas       a state's answer does not depend on the other states
    slope          E(S + h v) - E(S - h v) = -2 h H . v for a random direction v of free 3-vectors
    spin rotation  E(R S) = E(S), H(R S) = R H(S)
    time reversal  E(-S) = E(S), H(-S) = -H(S)
    lattice        E(p S) = E(S), H(p S) = p H(S) for the point group and, on crystals, a translation p
    ============== ==============================================================================================

    ``broken`` names laws that the field is known to break, as an external magnetic field breaks spin rotation and time
    reversal. Spin-orbit coupling breaks spin rotation and lattice, unless both are done together. Fields that are no
    gradients, such as those of electrons out of equilibrium, break ``slope`` whatever energy they report, and most of
    them time reversal; the message tells them from a wrong energy by their :func:`circulation`. ``tolerance`` bounds
    errors relative to the norm of what is compared; the slope's own is 1e-5.
    """
    for law in broken:
        if law not in LAWS:
            raise UserError(f"law {law!r}", allowed=", ".join(LAWS))
    states = textures.random(field.lattice, replicas=2, seed=seed)
    before = field(states)

    def require(law: str, holds: bool, why: Callable[[], str] = str) -> None:
        if law not in broken and not holds:
            raise AssertionError(f"{law} is broken by {field!r}{why()}")

    def same(one: Tensor, other: Tensor) -> bool:
        return float((one - other).norm()) <= tolerance * max(float(other.norm()), tolerance)

    finite = bool(torch.isfinite(before.energy).all() and torch.isfinite(before.field).all())
    require("shape", before.energy.shape == (2,) and before.field.shape == states.shape and finite)

    alone = field(states[1:])
    require("replicas", same(alone.energy, before.energy[1:]) and same(alone.field, before.field[1:]))

    along = torch.from_numpy(np.random.default_rng(seed).standard_normal(states.shape))
    along, step = along / along.norm(), 1e-4
    slope = (field(states + step * along).energy - field(states - step * along).energy) / (2 * step)
    expected = -(before.field * along).sum((1, 2))
    is_slope = float((slope - expected).norm()) <= 1e-5 * max(1.0, float(before.field.norm()))
    require("slope", is_slope, lambda: _why_no_slope(field, states))

    turn = torch.from_numpy(Rotation.random(random_state=seed).as_matrix())
    turned = field(states @ turn.T)
    require("spin rotation", same(turned.energy, before.energy) and same(turned.field, before.field @ turn.T))

    reversed_ = field(-states)
    require("time reversal", same(reversed_.energy, before.energy) and same(reversed_.field, -before.field))

    lattice = field.lattice
    moves = [operation.sites for operation in lattice.point_group]
    moves += [lattice.translation(*[1] * lattice.dim)] if lattice.is_crystal else []
    for sites in moves:
        moved = field(carry(states, sites))
        require("lattice", same(moved.energy, before.energy) and same(moved.field, carry(before.field, sites)))


def circulation(
    field: Field, spins: Float[Tensor, "replica site 3"], size: float = 0.02, points: int = 64, seed: int = 0
) -> Float[Tensor, " replica"]:
    """Work of a field around a closed path, over the most it could be there:

        W = sum_i integral H_i . dS_i / sqrt( integral sum_i |T_i|^2 ds  integral sum_i |dS_i/ds|^2 ds ),

    with T the part of H transverse to S, and the path S_i + size (u_i cos s + v_i sin s), normalised, with u and v
    random unit vectors for every spin. 0 for H = -dE/dS, whatever E is; W in [-1, 1] otherwise. Periodic sums over
    ``points`` converge faster than any power where the field is smooth along the path: the smaller, the smoother, but W
    itself shrinks with ``size``. With float64 spins, rounding is 1e-12 or less.
    """
    random = np.random.default_rng(seed)
    u, v = (torch.from_numpy(random.standard_normal(spins.shape)).to(spins) for _ in range(2))
    u, v = u / u.norm(dim=-1, keepdim=True), v / v.norm(dim=-1, keepdim=True)
    work, torque, speed = (torch.zeros(len(spins), dtype=torch.float64, device="cpu") for _ in range(3))
    for s in 2 * np.pi * np.arange(points) / points:
        at = spins + size * (np.cos(s) * u + np.sin(s) * v)
        length = at.norm(dim=-1, keepdim=True)
        unit, move = at / length, size * (np.cos(s) * v - np.sin(s) * u) / length
        move = move - (move * unit).sum(-1, keepdim=True) * unit
        h = field(unit).field
        h = h - (h * unit).sum(-1, keepdim=True) * unit
        work += (h * move).sum((1, 2)).double().cpu()
        torque += h.square().sum((1, 2)).double().cpu()
        speed += move.square().sum((1, 2)).double().cpu()
    return work / (torque * speed).sqrt().clamp_min(torch.finfo(torch.float64).tiny)


def _why_no_slope(field: Field, states: Tensor) -> str:
    """Whether another energy could put it right."""
    around = float(circulation(field, states).abs().max())
    if around > CONSERVATIVE:
        return (
            f": it does work around closed paths (circulation {around:.2g}), so it is the slope of no energy; "
            'check such a field with broken={"slope"}'
        )
    return ": its energy is another one, for it does no work around closed paths"


def carry(states: Tensor, sites: np.ndarray) -> Tensor:
    """The state in which the spin of site i sits on ``sites[i]``."""
    moved = torch.empty_like(states)
    moved[:, torch.tensor(sites, device="cpu")] = states
    return moved
