"""A committee is the mean of its members, knows how much they differ, and survives its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers.networks import randomise

import sdgnn
from sdgnn import Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import Zeeman
from sdgnn.nn import ElectronsSettings, EquivariantNetwork, EquivariantSettings, Network, NetworkSettings
from sdgnn.nn.committee import Calibration, Committee, Reliability, torque_deviation

SMALL = EquivariantSettings(layers=1, channels=2, bond_functions=3)
LATTICE = Lattice.triangular(4, 4)
STATES = spins.random(LATTICE, 3, seed=5)


def network(seed: int) -> EquivariantNetwork:
    return EquivariantNetwork(SMALL, LATTICE, seed)


def test_energy_and_field_are_the_members_means() -> None:
    members = [network(seed) for seed in range(3)]
    result = Committee(members).on(LATTICE, torch.float64)(STATES)
    single = [member.on(LATTICE, torch.float64)(STATES) for member in members]
    assert torch.allclose(result.field, torch.stack([r.field for r in single]).mean(0), rtol=1e-12)
    assert torch.allclose(result.energy, torch.stack([r.energy for r in single]).mean(0), rtol=1e-12)


def test_its_constant_and_cutoff_are_those_of_its_members() -> None:
    """The mean constant, and the longest cutoff of members of several kinds; it is not trained as one model."""
    members = [network(seed) for seed in range(2)]
    with torch.no_grad():
        for k, member in enumerate(members):
            member.constant.fill_(-2.0 - k)
    committee = Committee(members)
    assert committee.constant.item() == -2.5
    energies = [member.on(LATTICE, torch.float64)(STATES).energy for member in members]
    assert torch.allclose(
        committee.on(LATTICE, torch.float64)(STATES).energy, torch.stack(energies).mean(0), rtol=1e-12
    )
    deeper = EquivariantNetwork(SMALL.model_copy(update={"layers": 2}), LATTICE)
    assert Committee([*members, deeper]).cutoff == deeper.cutoff > committee.cutoff
    with pytest.raises(UserError, match="single models"):
        committee.potentials(committee.on(LATTICE))


def test_networks_of_walks_make_a_committee(tmp_path: Path) -> None:
    """Members share their electrons; untrained they agree exactly, and with weights they differ."""
    electrons = ElectronsSettings(hamiltonian={"hopping": [1.0], "exchange": 3.0}, kT=0.1, filling=0.25)
    settings = NetworkSettings(cutoff=2, moments=9, hidden=3, electrons=electrons)
    members = [Network(settings, LATTICE, seed) for seed in range(3)]
    assert float(Committee(members).on(LATTICE)(STATES).torque_error.max()) == 0
    for seed, member in enumerate(members):
        member.look([(member.on(LATTICE), STATES.float())])
        randomise(member, seed)
    committee = Committee(members)
    found = committee.on(LATTICE)(STATES)
    single = [member.on(LATTICE)(STATES).field for member in members]
    torch.testing.assert_close(found.field, torch.stack(single).mean(0), rtol=1e-5, atol=1e-5)
    assert float(found.torque_error.min()) > 0
    asked = committee.on(SDModel(LATTICE, exchange=3.0), kT=0.1, filling=0.25)(STATES)
    assert torch.equal(asked.field, found.field)
    committee.save(tmp_path)
    assert torch.equal(sdgnn.load(tmp_path).on(LATTICE)(STATES).field, found.field)


def test_identical_members_are_certain_and_different_ones_are_not() -> None:
    alike = Committee([network(1), network(1), network(1)]).on(LATTICE)(STATES).torque_error
    other = Committee([network(1), network(1), network(2)]).on(LATTICE)(STATES).torque_error
    assert alike.max() == 0
    assert other.shape == (3, 16)
    assert other.min() > 0


def test_deviation_is_the_standard_deviation_of_the_torque_part() -> None:
    """Against numbers written out: fields scattered by g have a torque part of two components out of three."""
    generator = torch.Generator().manual_seed(0)
    fields = torch.randn(200, 3, 16, 3, generator=generator, dtype=torch.float64)
    found = torque_deviation(fields - fields.mean(0), STATES)
    transverse = fields - (fields * STATES).sum(-1, keepdim=True) * STATES
    assert torch.allclose(found, transverse.var(0).mean(-1).sqrt(), rtol=1e-12)
    assert found.mean() == pytest.approx((2 / 3) ** 0.5, rel=0.03)


def test_it_takes_the_lattices_that_its_members_take() -> None:
    """The crystal's sites as free positions: the same fields and errors to rounding, through the members' graphs."""
    committee = Committee([network(seed) for seed in range(2)])
    free = Lattice.free(LATTICE.positions, LATTICE.cell)
    crystal, graph = (committee.on(where, torch.float64)(STATES) for where in (LATTICE, free))
    assert torch.allclose(crystal.field, graph.field, atol=1e-12)
    assert torch.allclose(crystal.torque_error, graph.torque_error, atol=1e-12)


def test_errors_scale_with_the_factor_and_add_in_squares() -> None:
    members = [network(seed) for seed in range(2)]
    plain = Committee(members).on(LATTICE, torch.float64)
    tripled = Committee(members, Calibration(factor=3.0)).on(LATTICE, torch.float64)
    error = plain(STATES).torque_error
    assert torch.allclose(tripled(STATES).torque_error, 3 * error, rtol=1e-12)
    shared = Committee(members, Calibration(factor=3.0, common=0.2)).on(LATTICE, torch.float64)
    assert torch.allclose(shared(STATES).torque_error, (9 * error**2 + 0.04).sqrt(), rtol=1e-12)
    assert torch.allclose((plain + Zeeman(LATTICE, (0.0, 0.0, 1.0)))(STATES).torque_error, error, rtol=1e-12)
    assert torch.allclose((plain + tripled)(STATES).torque_error, 10**0.5 * error, rtol=1e-12)
    assert Zeeman(LATTICE, (0.0, 0.0, 1.0))(STATES).torque_error is None


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    calibration = Calibration(1.7, 0.004, 0.02, Reliability(1.0, 0.6, None, 4, (0.1, 0.2), (0.1, 0.3)))
    committee = Committee([network(seed) for seed in range(2)], calibration)
    assert committee.save(tmp_path / "model", {"made": "here"}) == tmp_path / "model"
    loaded = sdgnn.load(tmp_path / "model")
    assert isinstance(loaded, Committee)
    assert loaded.calibration == calibration
    assert loaded.provenance == {"made": "here"}
    first, second = (c.on(LATTICE)(STATES) for c in (committee, loaded))
    assert torch.equal(first.field, second.field)
    assert torch.equal(first.torque_error, second.torque_error)
    assert repr(loaded) == repr(committee)
    assert "99 % of held-out sites below 0.02 t" in repr(loaded)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99}, {"members": []}, {"members": ["../elsewhere.safetensors", "member-1.safetensors"]},
        {"members": ["missing.safetensors", "member-1.safetensors"]}, {"calibration": {"factr": 1.0}},
        {"calibration": {"factor": -1.0}}, {"calibration": {"common": -0.1}}, {"calibration": None}, {"provenance": 3},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_folders_are_refused(tmp_path: Path, change: dict) -> None:
    Committee([network(seed) for seed in range(2)]).save(tmp_path)
    record = json.loads((tmp_path / "committee.json").read_text())
    (tmp_path / "committee.json").write_text(json.dumps(record | change))
    with pytest.raises(UserError):
        sdgnn.load(tmp_path)


def test_members_must_be_several_of_one_family() -> None:
    with pytest.raises(UserError, match=r"committee of 1 member"):
        Committee([network(0)])
    with pytest.raises(UserError, match="square"):
        Committee([network(0), EquivariantNetwork(SMALL, Lattice.square(4, 4))])
    with pytest.raises(UserError, match="square"):
        Committee([network(0), network(1)]).on(Lattice.square(4, 4))
