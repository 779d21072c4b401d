"""relax: minima known in closed form, those of electrons, and what has no minimum."""

from __future__ import annotations

import math

import pytest
import torch

import sdgnn
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.fields import DMI, Anisotropy, Field, FieldResult, Heisenberg, SpinTransfer, Zeeman
from sdgnn.fields.schedules import Sweep

CHAIN = sdgnn.Lattice.chain(12)
PITCH = Heisenberg(CHAIN, [1.0]) + DMI(CHAIN, math.tan(2 * math.pi / 12))
"""Energy J cos q + D sin q per bond, largest at tan q = D / J: one turn in twelve sites."""


def largest_torque(field, spins):
    return torch.linalg.cross(spins, field(spins).field).norm(dim=-1).amax(1)


def test_spiral_of_dmi():
    """From a noisy turn to E = - N sqrt(J^2 + D^2), off by the square of the torque left."""
    start = sdgnn.spins.noisy(sdgnn.spins.spiral(CHAIN, (1,), normal=(1, 0, 0), replicas=3), 0.3, seed=2)
    found = sdgnn.relax(PITCH, start, torque=1e-7)
    lowest = -12 / math.cos(2 * math.pi / 12)
    assert found.energy.tolist() == pytest.approx([lowest] * 3, abs=1e-12)
    assert (found.torque <= 1e-7).all() and (found.evaluations < 200).all()
    assert torch.allclose(found.torque, largest_torque(PITCH, found.spins), atol=1e-15)
    wrong = sdgnn.spins.noisy(sdgnn.spins.spiral(CHAIN, (1,), normal=(-1, 0, 0)), 0.3, seed=2)
    assert float(PITCH(wrong).energy) > lowest + 1  # the other sense of turning is no minimum


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_canted_spins(dtype):
    """Hard axis z of strength K and a field h along it: S_z = h / 2K, E = - h^2 / 4K a site. Energies are off by the
    square of the torque left."""
    lattice = sdgnn.Lattice.square(3, 3)
    field = Anisotropy(lattice, -1.0) + Zeeman(lattice, (0, 0, 0.5)) + Heisenberg(lattice, [0.2])
    start = sdgnn.spins.noisy(sdgnn.spins.ferro(lattice, (1, 0, 0.1), dtype=dtype), 0.2, seed=1)
    found = sdgnn.relax(field, start, torque=1e-5)
    assert found.spins.dtype == dtype
    assert torch.allclose(found.spins[..., 2], torch.full((1, 9), 0.25, dtype=dtype), atol=1e-5)
    assert float(found.energy) == pytest.approx(-9 * (0.25 / 4 + 0.4), abs=1e-9 + 100 * torch.finfo(dtype).eps)


def test_electrons_go_downhill():
    """Half filling: noisy Neel order relaxes to Neel order, whose torque vanishes by symmetry."""
    lattice = sdgnn.Lattice.square(4, 4)
    field = sdgnn.ExactField(sdgnn.SDModel(lattice, exchange=2.0), kT=0.1, filling=0.5)
    neel = sdgnn.spins.neel(lattice)
    found = sdgnn.relax(field, sdgnn.spins.noisy(neel, 0.2, seed=3), torque=1e-5)
    assert float(found.torque) <= 1e-5
    assert float(found.energy) == pytest.approx(float(field(neel).energy), abs=1e-8)


def test_minimum_stays():
    lattice = sdgnn.Lattice.square(4, 4)
    ferro = sdgnn.spins.ferro(lattice)
    found = sdgnn.relax(Heisenberg(lattice, [1.0]), ferro)
    assert found.evaluations.tolist() == [1] and torch.equal(found.spins, ferro)


def test_evaluations_are_counted_and_limited():
    calls = 0

    class Counted(Field):
        lattice = CHAIN

        def evaluate(self, spins, time):
            nonlocal calls
            calls += 1
            return PITCH(spins)

        @property
        def has_energy(self):
            return True

    start = sdgnn.spins.random(CHAIN, 2, seed=1)
    found = sdgnn.relax(Counted(), start, torque=0.0, evaluations=7)
    assert calls == 14 and found.evaluations.tolist() == [7, 7]
    assert (found.energy < PITCH(start).energy).all()
    alone = sdgnn.relax(PITCH, start[1:], torque=0.0, evaluations=7)
    assert torch.equal(alone.spins[0], found.spins[1])  # replicas know nothing of each other


def test_what_has_no_minimum():
    start = sdgnn.spins.random(CHAIN)
    with pytest.raises(UserError, match="have an energy"):
        sdgnn.relax(SpinTransfer(CHAIN, (0.1,)), start)
    with pytest.raises(UserError, match="do not depend on time"):
        sdgnn.relax(Zeeman(CHAIN, (0, 0, 1), Sweep(high=1, low=-1, period=10)), start)
    for wrong in ({"torque": math.nan}, {"torque": -1.0}, {"evaluations": 1}):
        with pytest.raises(UserError, match="at least 2 evaluations"):
            sdgnn.relax(PITCH, start, **wrong)

    class Broken(Field):
        lattice = CHAIN

        def evaluate(self, spins, time):
            return FieldResult(torch.zeros(len(spins)), torch.full_like(spins, math.nan))

        @property
        def has_energy(self):
            return True

    with pytest.raises(NumericalError, match="not finite"):
        sdgnn.relax(Broken(), start)
