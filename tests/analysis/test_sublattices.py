"""The magnetic cell is that of the order, in any frame, with domains and noise; and sublattices follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis import order_cell, sublattices
from sdgnn.analysis.orders.bragg import order_peaks
from sdgnn.analysis.orders.sublattices import cells
from sdgnn.common.errors import UserError

AXES = torch.eye(3, dtype=torch.float64)


def rotated(spins: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """The state in another frame."""
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))
    return spins @ turn.T


def waves(lattice: Lattice, order: str) -> torch.Tensor:
    """Spins (site, 3) with the peaks of an order: a cosine of each wave vector along an axis of its own."""
    phase = lattice.positions @ order_peaks(order, lattice).T
    if order == "order120":
        phase = np.stack([phase[:, 0], phase[:, 0] - np.pi / 2], -1)
    parts = torch.from_numpy(np.cos(phase))
    spins = parts @ AXES[: parts.shape[1]]
    return spins / spins.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize(
    ("order", "lattice", "count"),
    [
        ("ferro", Lattice.square(6, 6), 1),
        ("neel", Lattice.square(6, 6), 2),
        ("neel", Lattice.cubic(4, 4, 4), 2),
        ("neel", Lattice.chain(6), 2),
        ("order120", Lattice.triangular(6, 6), 3),
        ("tetrahedral", Lattice.triangular(6, 6), 4),
        ("ferro", Lattice.kagome(3, 3), 1),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_order_has_its_cell(order: str, lattice: Lattice, count: int) -> None:
    """One direction on each sublattice, and no smaller cell does that: sublattices have different directions."""
    state = rotated(waves(lattice, order))
    noisy = sdgnn.spins.noisy(state[None], 0.2, seed=1)
    for spins in (state[None], noisy):
        cell = order_cell(spins, lattice)
        assert cell is not None and np.prod(np.diag(cell)) == count
        place = sublattices(cell, lattice)
        assert np.bincount(place).tolist() == [lattice.n_sites // (count * lattice.n_basis)] * count * lattice.n_basis
    means = torch.stack([state[torch.from_numpy(place == k)].mean(0) for k in range(place.max() + 1)])
    assert torch.allclose(means.norm(dim=-1), torch.ones(len(means), dtype=torch.float64))
    if lattice.n_basis == 1:
        assert len({tuple(np.round(mean.tolist(), 6)) for mean in means}) == count


def test_domains_do_not_enlarge_the_cell() -> None:
    """Half of the lattice carries the opposite chirality, in a frame of its own."""
    lattice = Lattice.triangular(24, 24)
    state = waves(lattice, "tetrahedral")
    left = torch.from_numpy(lattice.cells()[:, 0] < 12)[:, None]
    mixed = torch.where(left, state, rotated(-state, 3))
    cell = order_cell(mixed[None], lattice)
    assert cell == ((2, 0), (0, 2))


def test_disorder_has_no_cell() -> None:
    for lattice in (Lattice.triangular(12, 12), Lattice.honeycomb(2, 2), Lattice.triangular(2, 2)):
        assert order_cell(sdgnn.spins.random(lattice, 1, seed=0), lattice) is None
    with pytest.raises(UserError):
        order_cell(torch.ones(1, 9, 3) / 3**0.5, Lattice.amorphous(9, seed=0))


def test_cells_are_all_sublattices_of_translations() -> None:
    """Of the square lattice of index n there are sigma(n), the sum of the divisors of n: 1, 3, 4, 7, 6, 12."""
    found = [int(np.prod(np.diag(cell))) for cell in cells((60, 60))]
    assert np.bincount(found)[1:].tolist() == [1, 3, 4, 7, 6, 12]
