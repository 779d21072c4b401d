"""Learning what disorder of bonds and positions does, and transfer to realisations that were not among the labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.cli.commands.train import new_network, train_network
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet, Origin
from sdgnn.electrons.hopping import BondDisorder, ExponentialHopping
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, NetworkField, NetworkSettings, create
from sdgnn.nn.settings import BehlerParrinelloSettings
from sdgnn.train import TrainSettings, judge
from sdgnn.train.baselines import baselines
from sdgnn.train.binding import bind

CRYSTAL = Lattice.square(4, 4)
SETTINGS = TrainSettings(epochs=5, batch=1, learning_rate=1e-2)
HOPPING = ExponentialHopping(decay=0.4, cutoff=1.6)


def labels_of(model: SDModel, states: int, seed: int, kT: float = 0.5, filling: float = 0.5) -> LabelSet:
    """Random spins with their exact fields; at half filling unless given."""
    drawn = spins.random(model.lattice, replicas=states, seed=seed)
    result = ExactField(model, kT=kT, filling=filling)(drawn)
    origin = Origin(hamiltonian=model.to_dict(), kT=kT, filling=filling)
    return LabelSet(model.lattice, drawn, result.field, result.energy, origin=origin)


def bonds_disordered(seed: int, states: int = 5) -> LabelSet:
    return labels_of(SDModel(CRYSTAL, exchange=2.0, disorder=BondDisorder(width=0.8, seed=seed)), states, seed)


def amorphous(seed: int, states: int = 6) -> LabelSet:
    return labels_of(SDModel(Lattice.amorphous(20, seed=seed), HOPPING, 3.0), states, seed, kT=0.2, filling=0.25)


def test_bond_disorder_is_learned_from_its_strengths(tmp_path: Path) -> None:
    """A network that is told the strengths explains more than one that takes all bonds for equal: on a realisation that
    neither has seen, its unexplained part is less than half."""
    sets, test = [bonds_disordered(seed) for seed in range(5)], bonds_disordered(99)
    size = EquivariantSettings(layers=1, channels=4, strength_powers=1)
    told = train_network(new_network(size, sets, 0), sets, [test], SETTINGS, tmp_path / "told")
    untold = judge(told.on(CRYSTAL), test)
    found = judge(bind(told, test), test)
    assert 1 - found.torque_r2 < (1 - untold.torque_r2) / 2
    physics = told.provenance["training"]["physics"]["hamiltonian"]
    assert physics["disorder"] == {"width": 0.8, "distribution": "uniform"}


def test_amorphous_positions_are_learned_from_their_hopping(tmp_path: Path) -> None:
    """On positions that were not among the labels, better than exchange that depends on distance."""
    sets, test = [amorphous(seed) for seed in range(6)], amorphous(99)
    size = EquivariantSettings(layers=1, channels=4, strength_powers=1, hopping=HOPPING)
    network = train_network(new_network(size, sets, 0, Lattice.square(4, 4)), sets, [test], SETTINGS, tmp_path)
    found = judge(bind(network, test), test).torque_r2
    for field in baselines(sets, test.lattice).values():
        assert found > judge(field, test).torque_r2 + 0.1


def test_bonds_of_labels_are_those_of_their_electrons() -> None:
    """Binding to labels is binding to the bonds of their Hamiltonian; without disorder, to their lattice."""
    network, labels = (
        EquivariantNetwork(EquivariantSettings(layers=1, channels=2, strength_powers=1), CRYSTAL),
        bonds_disordered(1, 2),
    )
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    assert labels.origin.hamiltonian is not None
    model = SDModel.from_dict(CRYSTAL, labels.origin.hamiltonian)
    expected = network.on(CRYSTAL, bonds=model.bonds, strengths=model.amplitudes)(labels.spins)
    assert torch.equal(bind(network, labels)(labels.spins).field, expected.field)
    clean = labels_of(SDModel(CRYSTAL, exchange=2.0), 1, 0)
    assert torch.equal(bind(network, clean)(clean.spins).field, network.on(CRYSTAL)(clean.spins).field)


@pytest.mark.parametrize("made", [bonds_disordered, amorphous])
def test_a_network_walks_along_the_bonds_of_every_realisation(made: Callable[..., LabelSet], tmp_path: Path) -> None:
    """No family and no strengths are told it: each set says them. Judged on a realisation that it has not seen, where
    it is better than exchange by distance even before training, and no worse after."""
    sets, test = [made(seed, 3) for seed in range(2)], made(99, 3)
    settings = NetworkSettings(cutoff=3, moments=21, hidden=4)
    training = TrainSettings(epochs=2, batch=1, learning_rate=1e-4)
    network = train_network(new_network(settings, sets, 0), sets, [test], training, tmp_path)
    field = bind(network, test)
    assert isinstance(field, NetworkField)
    assert field.electrons.model.to_dict() == test.origin.hamiltonian
    untrained = judge(field.electrons, test).torque_r2
    assert judge(field, test).torque_r2 > untrained - 0.01
    for other in baselines(sets, test.lattice).values():
        assert untrained > judge(other, test).torque_r2 + 0.1


def test_what_cannot_be_learned_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="models of kind network or equivariant"):
        bind(create(BehlerParrinelloSettings(), CRYSTAL), bonds_disordered(1, 1))
    wider = labels_of(SDModel(CRYSTAL, exchange=2.0, disorder=BondDisorder(width=0.3)), 2, 0)
    size = EquivariantSettings(layers=1, channels=2)
    sets = [bonds_disordered(1, 2), wider]
    unlike = new_network(size, sets, 0)
    with pytest.raises(UserError, match=r"disorder\.width"):
        train_network(unlike, sets, [wider], SETTINGS, tmp_path)
    with pytest.raises(UserError, match="family"):
        new_network(size, [amorphous(1, 2)], 0)
