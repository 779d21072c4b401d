"""Model files: round trip, damage, other versions and names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import sdgnn
from sdgnn import Lattice, spins
from sdgnn.errors import UserError
from sdgnn.nn import EquivariantNetwork, EquivariantSettings


@pytest.fixture
def network() -> EquivariantNetwork:
    return EquivariantNetwork(EquivariantSettings(layers=1, channels=3), Lattice.kagome(3, 3), seed=1)


def rewritten(path: Path, **changes: object) -> Path:
    """The model file with entries of its header replaced."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["sdgnn"])
        weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(weights, path, metadata={"sdgnn": json.dumps(header | changes)})
    return path


def test_round_trip(network: EquivariantNetwork, tmp_path: Path) -> None:
    path = network.save(tmp_path / "kagome.safetensors", {"hamiltonian": {"exchange": 3.0}})
    lattice = Lattice.kagome(4, 5)
    states = spins.random(lattice, seed=1)
    loaded = sdgnn.load(path)
    assert loaded.provenance == {"hamiltonian": {"exchange": 3.0}}
    assert loaded.settings == network.settings
    torch.testing.assert_close(loaded.on(lattice)(states).field, network.on(lattice)(states).field, rtol=0, atol=0)


@pytest.mark.parametrize("kind", [{}, {"kind": "network"}], ids=["absent", "network"])
def test_networks_of_format_1_are_equivariant_ones(
    network: EquivariantNetwork, tmp_path: Path, kind: dict[str, str]
) -> None:
    path = network.save(tmp_path / "model.safetensors")
    settings = kind | network.settings.model_dump(exclude={"kind"})
    loaded = sdgnn.load(rewritten(path, format=1, settings=settings))
    assert isinstance(loaded, EquivariantNetwork)
    assert loaded.settings == network.settings
    with pytest.raises(UserError, match="kind"):
        sdgnn.load(rewritten(path, format=2, settings=settings | {"kind": "network"}))


def test_a_folder_holds_one_model(network: EquivariantNetwork, tmp_path: Path) -> None:
    network.save(tmp_path / "run")
    assert sdgnn.load(tmp_path / "run").n_parameters == network.n_parameters


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model at"):
        sdgnn.load(tmp_path / "nothing")


def test_damaged_files_are_refused(network: EquivariantNetwork, tmp_path: Path) -> None:
    path = network.save(tmp_path / "model.safetensors")
    whole = path.read_bytes()
    for content in (b"", b"not a model", whole[: len(whole) // 2], whole[:200]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="not a model file"):
            sdgnn.load(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "newer sdgnn"),
        ({"settings": {"layers": 2, "channels": 3}}, "do not fit"),
        ({"settings": {"layers": 1, "chanels": 3}}, "cannot be read"),
        ({"settings": {"layers": 1, "channels": 10**9}}, "cannot be read"),
        ({"lattice": {"name": "kagome"}}, "lattice description"),
        ({"lattice": {"name": "free", "positions": [[0, 0]]}}, "lattice description"),
    ],
)
def test_headers_that_do_not_fit_are_refused(
    network: EquivariantNetwork, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = rewritten(network.save(tmp_path / "model.safetensors"), **changes)
    with pytest.raises(UserError, match=message):
        sdgnn.load(path)


def test_weights_that_are_not_finite_are_refused(network: EquivariantNetwork, tmp_path: Path) -> None:
    with torch.no_grad():
        network.pair[0] = float("nan")
    with pytest.raises(UserError, match="not finite"):
        sdgnn.load(network.save(tmp_path / "model.safetensors"))


def test_a_network_is_refused_on_another_lattice(network: EquivariantNetwork) -> None:
    for other in (Lattice.triangular(6, 6), Lattice.chain(6), Lattice.free([[0.0]], [[1.0]])):
        with pytest.raises(UserError, match="kagome"):
            network.on(other)
