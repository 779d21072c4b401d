"""The field protocol: sums, promotion of precision, and spins that are refused."""

from __future__ import annotations

import math

import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import Heisenberg, Sum, Zeeman, check_spins

LATTICE = Lattice.square(3, 3)
EXACT = ExactField(SDModel(LATTICE, exchange=2.0), kT=0.1, filling=0.4)


def test_sum_of_electrons_and_classical_terms() -> None:
    total = EXACT + Zeeman(LATTICE, (0, 0, 0.5)) + Heisenberg(LATTICE, [0.1])
    state = spins.random(LATTICE, replicas=2)
    result = total(state)
    parts = [EXACT(state), Zeeman(LATTICE, (0, 0, 0.5))(state), Heisenberg(LATTICE, [0.1])(state)]
    torch.testing.assert_close(result.energy, sum(part.energy for part in parts))
    torch.testing.assert_close(result.field, sum(part.field for part in parts))
    assert result.density is not None
    torch.testing.assert_close(result.density, parts[0].density)
    assert result.mu is not None
    torch.testing.assert_close(result.mu, EXACT.chemical_potential(state))
    assert parts[1].mu is None and parts[2].mu is None
    assert len(total.parts) == 3
    assert repr(total).count(" + ") == 2


def test_sum_takes_the_highest_precision_of_its_parts() -> None:
    state = spins.random(LATTICE, dtype=torch.float32)
    result = (EXACT + Heisenberg(LATTICE, [0.1]))(state)
    assert result.field.dtype == result.energy.dtype == torch.float64


def test_two_electron_systems_have_no_common_density_and_chemical_potential() -> None:
    both = (EXACT + EXACT)(spins.random(LATTICE))
    assert both.density is None and both.mu is None


@pytest.mark.parametrize(
    "other", [Lattice.square(3, 4), Lattice.triangular(3, 3), Lattice.chain(9), Lattice.square(1, 9)], ids=repr
)
def test_sums_need_one_lattice(other: Lattice) -> None:
    with pytest.raises(UserError, match="one lattice"):
        EXACT + Zeeman(other, (0, 0, 1))
    with pytest.raises(UserError, match="no fields"):
        Sum()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (torch.zeros(9, 3), r"spins\[None\]"),
        (torch.zeros(1, 8, 3), "9, 3"),
        (torch.zeros(1, 9, 2), "9, 3"),
        (torch.zeros(1, 9, 3, dtype=torch.int32), "dtype"),
        (torch.zeros(1, 9, 3, dtype=torch.complex64), "dtype"),
        (torch.full((1, 9, 3), math.nan), "replica 0, site 0"),
        (torch.full((1, 9, 3), math.inf), "finite"),
    ],
)
def test_spins_that_do_not_fit_are_refused(state: torch.Tensor, message: str) -> None:
    with pytest.raises(UserError, match=message):
        EXACT(state)


def test_unit_length_is_checked_on_request() -> None:
    state = spins.random(LATTICE, replicas=2)
    assert torch.equal(check_spins(state, LATTICE, unit=True), state)
    state[1, 4] *= 1.01
    assert torch.equal(check_spins(state, LATTICE), state)
    with pytest.raises(UserError, match=r"length 1.01 \(replica 1, site 4\).*norm"):
        check_spins(state, LATTICE, unit=True)
