"""Predicted errors have the true size where the assumption holds, and grow outside the states that were trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.labels import heisenberg_labels

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.fields import Heisenberg
from sdgnn.nn import EquivariantNetwork, EquivariantSettings
from sdgnn.nn.committee import Committee
from sdgnn.train import TrainSettings
from sdgnn.train.loop import fit
from sdgnn.train.reliability import calibrate, errors, measure, reliability


def synthetic(factor: float, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Deviations d and errors with three normal components of variance (factor d)^2 + common^2, 40000 sites."""
    draw = np.random.default_rng(1)
    deviation = draw.lognormal(-3, 0.7, (400, 100))
    spread = np.hypot(factor * deviation, common)
    return deviation, np.sqrt(np.square(spread[..., None] * draw.normal(size=(400, 100, 3))).mean(-1))


@pytest.mark.parametrize(("factor", "common"), [(0.3, 0.02), (1.0, 0.03), (4.0, 0.1)])
def test_a_known_law_is_recovered(factor: float, common: float) -> None:
    """The squares of 120000 normal numbers: a relative error of sqrt(2 / 120000) / 2 = 0.2 % of an rms, and a few times
    that for each of two parameters that share it."""
    found = measure(*synthetic(factor, common))
    assert found.factor == pytest.approx(factor, rel=0.02)
    assert found.common == pytest.approx(common, rel=0.02)
    curve = found.held_out
    assert curve.ratio == pytest.approx(1.0, rel=1e-6)
    assert np.allclose(curve.predicted, curve.true, rtol=0.05)
    assert list(curve.predicted) == sorted(curve.predicted)
    assert curve.correlation > 0.3
    assert curve.states == 400


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_without_common_errors_the_factor_is_the_scale(factor: float) -> None:
    deviation, true = synthetic(factor, 0.0)
    found = measure(deviation, true)
    assert found.factor == pytest.approx(factor, rel=0.01)
    assert found.common < 0.05 * factor * deviation.mean()
    assert found.limit == pytest.approx(np.quantile(factor * deviation, 0.99), rel=0.02)


def test_deviations_that_say_nothing_are_told_from_ones_that_do() -> None:
    """Positive control of the correlation: predicted errors hardly vary, or are those of the deviations alone."""
    draw = np.random.default_rng(2)
    deviation = draw.lognormal(-3, 0.7, (100, 100))
    found = measure(deviation, np.abs(draw.normal(size=(100, 100))))
    assert abs(found.held_out.correlation) < 0.05
    assert found.common == 0 or found.held_out.predicted[-1] < 1.5 * found.held_out.predicted[0]


def test_members_that_agree_exactly_are_refused() -> None:
    with pytest.raises(UserError, match="agree exactly"):
        measure(np.zeros((2, 3)), np.ones((2, 3)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Committee:
    """Three networks that have seen nearly ferromagnetic states alone."""
    folder = tmp_path_factory.mktemp("committee")
    labels = ordered_labels(40, seed=0)
    members = []
    for seed in range(3):
        network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2, bond_functions=3), labels.lattice, seed)
        settings = TrainSettings(epochs=6, batch=4, learning_rate=3e-2, seed=seed)
        members.append(fit(network, [labels[:32]], [labels[32:]], settings, folder / str(seed)))
    return Committee(members)


def ordered_labels(states: int, seed: int) -> LabelSet:
    lattice = Lattice.triangular(4, 4)
    noisy = spins.noisy(spins.ferro(lattice).expand(states, -1, -1), 0.2, seed)
    result = Heisenberg(lattice, [-0.1, 0.03])(noisy)
    return LabelSet(lattice, noisy, result.field, result.energy)


def test_uncertainty_is_larger_outside_the_states_that_were_trained(trained: Committee) -> None:
    held_out, random = ordered_labels(10, seed=7), heisenberg_labels((4, 4), 10, seed=8)
    calibrated = calibrate(trained, held_out)
    inside, true_inside = errors(calibrated, held_out)
    outside, true_outside = errors(calibrated, random)
    assert np.square(inside).mean() == pytest.approx(np.square(true_inside).mean(), rel=1e-6)
    assert np.sqrt(np.square(outside).mean()) > 3 * np.sqrt(np.square(inside).mean())
    assert np.sqrt(np.square(true_outside).mean()) > 3 * np.sqrt(np.square(true_inside).mean())
    assert (outside > calibrated.calibration.limit).mean() > 0.3
    assert reliability(calibrated, random).ratio == pytest.approx(
        np.sqrt(np.square(true_outside).mean() / np.square(outside).mean()), rel=1e-6
    )
    assert (inside > calibrated.calibration.limit).mean() <= 0.02


def test_reliability_of_the_calibration_itself_is_one(trained: Committee) -> None:
    held_out = ordered_labels(10, seed=7)
    calibrated = calibrate(trained, held_out)
    assert reliability(calibrated, held_out).ratio == pytest.approx(1.0, rel=1e-5)
    again = calibrate(calibrated, held_out)
    assert again.calibration.factor == pytest.approx(calibrated.calibration.factor, rel=1e-6)
    assert torch.equal(again.constant, calibrated.constant)
