"""The floor of the torque error by halo, against fields whose halo and floor are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel
from sdgnn.analysis.locality.floor import locality_floor
from sdgnn.common.errors import UserError
from sdgnn.fields import Field, FieldResult, Heisenberg, Zeeman
from sdgnn.fields.schedules import Time


def test_heisenberg_floor_in_closed_form() -> None:
    """H_i = J_1 sum S_j + J_2 sum S_k: with shell 2 redrawn, the transverse variance is (2/3) J_2^2 z_2 over 3 axes."""
    lattice = Lattice.triangular(8, 8)
    floor = locality_floor(Heisenberg(lattice, [1.0, 0.5]), [0, 1, 1.8], environments=40, redraws=20)
    outer, inner = 6 * 0.5**2 * 2 / 9, 6 * 1.0**2 * 2 / 9
    expected = np.sqrt([inner + outer, outer, 0.0])
    # relative statistical error of a standard deviation from about 2 * 40 * 19 numbers: 2 %
    np.testing.assert_allclose(floor.rmse, expected, rtol=0.08, atol=1e-12)
    assert floor.rms == pytest.approx(math.sqrt(inner + outer), rel=0.08)
    np.testing.assert_allclose(floor.r2[-1], 1.0)
    # the stated error is a standard error: four of them cover, and it is near 1 / sqrt(2 * 40 * 19) = 2.6 %
    assert (np.abs(floor.rmse - expected) <= 4 * floor.rmse_error + 1e-12).all()
    assert 0.013 < floor.rmse_error[1] / floor.rmse[1] < 0.05


def test_the_error_shrinks_with_more_environments() -> None:
    """As 1 / sqrt(environments): a quarter from sixteen times as many, within a factor of two either way."""
    field = Heisenberg(Lattice.triangular(6, 6), [1.0])
    few, many = (locality_floor(field, [0], environments=n, redraws=4).rmse_error[0] for n in (10, 160))
    assert 2 < few / many < 8
    assert math.isnan(locality_floor(field, [0], environments=1, redraws=4).rmse_error[0])


def test_a_field_that_sees_nothing_has_no_floor() -> None:
    lattice = Lattice.square(4, 4)
    assert locality_floor(Zeeman(lattice, field=(0, 0, 1.0)), [0], 2, 2).rmse == pytest.approx([0.0])


def test_exact_floor_falls_with_the_radius() -> None:
    """Its size on so small a lattice is not known; the factor of 1.3 is twice the statistical error of 14 %."""
    lattice = Lattice.triangular(6, 6)
    done: list[int] = []
    exact = ExactField(SDModel(lattice), kT=0.2, filling=0.25)
    floor = locality_floor(exact, [0, 1, 2.6], environments=6, redraws=5, advance=done.append)
    assert floor.rmse[0] > 1.3 * floor.rmse[2] > 0
    assert done[-1] == 6 * 5 * 3


class Pairs(Field):
    """E = -sum_k c_k S_2k . S_2k+1: sites of different couplings, each with one other site."""

    def __init__(self, lattice: Lattice, couplings: torch.Tensor) -> None:
        self.lattice, self.couplings = lattice, couplings.repeat_interleave(2)

    def evaluate(self, spins: torch.Tensor, time: Time) -> FieldResult:
        partner = spins.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)
        field = self.couplings[None, :, None] * partner
        return FieldResult(-(field * spins).sum((1, 2)) / 2, field)


def test_the_floor_is_that_of_all_sites_where_they_differ() -> None:
    """Site 0 sees nothing, half of the pairs c = 2: <rmse^2> = 2/9 <c^2> where the partner is beyond the halo."""
    lattice = Lattice.amorphous(32, seed=1)
    field = Pairs(lattice, torch.tensor([0.0, 2.0] * 8, dtype=torch.float64))
    floor = locality_floor(field, [0.0], environments=96, redraws=8)
    expected = math.sqrt(2 / 9 * 2.0)
    # 96 environments are three times all sites: what is left is that of 48 * 7 squares, 1 / sqrt(2 * 336) = 4 %
    assert floor.rmse[0] == pytest.approx(expected, rel=0.16)
    assert floor.rms == pytest.approx(expected, rel=0.16)
    assert 0.02 < floor.rmse_error[0] / floor.rmse[0] < 0.12


@pytest.mark.parametrize("arguments", [{"radii": [3.1]}, {"radii": []}, {"radii": [-1]}, {"radii": [1], "redraws": 1}])
def test_questions_without_an_answer_are_refused(arguments: dict) -> None:
    lattice = Lattice.triangular(6, 6)
    with pytest.raises(UserError):
        locality_floor(Heisenberg(lattice, [1.0]), **arguments)
