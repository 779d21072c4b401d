"""Weights and overlaps of orders that are perfect, noisy, wrong or reached by annealing."""

from __future__ import annotations

import pytest

import sdgnn
from sdgnn import Lattice
from sdgnn.analysis.orders.bragg import PEAKS, bragg_weight, order_peaks, overlap
from sdgnn.common.errors import UserError
from sdgnn.dynamics import Heun, simulate
from sdgnn.fields import Heisenberg

STATES = {
    ("neel", "square"): (Lattice.square(6, 8), sdgnn.spins.neel),
    ("neel", "chain"): (Lattice.chain(10), sdgnn.spins.neel),
    ("neel", "cubic"): (Lattice.cubic(4, 4, 6), sdgnn.spins.neel),
    ("order120", "triangular"): (Lattice.triangular(6, 9), sdgnn.spins.order120),
    ("tetrahedral", "triangular"): (Lattice.triangular(6, 8), sdgnn.spins.tetrahedral),
    ("ferro", "kagome"): (Lattice.kagome(3, 3), sdgnn.spins.ferro),
}


@pytest.mark.parametrize(("order", "family"), STATES)
def test_perfect_orders_have_all_weight(order, family, rotation):
    lattice, make = STATES[order, family]
    spins = make(lattice) @ rotation.T
    assert bragg_weight(spins, lattice, order_peaks(order, lattice)).item() == pytest.approx(1, abs=1e-12)
    assert overlap(spins, make(lattice)[0]).item() == pytest.approx(1, abs=1e-12)
    for other in PEAKS:
        if other != order and family in PEAKS[other] and (other, order) != ("stripe", "tetrahedral"):
            try:
                peaks = order_peaks(other, lattice)
            except UserError:
                continue  # does not fit this extent
            assert bragg_weight(spins, lattice, peaks).item() < 1e-12


def test_noise_takes_weight_and_random_states_have_none():
    """With <S> = m S_0 the weight is m^2 + (1 - m^2) / N per peak; of random spins 1 / N per peak."""
    lattice = Lattice.square(24, 24)
    peaks = order_peaks("neel", lattice)
    neel = sdgnn.spins.neel(lattice)
    spins = sdgnn.spins.noisy(neel.repeat(16, 1, 1), 0.3, seed=1)
    m = float((spins * neel).sum(-1).mean())
    assert bragg_weight(spins, lattice, peaks).mean().item() == pytest.approx(m**2 + (1 - m**2) / 576, rel=0.01)
    chance = bragg_weight(sdgnn.spins.random(lattice, replicas=400, seed=2), lattice, peaks)
    assert chance.mean().item() == pytest.approx(1 / 576, rel=0.2)


def test_two_domains_share_the_weight():
    """Half of a Neel state reversed: no weight at the peak, all of it in the peak's neighbours."""
    lattice = Lattice.square(16, 16)
    spins = sdgnn.spins.neel(lattice).clone()
    spins[:, :128] *= -1
    assert bragg_weight(spins, lattice, order_peaks("neel", lattice)).item() == pytest.approx(0, abs=1e-12)


def test_overlap_tells_chiralities_apart(rotation):
    """The opposite tetrahedral order is no rotation of the first: the mean of S S_ref^T is -1/3 of unity."""
    lattice = Lattice.triangular(4, 4)
    reference = sdgnn.spins.tetrahedral(lattice)[0]
    opposite = -reference[None] @ rotation.T
    assert overlap(opposite, reference).item() == pytest.approx(1 / 3, abs=1e-12)
    assert overlap(opposite, reference, improper=True).item() == pytest.approx(1, abs=1e-12)


def test_overlap_is_the_best_of_many_rotations():
    spins = sdgnn.spins.random(Lattice.square(3, 3), replicas=1, seed=0)
    reference = sdgnn.spins.random(Lattice.square(3, 3), replicas=1, seed=1)[0]
    turned = sdgnn.spins.rotate_randomly(reference[None].repeat(4000, 1, 1), seed=2)
    tried = (turned * spins).sum((1, 2)) / 9
    best = overlap(spins, reference).item()
    assert tried.max() <= best + 1e-12 and best - float(tried.max()) < 0.05


@pytest.mark.parametrize(
    ("lattice", "order"), [(Lattice.square(8, 8), "neel"), (Lattice.triangular(6, 6), "order120")], ids=["neel", "120"]
)
def test_annealing_reaches_the_order_of_an_antiferromagnet(lattice, order):
    """Nearest neighbours J = -1, cooled from random states: the ground states of both lattices."""
    field = Heisenberg(lattice, [-1.0])
    spins = sdgnn.spins.random(lattice, replicas=4, seed=3)
    before = bragg_weight(spins, lattice, order_peaks(order, lattice))
    for kT in (0.3, 0.1, 0.0):
        spins = simulate(field, spins, Heun(dt=0.1, damping=0.5, kT=kT), 500, seed=1, observers=[]).spins
    after = bragg_weight(spins, lattice, order_peaks(order, lattice))
    assert before.max() < 0.3 and after.median() > 0.98
    energy = {"neel": -2.0, "order120": -1.5}[order]
    assert float(field(spins).energy.median()) / lattice.n_sites == pytest.approx(energy, abs=0.02)


def test_errors():
    triangular = Lattice.triangular(6, 6)
    with pytest.raises(UserError, match="ferro, neel"):
        order_peaks("nel", triangular)
    with pytest.raises(UserError, match="lattices chain, square, cubic"):
        order_peaks("neel", triangular)
    with pytest.raises(UserError, match="multiple of the order's cell"):
        order_peaks("order120", Lattice.triangular(4, 6))
    with pytest.raises(UserError, match="overlap"):
        overlap(sdgnn.spins.random(triangular), sdgnn.spins.random(Lattice.square(3, 3))[0])
