"""The spins' own temperature: its formula by hand, its curvature by second differences, its mean with Boltzmann's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Heun, Lattice, SemiImplicitB, simulate
from sdgnn.dynamics import observers
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.spin_temperature import probed_laplacian, spin_temperature
from sdgnn.fields import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.protocol import is_linear

SQUARE = Lattice.square(4, 4)
CHAIN = Lattice.chain(4)
FIELDS = {
    "exchange": Heisenberg(SQUARE, [1.0, -0.4]) + DMI(SQUARE, 0.3) + Zeeman(SQUARE, (0.1, 0, 0.5)),
    "anisotropy": Heisenberg(SQUARE, [0.5]) + Anisotropy(SQUARE, 0.8, (1, 0, 1)),
    "itself": Heisenberg(Lattice.chain(1), [1.0]) + Zeeman(Lattice.chain(1), (0, 0, 0.3)),
    "electrons": sdgnn.ExactField(sdgnn.SDModel(CHAIN, [1.0], 3.0), kT=0.1, filling=0.3),
}


def laplacian(field, spins, size=1e-3):
    """Of E on the spheres, by second differences along two great circles through every spin."""
    total = torch.zeros(len(spins), dtype=torch.float64)
    middle = field(spins).energy
    for site in range(spins.shape[1]):
        first = torch.linalg.cross(spins[:, site], torch.randn(3, dtype=torch.float64).expand(len(spins), 3))
        first = first / first.norm(dim=-1, keepdim=True)
        for tangent in (first, torch.linalg.cross(spins[:, site], first)):
            for x in (-size, size):
                moved = spins.clone()
                moved[:, site] = np.cos(x) * spins[:, site] + np.sin(x) * tangent
                total = total + (field(moved).energy - middle) / size**2
    return total


@pytest.mark.parametrize("name", FIELDS)
def test_curvature(name):
    """The estimate's mean over draws is the Laplacian within 5 standard errors and 1e-4; exact where E is linear."""
    field = FIELDS[name]
    spins = sdgnn.spins.random(field.lattice, 2, seed=3)
    expected = laplacian(field, spins)
    assert is_linear(field) == (name == "exchange")
    twice = 2 * (spins * field(spins).field).sum((1, 2))
    if name == "exchange":
        assert torch.allclose(twice, expected, rtol=1e-5)
    else:
        assert not torch.allclose(twice, expected, rtol=0.05)
    states = [Heun(0.1, 0.1).init(field, spins, seed=k) for k in range(60)]
    drawn = torch.stack([probed_laplacian(field, state) for state in states])
    error = drawn.std(0) / len(drawn) ** 0.5
    assert ((drawn.mean(0) - expected).abs() < 5 * error + 1e-4 * expected.abs()).all()
    result = field(spins)
    torque = torch.linalg.cross(spins, result.field).square().sum((1, 2))
    curvature = expected if is_linear(field) else drawn[0]
    assert torch.allclose(spin_temperature(field, states[0], result), torque / curvature, rtol=1e-5)


def test_the_probe_has_random_numbers_of_its_own():
    """E = -K (n . S)^2 bends by 4 K [ (n . S)^2 - (n . u)^2 ] along the tangent u: that of the probe's numbers, and not
    that of a kick's, which would tie the measured temperature to the noise."""
    lattice, axis = Lattice.chain(40), torch.tensor([0, 0, 1.0], dtype=torch.float64)
    field = Anisotropy(lattice, 0.8)
    state = Heun(0.1, 0.1, kT=0.1).init(field, sdgnn.spins.random(lattice, 2, seed=3), seed=5)
    found = probed_laplacian(field, state)

    def bend(stream):
        drawn = torch.from_numpy(normal(5, [0, 1], 0, range(40), stream))
        u = drawn - (drawn * state.spins).sum(-1, keepdim=True) * state.spins
        u = u / u.norm(dim=-1, keepdim=True)
        return 4 * 0.8 * ((state.spins @ axis) ** 2 - (u @ axis) ** 2).sum(1)

    # the central difference: relative (4 x)^2 / 6 with x = eps^(1/4)
    assert torch.allclose(found, bend(Purpose.PROBE), rtol=1e-5, atol=1e-5)
    for purpose in (Purpose.BEFORE, Purpose.AFTER):
        assert not torch.allclose(found, bend(purpose), rtol=0.01)


def test_each_replica_by_itself():
    field = FIELDS["anisotropy"]
    spins = sdgnn.spins.random(SQUARE, 3, seed=3)
    state = Heun(0.1, 0.1).init(field, spins, seed=1, streams=[4, 5, 6])
    alone = Heun(0.1, 0.1).init(field, spins[1:2], seed=1, streams=[5])
    both = [spin_temperature(field, s, s.result(field)) for s in (state, alone)]
    assert torch.equal(both[0][1:2], both[1])


@pytest.mark.parametrize("name", ["exchange", "anisotropy"])
def test_equals_the_bath_in_equilibrium(name):
    """Two temperatures in one batch. Allowed: 5 standard errors, and 1 % for the step's bias and 1 / sites."""
    lattice, kT = Lattice.square(16, 16), np.repeat([0.2, 0.6], 5)
    field = Heisenberg(lattice, [0.5]) + (DMI(lattice, 0.3) if name == "exchange" else Anisotropy(lattice, 0.8))
    run = simulate(
        field, sdgnn.spins.random(lattice, 10, seed=0), SemiImplicitB(0.1, 0.5, tuple(kT)), 500, seed=2,
        observers=[observers.spin_temperature(field, 10)],
    )  # fmt: skip
    late = run.trajectory["spin_temperature"].values[25:].mean(0)
    assert run.trajectory["spin_temperature"].attrs["units"] == "t"
    for bath in (0.2, 0.6):
        found = late[kT == bath]
        assert abs(found.mean() - bath) < 5 * found.std(ddof=1) / 5**0.5 + 0.01 * bath
        assert found.std(ddof=1) / 5**0.5 < 0.012 * bath  # so that a wrong factor of 1.1 fails
