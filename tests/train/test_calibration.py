"""Predicted errors have the true size where the assumption holds, and grow outside the states that were trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train.helpers import heisenberg_labels

from sdgnn import Lattice, spins
from sdgnn.data import LabelSet
from sdgnn.errors import UserError
from sdgnn.fields import Heisenberg
from sdgnn.nn import Network, NetworkSettings
from sdgnn.nn.committee import Committee
from sdgnn.train import TrainSettings
from sdgnn.train.calibration import calibrate, errors, measure, reliability
from sdgnn.train.loop import fit


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_a_known_scale_is_recovered(scale: float) -> None:
    """Errors drawn with 3 components of standard deviation scale * d: the factor is the scale, within 1 %.

    40000 squares of three normal components weighted by d^2: the relative error of the factor is about 0.5 %."""
    draw = np.random.default_rng(1)
    predicted = draw.lognormal(-3, 0.7, (400, 100))
    true = np.sqrt(np.square(scale * predicted[..., None] * draw.normal(size=(400, 100, 3))).mean(-1))
    found = measure(predicted, true)
    assert found.factor == pytest.approx(scale, rel=0.02)
    assert found.known == pytest.approx(np.quantile(scale * predicted, 0.99), rel=0.02)
    assert np.allclose(found.predicted, found.true, rtol=0.05)
    assert found.correlation > 0.5
    assert list(found.predicted) == sorted(found.predicted)
    assert found.states == 400


def test_deviations_that_say_nothing_are_told_from_ones_that_do() -> None:
    """Positive control of the correlation and the curve."""
    draw = np.random.default_rng(2)
    predicted = draw.lognormal(-3, 0.7, (100, 100))
    found = measure(predicted, np.abs(draw.normal(size=(100, 100))))
    assert abs(found.correlation) < 0.05
    assert found.predicted[-1] / found.predicted[0] > 3 * found.true[-1] / found.true[0]


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
        network = Network(NetworkSettings(layers=1, channels=2, bond_functions=3), labels.lattice, seed)
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
    assert (outside > calibrated.calibration.known).mean() > 0.3
    assert (inside > calibrated.calibration.known).mean() <= 0.02


def test_reliability_of_the_calibration_itself_is_one(trained: Committee) -> None:
    held_out = ordered_labels(10, seed=7)
    calibrated = calibrate(trained, held_out)
    assert reliability(calibrated, held_out).factor == pytest.approx(1.0, rel=1e-5)
    again = calibrate(calibrated, held_out)
    assert again.calibration.factor == pytest.approx(calibrated.calibration.factor, rel=1e-6)
    assert torch.equal(again.constant, calibrated.constant)
