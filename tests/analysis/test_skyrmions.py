"""Skyrmion number: whole numbers, made skyrmions of known charge, symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import skyrmion_number, solid_angles
from sdgnn.lattice.periodic import nearest_image

LATTICES = [Lattice.triangular(24, 20), Lattice.square(21, 24), Lattice.kagome(12, 12), Lattice.honeycomb(14, 12)]


def belavin_polyakov(lattice: Lattice, winding: int = 1, radius: float = 3.0, centre: float = 0.0) -> Tensor:
    """cot(theta / 2) e^(i phi) = ((x + i y) / radius)^winding, cut off to S = +z at the edge of the cell."""
    middle = 0.37 * lattice.cell.sum(0) + centre
    r = nearest_image(lattice.positions - middle, lattice.cell)
    z = (r[:, 0] + 1j * r[:, 1]) / radius
    edge = 0.45 * np.linalg.norm(lattice.cell, axis=1).min() * math.sqrt(3) / 2
    cut = np.clip(1 - np.abs(z) * radius / edge, 1e-12, None)
    w = z**winding / cut if winding > 0 else np.conj(z) ** -winding / cut
    norm = 1 + np.abs(w) ** 2
    spins = np.stack([2 * w.real / norm, 2 * w.imag / norm, (np.abs(w) ** 2 - 1) / norm], -1)
    return torch.from_numpy(spins / np.linalg.norm(spins, axis=-1, keepdims=True))[None]


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
@pytest.mark.parametrize("winding", [1, -1, 2])
def test_belavin_polyakov_textures_have_their_charge(lattice, winding, rotation):
    spins = belavin_polyakov(lattice, winding)
    charge = skyrmion_number(spins, lattice)
    assert charge[0].item() == pytest.approx(-winding, abs=1e-12)
    assert skyrmion_number(-spins, lattice)[0].item() == pytest.approx(winding, abs=1e-12)
    assert skyrmion_number(spins @ rotation.T, lattice)[0].item() == pytest.approx(-winding, abs=1e-12)


def test_noise_does_not_change_the_charge_but_the_angles():
    lattice = Lattice.triangular(24, 24)
    spins = belavin_polyakov(lattice)
    noisy = spins + 0.1 * torch.from_numpy(np.random.default_rng(1).standard_normal(spins.shape))
    noisy = noisy / noisy.norm(dim=-1, keepdim=True)
    assert (solid_angles(noisy, lattice) - solid_angles(spins, lattice)).abs().max() > 1e-2
    assert skyrmion_number(noisy, lattice)[0].item() == pytest.approx(-1, abs=1e-12)


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_random_states_have_whole_charges(lattice):
    charge = skyrmion_number(sdgnn.spins.random(lattice, 4, seed=9), lattice)
    assert torch.allclose(charge, charge.round(), atol=1e-11)
    assert charge.abs().max() > 0


def test_tetrahedral_order_covers_the_sphere_twice_per_magnetic_cell(tetrahedral):
    """Each triangle spans a face of the tetrahedron, a quarter of the sphere: |Q| = 2 N / 4."""
    lattice = Lattice.triangular(8, 6)
    assert skyrmion_number(tetrahedral(lattice), lattice).abs()[0].item() == pytest.approx(24, abs=1e-12)


def test_octant():
    """Spins along x, y, z span an eighth of the sphere."""
    lattice = Lattice.square(4, 4)
    spins = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).repeat(1, 16, 1)
    spins[0, torch.from_numpy(lattice.triangles[0].copy())] = torch.eye(3, dtype=torch.float64)
    assert solid_angles(spins, lattice)[0, 0].item() == pytest.approx(math.pi / 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_no_charge_where_the_inner_side_of_a_triangle_is_undefined(lattice, dtype):
    """Berg and Luescher's exceptional triangles: opposite spins, and spins all around a circle.

    Turned by any rotation, and read in single precision: rounding must not make a number of them. Where collinear spins
    are all parallel, and where spins lie in one half of a plane, Q = 0.
    """
    generator = np.random.default_rng(3)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(20, lattice.n_sites, 3)
    signs = torch.from_numpy(generator.choice([-1.0, 1.0], size=(20, lattice.n_sites, 1)))
    angle = torch.from_numpy(generator.uniform(0, 2 * math.pi, size=(20, lattice.n_sites)))
    circle, half = (torch.stack([a.cos(), a.sin(), 0 * a], -1) for a in (angle, angle / 2.01))
    for states, undefined in ((signs * up, True), (circle, True), (up, False), (half, False)):
        turned = sdgnn.spins.rotate_randomly(states, seed=1).to(dtype)
        for read in (turned, turned.double()):
            charge = skyrmion_number(read, lattice)
            assert charge.isnan().all() if undefined else charge.abs().max() < 1e-4


def test_120_degrees_order_has_no_charge_but_with_a_little_canting(three_sublattice):
    """Canted to one side, each triangle spans just less than half of the sphere; those that point up and down go around
    in opposite senses and cancel."""
    lattice = Lattice.triangular(6, 6)
    order = three_sublattice(lattice)
    assert solid_angles(order, lattice).isnan().all()
    canted = order + torch.tensor([0.0, 0.0, 1e-6], dtype=torch.float64)
    canted = canted / canted.norm(dim=-1, keepdim=True)
    assert solid_angles(canted, lattice).abs() == pytest.approx(2 * math.pi, abs=1e-4)
    assert skyrmion_number(canted, lattice).item() == pytest.approx(0, abs=1e-9)


def test_one_replica_without_charge_leaves_the_others_alone():
    lattice = Lattice.triangular(24, 20)
    states = torch.cat([belavin_polyakov(lattice), sdgnn.spins.stripe(lattice), belavin_polyakov(lattice, -1)])
    found = skyrmion_number(states, lattice)
    assert found.isnan().tolist() == [False, True, False]
    assert found[[0, 2]].tolist() == pytest.approx([-1, 1], abs=1e-12)
