"""Networks that know how strong bonds are: crystals as before, laws on disordered lattices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.equivariant import ROUNDING, distance
from safetensors import safe_open
from scipy.spatial.transform import Rotation
from torch import Tensor

from sdgnn import Lattice, SDModel, load, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons.hopping import BondDisorder, ExponentialHopping
from sdgnn.nn import EquivariantNetwork, EquivariantSettings

FAMILY = Lattice.triangular(4, 4)
HOPPING = ExponentialHopping(decay=0.4, cutoff=1.8)
AMORPHOUS = Lattice.amorphous(24, seed=1)


def trained_like(family: Lattice = FAMILY, **settings: object) -> EquivariantNetwork:
    """A network with every weight away from its starting value, as training would leave it."""
    network = EquivariantNetwork(EquivariantSettings(layers=2, channels=4, **settings), family, seed=3)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.2 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype))
    return network


def without_powers(network: EquivariantNetwork) -> EquivariantNetwork:
    """The network of the same weights that knows no strengths."""
    plain = EquivariantNetwork(EquivariantSettings(layers=2, channels=4), network.family)
    count = plain.settings.bond_functions
    state = network.state_dict()
    for name, weight in state.items():
        if name == "embedding":
            state[name] = weight[:, :count]
        elif name == "pair" or name.endswith(".bond"):
            state[name] = weight[:count]
    plain.load_state_dict(state)
    return plain


@pytest.mark.parametrize("lattice", [FAMILY, FAMILY.without([2, 7])], ids=repr)
def test_bonds_of_strength_1_need_none_of_the_new_weights(lattice: Lattice) -> None:
    """Crystals and vacancies: energies and slopes in the old weights are those of the network without powers, and the
    new weights have none."""
    network = trained_like(strength_powers=2).double()
    states = spins.random(lattice, replicas=2, seed=1)
    plain = without_powers(network).double()
    found, expected = network.on(lattice, torch.float64)(states), plain.on(lattice, torch.float64)(states)
    assert distance(found.energy, expected.energy) < ROUNDING
    assert distance(found.field, expected.field) < ROUNDING
    network.on(lattice, torch.float64).site_energies(states).sum().backward()
    slope = network.pair.grad
    assert slope is not None
    assert float(slope[:5, 0].abs().min()) > 1e-3
    assert float(slope[5:].abs().max()) == 0


def test_given_strengths_of_1_are_the_crystal() -> None:
    network, states = trained_like(), spins.random(FAMILY, seed=1)
    bonds = FAMILY.bonds(1)
    given = network.on(FAMILY, torch.float64, bonds=bonds, strengths=np.ones(len(bonds)))
    assert distance(given(states).field, network.on(FAMILY, torch.float64)(states).field) < ROUNDING


def test_files_from_before_strengths_are_read_as_they_were() -> None:
    path = Path(__file__).parents[1] / "archive" / "before-strengths.safetensors"
    with safe_open(path, framework="pt") as file:
        settings = json.loads(file.metadata()["sdgnn"])["settings"]
    assert not {"hopping", "strength_powers"} & settings.keys()
    network = load(path)
    assert isinstance(network, EquivariantNetwork)
    assert (network.settings.hopping, network.settings.strength_powers) == (None, 0)


def test_a_crystal_is_free_positions_with_its_further_bonds() -> None:
    """The second shell lies within the cutoff and is seen on both; bonds given with their hopping are the third way."""
    network, states = trained_like(hopping=HOPPING, strength_powers=1), spins.random(FAMILY, seed=1)
    field = network.on(FAMILY, torch.float64)(states).field
    free = Lattice.free(FAMILY.positions, FAMILY.cell)
    assert distance(network.on(free, torch.float64)(states).field, field) < ROUNDING
    model = SDModel(FAMILY, HOPPING)
    given = network.on(FAMILY, torch.float64, bonds=model.bonds, strengths=model.amplitudes)
    assert distance(given(states).field, field) < ROUNDING
    nearest = network.on(FAMILY, torch.float64, bonds=FAMILY.bonds(1))
    assert distance(nearest(states).field, field) > 1e-3


def field_of(lattice: Lattice, disorder: BondDisorder | None = None):  # type: ignore[no-untyped-def]
    """The network on the bonds and hoppings of an s-d model."""
    model = SDModel(lattice, HOPPING, disorder=disorder)
    return trained_like(strength_powers=2).on(lattice, torch.float64, bonds=model.bonds, strengths=model.amplitudes)


DISORDERED = [(AMORPHOUS, None), (FAMILY.diluted(0.2, seed=1), BondDisorder(width=1.5, seed=2)),
              (Lattice.amorphous(12, seed=4), BondDisorder(width=0.3, distribution="normal"))]  # fmt: skip
"""Bond disorder of width 1.5 turns the signs of some bonds."""


@pytest.mark.parametrize(("lattice", "disorder"), DISORDERED)
def test_field_is_minus_the_slope_of_the_energy(lattice: Lattice, disorder: BondDisorder | None) -> None:
    """Central difference with h = 1e-4, whose error is h^2 = 1e-8 times a third derivative."""
    field, states = field_of(lattice, disorder), spins.random(lattice, seed=1)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(states.shape))
    along /= along.norm()
    slope = (field(states + 1e-4 * along).energy - field(states - 1e-4 * along).energy) / 2e-4
    expected = -(field(states).field * along).sum((1, 2))
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("lattice", "disorder"), DISORDERED)
def test_spin_rotation_and_time_reversal(lattice: Lattice, disorder: BondDisorder | None) -> None:
    field, states = field_of(lattice, disorder), spins.random(lattice, seed=3)
    before = field(states)
    rotation = torch.from_numpy(Rotation.random(random_state=7).as_matrix())
    for turn in (rotation, -torch.eye(3, dtype=torch.float64)):
        after = field(states @ turn.T)
        assert distance(after.energy, before.energy) < ROUNDING
        assert distance(after.field, before.field @ turn.T) < ROUNDING


def test_rigid_motion_and_the_names_of_sites() -> None:
    network, states = trained_like(hopping=HOPPING, strength_powers=2), spins.random(AMORPHOUS, seed=3)
    before = network.on(AMORPHOUS, torch.float64)(states)
    turn = Rotation.from_rotvec([0, 0, 0.3]).as_matrix()[:2, :2] @ np.diag([-1.0, 1.0])
    moved = Lattice.free(AMORPHOUS.positions @ turn.T + 0.4, AMORPHOUS.cell @ turn.T)
    assert distance(network.on(moved, torch.float64)(states).field, before.field) < ROUNDING
    order = np.random.default_rng(0).permutation(AMORPHOUS.n_sites)
    named = Lattice.free(AMORPHOUS.positions[order], AMORPHOUS.cell)
    assert distance(network.on(named, torch.float64)(states[:, order]).field, before.field[:, order]) < ROUNDING


def test_bonds_of_strength_0_are_no_bonds() -> None:
    """And one that comes or leaves does so continuously: 1e-6 through the cutoff, against a whole bond."""
    network = trained_like(hopping=HOPPING, strength_powers=2)
    states = spins.random(FAMILY, seed=1)
    bonds = FAMILY.bonds(2)
    nearest = (bonds.shell == 0).astype(np.float64)
    struck = network.on(FAMILY, torch.float64, bonds=bonds, strengths=nearest)(states)
    assert distance(struck.field, network.on(FAMILY, torch.float64, bonds=FAMILY.bonds(1))(states).field) < ROUNDING

    def energy(length: float) -> Tensor:
        pair = Lattice.free([[0.0, 0.0], [length, 0.0], [0.0, 1.0]], 20 * np.eye(2))
        return network.on(pair, torch.float64)(states[:, :3]).energy

    assert float((energy(1.8 + 1e-6) - energy(1.8 - 1e-6)).abs()) < 1e-9
    assert float((energy(1.8) - energy(1.0)).abs()) > 1e-3


def test_strengths_are_kept_in_files(tmp_path) -> None:  # type: ignore[no-untyped-def]
    network, states = trained_like(hopping=HOPPING, strength_powers=1), spins.random(AMORPHOUS, seed=1)
    again = load(network.save(tmp_path))
    assert again.settings == network.settings
    assert (again.on(AMORPHOUS)(states).field == network.on(AMORPHOUS)(states).field).all()
    assert again.cutoff == pytest.approx(3 * 1.8)


def test_strengths_that_do_not_fit_are_refused() -> None:
    network, bonds = trained_like(), FAMILY.bonds(1)
    one_sided = np.linspace(0.5, 1.5, len(bonds))
    for strengths, words in (
        (np.ones(3), "one finite number"),
        (np.full(len(bonds), np.nan), "finite"),
        (one_sided, "other"),
    ):
        with pytest.raises(UserError, match=words):
            network.on(FAMILY, bonds=bonds, strengths=strengths)
    with pytest.raises(UserError, match="strengths of no bonds"):
        network.on(FAMILY, strengths=np.ones(len(bonds)))
    with pytest.raises(UserError, match="2 dimensions"):
        trained_like(hopping=HOPPING).on(Lattice.chain(4))
