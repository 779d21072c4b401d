"""Cuts hold the right spins, wrap around the boundary, and keep what is periodic in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.data.crop import check_crop, crop, largest_corner
from sdgnn.fields import Heisenberg

KAGOME = Lattice.kagome(5, 4)


def test_sites_are_those_at_the_shifted_positions() -> None:
    """Spins that carry their position: the cut's are the large lattice's at the same place plus the corner."""
    small = KAGOME.resized(3, 2)
    places = torch.from_numpy(np.pad(KAGOME.positions, ((0, 0), (0, 1))))[None]
    shift = np.array([1, 2]) @ KAGOME.vectors
    assert np.allclose(crop(places, KAGOME, small, (1, 2))[0, :, :2].numpy(), small.positions + shift)


def test_a_cut_wraps_around_and_the_whole_is_itself() -> None:
    large = Lattice.square(4, 3)
    state = spins.random(large, 2, seed=0)
    assert torch.equal(crop(state, large, large, (0, 0)), state)
    wrapped = crop(state, large, large.resized(2, 2), (3, 2)).reshape(2, 2, 2, 3)
    grid = state.reshape(2, 4, 3, 3)
    assert torch.equal(wrapped, grid[:, [3, 0]][:, :, [2, 0]])


def test_the_field_of_periodic_order_survives_the_cut() -> None:
    """No seam where the order fits: exact field of a cut equals the cut of the exact field."""
    large, small = Lattice.triangular(8, 6), Lattice.triangular(4, 4)
    order = spins.tetrahedral(large)
    field = Heisenberg(large, [1.0])(order).field
    cut = Heisenberg(small, [1.0])(crop(order, large, small, (3, 5))).field
    assert torch.allclose(cut, crop(field, large, small, (3, 5)), atol=1e-12)
    random = spins.random(large, 1, seed=0)
    seam = Heisenberg(small, [1.0])(crop(random, large, small, (3, 5))).field
    assert not torch.allclose(seam, crop(Heisenberg(large, [1.0])(random).field, large, small, (3, 5)), atol=0.1)


def test_the_largest_corner_against_all_cuts() -> None:
    small = KAGOME.resized(2, 4)
    weights = np.random.default_rng(3).random(KAGOME.n_sites)
    held = {
        (x, y): float(crop(torch.from_numpy(weights)[None, :, None].expand(1, -1, 3), KAGOME, small, (x, y)).sum())
        for x in range(5) for y in range(4)
    }  # fmt: skip
    found = largest_corner(weights, KAGOME, small)
    assert held[found] == pytest.approx(max(held.values()), rel=1e-12)
    assert found[1] == 0, "cuts as long as the lattice start at its beginning"


@pytest.mark.parametrize(
    ("large", "small", "words"),
    [
        (Lattice.square(4, 4), Lattice.square(5, 4), "at most as many"),
        (Lattice.square(4, 4), Lattice.triangular(2, 2), "one family"),
        (Lattice.square(4, 4), Lattice.free([[0.0, 0.0]], [[2.0, 0.0], [0.0, 2.0]]), "one family"),
    ],
)
def test_cuts_that_cannot_be_are_refused(large: Lattice, small: Lattice, words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_crop(large, small)
