"""Label sets in memory: selection, joining, splitting and refusal of unsuitable numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_labels import LATTICE, some
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.common.files import content_hash
from sdgnn.data import LabelSet


def test_selection_by_slice_list_mask_and_number() -> None:
    labels = some()
    assert len(labels) == 5
    torch.testing.assert_close(labels[1:3].spins, labels.spins[1:3], rtol=0, atol=0)
    chosen = labels[[3, 0]]
    torch.testing.assert_close(chosen.field, labels.field[[3, 0]], rtol=0, atol=0)
    assert chosen.seeds.tolist() == [3, 0] and chosen.energy is not None and chosen.energy[1] == labels.energy[0]
    assert chosen.mu is not None and labels.mu is not None and chosen.mu.tolist() == labels.mu[[3, 0]].tolist()
    assert labels[np.array([True, False, True, False, False])].seeds.tolist() == [0, 2]
    assert len(labels[4]) == 1
    with pytest.raises(UserError, match="0 to 4"):
        labels[[5]]


def test_hash_follows_the_numbers_and_the_physics_and_not_the_date() -> None:
    labels = some()
    assert labels.content_hash == some().content_hash
    assert replace(labels, origin=replace(labels.origin, created="2000-01-01")).content_hash == labels.content_hash
    assert replace(labels, origin=replace(labels.origin, kT=0.1)).content_hash != labels.content_hash
    nudged = labels.field.clone()
    nudged[0, 0, 0] = torch.nextafter(nudged[0, 0, 0], torch.tensor(9.0, dtype=torch.float64))
    assert replace(labels, field=nudged).content_hash != labels.content_hash
    assert labels.mu is not None
    assert replace(labels, mu=labels.mu + 1).content_hash != labels.content_hash


def test_without_mu_the_hash_is_that_of_schema_1() -> None:
    """Records of trained models name label sets by this hash."""
    labels = replace(some(), mu=None)
    arrays = (labels.spins, labels.field, labels.energy, labels.density)
    expected = content_hash(
        json.dumps([LATTICE.to_dict(), labels.origin.physics], sort_keys=True),
        *(array.numpy() for array in arrays if array is not None),
        json.dumps(labels.protocol), labels.seed, labels.step,
    )  # fmt: skip
    assert labels.content_hash == expected != some().content_hash


def test_parts_joined_again_are_the_whole() -> None:
    labels = some()
    assert LabelSet.concatenate([labels[:2], labels[2:]]).content_hash == labels.content_hash


def test_joining_refuses_other_lattices_and_other_physics() -> None:
    labels = some()
    with pytest.raises(UserError, match=r"kT 0.05 and 0.1"):
        LabelSet.concatenate([labels, replace(labels, origin=replace(labels.origin, kT=0.1))])
    wide = Lattice.square(3, 2)
    with pytest.raises(UserError, match="one lattice"):
        LabelSet.concatenate([labels, replace(labels, lattice=wide)])
    assert LabelSet.concatenate([labels, replace(labels, energy=None)]).energy is None
    without = LabelSet.concatenate([labels, replace(labels, mu=None)])
    assert without.mu is None and without.density is not None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=20, max_size=60), st.integers(0, 5), st.sampled_from([0.5, 0.8, 0.9]))
def test_split_shares_all_states_out_and_never_parts_a_sample(seeds: list[int], seed: int, share: float) -> None:
    labels = some(len(seeds), seed=np.array(seeds))
    if len(set(seeds)) < 2:
        return
    parts = labels.split((share, 1 - share), seed)
    assert sorted(np.concatenate([p.seeds for p in parts])) == sorted(seeds)
    assert not set(parts[0].seeds) & set(parts[1].seeds)
    assert parts[0].content_hash == labels.split((share, 1 - share), seed)[0].content_hash
    assert labels.mu is not None
    of_state = dict(zip(map(tuple, labels.spins[:, 0].tolist()), labels.mu.tolist(), strict=True))
    for part in parts:
        assert part.mu is not None
        assert part.mu.tolist() == [of_state[tuple(first)] for first in part.spins[:, 0].tolist()]


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.5, 0.3, 0.2)])
def test_split_of_independent_states_has_the_asked_sizes_in_every_protocol(fractions: tuple[float, ...]) -> None:
    labels = some(40, protocol=("random",) * 20 + ("ferro",) * 20)
    parts = labels.split(fractions, seed=1)
    for fraction, part in zip(fractions, parts, strict=True):
        assert len(part) == round(40 * fraction)
        assert all(abs(n - 20 * fraction) <= 1 for n in part.counts.values())  # rounding of each protocol's share


def test_snapshots_of_unknown_seed_stay_together() -> None:
    labels = some(8, protocol=("quench",) * 4 + ("random",) * 4, seed=None, step=np.array([0, 1, 2, 3, -1, -1, -1, -1]))
    for part in labels.split((0.5, 0.5), seed=0):
        assert part.counts.get("quench", 0) in (0, 4)


def test_split_refuses_what_it_cannot_do() -> None:
    with pytest.raises(UserError, match="add up to 1"):
        some().split((0.8, 0.3), 0)
    with pytest.raises(UserError, match="at least one sample for each part"):
        some(seed=np.zeros(5)).split((0.8, 0.2), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spins": 1.01 * spins.random(LATTICE, 5)}, "allowed: unit spins"),
        ({"spins": spins.random(Lattice.square(3, 3), 5)}, r"\(replica, 6, 3\)"),
        ({"spins": torch.full((5, 6, 3), torch.nan)}, "not finite"),
        ({"field": torch.zeros(5, 6, 2)}, "field of shape"),
        ({"field": torch.full((5, 6, 3), torch.inf)}, r"field that is not finite \(state 0\)"),
        ({"energy": torch.zeros(4)}, "energy of shape"),
        ({"density": torch.full((5, 6), 2.5)}, r"in \[0, 2\]"),
        ({"mu": torch.zeros(4)}, r"mu of shape \(4,\); allowed: \(5,\)"),
        ({"mu": torch.zeros(5, 6)}, r"mu of shape \(5, 6\); allowed: \(5,\)"),
        ({"mu": torch.tensor(-1.0)}, r"mu of shape \(\); allowed: \(5,\)"),
        ({"mu": torch.tensor([0.0, math.nan, 0.0, 0.0, 0.0])}, r"mu that is not finite \(state 1\).*-inf at filling 0"),
        ({"mu": torch.tensor([0.0, 0.0, -math.inf, 0.0, 0.0])}, r"mu that is not finite \(state 2\)"),
        ({"protocol": ("random",)}, "1 entries of protocol for 5 states"),
        ({"seed": np.arange(6)}, "6 entries of seed"),
    ],
)
def test_unsuitable_numbers_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(Exception, match=message) as raised:
        some(**changes)
    assert isinstance(raised.value, UserError)


@pytest.mark.parametrize(("filling", "allowed"), [(None, ()), (0.25, ()), (0.0, (-math.inf,)), (1.0, (math.inf,))])
def test_mu_is_infinite_only_where_the_filling_makes_it_so(filling: float | None, allowed: tuple[float, ...]) -> None:
    origin = replace(some().origin, filling=filling)
    for mu in (-math.inf, math.inf, math.nan):
        values = torch.tensor([-1.0, mu, 0.0, mu, 2.0])
        if mu in allowed:
            found = some(mu=values, origin=origin)[1:3].mu
            assert found is not None and found.tolist() == [mu, 0.0]
        else:
            with pytest.raises(UserError, match=r"\(state 1\)"):
                some(mu=values, origin=origin)
