"""A network of two energies: what its field is made of, its symmetries, its files, and that it is no gradient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import sdgnn
from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.fields.testing import LAWS, check_field, circulation
from sdgnn.nn import create
from sdgnn.nn.baselines.two_energies import TwoEnergies
from sdgnn.nn.committee import Committee
from sdgnn.nn.settings import TwoEnergiesSettings

SETTINGS = TwoEnergiesSettings(layers=1, channels=3)
LATTICES = [Lattice.chain(9), Lattice.square(6, 6), Lattice.triangular(6, 6), Lattice.kagome(3, 3)]


def trained_like(lattice: Lattice, seed: int = 3) -> TwoEnergies:
    """Every weight away from its special starting value, as training would leave it."""
    model = create(SETTINGS, lattice, seed)
    assert isinstance(model, TwoEnergies)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in [*model.energy_a.parameters(), *model.energy_b.parameters(), model.constant]:
            weight += 0.3 * torch.randn(weight.shape, generator=generator, dtype=weight.dtype) * weight.requires_grad
    return model


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_symmetries_hold_but_those_of_equilibrium(lattice: Lattice) -> None:
    field = trained_like(lattice).on(lattice, dtype=torch.float64)
    check_field(field, broken={"slope", "time reversal"})
    for law in ("slope", "time reversal"):
        with pytest.raises(AssertionError, match=law):
            check_field(field, broken=set(LAWS) - {law})


def slope(energies, states: Tensor) -> Tensor:
    at = states.clone().requires_grad_()
    return -torch.autograd.grad(energies(at).sum(), at)[0]


def test_the_field_is_one_slope_plus_the_other_turned_about_the_spin() -> None:
    """From the site energies by autograd, vectors turned by the cross product written out in components."""
    lattice = Lattice.square(6, 6)
    model = trained_like(lattice)
    field, states = model.on(lattice, dtype=torch.float64), spins.random(lattice, 3, seed=1)
    first, second = (part.on(lattice, torch.float64).site_energies for part in (model.energy_a, model.energy_b))
    a, b = slope(first, states), slope(second, states)
    x, y, z = states.unbind(-1)
    turned = torch.stack([y * b[..., 2] - z * b[..., 1], z * b[..., 0] - x * b[..., 2], x * b[..., 1] - y * b[..., 0]])
    result = field(states)
    torch.testing.assert_close(result.field, a + turned.movedim(0, -1), rtol=1e-12, atol=1e-12)
    energy = first(states).sum(-1) + lattice.n_sites * model.constant
    torch.testing.assert_close(result.energy, energy, rtol=1e-12, atol=1e-12)


def test_first_part_is_odd_and_second_even_under_time_reversal() -> None:
    lattice = Lattice.triangular(6, 6)
    field, states = trained_like(lattice).on(lattice, dtype=torch.float64), spins.random(lattice, 2, seed=1)
    here, there = field(states).field, field(-states).field
    first, second = (part(states).field for part in field.parts)
    torch.testing.assert_close((here - there) / 2, first, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close((here + there) / 2, torch.linalg.cross(states, second), rtol=1e-10, atol=1e-10)


def test_it_does_work_around_closed_paths_and_each_energy_alone_does_not() -> None:
    lattice = Lattice.square(4, 4)
    field, states = trained_like(lattice).on(lattice, dtype=torch.float64), spins.random(lattice, 2, seed=1)
    assert float(circulation(field, states).abs().max()) > 1e-3
    for part in field.parts:
        assert float(circulation(part, states).abs().max()) < 1e-10, "the sums over the path have converged"


def test_it_drives_spins_that_never_come_to_rest() -> None:
    """E_A = 0 and E_B = -sum S_i . S_j: S x G_B turns spins towards their neighbours without precession."""
    lattice = Lattice.square(4, 4)
    model = create(TwoEnergiesSettings(layers=1, channels=1), lattice)
    assert isinstance(model, TwoEnergies)
    with torch.no_grad():
        for part in (model.energy_a, model.energy_b):
            for weight in part.parameters():
                weight.zero_()
        model.energy_b.pair[1, 0] = -20.0  # times 0.1 t and 1 / 4, over both ends of each bond: -S_i . S_j
    field, states = model.on(lattice, dtype=torch.float64), spins.random(lattice, 2, seed=1)
    exchange = sdgnn.fields.Heisenberg(lattice, [1.0])
    torch.testing.assert_close(field(states).field, torch.linalg.cross(states, exchange(states).field))
    run = sdgnn.simulate(field, states, sdgnn.Heun(dt=0.05, damping=0.0), steps=40)
    assert bool((exchange(run.spins).energy < exchange(states).energy - 1).all())
    assert float(field(run.spins).energy.abs().max()) == 0.0


def test_files_keep_every_number_and_run_on_other_lattices(tmp_path: Path) -> None:
    model = trained_like(Lattice.triangular(4, 4))
    loaded = sdgnn.load(model.save(tmp_path / "model.safetensors", {"note": "two"}))
    assert isinstance(loaded, TwoEnergies) and loaded.settings == SETTINGS and loaded.provenance == {"note": "two"}
    for larger in (Lattice.triangular(5, 7), Lattice.triangular(6, 6).without([3, 11])):
        states = spins.random(larger, seed=1)
        torch.testing.assert_close(loaded.on(larger)(states).field, model.on(larger)(states).field, rtol=0, atol=0)
    with pytest.raises(UserError, match="square"):
        loaded.on(Lattice.square(6, 6))


def test_given_bonds_are_those_of_the_crystal() -> None:
    lattice = Lattice.square(5, 5)
    model, states = trained_like(lattice), spins.random(lattice, seed=1)
    on_bonds = model.on(lattice, torch.float64, bonds=lattice.bonds(1))(states)
    torch.testing.assert_close(on_bonds.field, model.on(lattice, torch.float64)(states).field, rtol=1e-9, atol=1e-9)


def test_a_committee_takes_the_mean_field_and_keeps_its_members(tmp_path: Path) -> None:
    lattice = Lattice.square(4, 4)
    members = [trained_like(lattice, seed) for seed in (3, 4)]
    loaded = sdgnn.load(Committee(members).save(tmp_path / "committee"))
    states = spins.random(lattice, 2, seed=1)
    fields = [member.on(lattice, torch.float64)(states).field for member in members]
    result = loaded.on(lattice, torch.float64)(states)
    torch.testing.assert_close(result.field, (fields[0] + fields[1]) / 2, rtol=1e-12, atol=1e-12)
    assert result.torque_error is not None and float(result.torque_error.min()) > 0


def test_the_energies_start_from_different_weights() -> None:
    model = create(SETTINGS, Lattice.square(4, 4), seed=0)
    assert isinstance(model, TwoEnergies)
    assert not np.allclose(model.energy_a.embedding.detach(), model.energy_b.embedding.detach())
