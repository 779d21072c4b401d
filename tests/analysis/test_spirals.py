"""Stiffness and DMI from spirals: classical bonds in closed form, and electrons with spin-orbit coupling."""

from __future__ import annotations

import math

import numpy as np
import pytest

import sdgnn
from sdgnn.analysis import spiral_energies
from sdgnn.common.errors import UserError
from sdgnn.fields import DMI, Anisotropy, Heisenberg, SpinTransfer

J, D = 0.8, 0.3


@pytest.mark.parametrize(
    ("lattice", "kind", "stiffness", "dmi"),
    [
        (sdgnn.Lattice.chain(40), "neel", J / 2, D),
        (sdgnn.Lattice.chain(40), "bloch", J / 2, D),
        (sdgnn.Lattice.square(40, 2), "neel", J / 2, D),
        (sdgnn.Lattice.triangular(40, 2), "neel", 0.75 * J, 1.5 * D),
        (sdgnn.Lattice.triangular(40, 2), "bloch", 0.75 * J, 1.5 * D),
        (sdgnn.Lattice.cubic(40, 2, 2), "bloch", J / 2, D),
    ],
)
def test_classical_bonds(lattice, kind, stiffness, dmi):
    """e = - J cos q - D sin q and its like. The polynomials through three turns of q_1 = 2 pi / 40 miss 2 (4 + 9 + 36)
    q_1^4 / 6! = 8e-5 of A and (3! q_1^3)^2 / 7! = 1e-7 of D."""
    field = Heisenberg(lattice, [J]) + DMI(lattice, D, kind) + Anisotropy(lattice, -0.2)
    found = spiral_energies(field, kind=kind)
    assert found.stiffness == pytest.approx(stiffness, rel=1e-4)
    assert found.dmi == pytest.approx(dmi, rel=2e-7)
    assert found.favoured == pytest.approx(dmi / (2 * stiffness), rel=1e-4)


def test_senses_and_kinds():
    """A DMI of the other kind is not seen, one of the other sign favours the other sense."""
    lattice = sdgnn.Lattice.square(20, 2)
    assert spiral_energies(Heisenberg(lattice, [J]) + DMI(lattice, D, "bloch")).dmi == pytest.approx(0, abs=1e-12)
    turned = spiral_energies(Heisenberg(lattice, [J]) + DMI(lattice, -D, "neel"))
    assert turned.dmi < 0 and (turned.left < turned.right).all()
    along = spiral_energies(
        Heisenberg(sdgnn.Lattice.square(2, 20), [J]) + DMI(sdgnn.Lattice.square(2, 20), D, "neel"), axis=1
    )
    assert along.dmi == pytest.approx(D, rel=1e-3)


def test_refusals():
    lattice = sdgnn.Lattice.square(20, 2)
    field = Heisenberg(lattice, [J])
    for wrong in ({"turns": 1}, {"turns": 5}, {"axis": 2}, {"axis": 1}):
        with pytest.raises(UserError, match="a fifth of the cells"):
            spiral_energies(field, **wrong)
    with pytest.raises(UserError, match="'bloch', or 'neel'"):
        spiral_energies(field, kind="helical")
    with pytest.raises(UserError, match="'bloch', or 'neel'"):
        spiral_energies(Heisenberg(sdgnn.Lattice.cubic(20, 2, 2), [J]))
    with pytest.raises(UserError, match="fields with an energy"):
        spiral_energies(SpinTransfer(lattice, (0.1, 0.0)))
    free = sdgnn.Lattice.amorphous(20)
    with pytest.raises(UserError, match="crystals"):
        spiral_energies(sdgnn.Zeeman(free, (0, 0, 1)))


def electrons(lattice, twists, kind="rashba", strength=0.0, hopping=1.0, exchange=3.0, kT=0.2):
    spin_orbit = {"kind": kind, "strength": strength} if strength else ()
    model = sdgnn.SDModel(lattice, [hopping], exchange, spin_orbit=spin_orbit)
    return sdgnn.ExactField(model, kT=kT, filling=0.1, twists=twists)


@pytest.mark.parametrize(("soc", "kind"), [("rashba", "neel"), ("radial", "bloch")])
def test_on_a_chain_spin_orbit_coupling_is_a_turn_of_the_frame(soc, kind):
    """t + i s n . sigma = t' exp(i phi n . sigma), t'^2 = t^2 + s^2, tan phi = s / t: spins that turn by q right-handed
    about n have the energy of q - 2 phi without spin-orbit coupling and with t', exactly. Here 2 phi is one turn."""
    lattice, turn = sdgnn.Lattice.chain(30), 2 * math.pi / 30
    strength = math.tan(turn / 2)
    turned = spiral_energies(electrons(lattice, (8,), soc, strength), 4, kind=kind)
    plain = spiral_energies(electrons(lattice, (8,), hopping=math.hypot(1, strength)), 5, kind=kind)
    assert np.allclose(turned.right[1:], plain.right[:3], atol=1e-10)
    assert np.allclose(turned.left, plain.left[1:], atol=1e-10)
    assert turned.favoured == pytest.approx(turn, rel=0.01) and plain.dmi == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shape", ["square", "triangular"])
def test_first_order_in_a_film(shape):
    """To first order in s the hopping of a film is that of a frame that turns by 2 s / t per distance, so that
    D = 4 A s / t whatever J, filling and kT, with A without spin-orbit coupling; the next order is s^2."""
    lattice, twists = getattr(sdgnn.Lattice, shape)(30, 1), (2, 20)
    plain = spiral_energies(electrons(lattice, twists), 4)
    assert plain.dmi == pytest.approx(0, abs=1e-10)
    found = {s: spiral_energies(electrons(lattice, twists, strength=s), 4) for s in (0.02, -0.02)}
    assert found[0.02].dmi == pytest.approx(4 * plain.stiffness * 0.02, rel=2e-3)
    assert np.allclose(found[0.02].right, found[-0.02].left, atol=1e-11)
    crossed = spiral_energies(electrons(lattice, twists, strength=0.02), 2, kind="bloch")
    assert crossed.dmi == pytest.approx(0, abs=1e-10)


def test_second_derivatives_of_a_ferromagnet_say_the_same():
    """D = 1/2 sum_j (D_ij . y) x_ij of the exchange around a ferromagnet along y. Electrons at kT = 0.3 feel the size
    of the lattice: 10, 14 and 18 sites give 93.2, 99.5 and 99.95 % of the spirals' D."""
    spirals = spiral_energies(electrons(sdgnn.Lattice.square(24, 1), (2, 16), strength=0.1, kT=0.3))
    lattice = sdgnn.Lattice.square(14, 14)
    found = sdgnn.exchange(electrons(lattice, None, strength=0.1, kT=0.3), sdgnn.spins.ferro(lattice, (0, 1, 0)))
    assert 0.5 * found.dmi[:, 1] @ found.vector[:, 0] == pytest.approx(spirals.dmi, rel=0.01)
    assert np.abs(found.dmi[:, 1] @ found.vector[:, 1]) < 1e-6
