"""Label sets of known Heisenberg models, from which tests of training know the right answer."""

from __future__ import annotations

import torch

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.data import LabelSet, Origin
from sdgnn.fields import Heisenberg

COUPLINGS = [-0.10, 0.03]
OFFSET = -2.5
"""Constant energy per site added to the labels, as the electrons' band energy would."""


def heisenberg_labels(shape: tuple[int, int], states: int, seed: int, couplings: list[float] = COUPLINGS) -> LabelSet:
    """Random states of a triangular lattice labelled by a Heisenberg model and a constant energy."""
    lattice = Lattice.triangular(*shape)
    random = spins.random(lattice, states, seed)
    result = Heisenberg(lattice, couplings)(random)
    return LabelSet(
        lattice, random, result.field, result.energy + OFFSET * lattice.n_sites, protocol=("random",) * states
    )


def electron_labels(
    shape: tuple[int, int], states: int, seed: int, exchange: float = 3.0, kT: float = 0.3, filling: float = 0.25
) -> LabelSet:
    """Random states of a triangular lattice labelled by exact electrons, which the set names."""
    lattice = Lattice.triangular(*shape)
    model, random = SDModel(lattice, exchange=exchange), spins.random(lattice, states, seed)
    result = ExactField(model, kT=kT, filling=filling)(random)
    origin = Origin(hamiltonian=model.to_dict(), kT=kT, filling=filling)
    protocol = ("random",) * states
    return LabelSet(lattice, random, result.field, result.energy, result.density, protocol=protocol, origin=origin)


def rotation(axis: list[float], angle: float) -> torch.Tensor:
    """(3, 3) rotation by ``angle`` about ``axis``."""
    n = torch.tensor(axis, dtype=torch.float64)
    n = n / n.norm()
    cross = torch.tensor([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]], dtype=torch.float64)
    return torch.linalg.matrix_exp(angle * cross)
