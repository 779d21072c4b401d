"""Weights that change after a model was bound to a lattice: fields are those of the weights as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from helpers.networks import randomise

from sdgnn import Lattice, SDModel, spins
from sdgnn.nn import (
    ElectronsSettings,
    EquivariantSettings,
    Model,
    Network,
    NetworkSettings,
    create,
)
from sdgnn.nn.settings import BehlerParrinelloSettings, DistancesSettings, Settings, TwoEnergiesSettings

LATTICE = Lattice.triangular(4, 4)
STATES = spins.random(LATTICE, 2, seed=5)
ELECTRONS = ElectronsSettings(hamiltonian=SDModel(LATTICE, exchange=2.0).to_dict(), kT=0.2, filling=0.3)
KINDS: dict[str, Settings] = {
    "walks": NetworkSettings(cutoff=2, moments=9, hidden=3, electrons=ELECTRONS),
    "equivariant": EquivariantSettings(layers=1, channels=2),
    "two energies": TwoEnergiesSettings(layers=1, channels=2),
    "distances": DistancesSettings(layers=1, channels=2, shells=1),
    "behler-parrinello": BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=1, hidden=(4,)),
}


def made(kind: str, seed: int) -> Model:
    """A model none of whose weights and measured numbers is what it began with."""
    model = create(KINDS[kind], LATTICE, seed).double()
    if isinstance(model, Network):
        model.look([(model.on(LATTICE, torch.float64), spins.random(LATTICE, 4, seed=seed))])
        randomise(model, seed)
        assert model.readout is not None
        model.readout.radius.fill_(1e3)  # all states are known
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
        for name, buffer in model.named_buffers():
            if name.endswith(("scale", "mean")) and buffer.is_floating_point():
                buffer.mul_(1 + 0.2 * seed)
    return model


def loaded(model: Model, other: Model) -> None:
    model.load_state_dict(other.state_dict())


def replaced(model: Model, other: Model) -> None:
    """Other tensors in place of the old ones, as ``.to(dtype)`` and assignments leave them."""
    model.load_state_dict({name: value.clone() for name, value in other.state_dict().items()}, assign=True)


def by_data(model: Model, other: Model) -> None:
    for mine, new in zip(model.parameters(), other.parameters(), strict=True):
        mine.data = new.detach().clone()
    for mine, new in zip(model.buffers(), other.buffers(), strict=True):
        mine.copy_(new)


@pytest.mark.parametrize("change", [loaded, replaced, by_data], ids=lambda change: change.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_field_is_that_of_the_weights_as_they_are(kind: str, change: Callable[[Model, Model], None]) -> None:
    """Asked once with the old ones, then changed in any way: bit by bit what a model bound afresh says."""
    model, other = made(kind, 1), made(kind, 2)
    field, expected = model.on(LATTICE, torch.float64), other.on(LATTICE, torch.float64)(STATES)
    before = field(STATES)
    change(model, other)
    after = field(STATES)
    assert float((before.field - expected.field).abs().max()) > 1e-3
    assert torch.equal(after.field, expected.field) and torch.equal(after.energy, expected.energy)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_of_weights_that_changed_since_are_refused(kind: str) -> None:
    """In place, between forward and backward: torch sees it, and no slope is made of old and new numbers."""
    model = made(kind, 1)
    potentials = model.potentials(model.on(LATTICE, torch.float64))
    energies = potentials.learned or potentials.energies
    weights = [weight for name, weight in model.named_parameters() if not name.endswith("constant")]
    total = torch.stack([energy(STATES).sum() for energy in energies]).sum()
    assert torch.autograd.grad(total, weights, allow_unused=True, retain_graph=True)[0] is not None
    with torch.no_grad():
        for weight in weights:
            weight.mul_(1.5)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, weights, allow_unused=True)
