"""The network commutes with spin rotations, time reversal, the point group and translations, and is local."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.equivariant import LATTICES, trained_like
from scipy.spatial.transform import Rotation
from torch import Tensor

from sdgnn import Lattice, spins
from sdgnn.fields import Anisotropy, Zeeman
from sdgnn.nn import SiteField

EXACT = 1e-10
"""Rounding of float64 sums over at most 64 sites of size ~10 stays three orders below."""
ROUNDING = {torch.float64: EXACT, torch.float32: 1e-4}
"""Relative to the field's norm. In float32, 6e-8 grows through two layers of cubic products and sums of ~100 terms."""


def field_on(lattice: Lattice, dtype: torch.dtype = torch.float64) -> SiteField:
    return trained_like(lattice).on(lattice, dtype=dtype)


def carry(states: Tensor, sites: np.ndarray) -> Tensor:
    """The state in which the spin of site i sits on ``sites[i]``."""
    moved = torch.empty_like(states)
    moved[:, torch.from_numpy(sites)] = states
    return moved


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_point_group_and_translations(lattice: Lattice) -> None:
    field, states = field_on(lattice), spins.random(lattice, replicas=2, seed=1)
    before = field(states)
    step = [1] * lattice.dim
    for sites in [*(operation.sites for operation in lattice.point_group), lattice.translation(*step)]:
        after = field(carry(states, sites))
        torch.testing.assert_close(after.energy, before.energy, rtol=EXACT, atol=EXACT)
        torch.testing.assert_close(after.field, carry(before.field, sites), rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_a_permutation_that_is_no_symmetry_changes_the_energy(lattice: Lattice) -> None:
    states = spins.random(lattice, seed=1)
    sites = np.arange(lattice.n_sites)
    sites[[0, 4]] = sites[[4, 0]]
    field = field_on(lattice)
    assert abs(float(field(carry(states, sites)).energy - field(states).energy)) > 1e-4


def difference(one: Tensor, other: Tensor) -> float:
    """|one - other| / |other|."""
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_spin_rotation(lattice: Lattice, dtype: torch.dtype) -> None:
    field, states = field_on(lattice, dtype), spins.random(lattice, seed=2)
    rotation = torch.from_numpy(Rotation.random(random_state=7).as_matrix())
    before, after = field(states), field(states @ rotation.T)
    assert difference(after.energy, before.energy) < ROUNDING[dtype]
    assert difference(after.field, before.field @ rotation.T.to(dtype)) < ROUNDING[dtype]


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_time_reversal(lattice: Lattice, dtype: torch.dtype) -> None:
    field, states = field_on(lattice, dtype), spins.random(lattice, seed=2)
    before, after = field(states), field(-states)
    assert difference(after.energy, before.energy) < ROUNDING[dtype]
    assert difference(after.field, -before.field) < ROUNDING[dtype]


def test_terms_that_break_a_symmetry_are_noticed() -> None:
    """Positive control: an easy axis breaks spin rotation, a magnetic field breaks both it and time reversal."""
    lattice = Lattice.square(6, 6)
    states, network = spins.random(lattice, seed=2), field_on(lattice)
    rotation = torch.from_numpy(Rotation.random(random_state=7).as_matrix())
    easy_axis = network + Anisotropy(lattice, strength=0.1)
    assert abs(float(easy_axis(states @ rotation.T).energy - easy_axis(states).energy)) > 1e-3
    magnet = network + Zeeman(lattice, field=(0, 0, 0.1))
    assert abs(float(magnet(-states).energy - magnet(states).energy)) > 1e-3


def test_the_network_tells_a_chirality_from_its_mirror_only_together_with_the_lattice() -> None:
    """Spins mirrored as vectors (an improper rotation) is time reversal times a rotation: allowed. Energy is even."""
    lattice = Lattice.triangular(6, 6)
    states, field = spins.random(lattice, seed=4), field_on(lattice)
    mirrored = states * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(field(mirrored).energy, field(states).energy, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_field_is_minus_the_slope_of_the_energy(lattice: Lattice) -> None:
    """Central difference along a random direction of free 3-vectors; error ~ h^2 E''' ~ 1e-10 x 1e3."""
    field, states = field_on(lattice), spins.random(lattice, replicas=2, seed=1)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(states.shape))
    along /= along.norm()
    h = 1e-4
    slope = (field(states + h * along).energy - field(states - h * along).energy) / (2 * h)
    expected = -(field(states).field * along).sum((1, 2))
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-5)


