"""Models of every kind learn from labels what they can represent, by the same call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.labels import heisenberg_labels

import sdgnn
from sdgnn import Heun, simulate, spins
from sdgnn.nn import Settings, create
from sdgnn.nn.settings import BehlerParrinelloSettings, DistancesSettings, EquivariantSettings
from sdgnn.train import TrainSettings, fit, judge

KINDS: list[Settings] = [
    EquivariantSettings(layers=1, channels=4),
    BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=0, hidden=(8,)),
    DistancesSettings(layers=1, channels=2, shells=2),
]


@pytest.mark.parametrize("settings", KINDS, ids=lambda settings: settings.kind)
def test_heisenberg_labels_are_learned(settings: Settings, tmp_path: Path) -> None:
    """Two shells lie within the cutoff of each; fresh states of another size, from the saved file, then dynamics."""
    training, validation = heisenberg_labels((6, 6), 24, seed=0), heisenberg_labels((6, 6), 4, seed=50)
    test = heisenberg_labels((8, 8), 4, seed=90)
    model = create(settings, training.lattice, seed=1)
    fit(model, [training], [validation], TrainSettings(epochs=10, ema=0.9), tmp_path / "run")
    loaded = sdgnn.load(tmp_path / "run")
    field = loaded.on(test.lattice)
    metrics = judge(field, test)
    assert metrics.torque_r2 > 0.99
    report = json.loads((tmp_path / "run/metrics.json").read_text())
    assert report["run"]["best_validation_torque_r2"] > 0.99
    run = simulate(field, spins.random(test.lattice, 2, dtype=torch.float32), Heun(dt=0.1, damping=0.1), 3)
    assert bool(torch.isfinite(run.spins).all())
