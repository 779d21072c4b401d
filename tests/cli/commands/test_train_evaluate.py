"""The commands train and evaluate: errors, floors, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.configurations import TRAIN, sdgnn

from sdgnn import Lattice
from sdgnn.data import read
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, load
from sdgnn.train import judge


def test_train_and_evaluate(folder: Path) -> None:
    (folder / "train.yaml").write_text(TRAIN)
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    result = sdgnn("train", "train.yaml", "training.epocks=2")
    assert result.exit_code == 2
    assert "did you mean training.epochs?" in result.stderr
    result = sdgnn("train", "train.yaml")
    assert result.exit_code == 0, result.output
    result = sdgnn("evaluate", "model", "labels/labels.h5", "--json", "errors.json")
    assert result.exit_code == 0, result.output
    errors = json.loads((folder / "errors.json").read_text())
    labels = read(folder / "labels/labels.h5")
    expected = judge(load(folder / "model").on(labels.lattice), labels)
    assert errors["torque_rmse"] == pytest.approx(expected.torque_rmse, rel=1e-5)
    assert errors["torque_r2"] == pytest.approx(expected.torque_r2, rel=1e-5)
    assert {row["field"] for row in errors["sets"][0]["rows"]} == {
        "network",
        "Heisenberg, 1 shell",
        "Heisenberg, 5 shells",
    }


def test_errors_stand_beside_the_floor_where_asked(folder: Path) -> None:
    """A floor measured for 3 x 3 sites has a halo of one bond; that of the network's field is four."""
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.triangular(4, 4)).save(folder / "model")
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    result = sdgnn("evaluate", "model", "labels/labels.h5", "floor={}", "--json", "errors.json")
    assert result.exit_code == 0, result.output
    rows = {row["field"]: row for row in json.loads((folder / "errors.json").read_text())["sets"][0]["rows"]}
    assert rows["Heisenberg, 1 shell"]["floor_torque_rmse"] > 0
    assert rows["Heisenberg, 1 shell"]["reach"] == pytest.approx(1)
    assert "floor_torque_rmse" not in rows["network"]
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.triangular(4, 4)).save(folder / "model")
    larger = ["floor.size=[8,8]", "floor.environments=2", "floor.redraws=2", "output=larger"]
    assert sdgnn("evaluate", "model", "labels/labels.h5", *larger, "--json", "errors.json").exit_code == 0
    rows = {row["field"]: row for row in json.loads((folder / "errors.json").read_text())["sets"][0]["rows"]}
    assert rows["network"]["floor_torque_rmse"] > 0


def test_evaluate_refuses_what_does_not_fit(folder: Path) -> None:
    EquivariantNetwork(EquivariantSettings(layers=1, channels=2), Lattice.square(4, 4)).save(folder / "square")
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    for arguments, words in (
        (["square", "labels/labels.h5"], "a network for square lattices"),
        (["nothing", "labels/labels.h5"], "no model at nothing"),
        (["square", "nothing.h5"], "does not exist"),
        (["square"], "CONFIG.yaml or MODEL DATA"),
    ):
        result = sdgnn("evaluate", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
