"""Model files: round trip, damage, other versions and names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.networks import learned
from safetensors import safe_open
from safetensors.torch import save_file

import sdgnn
from sdgnn import Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.nn import ElectronsSettings, EquivariantNetwork, EquivariantSettings, Network, NetworkSettings


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
    with pytest.raises(UserError, match=r"network\.layers"):
        sdgnn.load(rewritten(path, format=2, settings=settings | {"kind": "network"}))


def test_a_network_of_walks_keeps_its_electrons_and_what_it_has_seen(tmp_path: Path) -> None:
    """Weights, what the learned part compares sites with, and the electrons: no labels are needed to use the file."""
    model = SDModel(Lattice.kagome(3, 3), exchange=2.0)
    network = learned(model).network
    electrons = ElectronsSettings(hamiltonian=model.to_dict(), kT=0.1, filling=0.3)
    network.settings = network.settings.model_copy(update={"electrons": electrons})
    network = network.float()
    loaded = sdgnn.load(network.save(tmp_path / "kagome.safetensors", {"note": "walks"}))
    assert loaded.settings == network.settings and loaded.provenance == {"note": "walks"}
    larger = Lattice.kagome(4, 3)
    states = spins.random(larger, seed=1)
    found, expected = loaded.on(larger)(states), network.on(SDModel(larger, exchange=2.0), kT=0.1, filling=0.3)(states)
    for name in ("energy", "field", "mu"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    assert float((found.field - network.on(larger).electrons(states.float()).field).abs().max()) > 0.01


@pytest.mark.parametrize(
    "electrons", [{"kT": 0.1}, {"kT": 0.1, "filling": 0.3, "mu": 0.0}, {"kT": -1.0, "mu": 0.0}], ids=str
)
def test_electrons_that_are_none_are_refused(electrons: dict[str, float], tmp_path: Path) -> None:
    network = Network(NetworkSettings(hidden=0), Lattice.kagome(3, 3))
    settings = network.settings.model_dump() | {"electrons": {"hamiltonian": {"hopping": [1.0]}, **electrons}}
    with pytest.raises(UserError, match="cannot be read"):
        sdgnn.load(rewritten(network.save(tmp_path / "model.safetensors"), settings=settings))


def test_shipped_models_have_two_levels_and_others_none(tmp_path: Path) -> None:
    for level, cutoff in (("fast", 5), ("accurate", 7)):
        network = sdgnn.load("universal", level)  # type: ignore[arg-type]
        assert isinstance(network, Network) and network.cutoff == cutoff
    assert sdgnn.load("triangular-tetrahedral", "fast").settings == sdgnn.load("triangular-tetrahedral").settings
    path = Network(NetworkSettings(hidden=0), Lattice.kagome(3, 3)).save(tmp_path / "model.safetensors")
    with pytest.raises(UserError, match=r"level 'fast' of .*levels of universal, .*triangular-tetrahedral"):
        sdgnn.load(path, "fast")


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
        ({"settings": {"kind": "equivariant", "layers": 2, "channels": 3}}, "do not fit"),
        ({"settings": {"kind": "network", "hidden": 3}}, "do not fit"),
        ({"settings": {"kind": "equivariant", "layers": 1, "chanels": 3}}, "cannot be read"),
        ({"settings": {"kind": "equivariant", "layers": 1, "channels": 10**9}}, "cannot be read"),
        ({"settings": {"kind": "network", "moments": 40}}, "cannot be read"),
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
