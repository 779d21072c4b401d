"""Own exchange of bonds, and DMI of any direction: closed forms, symmetry, other fields of the same form, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.common.errors import UserError
from sdgnn.fields import DMI, BondExchange, Exchange, Heisenberg
from sdgnn.fields.testing import carry, check_field
from sdgnn.lattice import sides

KAGOME, HONEYCOMB = Lattice.kagome(3, 3), Lattice.honeycomb(4, 4)
KITAEV = ((0, (0, -1)), (1, (1, -1)), (2, (0, 0)))
"""Bonds of a honeycomb cell that couple x, y and z."""


def kitaev(K: float, gamma: float = 0.0, J: float = 0.0) -> Exchange:
    """E = - sum over bonds of kind c: J S . S + K S^c S^c + gamma (S^a S^b + S^b S^a)."""
    bonds = []
    for c, cell in KITAEV:
        matrix = np.diag(K * np.eye(3)[c])
        a, b = (c + 1) % 3, (c + 2) % 3
        matrix[a, b] = matrix[b, a] = gamma
        bonds.append(BondExchange(0, 1, cell, J=J, matrix=tuple(map(tuple, matrix.tolist()))))
    return Exchange(HONEYCOMB, bonds)


@pytest.mark.parametrize("chirality", [1, -1])
def test_kagome_turns_the_way_of_its_out_of_plane_dmi(chirality: int) -> None:
    """Two bonds per site at +-120 degrees: E/N = -2 D chirality sin 120 at q = 0, none at sqrt(3) x sqrt(3), where up
    and down triangles cancel, and none of a ferromagnet."""
    field = DMI(KAGOME, 0.3, "out-of-plane")
    expected = -2 * 0.3 * chirality * math.sqrt(3) / 2
    assert float(field(spins.q0(KAGOME, chirality)).energy) / 27 == pytest.approx(expected)
    assert float(field(spins.sqrt3(KAGOME, chirality)).energy) == pytest.approx(0, abs=1e-12)
    assert float(field(spins.ferro(KAGOME, (1, 2, 3))).energy) == pytest.approx(0, abs=1e-12)


def test_sides_are_those_of_the_third_site() -> None:
    """Kagome: turned by 60 degrees to the side that is named, a bond from i leads to the third corner of its triangle,
    and not so to the other side. z x e_ij, the direction of Neel DMI, points to that corner for +1."""
    bonds = KAGOME.bonds(1)
    at = {(i, *(np.round(v, 6) + 0.0)) for i, v in zip(bonds.source.tolist(), bonds.vector, strict=True)}
    for i, vector, side in zip(bonds.source.tolist(), bonds.vector, sides(KAGOME, bonds), strict=True):
        for turn in (side, -side):
            c, s = math.cos(turn * math.pi / 3), math.sin(turn * math.pi / 3)
            third = np.array([[c, -s], [s, c]]) @ vector
            assert ((i, *(np.round(third, 6) + 0.0)) in at) == (turn == side)
    assert set(sides(HONEYCOMB, HONEYCOMB.bonds(1))) == {0}


def test_out_of_plane_dmi_follows_rotations_and_changes_sign_in_mirrors() -> None:
    """Of the lattice alone, spins left as they are; both kinds of operations are there."""
    for field in (DMI(KAGOME, 0.3, "out-of-plane"), DMI(HONEYCOMB, 0.3, "out-of-plane", shell=2)):
        state = spins.random(field.lattice, seed=1)
        energy, kinds = float(field(state).energy), set()
        for operation in field.lattice.point_group:
            kinds.add(operation.is_proper)
            sign = 1 if operation.is_proper else -1
            assert float(field(carry(state, operation.sites)).energy) == pytest.approx(sign * energy)
        assert kinds == {True, False} and abs(energy) > 0.1


def test_exchange_by_bonds_is_the_same_as_by_shell() -> None:
    """Heisenberg and both kinds of DMI, from the unit cell's list and from arrays over all bonds."""
    square, state = Lattice.square(4, 5), spins.random(Lattice.square(4, 5), seed=2)
    listed = Exchange(
        square, [BondExchange(0, 0, (1, 0), J=0.7, D=(0.2, 0, 0)), BondExchange(0, 0, (0, 1), 0.7, (0, 0.2, 0))]
    )
    shells = Heisenberg(square, [0.7]) + DMI(square, 0.2)
    bonds = square.bonds(1)
    along = np.pad(bonds.vector, ((0, 0), (0, 1)))
    eps = np.array([[[0, c, -b], [-c, 0, a], [b, -a, 0]] for a, b, c in 0.2 * along])
    arrays = Exchange(square, bonds, 0.7 * np.eye(3) + eps)
    for field in (listed, arrays):
        torch.testing.assert_close(field(state).field, shells(state).field, rtol=0, atol=1e-14)
        torch.testing.assert_close(field(state).energy, shells(state).energy, rtol=1e-14, atol=0)
    a_to_b = [BondExchange(0, 1, (0, 0), D=(0, 0, 1)), BondExchange(0, 1, (-1, 0), D=(0, 0, 1)),
              BondExchange(1, 2, (0, 0), D=(0, 0, 1)), BondExchange(1, 2, (1, -1), D=(0, 0, 1)),
              BondExchange(2, 0, (0, 0), D=(0, 0, 1)), BondExchange(2, 0, (0, 1), D=(0, 0, 1))]  # fmt: skip
    own, state = Exchange(KAGOME, a_to_b), spins.random(KAGOME, seed=3)
    torch.testing.assert_close(own(state).field, DMI(KAGOME, 1.0, "out-of-plane")(state).field, rtol=0, atol=1e-14)


