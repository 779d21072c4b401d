"""Occupations and chemical potential: closed forms, limits and hypothesis properties."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn.electrons.ensemble import check_ensemble
from sdgnn.electrons.filling import (
    chemical_potential,
    grand_potential,
    ground_state_occupation,
    occupation,
)
from sdgnn.errors import UserError


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_two_levels_closed_form() -> None:
    # levels -1 and +1 with one electron: mu = 0 by symmetry; with N electrons cosh and sinh give mu in closed form
    kT = 0.3
    levels = rows([-1.0, 1.0])
    assert float(chemical_potential(levels, 1.0, kT)) == pytest.approx(0, abs=1e-15)
    # f(-1) + f(1) = 1/2: x = exp(mu/kT) solves x^2 + (2/3) c x - 1/3 = 0 with c = cosh(1/kT)
    c = math.cosh(1 / kT)
    x = (-c + math.sqrt(c * c + 3)) / 3
    assert float(chemical_potential(levels, 0.5, kT)) == pytest.approx(kT * math.log(x), abs=1e-13)


def test_grand_potential_of_one_level() -> None:
    levels, mu = rows([0.7]), torch.tensor([0.2], dtype=torch.float64)
    assert float(grand_potential(levels, mu, 0.25)) == pytest.approx(-0.25 * math.log(1 + math.exp(-2)), abs=1e-15)
    assert float(grand_potential(levels, mu, 0.0)) == 0
    assert float(grand_potential(-levels, mu, 0.0)) == pytest.approx(-0.9)
    # far below mu the exponential would overflow; Omega = e - mu there
    assert float(grand_potential(rows([-5000.0]), mu, 1.0)) == pytest.approx(-5000.2, abs=1e-9)


def test_occupation_at_zero_temperature_is_a_step() -> None:
    mu = torch.zeros(1, dtype=torch.float64)
    assert occupation(rows([-1.0, 1e-14, 1.0]), mu, 0.0).tolist() == [[1, 0.5, 0]]


def test_chemical_potential_tends_to_the_middle_of_the_gap() -> None:
    levels = rows([-3.0, -2.0, 0.5, 2.0])
    # kT ln 2-like corrections vanish; at kT = 1e-5 all of exp(-gap/kT) underflows
    for kT in (1e-2, 1e-3, 1e-5, 0.0):
        assert float(chemical_potential(levels, 2.0, kT)) == pytest.approx(-0.75, abs=1e-12)


def test_chemical_potential_in_a_gap_keeps_its_precision() -> None:
    # g-fold level at +1 over one at -1, one electron: exp(2 mu/kT) = 1/g to within exp(-2/kT), far below rounding
    kT = 0.02
    assert float(chemical_potential(rows([-1.0, 1.0, 1.0, 1.0]), 1.0, kT)) == pytest.approx(
        -kT * math.log(3) / 2, abs=1e-14
    )


def test_degenerate_levels_share_electrons() -> None:
    mu, f = ground_state_occupation(rows([0.0, 1.0, 1.0 + 1e-12, 2.0]), 2.0)
    assert f.tolist() == [[1, 0.5, 0.5, 0]]
    assert float(mu) == pytest.approx(1)


@pytest.mark.parametrize("kT", [0.0, 0.1])
def test_empty_and_full(kT: float) -> None:
    levels = rows([0.0, 1.0])
    assert float(chemical_potential(levels, 0.0, kT)) == -math.inf
    assert float(chemical_potential(levels, 2.0, kT)) == math.inf
    assert ground_state_occupation(levels, 0.0)[1].tolist() == [[0, 0]]
    assert ground_state_occupation(levels, 2.0)[1].tolist() == [[1, 1]]


def test_a_third_in_floating_point_counts_as_whole() -> None:
    levels = torch.arange(30, dtype=torch.float64)[None]
    for electrons in (10.0, 10.0 + 2e-15, 10.0 - 2e-15):
        assert float(chemical_potential(levels, electrons, 0.0)) == 9.5


def test_rows_are_independent() -> None:
    levels = rows([-1.0, 0.0, 1.0], [5.0, 6.0, 8.0])
    together = chemical_potential(levels, 1.3, 0.2)
    alone = torch.cat([chemical_potential(level[None], 1.3, 0.2) for level in levels])
    assert torch.equal(together, alone)


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=20),
    st.floats(1e-6, 1 - 1e-6),
    st.floats(-4, 2).map(lambda x: 10**x),
)
@settings(max_examples=200, deadline=None)
def test_chemical_potential_gives_the_filling(values: list[float], filling: float, kT: float) -> None:
    levels = rows(values)
    electrons = filling * len(values)
    mu = chemical_potential(levels, electrons, kT)
    # mu is known to rounding (1e-15 of its size), which kT turns into occupation: dN/dmu <= n / (4 kT)
    tolerance = 1e-12 + len(values) * 4e-15 * (1 + abs(float(mu))) / kT
    if abs(electrons - round(electrons)) < 1e-9:
        tolerance += 1e-9
    assert float(occupation(levels, mu, kT).sum()) == pytest.approx(electrons, abs=tolerance)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20), st.floats(-12, 12), st.floats(0.01, 10))
@settings(max_examples=100, deadline=None)
def test_minus_slope_of_the_grand_potential_is_the_number(values: list[float], mu: float, kT: float) -> None:
    levels = rows(values)
    at = torch.tensor([mu], dtype=torch.float64, requires_grad=True)
    grand_potential(levels, at, kT).sum().backward()
    assert at.grad is not None
    assert float(-at.grad) == pytest.approx(float(occupation(levels, at.detach(), kT).sum()), abs=1e-12)


@pytest.mark.parametrize("filling", [-0.01, 1.01, math.nan, math.inf])
def test_filling_outside_zero_to_one_is_refused(filling: float) -> None:
    with pytest.raises(UserError, match=r"\[0, 1\]"):
        check_ensemble(kT=0.1, mu=None, filling=filling)
