"""Stiffness and Dzyaloshinskii-Moriya interaction of any field, read off the energies of spirals of both senses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from sdgnn import spins as textures
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import freeze
from sdgnn.common.one_line import one_line
from sdgnn.fields import Field

KINDS = ("neel", "bloch")


@dataclass(frozen=True, eq=False)
class SpiralEnergies:
    """Energies of spirals of both senses, from :func:`spiral_energies`, and what they say for small q:

    e(q) = c + A q^2 - D q + ...        per site, q > 0 right-handed about the normal
    """

    q: Float[np.ndarray, " turn"]
    """(turn,) |q|, in 1 / nearest-neighbour distance."""
    right: Float[np.ndarray, " turn"]
    """(turn,) energy per site of spins that turn right-handed about the normal along q, in units of t."""
    left: Float[np.ndarray, " turn"]
    """(turn,) energy per site of spins that turn the other way."""

    __repr__ = one_line

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def stiffness(self) -> float:
        """A, in t times distance^2, of the polynomial in q^2 through the mean energies of both senses.

        J / 2 for nearest neighbours J of a chain and a square lattice, 3 J / 4 on the triangular one.
        """
        powers = self.q[:, None] ** (2 * np.arange(len(self.q)))
        return float(np.linalg.solve(powers, (self.right + self.left) / 2)[1])

    @property
    def dmi(self) -> float:
        """D, in t times distance, of the odd polynomial in q through half the differences of both senses.

        That of :class:`sdgnn.DMI` of the same kind between nearest neighbours of a chain and a square lattice, 3/2 of
        it on the triangular one. D > 0 favours right-handed spirals.
        """
        powers = self.q[:, None] ** (2 * np.arange(len(self.q)) + 1)
        return float(np.linalg.solve(powers, (self.left - self.right) / 2)[0])

    @property
    def favoured(self) -> float:
        """q = D / 2A of the spiral of the lowest energy, if A and D are all that there is; its sign is its sense."""
        return self.dmi / (2 * self.stiffness)


def spiral_energies(field: Field, turns: int = 3, axis: int = 0, kind: str = "neel") -> SpiralEnergies:
    """Energies of spirals with 1 to ``turns`` turns along one axis of the cell, of both senses.

    q is n b_axis with b = ``lattice.reciprocal``. Spins turn about z x q (``kind="neel"``, cycloidal) or about q
    (``kind="bloch"``, helical), the kinds of :class:`sdgnn.DMI`, to which D has the sign. Electrons have no such
    interaction without spin-orbit coupling; with it, this is the one that a micromagnetic model of them takes::

        film = sdgnn.Lattice.square(32, 1)
        model = sdgnn.SDModel(film, exchange=3.0, spin_orbit={"kind": "rashba", "strength": 0.2})
        found = sdgnn.analysis.spiral_energies(sdgnn.ExactField(model, kT=0.1, filling=0.2, twists=(2, 32)))
        found.stiffness, found.dmi

    A constant anisotropy has the same mean in all spirals of one kind and drops out. Both numbers are those of q -> 0
    as far as a polynomial of as many terms as turns goes: take an axis so long that its few turns are long waves.

    Raises UserError on fields without an energy, less than two turns, more than a fifth of the cells along the axis,
    free lattices, other kinds, and Neel spirals in three dimensions.
    """
    lattice = field.lattice
    if not field.has_energy:
        raise UserError(f"spirals in {field!r}", allowed="fields with an energy")
    if kind not in KINDS or (kind == "neel" and lattice.dim == 3):
        raise UserError(f"{kind!r} spirals in {lattice.dim} dimensions", allowed="'bloch', or 'neel' in one or two")
    if lattice.shape is None or not 0 <= axis < lattice.dim or not 2 <= turns <= lattice.shape[axis] / 5:
        raise UserError(
            f"{turns} turns along axis {axis} of {lattice!r}", allowed="crystals, 2 turns to a fifth of the cells"
        )
    wave = np.zeros(3)
    wave[: lattice.dim] = lattice.reciprocal[axis]
    normal = np.cross([0.0, 0.0, 1.0], wave) if kind == "neel" else wave
    steps = np.eye(lattice.dim, dtype=int)[axis]
    senses = [sense * n * steps for sense in (1, -1) for n in range(1, turns + 1)]
    states = torch.cat([textures.spiral(lattice, tuple(step.tolist()), tuple(normal.tolist())) for step in senses])
    right, left = (field(states).energy.cpu().numpy() / lattice.n_sites).reshape(2, turns)
    return SpiralEnergies(np.linalg.norm(wave) * np.arange(1, turns + 1), right, left)
