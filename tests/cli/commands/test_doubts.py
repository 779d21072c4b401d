"""What commands say of labels that a model was trained on, of other electrons and of lattices smaller than it sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.configurations import sdgnn

LABELS = """
lattice: {type: square, size: [5, 5]}
electrons: {kT: 0.3, filling: 0.25}
protocols:
  - {protocol: random, states: 6}
workers: 0
output: short
"""
TRAIN = """
data: [short/labels.h5]
validation: 0.2
network: {cutoff: 2, moments: 9, hidden: 2}
training: {epochs: 1}
output: model
"""
RUN = """
lattice: {type: square, size: [5, 5]}
field: {model: model}
integrator: {dt: 0.1, damping: 0.5}
steps: 2
output: run
"""


def said(*arguments: str) -> str:
    """What a command says, its lines joined."""
    result = sdgnn(*arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two label sets of the default seed, the longer one with the states of the shorter one, and a model of that."""
    path = tmp_path_factory.mktemp("doubts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        for name, text in (("labels", LABELS), ("train", TRAIN), ("run", RUN)):
            (path / f"{name}.yaml").write_text(text)
        said("generate", "labels.yaml")
        said("generate", "labels.yaml", "protocols.0.states=9", "output=long")
        said("generate", "labels.yaml", "seed=1", "output=fresh")
        said("generate", "labels.yaml", "seed=1", "electrons.kT=0.5", "output=warm")
        clean = said("train", "train.yaml")
        assert "warning" not in clean
        assert "kT 0.3, filling 0.25 on square lattices" in clean
    return path


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_a_longer_set_of_one_seed_holds_what_was_trained_on() -> None:
    """Of nine states, five trained the model and one chose its weights; three are new."""
    text = said("evaluate", "model", "long/labels.h5", "--json", "errors.json", "output=e1")
    assert "warning: the model was trained on 5 of 9 states" in text
    assert "weights were chosen by 1 of 9 states" in text
    assert "fitted to the states that judge them" in text
    warnings = json.loads(Path("errors.json").read_text())["sets"][0]["warnings"]
    assert len(warnings) == 2 and "5 of 9" in warnings[0]


def test_fresh_states_of_the_same_electrons_give_no_cause() -> None:
    text = said("evaluate", "model", "fresh/labels.h5", "training=[short/labels.h5]", "output=e2")
    assert "warning" not in text and "fitted to the states" not in text
    assert "hopping [1.0], exchange 3.0, kT 0.3, filling 0.25" in text, "physics of the model"
    assert "hopping=[1.0], J=3, kT=0.3, filling=0.25" in text, "physics of the labels"
    assert " ± " in text, "error bars"


def test_sets_of_one_seed_overlap_in_training() -> None:
    """Each set is split by itself, so what one holds out the other may train on."""
    text = said("train", "train.yaml", "data=[short/labels.h5,long/labels.h5]", "validation=0.4", "output=both")
    assert "warning: validation on what is trained on" in text


def test_labels_of_other_electrons_are_named() -> None:
    text = said("evaluate", "model", "warm/labels.h5", "output=e3")
    assert "kT 0.3 and 0.5 (model, the labels); its learned part is off there" in text


def test_lattices_smaller_than_what_the_model_sees() -> None:
    """Balls of two bonds are five sites across: 5 x 5 is enough, 4 x 4 is not; those of the default size are eleven."""
    small = ("lattice.size=[4,4]", "protocols.0.states=2")
    assert "labels on 4 x 4 cells" in (text := said("generate", "labels.yaml", *small, "seed=2", "output=small"))
    assert "at least 11 x 11 cells" in text
    text = said("evaluate", "model", "small/labels.h5", "output=e4")
    assert "labels on 4 x 4 cells" in text and "at least 5 x 5 cells" in text
    assert "training on" in said("train", "train.yaml", "data=[small/labels.h5]", "validation=0.5", "output=tiny")
    assert "warning" not in said("simulate", "run.yaml")
    assert "a run on 2 x 2 cells" in said("simulate", "run.yaml", "lattice.size=[2,2]", "output=run2")
    swept = said("simulate", "run.yaml", "lattice.size=[4,4]", "sweep={integrator.damping: [0.1, 0.5]}", "output=run3")
    assert swept.count("a run on 4 x 4 cells") == 1


def test_runs_by_a_model_of_other_electrons_than_those_that_label_them() -> None:
    runs = "protocols=[{protocol: snapshots, runs: 2, steps: [1], dt: 0.1, model: model}]"
    assert "(model, the labels of its runs)" in said(
        "generate", "labels.yaml", runs, "electrons.kT=0.5", "seed=3", "output=runs"
    )
    assert "(model, " not in said("generate", "labels.yaml", runs, "seed=3", "output=runs2")


def test_electrons_beside_a_model_of_electrons_count_twice() -> None:
    electrons = "field.electrons={hamiltonian: {exchange: 3.0}, kT: 0.3, filling: 0.25}"
    assert "warning: the field of electrons twice" in said("simulate", "run.yaml", electrons, "output=twice")
