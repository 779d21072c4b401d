"""Does a field keep its promises? Checks that any implementation of the field protocol can be put through."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from sdgnn import spins as textures
from sdgnn.errors import UserError
from sdgnn.fields import Field

LAWS = ("shape", "replicas", "slope", "spin rotation", "time reversal", "lattice")
"""What is checked: shapes, independence of replicas, H = -dE/dS, and the symmetries of the Hamiltonian."""


def check_field(field: Field, broken: Collection[str] = (), seed: int = 0, tolerance: float = 1e-8) -> None:
    """Raises AssertionError, naming the law, unless a float64 field on a crystal obeys all of them on random spins.

    ============== ==============================================================================================
    law            meaning
    ============== ==============================================================================================
    shape          energy (replica,), field (replica, site, 3), both finite
    replicas       a state's answer does not depend on the other states
    slope          E(S + h v) - E(S - h v) = -2 h H . v for a random direction v of free 3-vectors
    spin rotation  E(R S) = E(S), H(R S) = R H(S)
    time reversal  E(-S) = E(S), H(-S) = -H(S)
    lattice        E(p S) = E(S), H(p S) = p H(S) for the point group and a translation p
    ============== ==============================================================================================

    ``broken`` names laws that the field is known to break, as an external magnetic field breaks spin rotation and time
    reversal. ``tolerance`` bounds errors relative to the norm of what is compared; the slope's own is 1e-5.
    """
    for law in broken:
        if law not in LAWS:
            raise UserError(f"law {law!r}", allowed=", ".join(LAWS))
    states = textures.random(field.lattice, replicas=2, seed=seed)
    before = field(states)

    def require(law: str, holds: bool) -> None:
        if law not in broken and not holds:
            raise AssertionError(f"{law} is broken by {field!r}")

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
    require("slope", float((slope - expected).norm()) <= 1e-5 * max(1.0, float(before.field.norm())))

    turn = torch.from_numpy(Rotation.random(random_state=seed).as_matrix())
    turned = field(states @ turn.T)
    require("spin rotation", same(turned.energy, before.energy) and same(turned.field, before.field @ turn.T))

    reversed_ = field(-states)
    require("time reversal", same(reversed_.energy, before.energy) and same(reversed_.field, -before.field))

    lattice = field.lattice
    moves = [operation.sites for operation in lattice.point_group] + [lattice.translation(*[1] * lattice.dim)]
    for sites in moves:
        moved = field(carry(states, sites))
        require("lattice", same(moved.energy, before.energy) and same(moved.field, carry(before.field, sites)))


def carry(states: Tensor, sites: np.ndarray) -> Tensor:
    """The state in which the spin of site i sits on ``sites[i]``."""
    moved = torch.empty_like(states)
    moved[:, torch.from_numpy(sites)] = states
    return moved
