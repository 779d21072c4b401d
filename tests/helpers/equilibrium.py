"""Closed forms and samples of classical spins in equilibrium."""

from __future__ import annotations

import numpy as np

import sdgnn
from sdgnn.dynamics import observers


def langevin(x):
    """coth x - 1/x."""
    return 1 / np.tanh(x) - 1 / x


def energies(field, integrator, steps, every, replicas=6, seed=1):
    """Per site (replica, time), after the first fifth."""
    spins = sdgnn.spins.random(field.lattice, replicas, seed=seed)
    run = sdgnn.simulate(field, spins, integrator, steps, seed=seed, observers=[observers.energy(every)])
    return run.trajectory["energy"].values[steps // every // 5 :].T / field.lattice.n_sites
