"""S(q, omega) against linear spin-wave theory in closed form, and its sum rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import observers, structure_factor_at, wave_vectors
from sdgnn.analysis.spectra.dynamical import DynamicalStructureFactor, dynamical_structure_factor, wave_vector_path
from sdgnn.common.errors import UserError
from sdgnn.dynamics import ImplicitMidpoint, simulate
from sdgnn.fields import Heisenberg, Zeeman


def spectrum_of(field, order, q, dt, steps, segment, strength=0.02):
    """A run without damping from an order with a little noise, every step recorded."""
    spins = sdgnn.spins.noisy(order, strength, seed=2)
    record = [observers.observer("spins", field.lattice, every=1)]
    integrator = ImplicitMidpoint(dt=dt, damping=0.0, tolerance=1e-7)
    run = simulate(field, spins, integrator, steps, observers=record)
    return dynamical_structure_factor(run.trajectory, field.lattice, q, segment)


def stepped(omega, dt):
    """What the midpoint rule makes of a harmonic omega: each step turns the phase by 2 atan(omega dt / 2)."""
    return 2 / dt * np.arctan(omega * dt / 2)


def peaks(found):
    """Centre of the line at positive frequency, for every q: the mean frequency around the maximum."""
    positive = found.omega > 3 * (found.omega[1] - found.omega[0])
    omega, values = found.omega[positive], found.mean.numpy()[:, positive]
    near = np.abs(omega[None] - omega[values.argmax(1)][:, None]) < 3.5 * (omega[1] - omega[0])
    return (values * near * omega).sum(1) / (values * near).sum(1)


def harmonics(lattice, q):
    """Sum of cos(q . d) over the nearest neighbours d of a site."""
    bonds = lattice.bonds(1)
    return np.cos(q @ bonds.vector[bonds.source == 0].T).sum(1)


@pytest.mark.parametrize("lattice", [Lattice.square(8, 8), Lattice.triangular(8, 8)], ids=lambda la: la.name)
def test_ferromagnet(lattice):
    """omega = h + J (z - sum_d cos q . d); noise of 0.02 shifts it by 1e-3 of itself."""
    coupling, h, z = 0.7, 0.4, len(lattice.bonds(1)) // lattice.n_sites
    field = Heisenberg(lattice, [coupling]) + Zeeman(lattice, (0, 0, h))
    q, _ = wave_vector_path(lattice, np.array([[1, 0], [4, 0], [4, 4]]) @ lattice.reciprocal)
    found = spectrum_of(field, sdgnn.spins.ferro(lattice, replicas=2), q, dt=0.125, steps=256, segment=256)
    exact = h + coupling * (z - harmonics(lattice, q))
    resolution = found.omega[1] - found.omega[0]
    assert np.abs(peaks(found) - stepped(exact, 0.125)).max() < 0.1 * resolution
    assert found.values.shape == (2, len(q), 256, 3) and found.segments == 1
    assert found.values[..., 2].sum() < 1e-2 * found.values[..., 0].sum()  # spin waves are transverse


def test_antiferromagnet():
    """omega = |J| sqrt(z^2 - (sum_d cos q . d)^2): linear around (0, 0) and around (pi, pi)."""
    lattice = Lattice.square(16, 16)
    field = Heisenberg(lattice, [-0.5])
    q, _ = wave_vector_path(lattice, np.array([[1, 1], [7, 7]]) @ lattice.reciprocal)
    found = spectrum_of(field, sdgnn.spins.neel(lattice, replicas=3), q, dt=0.5, steps=384, segment=256)
    exact = 0.5 * np.sqrt(16 - harmonics(lattice, q) ** 2)
    assert found.segments == 2
    assert np.abs(peaks(found) - stepped(exact, 0.5)).max() < 0.1 * (found.omega[1] - found.omega[0])
    ferromagnet = 0.5 * (4 - harmonics(lattice, q))  # positive control: another dispersion does not fit
    assert np.abs(peaks(found) - stepped(ferromagnet, 0.5)).max() > 10 * (found.omega[1] - found.omega[0])


@pytest.mark.slow
def test_tetrahedral_magnons_of_the_exact_field_and_the_network():
    """From one noisy tetrahedral state on 8 x 8 sites, 512 hbar / t: the centre of the spectrum at every q.

    Bins are 2 pi / 512 = 0.0123 t wide; magnons lie between 0.04 and 0.15 t. Electrons of another exchange are the
    positive control.
    """
    lattice = Lattice.triangular(8, 8)
    q = wave_vectors(lattice)
    spins = sdgnn.spins.noisy(sdgnn.spins.tetrahedral(lattice), 0.05, seed=1)
    fields = {
        f"J = {j}": sdgnn.ExactField(sdgnn.SDModel(lattice, exchange=j), kT=0.03, filling=0.25) for j in (3.0, 6.0)
    }
    fields["network"] = sdgnn.load("triangular-tetrahedral").on(lattice, dtype=torch.float64)
    centres = {}
    for name, field in fields.items():
        integrator = ImplicitMidpoint(dt=2.0, damping=0.0, tolerance=1e-6)
        record = [observers.observer("spins", lattice, every=1)]
        run = simulate(field, spins, integrator, 256, observers=record)
        found = dynamical_structure_factor(run.trajectory, lattice, q, 256)
        positive = found.omega > 0.03
        values = found.mean.numpy()[:, positive]
        centres[name] = (values * found.omega[positive]).sum(1) / values.sum(1)
    off = {name: np.sqrt(np.mean((centre - centres["J = 3.0"]) ** 2)) for name, centre in centres.items()}
    assert off["network"] < 0.0123 / 2
    assert off["J = 6.0"] > 2 * off["network"]


def test_sum_rule():
    """int d omega / (2 pi) S_aa(q, omega) = sum_n w_n^2 S_aa(q, t_n) / sum_n w_n^2, to rounding (Parseval)."""
    lattice = Lattice.kagome(3, 4)
    states = [sdgnn.spins.random(lattice, replicas=2, seed=k) for k in range(24)]
    q = np.random.default_rng(0).standard_normal((5, 2))
    found = DynamicalStructureFactor(lattice, q, dt=0.3, segment=16)
    for state in states:
        found.add(state)
    assert found.segments == 2
    window = torch.hann_window(16, dtype=torch.float64).square()
    at_once = torch.stack([structure_factor_at(state, lattice, q) for state in states])
    expected = sum(torch.einsum("t,trq->rq", window, at_once[k : k + 16]) for k in (0, 8)) / (2 * window.sum())
    step = found.omega[1] - found.omega[0]
    torch.testing.assert_close(found.values.sum((2, 3)) * step / (2 * math.pi), expected, rtol=1e-12, atol=0)


def test_a_turning_spin_has_one_line():
    """S = (cos(w t), sin(w t), 0) at every site: half the weight at w and half at -w, at q = 0 alone."""
    lattice, turn = Lattice.square(3, 3), 2 * math.pi * 5 / 64
    q = np.array([[0.0, 0.0], [2 * math.pi / 3, 0.0]])
    found = DynamicalStructureFactor(lattice, q, dt=1.0, segment=64)
    for n in range(64):
        found.add(torch.tensor([math.cos(turn * n), math.sin(turn * n), 0.0]).double().repeat(1, 9, 1))
    row = found.mean[0]
    assert found.omega[row.argsort(descending=True)[:2]].tolist() == pytest.approx([-turn, turn], abs=1e-12) or (
        found.omega[row.argsort(descending=True)[:2]].tolist() == pytest.approx([turn, -turn], abs=1e-12)
    )
    assert found.mean[1].max() < 1e-20 and found.values[..., 2].max() == 0
    assert math.isnan(found.error[0, 0])


def test_memory_does_not_grow_with_the_run():
    lattice = Lattice.square(4, 4)
    found = DynamicalStructureFactor(lattice, np.zeros((1, 2)), dt=1.0, segment=8)
    lengths = []
    for k in range(100):
        found.add(sdgnn.spins.random(lattice, seed=k))
        lengths.append(len(found._buffer))
    assert max(lengths) < 8 and found.segments == 24


def test_path():
    lattice = Lattice.triangular(12, 12)
    gamma, m, k = np.array([[0, 0], [6, 0], [8, 4]]) @ lattice.reciprocal
    q, along = wave_vector_path(lattice, np.stack([gamma, m, k, gamma]))
    assert len(q) == 1 + 6 + 2 + 4 and np.allclose(q[[0, 6, 8, 12]], [gamma, m, k, gamma])
    assert along[6] == pytest.approx(2 * math.pi / math.sqrt(3)) and (np.diff(along) > 0).all()


def test_errors():
    lattice = Lattice.square(4, 4)
    q = np.zeros((1, 2))
    with pytest.raises(UserError, match="at least 8"):
        DynamicalStructureFactor(lattice, q, 0.1, segment=4)
    with pytest.raises(UserError, match="at least one segment"):
        _ = DynamicalStructureFactor(lattice, q, 0.1).values
    with pytest.raises(UserError, match="fit the periodic lattice"):
        wave_vector_path(lattice, np.array([[0.0, 0.0], [0.3, 0.0]]))
    field = Heisenberg(lattice, [1.0])
    record = [observers.observer("spins", lattice, 2)]
    run = simulate(field, sdgnn.spins.random(lattice), ImplicitMidpoint(dt=0.1, damping=0.0), 4, observers=record)
    with pytest.raises(UserError, match="equally spaced"):
        dynamical_structure_factor(run.trajectory.isel(time=[0]), lattice, q)
    with pytest.raises(UserError, match="observer spins"):
        dynamical_structure_factor(run.trajectory.drop_vars("spins"), lattice, q)
