"""Weights of named orders: perfect, of other orders, noisy, in domains, on lattices with several sites per cell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice, spins
from sdgnn.analysis import bragg_weight, fitting_orders, order_peaks, order_weight, order_weights
from sdgnn.analysis.orders.bragg import PEAKS
from sdgnn.common.errors import UserError

LATTICES = {
    "chain": Lattice.chain(8),
    "square": Lattice.square(4, 6),
    "triangular": Lattice.triangular(6, 6),
    "honeycomb": Lattice.honeycomb(4, 6),
    "kagome": Lattice.kagome(3, 6),
    "cubic": Lattice.cubic(4, 2, 4),
}
FIT = {
    "chain": {"ferro", "neel"},
    "square": {"ferro", "neel", "stripe"},
    "triangular": {"ferro", "stripe", "order120", "tetrahedral"},
    "honeycomb": {"ferro", "neel", "zigzag", "stripy"},
    "kagome": {"ferro", "q0", "sqrt3"},
    "cubic": {"ferro", "neel", "a_type", "c_type"},
}


@pytest.mark.parametrize("family", LATTICES)
def test_every_order_has_its_own_weight_and_no_other(family, rotation):
    """1 in the perfect order, however turned and shifted; 0 in all others, but stripes and tetrahedral order share
    their modes."""
    lattice = LATTICES[family]
    assert set(fitting_orders(lattice)) == FIT[family]
    move = lattice.translation(*[1] * lattice.dim)
    for name in FIT[family]:
        state = getattr(spins, name)(lattice)[:, move] @ rotation.T
        found = order_weights(state, lattice)
        assert float(found[name]) == pytest.approx(1, abs=1e-12)
        for other in FIT[family] - {name}:
            assert float(found[other]) == pytest.approx(float({name, other} == {"stripe", "tetrahedral"}), abs=1e-12)


def test_with_one_site_per_cell_it_is_the_bragg_weight():
    for family, name in itertools.product(("square", "triangular", "cubic"), PEAKS):
        lattice = LATTICES[family]
        if name in FIT[family]:
            state = spins.random(lattice, 3, seed=1)
            expected = bragg_weight(state, lattice, order_peaks(name, lattice))
            torch.testing.assert_close(order_weight(state, lattice, name), expected)


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("sqrt3", [spins.sqrt3(LATTICES["kagome"], chi) for chi in (1, -1)]),
        ("q0", [spins.q0(LATTICES["kagome"], chi) for chi in (1, -1)]),
        ("zigzag", [spins.zigzag(LATTICES["honeycomb"], bond) for bond in range(3)]),
        ("stripy", [spins.stripy(LATTICES["honeycomb"], bond) for bond in range(3)]),
        ("c_type", [spins.c_type(LATTICES["cubic"], axis) for axis in range(3)]),
    ],
)
def test_directions_and_chiralities_count_alike(name, states):
    lattice = LATTICES[{"sqrt3": "kagome", "q0": "kagome", "c_type": "cubic"}.get(name, "honeycomb")]
    assert order_weight(torch.cat(states), lattice, name).numpy() == pytest.approx(1, abs=1e-12)


def test_kagome_noise_takes_weight_away():
    """With <S> = m S_0 the weight is m^2, to 1/N for each of the modes."""
    lattice = Lattice.kagome(12, 12)
    order = spins.sqrt3(lattice)
    noisy = spins.noisy(order.repeat(4, 1, 1), 0.4, seed=1)
    m = float((noisy * order).sum(-1).mean())
    found = order_weights(noisy, lattice)
    assert found["sqrt3"].mean().item() == pytest.approx(m**2, rel=0.01)
    assert max(float(weight.max()) for name, weight in found.items() if name != "sqrt3") < 0.02
    chance = order_weight(spins.random(lattice, 200, seed=2), lattice, "sqrt3")
    assert chance.mean().item() == pytest.approx(2 / 432, rel=0.1)  # two modes


def test_measured_by_name_in_a_run():
    lattice = Lattice.honeycomb(4, 4)
    field = sdgnn.fields.Heisenberg(lattice, [0.2, -0.3, -1.0])
    watch = [sdgnn.analysis.observer("spins", lattice, every=5)]
    step = sdgnn.Heun(dt=0.1, damping=0.5)
    run = sdgnn.simulate(field, spins.noisy(spins.zigzag(lattice), 0.3), step, 10, observers=watch)
    found = sdgnn.measure(run, "zigzag", "neel")
    assert found["zigzag"].values[-1] > found["zigzag"].values[0] > 0.5 > found["neel"].values.max()
    with pytest.raises(UserError, match="kagome"):
        sdgnn.measure(run, "sqrt3")


def test_errors():
    with pytest.raises(UserError, match="did you mean 'zigzag'"):
        order_weight(spins.random(LATTICES["honeycomb"]), LATTICES["honeycomb"], "zigzg")
    with pytest.raises(UserError, match="multiples of 3"):
        order_weight(spins.random(Lattice.kagome(2, 3)), Lattice.kagome(2, 3), "sqrt3")
    with pytest.raises(UserError, match="crystals"):
        order_weights(spins.random(Lattice.amorphous(9)), Lattice.amorphous(9))
    assert np.allclose(order_peaks("zigzag", LATTICES["honeycomb"]).shape, (3, 2))
