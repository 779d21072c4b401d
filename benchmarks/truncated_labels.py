"""States and exact labels on which benchmarks/truncated.py judges fields, kept from one call to the next."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import sdgnn
from sdgnn.data.drawn import DrawnHamiltonians
from sdgnn.fields import Field
from sdgnn.train.metrics import Metrics, Tally

PERIOD = 8
"""Sites in a turn of a spiral."""


@dataclass(frozen=True)
class Electrons:
    """A Hamiltonian on a lattice, its temperature and filling, and the boundary phases of its exact labels."""

    model: sdgnn.SDModel
    kT: float
    filling: float
    twists: tuple[int, ...]

    @property
    def lattice(self) -> sdgnn.Lattice:
        """Where they live."""
        return self.model.lattice


@dataclass(frozen=True)
class Labels:
    """Spins, exact energy and field."""

    spins: Tensor
    energy: Tensor
    field: Tensor

    def judged(self, field: Field, dtype: torch.dtype = torch.float32) -> Metrics:
        """Errors of a field."""
        tally = Tally()
        for k in range(len(self.spins)):
            result = field(self.spins[k : k + 1].to(dtype))
            tally.add(self.spins[k : k + 1], result.field, self.field[k : k + 1])
        return tally.metrics()


def labelled(electrons: Electrons, spins: Tensor, folder: Path) -> Labels:
    """Exact labels, read from ``folder`` where they are."""
    name = json.dumps(
        [electrons.lattice.to_dict(), electrons.model.to_dict(), electrons.kT, electrons.filling, electrons.twists]
    )
    key = hashlib.sha256(name.encode() + spins.numpy().tobytes()).hexdigest()[:20]
    path = folder / f"{key}.npz"
    if not path.is_file():
        exact = sdgnn.ExactField(electrons.model, electrons.kT, filling=electrons.filling, twists=electrons.twists)
        result = exact(spins)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, energy=result.energy.numpy(), field=result.field.numpy())
    with np.load(path) as stored:
        return Labels(spins, torch.from_numpy(stored["energy"]), torch.from_numpy(stored["field"]))


def spiral(lattice: sdgnn.Lattice, replicas: int) -> Tensor:
    """Spins that turn in the plane by 2 pi / PERIOD from one unit cell to the next along the first axis."""
    assert lattice.shape is not None
    cell = np.unravel_index(np.arange(math.prod(lattice.shape)), lattice.shape)[0]
    angle = torch.from_numpy(2 * math.pi / PERIOD * np.repeat(cell, lattice.n_basis))
    return torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=-1).repeat(replicas, 1, 1)


def state(lattice: sdgnn.Lattice, order: str, noise: float, seeds: Sequence[int]) -> Tensor:
    """An order with noise, turned at random as a whole, or random spins; one state for each seed."""
    if order == "random":
        return torch.cat([sdgnn.spins.random(lattice, seed=seed) for seed in seeds])
    whole = spiral(lattice, 1) if order == "spiral" else getattr(sdgnn.spins, order)(lattice)
    return torch.cat([sdgnn.spins.rotate_randomly(sdgnn.spins.noisy(whole, noise, s), s) for s in seeds])


def triangular(size: int, twists: int = 1) -> Electrons:
    """Triangular, J = 3, filling 1/4, kT = .05."""
    return Electrons(sdgnn.SDModel(sdgnn.Lattice.triangular(size, size), exchange=3.0), 0.05, 0.25, (twists,) * 2)


def square(size: int, twists: int = 1) -> Electrons:
    """Square, J = 6, filling .485, kT = .02."""
    return Electrons(sdgnn.SDModel(sdgnn.Lattice.square(size, size), exchange=6.0), 0.02, 0.485, (twists,) * 2)


COUPLED: dict[str, tuple[str, float, float, float, str, tuple[float, ...]]] = {
    "triangular": ("rashba", 3.0, 0.05, 0.25, "tetrahedral", (0.0, 0.1, 0.5)),
    "square": ("rashba", 6.0, 0.02, 0.485, "neel", (0.0, 0.1, 0.5)),
    "honeycomb": ("kane-mele", 3.0, 0.05, 0.4, "neel", (0.0, 0.1, 0.3)),
}
"""Spin-orbit coupling, J, kT, filling, an order and strengths by lattice."""


def coupled(name: str, strength: float, size: int, twists: int) -> Electrons:
    """Electrons of COUPLED; without spin-orbit coupling for strength 0."""
    kind, exchange, kT, filling, _, _ = COUPLED[name]
    terms = [{"kind": kind, "strength": strength}] if strength else []
    model = sdgnn.SDModel(getattr(sdgnn.Lattice, name)(size, size), exchange=exchange, spin_orbit=terms)
    return Electrons(model, kT, filling, (twists,) * 2)


SIZES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "chain": ((160,), (4,)),
    "square": ((14, 14), (4, 4)),
    "triangular": ((14, 14), (4, 4)),
    "honeycomb": ((10, 10), (4, 4)),
    "kagome": ((8, 8), (4, 4)),
    "cubic": ((6, 6, 6), (3, 3, 3)),
}
"""Unit cells and twists of lattices for drawn Hamiltonians: 160 to 216 sites, exact at 3 or 4 times the length."""

ORDERS = {
    "chain": ("ferro", "neel", "spiral"),
    "square": ("ferro", "neel", "stripe"),
    "triangular": ("ferro", "tetrahedral", "stripe"),
    "honeycomb": ("ferro", "neel"),
    "kagome": ("ferro", "order120"),
    "cubic": ("ferro", "neel", "stripe"),
}
"""Orders that each lattice of SIZES takes."""


def drawn(number: int, exchange: tuple[float, float]) -> tuple[str, Electrons, str, float]:
    """(lattice, electrons, order, noise) of one Hamiltonian; exchange and kT are uniform in their logarithms."""
    hamiltonians = DrawnHamiltonians(exchange=exchange)
    draw = hamiltonians.generator(number)
    name = list(SIZES)[number % len(SIZES)]
    shape, twists = SIZES[name]
    found = hamiltonians.draw(draw)
    model = sdgnn.SDModel(getattr(sdgnn.Lattice, name)(*shape), exchange=found.exchange)
    electrons = Electrons(model, found.kT, found.filling, twists)
    order = str(draw.choice(ORDERS[name])) if number // len(SIZES) % 2 else "random"
    return name, electrons, order, float(draw.choice([0.1, 0.3, 0.6]))
