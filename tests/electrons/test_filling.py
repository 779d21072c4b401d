"""Occupations and chemical potential: closed forms, limits and hypothesis properties."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdgnn.common.errors import UserError
from sdgnn.electrons.ensemble import check_ensemble
from sdgnn.electrons.filling import grand_potential, occupation, occupations


def rows(*values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def chemical_potential(levels: torch.Tensor, electrons: float, kT: float) -> torch.Tensor:
    return occupations(levels, kT, filling=electrons / levels.shape[-1]).mu


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
    mu, f, energy = occupations(rows([0.0, 1.0, 1.0 + 1e-14, 2.0]), 0.0, filling=0.5)
    assert f.tolist() == [[1, 0.5, 0.5, 0]]
    assert float(mu) == pytest.approx(1, abs=1e-14)
    assert float(energy) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("kT", [0.0, 1e-300, 1e-17, 1e-12, 1e-6])
def test_a_shell_filled_in_part_holds_its_electrons_to_rounding(kT: float) -> None:
    """9.6 electrons in levels -5, four of -3, ten of -1, 17 of 1: 4.6 of ten, at any kT far below the spacing of 2."""
    levels = rows([-5.0, *[-3.0] * 4, *[-1.0] * 10, *[1.0] * 17])
    levels += torch.linspace(-1e-14, 1e-14, 32, dtype=torch.float64)  # as rounding leaves them
    mu, f, energy = occupations(levels, kT, filling=0.3)
    expected = torch.tensor([*[1.0] * 5, *[0.46] * 10, *[0.0] * 17], dtype=torch.float64)
    # levels 1e-14 off change f by that over 4 kT, once kT resolves them
    torch.testing.assert_close(f[0], expected, rtol=0, atol=1e-14 + (1e-14 / kT if kT > 1e-7 else 0))
    assert float(mu) == pytest.approx(-1 + kT * math.log(0.46 / 0.54), abs=1e-14)
    # F = E - T S, S = -10 (f ln f + (1 - f) ln(1 - f))
    entropy = -10 * (0.46 * math.log(0.46) + 0.54 * math.log(0.54))
    assert float(energy) == pytest.approx(-5 - 12 - 4.6 - kT * entropy, abs=1e-12)


@pytest.mark.parametrize("kT", [0.0, 0.1])
def test_empty_and_full(kT: float) -> None:
    levels = rows([0.0, 1.0])
    assert float(chemical_potential(levels, 0.0, kT)) == -math.inf
    assert float(chemical_potential(levels, 2.0, kT)) == math.inf
    for filling, energy in ((0.0, 0.0), (1.0, 1.0)):
        _, f, found = occupations(levels, kT, filling=filling)
        assert f.tolist() == [[filling, filling]]
        assert float(found) == energy


def test_a_third_in_floating_point_counts_as_whole() -> None:
    levels = torch.arange(30, dtype=torch.float64)[None]
    for electrons in (10.0, 10.0 + 2e-15, 10.0 - 2e-15):
        assert float(chemical_potential(levels, electrons, 0.0)) == 9.5


def test_rows_are_independent() -> None:
    levels = rows([-1.0, 0.0, 1.0], [5.0, 6.0, 8.0])
    together = chemical_potential(levels, 1.3, 0.2)
    alone = torch.cat([chemical_potential(level[None], 1.3, 0.2) for level in levels])
    assert torch.equal(together, alone)


FILLINGS = st.floats(0, 1) | st.floats(-40, -1).map(lambda x: 10**x)


@given(
    st.lists(
        st.integers(-(10**6), 10**6).map(lambda n: n / 1e5) | st.integers(-3, 3).map(float), min_size=1, max_size=20
    ),
    FILLINGS,
    st.just(0.0) | st.floats(-40, 6).map(lambda x: 10**x),
)
@settings(max_examples=100, deadline=None)
def test_occupations_are_those_of_counted_levels(values: list[float], filling: float, kT: float) -> None:
    """sum f = N_e, and ln(f/(1 - f)) differs between levels by their distance over kT: no other f does both."""
    levels = rows(values)
    _, f, energy = occupations(levels, kT, filling=filling)
    electrons = filling * len(values)
    # 1e-9 of an electron is rounded to a whole number; tiny numbers of electrons hold to their own digits
    whole = abs(electrons - round(electrons)) < 1e-9 and 0 < round(electrons) < len(values)
    assert float(f.sum()) == pytest.approx(electrons, rel=1e-12, abs=1e-9 if whole else 1e-300)
    if kT == 0:
        counted = lowest_first(values, electrons)
        assert f[0].tolist() == pytest.approx(counted, rel=1e-12, abs=1e-9 if whole else 1e-300)
        assert float(energy) == pytest.approx(np.dot(counted, values), rel=1e-12, abs=2e-8 if whole else 1e-13)
    inner = [(level, share) for level, share in zip(values, f[0].tolist(), strict=True) if 1e-300 < share < 1 - 1e-6]
    for (first, share), (second, other) in itertools.combinations(inner, 2):
        difference = math.log(share / (1 - share)) - math.log(other / (1 - other))
        # the difference of two levels near 10 is known to 1e-15, and 1 - f to 1e-10 of itself
        expected = (second - first) / max(kT, 1e-200)
        assert difference == pytest.approx(expected, rel=1e-9, abs=1e-9 + (4e-15 / kT if expected else 0))


def lowest_first(values: list[float], electrons: float) -> list[float]:
    """Occupations at kT = 0, counted level by level; those equal to the last one share what is left."""
    last = sorted(values)[max(math.ceil(electrons - 1e-9) - 1, 0)]
    below, at = sum(value < last for value in values), values.count(last)
    return [1.0 if value < last else (electrons - below) / at if value == last else 0.0 for value in values]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=10), st.floats(1e-6, 1 - 1e-6))
@settings(max_examples=50, deadline=None)
def test_all_levels_are_filled_alike_as_kT_goes_to_infinity(values: list[float], filling: float) -> None:
    mu, f, _ = occupations(rows(values), 1e12, filling=filling)
    # f - filling < (e - mean) / (4 kT)
    torch.testing.assert_close(f, torch.full_like(f, filling), rtol=0, atol=1e-11)
    assert float(mu) == pytest.approx(1e12 * math.log(filling / (1 - filling)), rel=1e-10, abs=11)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20), st.floats(-12, 12), st.floats(0.01, 10))
@settings(max_examples=100, deadline=None)
def test_minus_slope_of_the_grand_potential_is_the_number(values: list[float], mu: float, kT: float) -> None:
    levels = rows(values)
    at = torch.tensor([mu], dtype=torch.float64, requires_grad=True)
    grand_potential(levels, at, kT).sum().backward()
    assert at.grad is not None
    assert float(-at.grad) == pytest.approx(float(occupation(levels, at.detach(), kT).sum()), abs=1e-12)


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        *[({"filling": filling}, r"\[0, 1\]") for filling in (-0.01, 1.01, math.nan, math.inf, "1/3", [0.1, 0.2])],
        *[({"filling": 0.3, "kT": kT}, "kT >= 0") for kT in (-1e-9, math.nan, math.inf, 1e101, None, "warm")],
        *[({"mu": mu}, "finite") for mu in (math.inf, math.nan, "high")],
        *[(both, "exactly one") for both in ({}, {"mu": 0.0, "filling": 0.3})],
    ],
    ids=str,
)
def test_electrons_that_cannot_be_are_refused(ensemble: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_ensemble(**{"kT": 0.1, "mu": None, "filling": None, **ensemble})


def test_numbers_of_any_library_are_taken() -> None:
    assert check_ensemble(np.float32(0.5), None, torch.tensor(0.25)) == (0.5, None, 0.25)
