"""Every state once per epoch, batches of one lattice, an order that seed and epoch determine."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from train.helpers import heisenberg_labels

from sdgnn.train.batches import InOrder, Shuffled, loader


def listed(order: Shuffled | InOrder) -> list[tuple[int, list[int]]]:
    return [(which, states.tolist()) for which, states in order]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 7), st.integers(0, 5), st.integers(0, 99))
def test_every_state_once(sizes, batch, epoch, seed):
    shuffled = Shuffled(sizes, batch, seed)
    shuffled.set_epoch(epoch)
    for order in (shuffled, InOrder(sizes, batch)):
        batches = listed(order)
        assert len(batches) == len(order)
        seen = sorted((which, state) for which, states in batches for state in states)
        assert seen == [(which, state) for which, size in enumerate(sizes) for state in range(size)]
        assert all(1 <= len(states) <= batch for _, states in batches)


def test_order_depends_on_seed_and_epoch_alone():
    a, b = Shuffled([10, 7], 2, seed=3), Shuffled([10, 7], 2, seed=3)
    for epoch in range(4):
        a.set_epoch(epoch)
        first = listed(a)
    b.set_epoch(3)
    assert listed(b) == first == listed(a)
    b.set_epoch(2)
    assert listed(b) != first
    other = Shuffled([10, 7], 2, seed=4)
    other.set_epoch(3)
    assert listed(other) != first


def test_batches_hold_the_labels():
    sets = [heisenberg_labels((4, 4), 3, 0), heisenberg_labels((4, 6), 2, 1)]
    batches = list(loader(sets, InOrder([3, 2], 2), torch.float32))
    assert [(b.which, len(b.spins)) for b in batches] == [(0, 2), (0, 1), (1, 2)]
    assert batches[2].spins.dtype == torch.float32 and batches[2].energy.dtype == torch.float64
    assert torch.equal(batches[2].field, sets[1].field.to(torch.float32))
    assert torch.equal(batches[1].energy, sets[0].energy[2:])
