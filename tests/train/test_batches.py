"""Every state once per epoch, batches of one lattice, an order that seed and epoch determine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sdgnn.train.batches import number_of_batches, shuffled


def listed(sizes: list[int], batch: int, seed: int, epoch: int) -> list[tuple[int, list[int]]]:
    return [(which, states.tolist()) for which, states in shuffled(sizes, batch, seed, epoch)]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 7), st.integers(0, 5), st.integers(0, 99))
def test_every_state_once(sizes, batch, epoch, seed):
    batches = listed(sizes, batch, seed, epoch)
    assert len(batches) == number_of_batches(sizes, batch)
    seen = sorted((which, state) for which, states in batches for state in states)
    assert seen == [(which, state) for which, size in enumerate(sizes) for state in range(size)]
    assert all(1 <= len(states) <= batch for _, states in batches)


def test_order_depends_on_seed_and_epoch_alone():
    first = listed([10, 7], 2, seed=3, epoch=3)
    assert listed([10, 7], 2, seed=3, epoch=3) == first
    assert listed([10, 7], 2, seed=3, epoch=2) != first
    assert listed([10, 7], 2, seed=4, epoch=3) != first
