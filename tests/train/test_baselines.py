"""Heisenberg fits recover known couplings, are the optimum otherwise, and are compared in one table."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.labels import heisenberg_labels
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.fields import DistanceHeisenberg, Heisenberg
from sdgnn.train import (
    baselines_on,
    compare,
    compare_all,
    fit_distance_heisenberg,
    fit_heisenberg,
    judge,
    torque_part,
)
from sdgnn.train.baselines import baselines


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=3), st.integers(0, 100))
def test_recovers_the_couplings_that_made_the_labels(couplings, seed):
    """Exactly linear: rounding alone (condition number of the normal equations below 10, so 1e-12 of order 1)."""
    labels = heisenberg_labels((8, 8), 2, seed, couplings)
    assert np.allclose(fit_heisenberg(labels, len(couplings)).couplings, couplings, atol=1e-12)


def test_uses_all_sets_of_several_sizes():
    sets = [heisenberg_labels((8, 8), 1, 0), heisenberg_labels((7, 9), 2, 1)]
    fit = fit_heisenberg(sets, 3)
    assert np.allclose(fit.couplings, [-0.1, 0.03, 0], atol=1e-12)
    assert fit.lattice.n_sites == 64


def test_small_lattices_that_confuse_shells_still_fit():
    """On 2 x 2 several shells reach the same sites; the couplings are not unique but the torque is exact."""
    labels = heisenberg_labels((2, 2), 5, 0)
    assert judge(fit_heisenberg(labels, 3), labels).torque_r2 == pytest.approx(1, abs=1e-12)


def test_is_the_least_squares_optimum_on_exact_labels():
    """Every change of a coupling makes the torque error larger, and more shells make it smaller."""
    lattice = Lattice.triangular(6, 6)
    states = spins.random(lattice, 4, seed=3)
    result = ExactField(SDModel(lattice, exchange=3.0), kT=0.1, filling=0.25)(states)
    labels = LabelSet(lattice, states, result.field, result.energy)
    fits = [fit_heisenberg(labels, shells) for shells in (1, 2, 5)]
    errors = [judge(fit, labels).torque_rmse for fit in fits]
    assert errors[0] > errors[1] > errors[2]
    for n in range(2):
        for change in (-1e-3, 1e-3):
            moved = list(fits[1].couplings)
            moved[n] += change
            assert judge(Heisenberg(lattice, moved), labels).torque_rmse > errors[1]


def test_time_reversal_leaves_the_fit():
    labels = heisenberg_labels((4, 4), 3, 5)
    flipped = replace(labels, spins=-labels.spins, field=-labels.field)
    assert np.allclose(fit_heisenberg(flipped, 2).couplings, fit_heisenberg(labels, 2).couplings, atol=1e-14)


def test_comparison_by_protocol():
    """Labels of two models under two names: each model is perfect on its own protocol alone."""
    lattice = Lattice.triangular(4, 4)
    states = spins.random(lattice, 4, seed=1)
    a, b = Heisenberg(lattice, [0.1]), Heisenberg(lattice, [-0.1])
    labels = LabelSet(
        lattice, states, torch.cat([a(states[:2]).field, b(states[2:]).field]), protocol=("a", "a", "b", "b")
    )
    table = compare({"first": a, "second": b}, labels)
    assert table["first", "a"].torque_r2 == 1 == table["second", "b"].torque_r2
    assert table["first", "b"].torque_r2 == pytest.approx(-3)
    assert table["first", "all"].n_states == 4
    assert len(json.loads(json.dumps(table.to_dict(), allow_nan=False))) == 6
    text = io.StringIO()
    Console(file=text, width=120).print(table.table("held-out states"))
    assert "b (2)" in text.getvalue() and "-3.0000" in text.getvalue()
    with pytest.raises(UserError, match="no row"):
        table["third", "all"]


def test_standard_baselines_live_on_the_lattice_asked_for():
    training = [heisenberg_labels((4, 6), 4, 0)]
    larger = heisenberg_labels((8, 8), 2, 1)
    table = compare(baselines(training, larger.lattice), larger)
    assert table["Heisenberg, 5 shells", "all"].torque_r2 > table["Heisenberg, 1 shell", "all"].torque_r2
    assert table["Heisenberg, 1 shell", "all"].n_sites == 64


def amorphous_labels(seed: int, sites: int = 40) -> LabelSet:
    """Random states on amorphous positions labelled by couplings that lie among those that are fitted."""
    lattice = Lattice.amorphous(sites, seed=seed)
    states = spins.random(lattice, 3, seed)
    result = DistanceHeisenberg(lattice, [0.9, 1.2], [0.5, -0.2], cutoff=1.5)(states)
    return LabelSet(lattice, states, result.field, result.energy)


def test_couplings_of_distance_are_recovered_on_several_lattices():
    """Exactly linear; piecewise linear couplings with knots among the fitted ones are met to rounding."""
    fit = fit_distance_heisenberg([amorphous_labels(seed) for seed in range(3)], cutoff=1.5)
    assert np.allclose(fit.distances, [0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4])
    expected = np.interp(fit.distances, [0.9, 1.2, 1.5], [0.5, -0.2, 0.0])
    assert np.allclose(fit.couplings, expected, atol=1e-9)


def test_baselines_where_there_are_no_shells():
    """On other positions than those of the fit, and of the lattices asked for each has those that it allows."""
    training = [amorphous_labels(seed) for seed in range(3)]
    crystal, other = Lattice.triangular(4, 4), amorphous_labels(9)
    on_crystal, elsewhere = baselines_on(training, [crystal, other.lattice])
    assert on_crystal == {}
    assert list(elsewhere) == ["Heisenberg, J(r) to 1.5", "Heisenberg, J(r) to 3"]
    for field in elsewhere.values():
        assert judge(field, other).torque_r2 == pytest.approx(1, abs=1e-9)
    on_crystal, elsewhere = baselines_on([*training, heisenberg_labels((4, 4), 2, 0)], [crystal, other.lattice])
    assert list(on_crystal) == ["Heisenberg, 1 shell", "Heisenberg, 5 shells"]


def test_several_lattices_are_judged_as_one_set():
    """Sums over all states; here of a perfect and of a vanishing field on two lattices of unequal size."""
    sets = [amorphous_labels(0), amorphous_labels(1, sites=20)]
    fields = [DistanceHeisenberg(labels.lattice, [0.9, 1.2], [j, -0.4 * j], 1.5) for labels, j in zip(sets, (0.5, 0))]
    table = compare_all([({"field": field}, labels) for field, labels in zip(fields, sets)])
    torques = [float(torque_part(labels.field, labels.spins).square().sum()) for labels in sets]
    assert table["field", "all"].torque_r2 == pytest.approx(torques[0] / sum(torques))
    assert (table["field", "all"].n_states, table["field", "all"].n_sites) == (6, 40)


def test_bad_input():
    labels = heisenberg_labels((4, 4), 2, 0)
    with pytest.raises(UserError, match="at least one of each"):
        fit_heisenberg([], 1)
    with pytest.raises(UserError, match="0 shells"):
        fit_heisenberg(labels, 0)
    with pytest.raises(UserError, match="without states"):
        fit_heisenberg(labels[:0], 1)
    square = Lattice.square(4, 4)
    states = spins.random(square, 1, seed=0)
    other = LabelSet(square, states, Heisenberg(square, [1.0])(states).field)
    with pytest.raises(UserError, match="one family"):
        fit_heisenberg([labels, other], 1)
    with pytest.raises(UserError, match="cutoff"):
        fit_distance_heisenberg(labels, 0.8)
