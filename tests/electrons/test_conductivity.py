"""Conductivity: quantised Hall response, Chern number, closed forms, exact against double Chebyshev moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdgnn import Lattice, SDModel, SpinOrbit, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons.bonds import bond_energies
from sdgnn.electrons.conductivities import conductivity, conductivity_moments, velocities
from sdgnn.electrons.ensemble import phases
from sdgnn.electrons.gap import spectral_gap

CELL = SDModel(Lattice.triangular(2, 2), exchange=3.0)
TWISTS = (12, 12)
RASHBA = SpinOrbit(kind="rashba", strength=0.5)


def chern_number(model: SDModel, state: torch.Tensor, filled: int, n: int) -> float:
    """Sum of the phases of the filled states around the plaquettes of an n x n grid of twists, over 2 pi.

    Fukui, Hatsugai and Suzuki, J. Phys. Soc. Jpn. 74, 1674, doi:10.1143/JPSJ.74.1674.
    """
    states = [
        [torch.linalg.eigh(model.matrix(state, (a / n, b / n))[0])[1][:, :filled] for b in range(n)] for a in range(n)
    ]
    positions, reciprocal = model.lattice.positions, model.lattice.reciprocal

    def at(a: int, b: int) -> torch.Tensor:
        """Beyond the zone, u_k+b = exp(-i b . r) u_k."""
        shift = (a // n) * reciprocal[0] + (b // n) * reciprocal[1]
        phase = np.repeat(np.exp(-1j * positions @ shift), 2)
        return torch.from_numpy(phase)[:, None] * states[a % n][b % n]

    total = 0.0
    for a in range(n):
        for b in range(n):
            corners = [at(a, b), at(a + 1, b), at(a + 1, b + 1), at(a, b + 1)]
            links = [torch.linalg.det(corners[k].mH @ corners[(k + 1) % 4]) for k in range(4)]
            # the link is exp(-i A dk) with A = i <u|du>
            total -= float(torch.angle(torch.stack(links).prod()))
    return total / (2 * math.pi)


@pytest.mark.parametrize("chirality", [1, -1])
def test_quantised_hall_response_of_the_tetrahedral_state(chirality: int) -> None:
    # Martin and Batista, doi:10.1103/PhysRevLett.101.156402. What a finite eta takes away is (eta / gap)^2 = 1e-4 at
    # most; sums over 24 x 24 momenta converge exponentially with their number (16 x 16: 1 %, 24 x 24: 0.03 %)
    state = spins.tetrahedral(CELL.lattice, chirality)
    gap = float(spectral_gap(CELL, state, 0.25, TWISTS).width)
    assert gap > 1
    sigma = conductivity(CELL, state, kT=0.03, filling=0.25, broadening=0.01, twists=TWISTS)[0]
    assert float(sigma[0, 1]) == pytest.approx(-chirality, abs=1e-3)
    assert float(sigma[1, 0]) == pytest.approx(chirality, abs=1e-3)
    # the insulator's currents are out of phase: eta times its polarisability is left
    assert 0 < float(sigma[0, 0]) < 0.02
    # j = sigma E of charges of either sign is minus the Chern number of A = i <u|grad u>
    assert float(sigma[0, 1]) == pytest.approx(-chern_number(CELL, state, 2, 4), abs=1e-3)


def test_no_hall_response_of_a_ferromagnet() -> None:
    sigma = conductivity(CELL, spins.ferro(CELL.lattice), kT=0.1, filling=0.25, twists=(4, 4))[0]
    assert float(sigma[0, 1].abs()) < 1e-9 and float(sigma[0, 0]) > 10
    torch.testing.assert_close(sigma[0, 0], sigma[1, 1], atol=1e-9, rtol=0)


def test_quantised_anomalous_hall_response_of_a_ferromagnet() -> None:
    """Two quanta on the half-filled honeycomb lattice with spins along z and Rashba coupling (Qiao et al., Phys. Rev. B
    82, 161414, doi:10.1103/PhysRevB.82.161414), minus the Chern number, the other way for spins along -z; none without
    spin-orbit coupling, nor of spins in the plane. Sums over 24 x 24 momenta miss 0.1 % (16 x 16: 4 %),
    eta some (eta / gap)^2 = 3e-4."""
    lattice = Lattice.honeycomb(1, 1)
    model = SDModel(lattice, [1.0], exchange=0.6, spin_orbit={"kind": "rashba", "strength": 0.3})
    up, electrons = spins.ferro(lattice, (0, 0, 1)), {"filling": 0.5, "twists": (24, 24)}
    assert float(spectral_gap(model, up, **electrons).width) > 0.5
    sigma = conductivity(model, up, kT=0.02, broadening=0.01, **electrons)[0]
    assert float(sigma[0, 1]) == pytest.approx(2, abs=0.005)
    assert chern_number(model, up, 2, 12) == pytest.approx(-2, abs=1e-6)
    metal = {"kT": 0.1, "filling": 0.3, "broadening": 0.1, "twists": (4, 4)}
    one, other = conductivity(model, up, **metal)[0], conductivity(model, -up, **metal)[0]
    assert float(one[0, 1]) < -0.1
    torch.testing.assert_close(other, one.T, atol=1e-9, rtol=0)
    plane = conductivity(model, spins.ferro(lattice, (1, 0, 0)), **metal)[0]
    plain = conductivity(SDModel(lattice, [1.0], exchange=0.6), up, **metal)[0]
    assert abs(float(plane[0, 1] - plane[1, 0])) < 1e-9 and abs(float(plain[0, 1])) < 1e-9


def test_the_sum_rule_of_the_currents_holds_with_spin_orbit_coupling() -> None:
    """Mean over all boundary phases of sum_nm F(e_n, e_m) |<n|v_a|m>|^2 = <d2H/dk_a^2> = -1/2 sum_b r_ba^2 E_b over all
    bonds b, for d2 Omega / dk_a^2 has no mean: 24 momenta along each axis leave 2e-5 of it (12: 8e-4). Velocities of
    the hopping alone break it: the control."""
    twists, kT, mu = (12, 24), 0.5, -1.0
    model = SDModel(Lattice.square(2, 1), [1.0, 0.3], exchange=1.5, spin_orbit=RASHBA)
    plain = SDModel(model.lattice, [1.0, 0.3], exchange=1.5)
    state = spins.random(model.lattice, seed=3)
    energy = bond_energies(model, state, kT, mu=mu, twists=twists)[0].numpy()
    expected = -0.5 * (energy[:, None] * model.bonds.vector**2).sum(0)

    def response(of: SDModel) -> np.ndarray:
        total = np.zeros(2)
        for phase in phases(twists):
            levels, states = np.linalg.eigh(model.matrix(state, phase)[0].numpy())
            f = 1 / (1 + np.exp((levels - mu) / kT))
            apart = levels[:, None] - levels
            close = np.abs(apart) < 1e-7
            weight = np.where(close, f * (1 - f) / kT, (f - f[:, None]) / np.where(close, 1, apart))
            for a, velocity in enumerate(velocities(of, phase)):
                total[a] += (weight * np.abs(states.conj().T @ velocity.toarray() @ states) ** 2).sum()
        return total / math.prod(twists)

    assert np.allclose(response(model), expected, rtol=1e-4)
    assert not np.allclose(response(plain), expected, rtol=1e-2)


@pytest.mark.parametrize("L", [6, 7])
def test_drude_weight_of_a_chain(L: int) -> None:
    # v(k) = 2 sin k commutes with H: sigma = (2 pi / L) sum_k 2 (-df/de) v^2 / eta
    lattice = Lattice.chain(L)
    sigma = conductivity(SDModel(lattice, exchange=0.0), spins.ferro(lattice), kT=0.3, mu=-0.5, broadening=0.2)
    k = 2 * math.pi * np.arange(L) / L
    f = 1 / (1 + np.exp((-2 * np.cos(k) + 0.5) / 0.3))
    expected = 2 * math.pi / L * (2 * f * (1 - f) / 0.3 * (2 * np.sin(k)) ** 2).sum() / 0.2
    assert float(sigma) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("coupling", [(), RASHBA], ids=["plain", "rashba"])
@pytest.mark.parametrize("lattice", [Lattice.square(2, 3), Lattice.triangular(3, 3).without([4])], ids=repr)
def test_velocity_is_the_slope_of_the_hamiltonian(lattice: Lattice, coupling: object) -> None:
    # v_a = dH / dk_a, k = twist . reciprocal; second-order differences, error step^2 / 6 times bond length^3
    model, twist, step = SDModel(lattice, spin_orbit=coupling), np.array([0.13, -0.21]), 1e-4
    for velocity, towards in zip(velocities(model, tuple(twist)), np.linalg.inv(lattice.reciprocal), strict=True):
        slope = model.orbital_matrix(tuple(twist + step * towards)) - model.orbital_matrix(
            tuple(twist - step * towards)
        )
        assert np.abs(slope.toarray() / (2 * step) - velocity.toarray()).max() < 1e-7
        assert np.abs(velocity.toarray() - velocity.toarray().conj().T).max() < 1e-12


def test_double_moments_agree_with_all_eigenstates() -> None:
    # eta moments / scale = 10: exp(-10) of numbers of order 1 to 10 is left out
    crystal = SDModel(Lattice.triangular(2, 4), exchange=2.0)
    free = SDModel(Lattice.triangular(3, 3).without([4]), exchange=2.0)
    coupled = SDModel(Lattice.square(2, 4), exchange=2.0, spin_orbit=RASHBA)
    for model, twists in ((crystal, (2, 1)), (free, None), (coupled, (2, 1))):
        state = spins.random(model.lattice, replicas=2, seed=2)
        moments = conductivity_moments(model, state, 128, vectors=None, twists=twists)
        for kT, ensemble in ((0.2, {"mu": -2.0}), (0.4, {"filling": 0.25})):
            found = moments.conductivity(kT, broadening=0.5, **ensemble)
            exact = conductivity(model, state, kT, broadening=0.5, twists=twists, **ensemble)
            torch.testing.assert_close(found, exact, atol=5e-4, rtol=0)
            assert float((exact[:, 0, 1] - exact[:, 1, 0]).abs().min()) > 5e-3


def test_double_moments_of_random_vectors_spread_about_the_full_trace() -> None:
    model = SDModel(Lattice.triangular(4, 4), exchange=3.0)
    state = spins.tetrahedral(model.lattice)

    def sigma(vectors: int | None, seed: int = 0) -> torch.Tensor:
        return conductivity_moments(model, state, 48, vectors, seed).conductivity(0.5, mu=-3.0, broadening=1.0)[0]

    full, seeds = sigma(None), torch.stack([sigma(8, seed) for seed in range(24)])
    error = seeds.std(0) / math.sqrt(24)
    assert bool(((error > 1e-4) & (error < 0.06 * full[0, 0])).all()), "or the next line tells nothing"
    assert bool(((seeds.mean(0) - full).abs() < 4 * error).all())
    torch.testing.assert_close(sigma(32), full, rtol=0, atol=1e-9)  # as many vectors as there are states


def test_refusals() -> None:
    state = spins.tetrahedral(CELL.lattice)
    with pytest.raises(UserError, match="kT > 0"):
        conductivity(CELL, state, kT=0.0, filling=0.25)
    with pytest.raises(UserError, match="broadening"):
        conductivity(CELL, state, kT=0.1, filling=0.25, broadening=0.0)
    moments = conductivity_moments(CELL, state, 16, vectors=None)
    with pytest.raises(UserError, match="fewer"):
        moments.conductivity(kT=0.1, filling=0.25, broadening=0.1)
    with pytest.raises(UserError, match="memory"):
        conductivity_moments(CELL, state, 16, memory=10.0)
