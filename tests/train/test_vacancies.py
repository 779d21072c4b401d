"""Training on crystals with vacancies: electrons beside a vacancy are learned once they are among the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.labels import heisenberg_labels

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.cli.commands.train import new_network, train_network
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.nn import EquivariantSettings, SiteField
from sdgnn.train import TrainSettings
from sdgnn.train.metrics import torque_part

CRYSTAL = Lattice.square(5, 5)
SIZE = EquivariantSettings(layers=1, channels=4)


def electrons(taken: list[int], states: int, seed: int) -> LabelSet:
    """Random spins with their exact fields at J = 2, kT = 0.5, one electron per site (half filling)."""
    lattice = CRYSTAL.without(taken) if taken else CRYSTAL
    drawn = spins.random(lattice, replicas=states, seed=seed)
    result = ExactField(SDModel(lattice, exchange=2.0), kT=0.5, filling=0.5)(drawn)
    return LabelSet(lattice, drawn, result.field, result.energy)


def unexplained_beside(field: SiteField, labels: LabelSet) -> float:
    """1 - R^2 of the torques on sites that have lost a neighbour."""
    count = np.bincount(labels.lattice.bonds_within(1.0).source, minlength=labels.lattice.n_sites)
    beside = torch.from_numpy(count < 4)
    true = torque_part(labels.field, labels.spins)[:, beside]
    found = torque_part(field(labels.spins).field, labels.spins)[:, beside]
    return float((found - true).square().sum() / true.square().sum())


def test_a_network_learns_what_vacancies_do(tmp_path: Path) -> None:
    """The same states' worth of training with and without vacancies; judged on vacancies elsewhere, fresh spins."""
    settings = TrainSettings(epochs=6, batch=1, learning_rate=1e-2)
    test = electrons([3, 16], 6, seed=99)
    whole = [electrons([], 32, seed=1)]
    cut = [electrons([seed % 25, (7 * seed + 3) % 25], 4, seed) for seed in range(7)] + [electrons([], 4, seed=8)]
    unexplained = {}
    for name, training in (("whole", whole), ("cut", cut)):
        network = train_network(new_network(SIZE, training, 0), training, [test], settings, tmp_path / name)
        assert network.family.same_family(CRYSTAL)
        unexplained[name] = unexplained_beside(network.on(test.lattice, torch.float64), test)
    assert unexplained["cut"] < unexplained["whole"] / 2
    report = json.loads((tmp_path / "cut" / "metrics.json").read_text())
    assert len(report["training"]) == 8


def test_crystals_of_several_families_are_refused(tmp_path: Path) -> None:
    sets = [electrons([2], 1, seed=0), heisenberg_labels((4, 4), 2, 0), electrons([], 1, seed=1)]
    with pytest.raises(UserError, match="one family"):
        new_network(SIZE, sets, 0)
