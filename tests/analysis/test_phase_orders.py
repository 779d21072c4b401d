"""The guesses of benchmarks/phase_diagram.py: levels of spirals against diagonalisation, names of states."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import sdgnn

ORDERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "phase_orders.py")))


@pytest.mark.parametrize("name", ["square", "triangular"])
def test_levels_of_spirals_are_those_of_the_matrix(name: str) -> None:
    """The 2 x 2 matrices in the turning frame against the whole Hamiltonian of 12 x 12 sites."""
    lattice = ORDERS.lattice_of(name, 12)
    q, levels = ORDERS.spiral_levels(lattice, 2.5)
    for turns in ((1, 0), (5, 2)):
        spins = sdgnn.spins.spiral(lattice, turns)
        exact = torch.linalg.eigvalsh(sdgnn.SDModel(lattice, exchange=2.5).matrix(spins)[0])
        assert (levels - exact).abs().max(1).values.min() < 1e-10
    assert {ORDERS.spiral_name(one, lattice) for one in q} > {"ferro", "stripe", "spiral"}


@pytest.mark.parametrize("name", ["square", "triangular"])
def test_energies_of_guesses_are_those_of_exact_electrons(name: str) -> None:
    for cell, spins in ORDERS.guesses(name).values():
        levels = ORDERS.levels_of(cell, spins, 2.0)
        twists = (24 // cell.shape[0],) * 2
        field = sdgnn.ExactField(sdgnn.SDModel(cell, exchange=2.0), 0.05, filling=0.3, twists=twists)
        exact = float(field(spins[None]).energy) / cell.n_sites
        assert ORDERS.energies(levels[None], [0.3])[0, 0] == pytest.approx(exact, abs=1e-10)
        assert spins.norm(dim=-1).allclose(torch.ones((), dtype=torch.float64))


def test_names_of_states() -> None:
    """Perfect orders with some noise, turned by any rotation, keep their names; random spins have none."""
    square, triangular = ORDERS.lattice_of("square", 12), ORDERS.lattice_of("triangular", 12)
    texture = sdgnn.spins
    expected = [
        (square, "ferro", texture.ferro(square)), (square, "neel", texture.neel(square)),
        (square, "stripe", texture.stripe(square)), (triangular, "stripe", texture.stripe(triangular, axis=1)),
        (triangular, "order120", texture.order120(triangular)),
        (triangular, "tetrahedral", texture.tetrahedral(triangular, chirality=-1)),
        (triangular, "spiral", texture.spiral(triangular, (2, 1))), (square, "spread", texture.random(square)),
    ]  # fmt: skip
    for lattice in (square, triangular):
        x, y = lattice.cells().T
        right = np.stack([1.0 - 2 * (x % 2), 1.0 - 2 * (y % 2), 0 * x], axis=-1) / 2**0.5
        expected.append((lattice, "90 degrees", torch.from_numpy(right)[None]))
    for lattice, name, spins in expected:
        turned = texture.rotate_randomly(texture.noisy(spins, 0.2, seed=1), seed=2)
        assert ORDERS.order_of(turned[0], lattice) == name
    waves = sum(texture.spiral(square, turns) for turns in ((2, 0), (0, 2)))  # two wave vectors, elsewhere than X
    assert ORDERS.order_of(waves[0] / waves[0].norm(dim=-1, keepdim=True).clamp(min=0.1), square) != "spiral"
