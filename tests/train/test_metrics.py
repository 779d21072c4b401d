"""Metrics against closed forms: errors put in by hand must come out."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.labels import OFFSET, heisenberg_labels
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.fields import Field, FieldResult, Heisenberg
from sdgnn.fields.schedules import Time
from sdgnn.train import judge, torque_part
from sdgnn.train.metrics import Tally, jackknife, judge_all


class Distorted(Field):
    """The labels' own field plus a given error, and their energy plus a given one."""

    def __init__(self, labels: LabelSet, error: Tensor, energy: Tensor | float = 0.0) -> None:
        self.lattice = labels.lattice
        self._field, self._energy = labels.field + error, labels.energy + energy
        self._next = 0

    def evaluate(self, spins: Tensor, time: Time) -> FieldResult:
        chunk = slice(self._next, self._next + len(spins))
        self._next += len(spins)
        return FieldResult(self._energy[chunk], self._field[chunk])


@pytest.fixture(scope="module")
def labels() -> LabelSet:
    return heisenberg_labels((4, 6), 10, seed=0)


def perpendicular(labels: LabelSet, size: float) -> Tensor:
    """Vectors of length ``size`` at right angles to the spins."""
    direction = torch.linalg.cross(labels.spins, torch.ones_like(labels.spins))
    return size * direction / direction.norm(dim=-1, keepdim=True)


def test_perfect_field_has_no_error(labels):
    m = judge(Distorted(labels, torch.zeros_like(labels.field)), labels)
    assert (m.torque_rmse, m.field_rmse, m.torque_r2, m.energy_rmse) == (0, 0, 1, 0)
    assert m.angle_95 < 1e-12  # rounding of the cross product
    assert (m.n_states, m.n_sites) == (10, 24)


@pytest.mark.parametrize("batch", [1, 3, 10, 50])
def test_perpendicular_error_counts_per_component(labels, batch):
    """|dT| = a at every site: RMSE per component is a / sqrt(3), R^2 = 1 - a^2 / <|T|^2>, whatever the batch."""
    m = judge(Distorted(labels, perpendicular(labels, 0.02)), labels, batch=batch)
    mean_square = torque_part(labels.field, labels.spins).square().sum(-1).mean()
    assert m.torque_rmse == pytest.approx(0.02 / math.sqrt(3), rel=1e-12)
    assert m.field_rmse == pytest.approx(0.02 / math.sqrt(3), rel=1e-12)
    assert m.torque_r2 == pytest.approx(1 - 0.02**2 / float(mean_square), rel=1e-12)


def test_error_along_the_spin_moves_nothing(labels):
    m = judge(Distorted(labels, 5.0 * labels.spins), labels)
    assert m.torque_rmse < 1e-14  # rounding of fields of size 5
    assert m.torque_r2 == pytest.approx(1, abs=1e-12)
    assert m.field_rmse == pytest.approx(5 / math.sqrt(3), rel=1e-12)


def test_predicting_nothing_has_r2_zero(labels):
    m = judge(Distorted(labels, -labels.field), labels)
    assert m.torque_r2 == pytest.approx(0, abs=1e-15)
    assert m.torque_rmse == m.torque_rms


def test_wrong_sign_has_r2_minus_three(labels):
    """dT = -2T: R^2 = 1 - 4, and every angle is 180 degrees."""
    m = judge(Distorted(labels, -2 * labels.field), labels)
    assert m.torque_r2 == pytest.approx(-3, rel=1e-12)
    assert m.angle_mean == pytest.approx(180, rel=1e-9)


@given(st.floats(0.001, 3.1))
def test_turned_torque_has_that_angle(angle):
    """T turned about S by ``angle``: every angle error is that, and |dT| = 2 sin(angle / 2) |T|."""
    labels = heisenberg_labels((2, 3), 3, seed=1)
    torque = torque_part(labels.field, labels.spins)
    turned = math.cos(angle) * torque + math.sin(angle) * torch.linalg.cross(labels.spins, torque)
    m = judge(Distorted(labels, turned - torque), labels)
    assert m.angle_mean == pytest.approx(math.degrees(angle), rel=1e-9)
    assert m.angle_95 == pytest.approx(math.degrees(angle), rel=1e-9)
    assert m.torque_r2 == pytest.approx(1 - 4 * math.sin(angle / 2) ** 2, abs=1e-12)


def test_95_percent_angle_is_a_quantile(labels):
    """One site in ten turned by 90 degrees: the mean is 9, the 95 % quantile 90; one in a hundred: 0.9 and 0."""
    torque = torque_part(labels.field, labels.spins)
    turned = torch.linalg.cross(labels.spins, torque)
    for every, mean, quantile in ((10, 9.0, 90.0), (120, 90 / 120, 0.0)):
        chosen = (torch.arange(240).reshape(10, 24) % every == 0)[..., None]
        m = judge(Distorted(labels, torch.where(chosen, turned - torque, 0.0)), labels)
        assert m.angle_mean == pytest.approx(mean, rel=1e-9)
        assert m.angle_95 == pytest.approx(quantile, abs=1e-6)


def test_energy_error_with_and_without_a_constant(labels):
    """Errors of 3 per site plus alternating +-1: RMSE sqrt(10), 1 after the shift, and the shift is -3."""
    alternating = torch.tensor([1.0, -1.0]).repeat(5).to(torch.float64)
    m = judge(Distorted(labels, torch.zeros_like(labels.field), 24 * (3 + alternating)), labels)
    assert m.energy_rmse == pytest.approx(math.sqrt(10), rel=1e-12)
    assert m.energy_rmse_shifted == pytest.approx(1, rel=1e-12)
    assert m.energy_shift == pytest.approx(-3, rel=1e-12)


