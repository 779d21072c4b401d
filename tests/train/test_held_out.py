"""States that two label sets have in common are found by their spins, and by what they were drawn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import ExactField, Lattice, SDModel
from sdgnn.data import LabelSet, NoisyOrder, Random, Snapshots, generate
from sdgnn.data.sampling import Protocol
from sdgnn.train.held_out import not_held_out, overlap, record, seen_by, state_names

LATTICE = Lattice.square(2, 4)
EXACT = ExactField(SDModel(LATTICE), kT=0.3, filling=0.25)


def drawn(path: Path, *protocols: Protocol, seed: int = 0) -> LabelSet:
    return generate(EXACT, protocols, path, seed=seed, workers=0)


def test_a_longer_set_of_the_same_seed_holds_the_shorter_one(tmp_path: Path) -> None:
    short, long = drawn(tmp_path / "short.h5", Random(3)), drawn(tmp_path / "long.h5", Random(5))
    found = overlap(long, [record([short])])
    assert (found.same, found.related, found.states) == (3, 0, 5) and found
    assert str(found) == "3 of 5 states"
    assert not overlap(drawn(tmp_path / "other.h5", Random(5), seed=1), [record([short])])


def test_single_precision_and_other_labels_do_not_hide_a_state(tmp_path: Path) -> None:
    """The spins name a state, to float32: not its seed, nor what labels it."""
    labels = drawn(tmp_path / "labels.h5", Random(3))
    copy = replace(labels, spins=labels.spins.float(), field=2 * labels.field, seed=None)
    assert state_names(copy) == state_names(labels)
    assert overlap(copy, [record([labels])]).same == 3
    moved = labels.spins.clone()
    moved[0, 0] = -moved[0, 0]
    assert overlap(replace(labels, spins=moved, seed=None), [record([labels])]).same == 2


def test_states_of_the_same_runs_and_draws_are_related(tmp_path: Path) -> None:
    """Later snapshots of a run, and weaker noise on the same draw: not the same states, but no independent ones."""
    run = {"runs": 2, "dt": 0.1, "damping": 0.5}
    early, late = (drawn(tmp_path / f"{k}.h5", Snapshots(steps=(0, k), **run)) for k in (2, 4))
    found = overlap(late, [record([early])])
    assert (found.same, found.related) == (2, 2), "first states are equal, the others of the same runs"
    assert str(found) == "2 of 4 states, and 2 more belong to the same runs or draws"
    weak, strong = (drawn(tmp_path / f"n{k}.h5", NoisyOrder("neel", (k,), 2)) for k in (0.1, 0.3))
    assert overlap(strong, [record([weak])]).related == 2
    assert not overlap(drawn(tmp_path / "random.h5", Random(2)), [record([weak])]), "equal seeds, another protocol"


@pytest.mark.parametrize("name", ["schema-1.h5", "schema-2.h5"])
def test_old_label_sets_are_compared_too(name: str) -> None:
    labels = sdgnn.data.read(Path(__file__).parents[1] / "data" / "archive" / name)
    assert overlap(labels, [record([labels])]).same == len(labels)


def test_models_of_older_versions_say_nothing() -> None:
    model = sdgnn.load("triangular-tetrahedral")
    lattice = model.family.resized(4, 4)
    spins = sdgnn.spins.random(lattice, 2, seed=0)
    labels = LabelSet(lattice, spins, torch.zeros_like(spins), seed=np.arange(2))
    assert seen_by(model) == [] and not_held_out(model, labels) == []
    for forged in (None, 3, ["a"], {"trained on": 1}, {"trained on": {"states": [1]}}):
        model.provenance = {"training": {"seen": forged, "before": {"seen": forged}}}
        assert seen_by(model) == [] and not_held_out(model, labels) == []
