"""What is told of a model is what its file holds, and of two models what they differ in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from helpers.configurations import sdgnn

from sdgnn.lattice import Lattice
from sdgnn.nn import ElectronsSettings, Model, NetworkSettings, create
from sdgnn.nn.committee import Committee
from sdgnn.nn.storage.load import SHIPPED, names

TRIANGULAR = Lattice.triangular(4, 4)


def network(exchange: float = 3.0, seed: int = 0) -> Model:
    electrons = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": exchange}, kT=0.1, filling=0.25)
    return create(NetworkSettings(cutoff=2, moments=9, hidden=4, electrons=electrons), TRIANGULAR, seed)


@pytest.mark.parametrize("name", ["triangular-tetrahedral", "square-double-exchange"])
def test_what_is_told_is_what_the_file_holds(name: str, tmp_path: Path) -> None:
    """Read by another route: the header of the format as JSON, and the hash of the bytes."""
    file = SHIPPED / f"{name}.safetensors"
    content = file.read_bytes()
    outer = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    header = json.loads(outer.pop("__metadata__")["sdgnn"])
    result = sdgnn("model", "info", name, "--json", str(tmp_path / "model.json"))
    assert result.exit_code == 0, result.output
    said = json.loads((tmp_path / "model.json").read_text())
    assert said["file"]["sha256"] == hashlib.sha256(content).hexdigest() and said["file"]["bytes"] == len(content)
    assert said["settings"] == header["settings"] and said["lattice"] == header["lattice"]
    assert said["training"] == header["provenance"]["training"]
    assert {key: shape for key, (_, shape) in said["arrays"].items()} == {k: v["shape"] for k, v in outer.items()}
    assert (said["cutoff"], said["halo"]) == (5, 10)
    electrons, training = header["settings"]["electrons"], header["provenance"]["training"]
    first = header["provenance"]["metrics"]["training"][0]
    for text in (
        f"exchange {electrons['hamiltonian']['exchange']}, kT {electrons['kT']:g}, filling {electrons['filling']:g}",
        *(labels[:12] for labels in training["training"] + training["validation"]),
        f"{first['n_states']} states of {first['lattice'].partition(':')[0]}, torque R² {first['torque_r2']:.4f}",
        header["provenance"]["commit"][:12], "numpy 2", said["file"]["sha256"],
    ):  # fmt: skip
        assert text in result.stdout, text


def test_every_shipped_model_has_both_levels() -> None:
    for name in names():
        fast, accurate = (sdgnn("model", "info", name, "--level", level) for level in ("fast", "accurate"))
        assert fast.exit_code == accurate.exit_code == 0
        assert fast.stdout.splitlines()[0] != accurate.stdout.splitlines()[0]
        assert "nothing learned" in accurate.stdout


def test_settings_and_weights_that_differ_are_named(tmp_path: Path) -> None:
    first = network()
    first.save(tmp_path / "first")
    with torch.no_grad():
        first.readout.outward.add_(0.5)
    first.save(tmp_path / "second")
    network(exchange=4.0).save(tmp_path / "third")
    paths = [str(tmp_path / name) for name in ("first", "second", "third")]
    alike = sdgnn("model", "diff", paths[0], paths[0]).stdout.splitlines()[2:]
    assert alike == ["  no difference: the same settings, training and weights"]
    (moved,) = sdgnn("model", "diff", *paths[:2]).stdout.splitlines()[2:]
    assert moved.startswith("  readout.outward differs by 0.5 where the first has ")
    (other,) = sdgnn("model", "diff", paths[0], paths[2]).stdout.splitlines()[2:]
    assert other == "  settings.electrons.hamiltonian.exchange 3.0 and 4.0"


def test_arrays_of_one_model_alone_are_named() -> None:
    told = sdgnn("model", "diff", "triangular-tetrahedral", "triangular-tetrahedral-accurate").stdout
    assert "  settings.level fast and accurate\n" in told and "  halo 10.0 and 14.0\n" in told
    assert "readout.factors of shape (94,) and absent" in told
    assert "run.epochs 16 and None" in told and "trained on ['160 states" in told


def test_a_committee_is_told_as_one(tmp_path: Path) -> None:
    Committee([network(seed=0), network(seed=1)]).save(tmp_path / "committee")
    result = sdgnn("model", "info", str(tmp_path / "committee"))
    assert result.exit_code == 0 and "Committee of 2" in result.stdout and "committee.json" in result.stdout
    assert "members 2 and None" in sdgnn("model", "diff", str(tmp_path / "committee"), "universal").stdout


def test_mistakes_and_damaged_files_are_the_users(tmp_path: Path) -> None:
    model = network()
    for provenance in ({"metrics": 3}, {"training": {"training": [1]}, "metrics": {"training": [{}]}}):
        model.save(tmp_path / "forged", provenance)
        for words in (["info", str(tmp_path / "forged")], ["diff", "universal", str(tmp_path / "forged")]):
            result = sdgnn("model", *words)
            assert result.exit_code == 2 and "a provenance that cannot be read" in result.stderr, result.output
    assert "did you mean 'universal'?" in sdgnn("model", "info", "univrsal").stderr
    refused = sdgnn("model", "info", "universal", "--level", "middle")
    assert refused.exit_code == 2 and "allowed: fast, accurate" in refused.stderr
    assert sdgnn("model", "diff", "universal", "nowhere").exit_code == 2
