"""The command generate: labels that were asked for, repeated from their folder and never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

from helpers.configurations import sdgnn

from sdgnn import ExactField, Lattice, SDModel
from sdgnn.data import read


def test_generate_writes_the_labels_it_was_asked_for(folder: Path) -> None:
    result = sdgnn("generate", "labels.yaml", "electrons.kT=0.2", "protocols.0.states=4")
    assert result.exit_code == 0, result.output
    labels = read(folder / "labels/labels.h5")
    exact = ExactField(SDModel(Lattice.triangular(3, 3)), kT=0.2, filling=0.25)(labels.spins)
    assert len(labels) == 4
    assert (exact.field - labels.field).abs().max() < 1e-10
    assert (folder / "labels/config.yaml").exists()
    assert json.loads((folder / "labels/provenance.json").read_text())["starts"][0]["sdgnn"]


def test_the_saved_config_repeats_the_run(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml", "seed=5").exit_code == 0
    assert sdgnn("generate", "labels/config.yaml", "output=again").exit_code == 0
    first, second = (read(folder / name / "labels.h5") for name in ("labels", "again"))
    assert first.content_hash == second.content_hash
    assert sdgnn("generate", "labels.yaml", "seed=6", "output=other").exit_code == 0
    assert read(folder / "other/labels.h5").content_hash != first.content_hash


def test_a_folder_with_results_is_never_overwritten(folder: Path) -> None:
    assert sdgnn("generate", "labels.yaml").exit_code == 0
    before = (folder / "labels/labels.h5").read_bytes()
    result = sdgnn("generate", "labels.yaml", "seed=9")
    assert result.exit_code == 2
    assert "already holds" in result.stderr
    result = sdgnn("generate", "labels.yaml", "seed=9", "--resume")
    assert result.exit_code == 2
    assert "another seed" in result.stderr
    assert (folder / "labels/labels.h5").read_bytes() == before


def test_without_output_each_run_has_its_own_folder(folder: Path) -> None:
    for _ in range(2):
        assert sdgnn("generate", "labels.yaml", "output=null").exit_code == 0
    assert len(list((folder / "results").glob("generate-*/labels.h5"))) == 2