def test_kitaev() -> None:
    """Ferromagnets along an axis and along (111): E/N = -K/2 each (K on one of 3 bonds, 3/2 bonds a site); Gamma adds
    -Gamma along (111). A Neel state has the opposite sign."""
    field = kitaev(-1.0, gamma=0.4)
    per_site = {
        axis: float(field(spins.ferro(HONEYCOMB, axis)).energy) / 32 for axis in ((1, 0, 0), (0, 0, 1), (1, 1, 1))
    }
    assert per_site == {(1, 0, 0): pytest.approx(0.5), (0, 0, 1): pytest.approx(0.5),
                        (1, 1, 1): pytest.approx(0.5 - 0.4)}  # fmt: skip
    assert float(field(spins.neel(HONEYCOMB)).energy) / 32 == pytest.approx(-0.5)


def test_symmetry_with_controls() -> None:
    """Heisenberg by bonds has every symmetry; Kitaev and DMI break rotations of the spins, each matrix time reversal
    none; bonds of one direction alone break the lattice's."""
    check_field(kitaev(0.0, J=0.8))
    check_field(kitaev(-1.0), broken={"spin rotation", "lattice"})
    for field in (kitaev(-1.0), DMI(KAGOME, 0.3, "out-of-plane")):
        with pytest.raises(AssertionError, match="spin rotation"):
            check_field(field)
    with pytest.raises(AssertionError, match="lattice"):
        check_field(Exchange(HONEYCOMB, [BondExchange(0, 1, (0, 0), J=1.0)]))


def test_free_lattices_take_arrays() -> None:
    """Every bond its own coupling: the field of each, and the refusal of another lattice."""
    lattice = Lattice.amorphous(12, seed=1)
    bonds = lattice.bonds_within(1.5)
    drawn = np.random.default_rng(0).standard_normal((len(bonds), 3, 3))
    matrices = drawn + drawn[bonds.reversed].swapaxes(1, 2)
    field, state = Exchange(lattice, bonds, matrices), spins.random(lattice, seed=1)
    expected = np.zeros((12, 3))
    np.add.at(expected, bonds.source, np.einsum("nab,nb->na", matrices, state[0].numpy()[bonds.target]))
    assert field(state).field[0].numpy() == pytest.approx(expected)
    assert float(field(state).energy) == pytest.approx(-0.5 * (expected * state[0].numpy()).sum())
    with pytest.raises(UserError, match="its own lattice"):
        field.on(Lattice.amorphous(12, seed=2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DMI(Lattice.triangular(4, 4), 1.0, "out-of-plane"), "shell 1 of kagome"),
        (lambda: DMI(Lattice.square(4, 4), 1.0, "out-of-plane", 3), "shell 3"),
        (lambda: DMI(Lattice.cubic(3, 3, 3), 1.0, "out-of-plane"), "bond by bond"),
        (lambda: DMI(KAGOME, 1.0, shell=0), "0 neighbour shells"),
        (lambda: Exchange(KAGOME, []), "no bonds"),
        (lambda: Exchange(KAGOME, [BondExchange(0, 3, (0, 0))]), "basis from 0 to 2"),
        (lambda: Exchange(KAGOME, [BondExchange(0, 1, (0,))]), "2 numbers of unit cells"),
        (lambda: Exchange(KAGOME, [BondExchange(1, 1, (0, 0))]), "two sites"),
        (lambda: Exchange(KAGOME, [BondExchange(0, 1, (0, 0)), BondExchange(1, 0, (0, 0))]), "given twice"),
        (lambda: Exchange(Lattice.amorphous(9), [BondExchange(0, 1, (0, 0))]), "crystals; else Bonds"),
        (lambda: Exchange(KAGOME, KAGOME.bonds(1), np.zeros((3, 3, 3))), r"\(108, 3, 3\)"),
        (lambda: Exchange(KAGOME, KAGOME.bonds(1), np.tile(np.triu(np.ones((3, 3))), (108, 1, 1))), "J_ji"),
        (lambda: Exchange(KAGOME, [BondExchange(0, 1, (0, 0))], np.zeros((1, 3, 3))), "beside bonds"),
        (lambda: BondExchange(0, 1, (0, 0), D=(0, 0, math.nan)), "finite"),
        (lambda: BondExchange(-1, 1, (0, 0)), "source"),
    ],
)
def test_what_does_not_fit_is_refused(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()


def test_configuration() -> None:
    """Kagome's out-of-plane D by its kind and bond by bond are one field; a wrong key is refused with its place."""
    bonds = [{"source": 0, "target": 1, "cell": [0, 0], "J": -1, "D": [0, 0, 0.1]}]
    settings = {"lattice": {"type": "kagome", "size": [3, 3]}, "integrator": {"dt": 0.1}, "steps": 1}
    field = {"heisenberg": [-1.0], "dmi": {"strength": 0.1, "kind": "out-of-plane"}, "exchange": bonds}
    built = SimulateConfig.parse({**settings, "field": field}).field.build(KAGOME)
    state = spins.random(KAGOME)
    expected = Heisenberg(KAGOME, [-1.0]) + DMI(KAGOME, 0.1, "out-of-plane")
    expected = expected + Exchange(KAGOME, [BondExchange(0, 1, (0, 0), -1, (0, 0, 0.1))])
    assert torch.equal(built(state).field, expected(state).field)
    with pytest.raises(UserError, match=r"exchange\.0\.sourc; did you mean field\.exchange\.0\.source"):
        SimulateConfig.parse({**settings, "field": {"exchange": [{"sourc": 0, "target": 1, "cell": [0, 0]}]}})
