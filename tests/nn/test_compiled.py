"""The compiled rounds of messages against tensor operations: values, slopes in spins and in every weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sdgnn import Lattice, spins
from sdgnn.errors import UserError
from sdgnn.nn import Network, NetworkSettings
from sdgnn.nn.compiled.boxes import STRIDE, Boxes
from sdgnn.nn.compiled.function import MOST_DIRECTIONS, Boxed
from sdgnn.nn.layers import Tables

CPU = torch.device("cpu")
LATTICES = [
    Lattice.chain(1),
    Lattice.chain(500),
    Lattice.square(2, 3),
    Lattice.square(30, 30),
    Lattice.triangular(5, 1),
    Lattice.triangular(40, 23),
    Lattice.honeycomb(11, 9),
    Lattice.kagome(1, 1),
    Lattice.kagome(9, 7),
    Lattice.cubic(7, 6, 5),
    Lattice.crystal([[2.0]], [[0.0], [1.0]], (3,), name="dimers"),
]


def perturbed(lattice: Lattice, layers: int = 2, channels: int = 3) -> Network:
    """A network none of whose weights is zero."""
    network = Network(NetworkSettings(layers=layers, channels=channels), lattice, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=generator)
    return network


def outcome(network: Network, state: Tensor, geometry: Tables | Boxed) -> dict[str, Tensor]:
    """Site energies, and the slopes of their sum with unequal factors."""
    at = state.reshape(-1, 3).clone().requires_grad_()
    energies = network(at, geometry)
    factor = torch.linspace(0.5, 1.5, len(energies), dtype=state.dtype)
    weights = {name: weight for name, weight in network.named_parameters() if name != "constant"}
    slopes = torch.autograd.grad((factor * energies).sum(), [at, *weights.values()])
    return {"energies": energies.detach(), **dict(zip(["spins", *weights], slopes, strict=True))}


def distances(network: Network, lattice: Lattice, replicas: int, dtype: torch.dtype) -> dict[str, float]:
    """Largest difference of both routes over the largest value."""
    state = spins.random(lattice, replicas=replicas, seed=0).to(dtype)
    boxed = network.tables(lattice, replicas, CPU, dtype)
    assert isinstance(boxed, Boxed)
    found = outcome(network, state, boxed)
    expected = outcome(network, state, network.neighbours(lattice, replicas, CPU, dtype))
    return {
        name: float((found[name] - value).abs().max() / value.abs().max().clamp_min(1e-30))
        for name, value in expected.items()
    }


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_both_routes_are_equal(lattice: Lattice) -> None:
    """Sums over at most ~1e3 sites of products of at most ~1e2: rounding of 1e-16 grows to less than 1e-10."""
    found = distances(perturbed(lattice), lattice, 2, torch.float64)
    assert max(found.values()) < 1e-10, found


@pytest.mark.parametrize("channels", [1, 8, 9, 16])
def test_any_number_of_channels(channels: int) -> None:
    lattice = Lattice.triangular(4, 5)
    found = distances(perturbed(lattice, channels=channels), lattice, 1, torch.float64)
    assert max(found.values()) < 1e-10, found


def test_single_precision() -> None:
    """The same sums round at 6e-8: 1e-4 leaves three digits for their growth."""
    lattice = Lattice.triangular(12, 12)
    found = distances(perturbed(lattice, channels=8), lattice, 1, torch.float32)
    assert max(found.values()) < 1e-4, found


def test_threads_do_not_change_a_bit() -> None:
    """Boxes are independent, and what they leave in rims is added in one order, however they are shared out."""
    lattice = Lattice.triangular(40, 30)
    network, state = perturbed(lattice), spins.random(lattice, seed=0).float()
    before = torch.get_num_threads()
    try:
        fields = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            fields.append(network.on(lattice)(state).field)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*fields)


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_every_site_is_owned_once_and_bonds_are_shifts(lattice: Lattice) -> None:
    network = Network(NetworkSettings(), lattice)
    boxes = Boxes.of(lattice, network.directions, replicas=2)
    assert boxes is not None
    assert boxes.site.shape == (len(boxes), STRIDE)
    assert sorted(boxes.site[boxes.inside].tolist()) == list(range(2 * lattice.n_sites))
    neighbour, present = network.directions.neighbours(lattice)
    for box in range(len(boxes)):
        for place in boxes.inside[box].nonzero()[0]:
            replica, site = divmod(int(boxes.site[box, place]), lattice.n_sites)
            sublattice = site % lattice.n_basis
            for row, direction in enumerate(boxes.crystal.order):
                assert boxes.crystal.present[sublattice, row] == present[direction, site]
                if present[direction, site]:
                    there = boxes.site[box, place + boxes.shift[sublattice, row]]
                    assert there == replica * lattice.n_sites + neighbour[direction, site]


def test_a_box_too_small_for_a_cell_leaves_it_to_tensor_operations() -> None:
    """A crystal with many sublattices does not fit; the field is the same from tables of neighbours."""
    chain = Lattice.crystal([[40.0]], [[float(k)] for k in range(40)], (2,), name="long cell")
    network = Network(NetworkSettings(layers=1, channels=2), chain)
    assert isinstance(network.tables(chain, 1, CPU, torch.float32), Tables)
    assert torch.isfinite(network.on(chain)(spins.random(chain, seed=0)).field).all()


R = 0.5**0.5
MANY = {  # more than six bond directions
    "bcc": Lattice.crystal([[-1, 1, 1], [1, -1, 1], [1, 1, -1]], [[0, 0, 0]], (3, 3, 3)),
    "fcc": Lattice.crystal([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [[0, 0, 0]], (3, 3, 3)),
    "diamond": Lattice.crystal([[0, 2, 2], [2, 0, 2], [2, 2, 0]], [[0, 0, 0], [1, 1, 1]], (3, 3, 3)),
    "pyrochlore": Lattice.crystal(
        [[0, 2, 2], [2, 0, 2], [2, 2, 0]], [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]], (2, 2, 3)
    ),
    "squares and octagons": Lattice.crystal(
        [[1 + 2 * R, 0], [0, 1 + 2 * R]], [[R, 0], [0, R], [-R, 0], [0, -R]], (3, 3)
    ),
}


@pytest.mark.parametrize("lattice", MANY.values(), ids=MANY)
def test_more_directions_than_the_loops_know_are_refused(lattice: Lattice) -> None:
    """What is refused is what goes wrong: the loops themselves miss the energies of tensor operations altogether."""
    network = perturbed(lattice, layers=1, channels=2)
    assert len(network.directions) > MOST_DIRECTIONS
    field = network.on(lattice)
    with pytest.raises(UserError, match=r"bond directions on the CPU.*at most 6 directions.*cubic"):
        field(spins.random(lattice).float())
    boxes = Boxes.of(lattice, network.directions, 1)
    assert boxes is not None
    state = spins.random(lattice, seed=0)[0]
    expected = network(state, network.neighbours(lattice, 1, CPU, torch.float64))
    found = network(state, Boxed(boxes, np.dtype(np.float64)))
    assert float((found - expected).detach().norm()) > 0.1 * float(expected.detach().norm())


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_no_other_crystal_is_refused(lattice: Lattice) -> None:
    network = Network(NetworkSettings(layers=1, channels=1), lattice)
    assert len(network.directions) <= MOST_DIRECTIONS
    assert isinstance(network.tables(lattice, 1, CPU, torch.float64), Boxed)


def test_crystals_of_many_directions_that_are_not_cut_into_boxes_take_tensor_operations() -> None:
    """A body-centred lattice in a skewed cell, whose bonds reach beyond the next cell, is the same lattice."""
    lattice = Lattice.crystal([[-1, 1, 1], [1, -1, 1], [1, 1, -1]], [[0, 0, 0]], (4, 4, 4))
    skewed = Lattice.crystal([[-1, 1, 1], [1, -1, 1], [-1, 3, 1]], [[0, 0, 0]], (4, 4, 4))
    network = perturbed(lattice, layers=1, channels=2)
    tables = network.tables(skewed, 1, CPU, torch.float64)
    assert isinstance(tables, Tables)
    state = spins.random(lattice, seed=0)[0]
    same = network(state, network.neighbours(lattice, 1, CPU, torch.float64))
    energies = network(state[lattice.find(skewed.positions)], tables)
    torch.testing.assert_close(energies, same[lattice.find(skewed.positions)], rtol=0, atol=1e-12)
