"""``sdgnn train`` that goes on from a trained model, and ``sdgnn benchmark accuracy``: models side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from helpers.configurations import LABELS, sdgnn
from typer.testing import Result

from sdgnn.common.rounding import with_error
from sdgnn.data import read
from sdgnn.nn import Network, load
from sdgnn.train import judge

TRAIN = """
data: [labels/labels.h5]
validation: 0.3
network: {cutoff: 2, moments: 9, hidden: 4}
training: {epochs: 1}
output: model
"""

BENCHMARK = """
data: labels/labels.h5
split: {test: [0, 1], validation: [2]}
heisenberg: [1]
models:
  B.-P.: {network: {kind: behler-parrinello, shells: 1, hidden: [4]}}
  distances: {network: {kind: distances, layers: 1, channels: 2, shells: 1}}
  equivariant: {network: {kind: equivariant, layers: 1, channels: 2}}
  network: {network: {cutoff: 2, moments: 9, hidden: 4}}
training: {epochs: 1}
floor:
  size: [4, 4]
  electrons: {kT: 0.1, filling: 0.25}
  states: {random: {kind: random}}
  environments: 2
  redraws: 2
output: benchmark
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with configurations."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("labels", LABELS), ("train", TRAIN), ("benchmark", BENCHMARK)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


@pytest.fixture
def labelled(folder: Path) -> Path:
    """The same with labels."""
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    return folder


@pytest.fixture
def trained(labelled: Path) -> Path:
    """The same with a trained model, of a kind that is its weights alone."""
    result = sdgnn("train", "train.yaml", "network={kind: equivariant, layers: 1, channels: 4}")
    assert result.exit_code == 0, result.output
    return labelled


ON = ("data=[labels/labels.h5]", "validation=0.3", "start=model", "output=further")


def further(folder: Path, *more: str) -> Result:
    """Training that starts from the trained model."""
    (folder / "further.yaml").write_text("data: []")
    return sdgnn("train", "further.yaml", *ON, *more)


def test_training_goes_on_from_the_weights_of_a_model(trained: Path) -> None:
    """At a vanishing learning rate the weights stay those of the start, whatever the seed; at a usual one they move."""
    before = load("model")
    result = further(trained, "training.epochs=1", "training.learning_rate=1e-12", "seed=5")
    assert result.exit_code == 0, result.output
    after = load("further")
    assert sdgnn("train", "further/config.yaml", "output=repeated").exit_code == 0
    for name, weight in before.state_dict().items():
        if name != "constant":  # fitted to the training states, which the seed chooses
            torch.testing.assert_close(after.state_dict()[name], weight, rtol=0, atol=1e-9)
    assert after.settings == before.settings
    assert after.provenance["training"]["before"] == before.provenance["training"]
    assert before.provenance["training"]["before"] is None
    assert further(trained, "training.epochs=1", "output=moved").exit_code == 0
    moved = load("moved").state_dict()
    assert max(float((moved[n] - w).abs().max()) for n, w in before.state_dict().items()) > 1e-4


def test_a_network_goes_on_with_its_electrons_and_weights(labelled: Path) -> None:
    """Hidden functions are written anew in units of what is seen now, as functions of moments they are the same."""
    assert sdgnn("train", "train.yaml", "training.learning_rate=1e-3").exit_code == 0
    result = further(labelled, "training.epochs=1", "training.learning_rate=1e-12", "seed=5")
    assert result.exit_code == 0, result.output
    before, after = load("model"), load("further")
    assert isinstance(before, Network) and isinstance(after, Network)
    assert before.settings == after.settings and before.settings.electrons is not None
    old, new = before.readout, after.readout
    assert old is not None and new is not None
    torch.testing.assert_close(new.factors, old.factors, rtol=0, atol=1e-9)
    torch.testing.assert_close(new.outward, old.outward, rtol=0, atol=1e-9)
    torch.testing.assert_close(new.inward / new.spread, old.inward / old.spread, rtol=1e-4, atol=1e-4)
    offsets = [one.bias - one.inward @ (one.mean / one.spread) for one in (old, new)]
    torch.testing.assert_close(offsets[1], offsets[0], rtol=1e-3, atol=1e-2)


