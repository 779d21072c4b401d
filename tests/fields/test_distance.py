"""Heisenberg exchange of distance: a closed form, the exchange by shell on crystals, slopes on amorphous positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import DistanceHeisenberg, Heisenberg


@pytest.mark.parametrize(("length", "expected"), [(0.5, 2.0), (1.0, 2.0), (1.25, 1.5), (1.5, 1.0), (1.9, 0.2), (2, 0)])
def test_a_pair_interpolates_between_the_couplings(length: float, expected: float) -> None:
    lattice = Lattice.free([[0.0], [length]], [[10.0]])
    aligned = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(1, 2, 3)
    field = DistanceHeisenberg(lattice, [1.0, 1.5], [2.0, 1.0], cutoff=2.0)
    assert float(field(aligned).energy) == pytest.approx(-expected, abs=1e-12)


@pytest.mark.parametrize("lattice", [Lattice.triangular(5, 4), Lattice.kagome(2, 2), Lattice.square(2, 1)], ids=repr)
def test_on_a_crystal_it_is_the_exchange_by_shell(lattice: Lattice) -> None:
    distances = lattice.shell_distances(2).tolist()
    states = spins.random(lattice, replicas=2, seed=1)
    by_shell = Heisenberg(lattice, [0.7, -0.2])(states)
    by_distance = DistanceHeisenberg(lattice, distances, [0.7, -0.2], cutoff=distances[1] + 0.01)(states)
    torch.testing.assert_close(by_distance.energy, by_shell.energy, rtol=0, atol=1e-12)
    torch.testing.assert_close(by_distance.field, by_shell.field, rtol=0, atol=1e-12)


def test_field_is_minus_the_slope_on_amorphous_positions() -> None:
    """The energy is quadratic, so central differences are exact but for rounding."""
    lattice = Lattice.amorphous(10, seed=1)
    field, state = DistanceHeisenberg(lattice, [0.8, 1.2], [1.0, -0.5], 1.6), spins.random(lattice, seed=1)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(state.shape))
    slope = (field(state - along).energy - field(state + along).energy) / 2
    torch.testing.assert_close((field(state).field * along).sum((1, 2)), slope, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("distances", "couplings", "cutoff"),
    [([1.0], [1.0], 1.0), ([1.0, 0.9], [1, 1], 2.0), ([1.0], [1.0, 2.0], 2.0), ([0.0], [1.0], 2.0),
     ([1.0], [float("nan")], 2.0)],
)  # fmt: skip
def test_couplings_that_do_not_fit_are_refused(distances: list, couplings: list, cutoff: float) -> None:
    with pytest.raises(UserError, match="cutoff"):
        DistanceHeisenberg(Lattice.square(3, 3), distances, couplings, cutoff)
