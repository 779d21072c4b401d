"""Tiles of large crystals against the crystal in one piece."""

from __future__ import annotations

import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.nn import Network, NetworkField, NetworkSettings, bound
from sdgnn.nn.tiles import tiles

LATTICES = [
    Lattice.chain(150),
    Lattice.square(40, 9),
    Lattice.triangular(41, 37),
    Lattice.kagome(23, 5),
    Lattice.cubic(30, 4, 4),
]


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_tiles_are_equal_to_the_whole(lattice: Lattice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Float64, and fields of size 1: sums in another order differ by less than 1e-12."""
    network = Network(NetworkSettings(layers=1, channels=2), lattice, seed=1)
    state = spins.random(lattice, replicas=2, seed=0)
    whole = network.on(lattice, torch.float64)(state)
    monkeypatch.setattr(bound, "tiles", lambda lattice, reach: tiles(lattice, reach, lattice.n_sites * 3 // 4))
    field = network.on(lattice, torch.float64)
    small, parts = field._tiles
    assert len(parts) > 1 and small.lattice.n_sites <= lattice.n_sites * 3 // 4
    tiled = field(state)
    assert (tiled.field - whole.field).abs().max() < 1e-12
    assert (tiled.energy - whole.energy).abs().max() < 1e-12 * lattice.n_sites


@pytest.mark.parametrize("lattice", [LATTICES[0], LATTICES[2], LATTICES[4]], ids=repr)
def test_margins_are_needed(lattice: Lattice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control: margins for a quarter of the reach give other fields."""
    network = Network(NetworkSettings(layers=1, channels=2), lattice, seed=1)
    state = spins.random(lattice, seed=0)
    whole = network.on(lattice, torch.float64)(state)
    monkeypatch.setattr(bound, "tiles", lambda lattice, reach: tiles(lattice, reach / 4, lattice.n_sites * 3 // 4))
    assert (network.on(lattice, torch.float64)(state).field - whole.field).abs().max() > 1e-9


def test_cores_cover_every_site_once() -> None:
    lattice = Lattice.kagome(60, 50)
    small, parts = tiles(lattice, reach=3, largest=4000)
    assert small.n_sites <= 4000
    assert sorted(site for tile in parts for site in tile.sites[tile.core]) == list(range(lattice.n_sites))


def test_small_lattices_stay_whole() -> None:
    lattice = Lattice.square(12, 12)
    assert tiles(lattice, reach=5) == (lattice, [])
    assert isinstance(Network(NetworkSettings(), lattice).on(lattice)._tiles[0], NetworkField)