def test_a_local_environment_has_the_same_field_in_a_larger_lattice() -> None:
    """Copy a disc of 9 x 9 spins into a 16 x 16 lattice: at its centre the field, whose halo is 6 bonds, is the same
    only if all of them are copied; on the triangular lattice 6 bonds span 13 x 13 sites."""
    small, large = Lattice.triangular(14, 14), Lattice.triangular(20, 20)
    network = trained_like(small)
    inner = spins.random(small, seed=1).reshape(1, 14, 14, 3)
    outer = spins.random(large, seed=2).reshape(1, 20, 20, 3)
    outer[:, 3:16, 4:17] = inner[:, :13, :13]
    halo = 2 * network.cutoff
    assert halo == 6
    here = network.on(small, dtype=torch.float64)(inner.reshape(1, -1, 3)).field.reshape(14, 14, 3)[6, 6]
    there = network.on(large, dtype=torch.float64)(outer.reshape(1, -1, 3)).field.reshape(20, 20, 3)[9, 10]
    torch.testing.assert_close(there, here, rtol=1e-12, atol=1e-12)
    outer[:, 3, 10] *= -1
    changed = network.on(large, dtype=torch.float64)(outer.reshape(1, -1, 3)).field.reshape(20, 20, 3)[9, 10]
    assert float((changed - here).abs().max()) > 1e-12, "a spin six bonds away is seen"
    outer[:, 3, 10] *= -1
    outer[:, 2, 10] *= -1
    beyond = network.on(large, dtype=torch.float64)(outer.reshape(1, -1, 3)).field.reshape(20, 20, 3)[9, 10]
    torch.testing.assert_close(beyond, here, rtol=1e-12, atol=1e-12)


def test_the_longitudinal_part_leaves_energies_and_torques_alone() -> None:
    """Changing the second number of every readout moves the field along the spins only."""
    lattice = Lattice.square(6, 6)
    network, states = trained_like(lattice), spins.random(lattice, seed=1)
    before = network.on(lattice, dtype=torch.float64)(states)
    with torch.no_grad():
        network.pair[:, 1] += 1
        network.readouts[0].out[:, 1] += 1
    after = network.on(lattice, dtype=torch.float64)(states)
    change = after.field - before.field
    along = (change * states).sum(-1, keepdim=True) * states
    torch.testing.assert_close(after.energy, before.energy, rtol=EXACT, atol=EXACT)
    torch.testing.assert_close(change, along, rtol=EXACT, atol=EXACT)
    assert float(along.norm(dim=-1).min()) > 1e-2


def test_energy_is_extensive() -> None:
    """A state repeated 2 x 3 times has six times the energy."""
    small, large = Lattice.square(5, 5), Lattice.square(10, 15)
    network = trained_like(small)
    states = spins.random(small, seed=1)
    repeated = states.reshape(1, 5, 5, 3).repeat(1, 2, 3, 1).reshape(1, -1, 3)
    once = network.on(small, dtype=torch.float64)(states).energy
    six = network.on(large, dtype=torch.float64)(repeated).energy
    torch.testing.assert_close(six, 6 * once, rtol=1e-12, atol=1e-12)


def test_replicas_do_not_see_each_other() -> None:
    lattice = Lattice.kagome(3, 3)
    field, states = field_on(lattice), spins.random(lattice, replicas=3, seed=1)
    together = field(states)
    for replica in range(3):
        alone = field(states[replica : replica + 1])
        torch.testing.assert_close(together.field[replica], alone.field[0], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(together.energy[replica], alone.energy[0], rtol=1e-12, atol=1e-12)


def test_the_energy_depends_on_directions_not_on_distances_alone() -> None:
    """Swapping two neighbours of a site keeps all distances from it, but not the paths that turn around it."""
    lattice = Lattice.square(8, 8)
    field, states = field_on(lattice), spins.random(lattice, seed=3)
    centre = lattice.find(np.array([[4.0, 4.0]]))[0]
    far, straight = lattice.find(np.array([[5.0, 4.0], [3.0, 4.0]]))
    swapped = states.clone()
    swapped[:, [far, straight]] = states[:, [straight, far]]
    difference = field(swapped).field[0, centre] - field(states).field[0, centre]
    assert float(difference.norm()) > 1e-3 * math.sqrt(3)
