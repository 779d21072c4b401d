"""Floors beside errors: at the halo of each field, for each kind of states, and over all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.analysis.locality.ensembles import Independent
from sdgnn.cli.commands.floors import ensembles_of, field_halo, with_floors
from sdgnn.cli.config.locality import FloorConfig
from sdgnn.data import LabelSet
from sdgnn.data.labels import Origin
from sdgnn.fields import Heisenberg, Zeeman
from sdgnn.nn import EquivariantSettings, create
from sdgnn.nn.settings import BehlerParrinelloSettings, DistancesSettings
from sdgnn.train import compare

LATTICE = Lattice.triangular(8, 8)
TRUE = Heisenberg(LATTICE, [1.0, 0.5])
NAMES = ("random", "tetrahedral noise 0.2")


@pytest.fixture(scope="module")
def labels() -> LabelSet:
    """Three random states and one noisy tetrahedral one, labelled by two shells of a Heisenberg model."""
    noisy = spins.noisy(spins.tetrahedral(LATTICE), 0.2)
    states = torch.cat([spins.random(LATTICE, 3), noisy])
    protocols = (
        {"protocol": "random", "states": 3},
        {"protocol": "noisy_order", "order": "tetrahedral", "strengths": [0.2], "states": 1},
        {"protocol": "snapshots", "runs": 1},
    )
    return LabelSet(
        LATTICE, states, TRUE(states).field, protocol=(NAMES[0],) * 3 + (NAMES[1],),
        origin=Origin(protocols=protocols),
    )  # fmt: skip


def test_halo_of_every_kind_of_field() -> None:
    assert field_halo(Heisenberg(LATTICE, [1.0, 0.1, 0.1])) == pytest.approx(2)
    assert field_halo(Zeeman(LATTICE, field=(0, 0, 1.0))) is None
    for settings, halo in (
        (EquivariantSettings(layers=2, channels=2), 6),
        (BehlerParrinelloSettings(shells=2), 2 * 3**0.5),
        (DistancesSettings(layers=2, channels=2, shells=1), 4),
    ):
        assert field_halo(create(settings, LATTICE).on(LATTICE)) == pytest.approx(halo)


def test_ensembles_are_those_with_a_known_law(labels: LabelSet) -> None:
    ensembles = ensembles_of(labels)
    assert set(ensembles) == set(NAMES)
    random, noisy = (ensembles[name].environment(LATTICE, 0) for name in NAMES[:2])
    torch.testing.assert_close(random, spins.random(LATTICE, 1, 0)[0], rtol=0, atol=0)
    torch.testing.assert_close(noisy, spins.noisy(spins.tetrahedral(LATTICE), 0.2, 0)[0], rtol=0, atol=0)


def test_floors_in_closed_form(labels: LabelSet) -> None:
    """One shell leaves out z_2 J_2^2 2/9 on random spins; two shells leave out nothing."""
    fields = {"near": Heisenberg(LATTICE, [1.0]), "both": TRUE, "far": Heisenberg(LATTICE, [1.0] * 12)}
    sampling = FloorConfig(environments=30, redraws=12)
    errors = with_floors(compare(fields, labels), fields, labels, TRUE, ensembles_of(labels), sampling)
    random, ordered, both = (errors.floors["near", name] for name in (*NAMES, "all"))
    expected = float(np.sqrt(6 * 0.5**2 * 2 / 9))
    assert abs(random.rmse - expected) < 4 * random.error
    # the one-shell model with the right coupling is the best there is: its error is the floor, up to 3 states' noise
    assert errors["near", "random"].torque_rmse == pytest.approx(random.rmse, rel=0.15)
    assert both.rmse**2 == pytest.approx((3 * random.rmse**2 + ordered.rmse**2) / 4)
    assert both.rms**2 == pytest.approx((3 * random.rms**2 + ordered.rms**2) / 4)
    assert errors.floors["both", "all"].rmse == pytest.approx(0, abs=1e-12)
    assert not any(name == "far" for name, _ in errors.floors), "further than half the lattice"
    rows = {(row["field"], row["protocol"]): row for row in errors.to_dict()}
    assert rows["near", "random"]["floor_torque_r2"] == pytest.approx(random.r2)
    assert "floor_torque_r2" not in rows["far", "all"]


def test_states_without_a_law_have_no_floor(labels: LabelSet) -> None:
    fields = {"both": TRUE}
    random = {"random": Independent(spins.random)}
    errors = with_floors(compare(fields, labels), fields, labels, TRUE, random, FloorConfig())
    assert set(errors.floors) == {("both", "random")}