def test_labels_offset_is_found_as_the_shift(labels):
    m = judge(Heisenberg(labels.lattice, [-0.1, 0.03]), labels)
    assert m.energy_shift == pytest.approx(OFFSET, rel=1e-12)
    assert m.torque_r2 == pytest.approx(1, abs=1e-15)


def test_spins_need_not_be_exactly_unit(labels):
    """The transverse part is the same for a spin of any length."""
    torque = torque_part(labels.field, labels.spins)
    assert torch.allclose(torque_part(labels.field, 1.7 * labels.spins), torque, atol=1e-15)
    assert (torque * labels.spins).sum(-1).abs().max() < 1e-15


def test_collinear_states_have_no_r2_but_valid_json():
    lattice = Lattice.triangular(3, 3)
    up = torch.zeros(2, 9, 3, dtype=torch.float64)
    up[..., 2] = 1
    field = Heisenberg(lattice, [1.0])(up).field
    m = judge(Heisenberg(lattice, [0.5]), LabelSet(lattice, up, field))
    assert math.isnan(m.torque_r2) and math.isnan(m.angle_mean) and math.isnan(m.energy_rmse)
    assert json.loads(json.dumps(m.to_dict(), allow_nan=False))["torque_r2"] is None


def test_exact_labels_are_judged_perfect_by_their_own_solver():
    """Any field can be judged: exact electrons against themselves, and against another temperature."""
    lattice = Lattice.square(4, 4)
    exact = ExactField(SDModel(lattice, exchange=3.0), kT=0.1, filling=0.25)
    states = spins.random(lattice, 3, seed=2)
    result = exact(states)
    labels = LabelSet(lattice, states, result.field, result.energy)
    assert judge(exact, labels).torque_r2 == 1
    assert judge(ExactField(exact.model, kT=1.0, filling=0.25), labels).torque_r2 < 0.99


def test_bad_input(labels):
    with pytest.raises(UserError, match="without states"):
        judge(Heisenberg(labels.lattice, [1.0]), labels[:0])
    with pytest.raises(UserError, match="one lattice"):
        judge(Heisenberg(Lattice.triangular(6, 4), [1.0]), labels)
    with pytest.raises(UserError, match="at least 1"):
        judge(Heisenberg(labels.lattice, [1.0]), labels, batch=0)
    with pytest.raises(UserError, match="not finite"):
        replace(labels, field=labels.field * math.nan)
    with pytest.raises(UserError, match="at least one labelled state"):
        Tally().metrics()


def test_error_of_r2_is_that_of_sets_drawn_alike(labels: LabelSet) -> None:
    """Delete-one recomputed by judging subsets (another route), and its mean over many sets of eight states against the
    scatter of their R²: 400 sets know a standard deviation to 3.5 %, and the jackknife of eight is high by a few %."""
    noise = 0.02 * torch.randn(labels.field.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    field = Distorted(labels, noise)
    found = judge(field, labels)
    left_out = []
    for k in range(len(labels)):
        kept = [i for i in range(len(labels)) if i != k]
        left_out.append(judge(Distorted(labels[kept], noise[kept]), labels[kept]).torque_r2)
    g = len(labels)
    by_hand = math.sqrt((g - 1) * float(torch.tensor(left_out, dtype=torch.float64).var(correction=0)))
    assert found.torque_r2_error == pytest.approx(by_hand, rel=1e-9)
    random = np.random.default_rng(0)
    sizes = random.gamma(20, 1.0, (400, 8))
    errors = 0.1 * sizes * random.gamma(5, 1 / 5, (400, 8))
    scatter = (1 - errors.sum(1) / sizes.sum(1)).std()
    predicted = np.sqrt(np.mean([jackknife(e, t) ** 2 for e, t in zip(errors, sizes, strict=True)]))
    assert 0.9 < predicted / scatter < 1.15


def test_correlated_states_count_as_one_sample(labels: LabelSet) -> None:
    """Every state twice, under the seed of its twin: the same error bar as without the copies; as independent states
    they would make it smaller by the square root of two."""
    noise = 0.02 * torch.randn(labels.field.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    own = replace(labels, seed=np.arange(10))
    twice = own[[*range(10), *range(10)]]
    single = judge(Distorted(own, noise), own)
    double = judge(Distorted(twice, torch.cat([noise, noise])), twice)
    assert (double.n_states, double.n_samples, single.n_samples) == (20, 10, 10)
    assert double.torque_r2_error == pytest.approx(single.torque_r2_error, rel=1e-9)
    apart = replace(twice, seed=None)
    ratio = judge(Distorted(apart, torch.cat([noise, noise])), apart).torque_r2_error / single.torque_r2_error
    assert ratio == pytest.approx(math.sqrt(9 / 19), rel=0.05)  # exact for a mean, nearly so for a ratio
    assert math.isnan(judge(Distorted(own[:1], noise[:1]), own[:1]).torque_r2_error)


def test_label_sets_judged_together_share_no_sample(labels: LabelSet) -> None:
    zero = torch.zeros_like(labels.field)
    both = judge_all([(Distorted(labels, zero), labels), (Distorted(labels, zero), labels)])
    assert (both.n_states, both.n_samples) == (20, 20)