def test_a_start_that_does_not_fit_is_refused(trained: Path) -> None:
    for more, words in (
        (["network.cutoff=2"], "network and start"),
        (["start=nowhere"], "no model at nowhere"),
        (["start=square-double-exchange"], "a network for square lattices"),
    ):
        result = further(trained, *more)
        assert result.exit_code == 2, result.output
        assert words in result.stderr


def test_models_side_by_side(folder: Path) -> None:
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml")
    assert result.exit_code == 2
    assert "no label set at labels/labels.h5" in result.stderr
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml")
    assert result.exit_code == 0, result.output
    content = json.loads((folder / "benchmark/benchmark.json").read_text())
    assert content["states"] == {"training": 3, "validation": 1, "test": 2}
    rows = {row["field"]: row for row in content["rows"]}
    assert list(rows) == ["Heisenberg, 1 shell", "B.-P.", "distances", "equivariant", "network"]
    test = read(folder / "labels/labels.h5")[[0, 1]]
    for name, place in (("B.-P.", "b--p"), ("equivariant", "equivariant"), ("network", "network")):
        network = load(folder / "benchmark/models" / place)
        assert rows[name]["torque_r2"] == pytest.approx(judge(network.on(test.lattice), test).torque_r2, rel=1e-5)
        assert rows[name]["parameters"] == network.n_parameters
        assert rows[name]["microseconds_per_site"] > 0
    # fields that see no further than 2, half of the 4 x 4 lattice, have a floor: nothing, if they see all of it
    floors = {name: row["floor_torque_rmse"] for name, row in rows.items() if "floor_torque_rmse" in row}
    assert set(floors) == {"Heisenberg, 1 shell", "B.-P.", "distances"}
    assert floors["Heisenberg, 1 shell"] > 0.01 and floors["B.-P."] == floors["distances"] == pytest.approx(0, abs=1e-9)
    table = (folder / "benchmark/table.md").read_text()
    assert table.count("\n") == 2 + 5
    assert with_error(rows["network"]["torque_r2"], rows["network"]["torque_r2_error"]) in table
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml", "--resume")
    assert result.exit_code == 0, result.output
    again = json.loads((folder / "benchmark/benchmark.json").read_text())["rows"]
    assert [row["torque_r2"] for row in again] == [row["torque_r2"] for row in content["rows"]]


def test_a_missing_package_ends_it_before_the_first_model_is_trained(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network of distances stands behind one that needs nothing."""
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml")
    assert result.exit_code == 2 and "pip install 'sdgnn[baselines]'" in result.stderr
    assert not (folder / "benchmark").exists()


def test_a_state_may_not_test_and_choose(folder: Path) -> None:
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml", "split.validation=[1]")
    assert result.exit_code == 2
    assert "states [1] in test and validation" in result.stderr


def test_a_trained_model_goes_on_beside_the_others(trained: Path) -> None:
    """Trained with a vanishing rate, it has the error that it had before; with network too, or neither, exit 2."""
    result = sdgnn("benchmark", "accuracy", "benchmark.yaml", "models={old: {start: model}}", "floor=null",
                   "training.learning_rate=1e-12")  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = {row["field"]: row for row in json.loads((trained / "benchmark/benchmark.json").read_text())["rows"]}
    test = read(trained / "labels/labels.h5")[[0, 1]]
    assert rows["old"]["torque_r2"] == pytest.approx(judge(load("model").on(test.lattice), test).torque_r2, rel=1e-4)
    for model in ("{old: {start: model, network: {cutoff: 1}}}", "{old: {training: {epochs: 1}}}"):
        result = sdgnn("benchmark", "accuracy", "benchmark.yaml", f"models={model}", "output=other")
        assert result.exit_code == 2
        assert "one of them" in result.stderr
