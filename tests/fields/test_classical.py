"""Classical spin models: field = -dE/dS, closed forms, symmetry and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.fields import DMI, Anisotropy, Field, Heisenberg, Zeeman

LATTICES = [Lattice.chain(5), Lattice.triangular(3, 4), Lattice.kagome(2, 2), Lattice.honeycomb(2, 3)]


def terms(lattice: Lattice) -> list[Field]:
    return [
        Heisenberg(lattice, couplings=[1.0, -0.4, 0.2]),
        Zeeman(lattice, field=(0.3, -0.2, 0.7)),
        Anisotropy(lattice, strength=0.8, axis=(1, 2, 2)),
        DMI(lattice, strength=0.6, kind="bloch"),
        DMI(lattice, strength=0.6, kind="neel"),
    ]


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_field_is_minus_gradient_for_free_vectors(lattice: Lattice) -> None:
    # energies are at most quadratic, so central differences are exact but for rounding
    state = spins.random(lattice, seed=1) * torch.linspace(0.5, 2.0, lattice.n_sites, dtype=torch.float64)[:, None]
    step = 0.5
    moves = torch.eye(3 * lattice.n_sites, dtype=torch.float64).reshape(-1, lattice.n_sites, 3) * step
    for field in [*terms(lattice), sum(terms(lattice)[1:], start=terms(lattice)[0])]:
        slope = (field(state - moves).energy - field(state + moves).energy) / (2 * step)
        torch.testing.assert_close(field(state).field.reshape(-1), slope, atol=1e-12, rtol=0)


@pytest.mark.parametrize("kind", ["bloch", "neel"])
def test_dmi_prefers_the_spiral_of_its_kind_and_handedness(kind: str) -> None:
    # on a chain along x, D_ij is along x (bloch) or y (neel): E/N = -D sin(angle) for spins turning about that axis
    n, strength = 8, 0.6
    lattice = Lattice.chain(n)
    angle = torch.arange(n, dtype=torch.float64) * 2 * math.pi / n
    zero = torch.zeros_like(angle)
    about_x = torch.stack([zero, angle.cos(), angle.sin()], dim=-1)
    about_y = torch.stack([angle.sin(), zero, angle.cos()], dim=-1)
    right, wrong = (about_x, about_y) if kind == "bloch" else (about_y, about_x)
    field = DMI(lattice, strength, kind)
    energy = field(torch.stack([right, right * torch.tensor([1.0, 1.0, -1.0]), wrong])).energy / n
    expected = strength * math.sin(2 * math.pi / n)
    signs = torch.tensor([-1.0, 1.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(energy, expected * signs, atol=1e-12, rtol=0)


def test_closed_form_energies_per_site() -> None:
    triangular = Lattice.triangular(6, 6)
    aligned = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(1, 36, 3)
    # three bonds of each shell per site
    assert float(Heisenberg(triangular, [1.0, 0.5, 0.25])(aligned).energy) == pytest.approx(-36 * 3 * 1.75)
    assert float(Zeeman(triangular, (1.0, 2.0, 3.0))(aligned).energy) == pytest.approx(-36 * 3)
    assert float(Anisotropy(triangular, 2.0)(aligned).energy) == pytest.approx(-36 * 2)
    assert float(Anisotropy(triangular, 2.0, (1, 0, 1))(aligned).energy) == pytest.approx(-36)
    assert float(DMI(triangular, 2.0)(aligned).energy) == pytest.approx(0)


def test_every_image_of_a_bond_counts() -> None:
    # on a 1-site chain both bonds join the site with its own images: E = -J S.S and H = 2 J S
    state = torch.tensor([[[0.0, 0.0, 2.0]]], dtype=torch.float64)
    result = Heisenberg(Lattice.chain(1), [3.0])(state)
    assert float(result.energy) == pytest.approx(-12)
    torch.testing.assert_close(result.field, 6 * state)


def test_rotation_leaves_heisenberg_alone_and_changes_anisotropy() -> None:
    lattice = Lattice.triangular(4, 4)
    state = spins.random(lattice, replicas=2, seed=3)
    turn = torch.linalg.qr(torch.from_numpy(np.random.default_rng(0).standard_normal((3, 3)))).Q
    turn = turn * torch.linalg.det(turn)
    heisenberg, anisotropy = Heisenberg(lattice, [1.0, -0.3]), Anisotropy(lattice, 1.0)
    torch.testing.assert_close(heisenberg(state @ turn.T).field, heisenberg(state).field @ turn.T)
    assert float((anisotropy(state @ turn.T).energy - anisotropy(state).energy).abs().max()) > 0.1


def test_fields_keep_the_dtype_of_the_spins_and_energies_are_in_double_precision() -> None:
    lattice = Lattice.square(4, 4)
    state = spins.random(lattice, seed=5, dtype=torch.float32)
    for field in terms(lattice):
        result = field(state)
        assert result.field.dtype == torch.float32 and result.energy.dtype == torch.float64
        torch.testing.assert_close(result.field.double(), field(state.double()).field, atol=1e-5, rtol=0)


def test_sum_adds_energies_and_fields() -> None:
    lattice = Lattice.square(3, 4)
    state = spins.random(lattice, replicas=3, seed=2)
    first, second = Heisenberg(lattice, [1.0]), Zeeman(lattice, (0, 0, 1.0))
    total = (first + second)(state)
    torch.testing.assert_close(total.energy, first(state).energy + second(state).energy)
    torch.testing.assert_close(total.field, first(state).field + second(state).field)


def test_wrong_input_is_refused() -> None:
    lattice = Lattice.square(3, 3)
    with pytest.raises(UserError, match="finite"):
        Heisenberg(lattice, [float("nan")])
    with pytest.raises(UserError, match="couplings"):
        Heisenberg(lattice, [])
    with pytest.raises(UserError, match="free lattice"):
        Heisenberg(Lattice.free([[0.0, 0.0], [1.0, 0.0]], np.eye(2) * 3), [1.0])
    with pytest.raises(UserError, match="three components"):
        Zeeman(lattice, (0, 1))
    with pytest.raises(UserError, match="zero"):
        Anisotropy(lattice, 1.0, (0, 0, 0))
    with pytest.raises(UserError, match="bloch"):
        DMI(lattice, 1.0, kind="bulk")
    with pytest.raises(UserError, match="three dimensions"):
        DMI(Lattice.cubic(2, 2, 2), 1.0, kind="neel")
    with pytest.raises(UserError, match="one lattice"):
        Heisenberg(lattice, [1.0]) + Heisenberg(Lattice.square(3, 4), [1.0])


@pytest.mark.parametrize(
    ("field", "linear"),
    [
        (Heisenberg(Lattice.triangular(4, 4), [1.0, 0.0, 0.3]), True),
        (DMI(Lattice.square(3, 4), 0.3), True),
        (Heisenberg(Lattice.chain(1), [1.0]), False),
        (Zeeman(Lattice.chain(4), (0, 0, 1)) + Anisotropy(Lattice.chain(4), 1.0), False),
        (Heisenberg(Lattice.chain(5), [1.0]) + Zeeman(Lattice.chain(5), (0, 0, 1)), True),
    ],
    ids=repr,
)
def test_pairs_are_the_sites_that_feel_each_other(field, linear):
    """Found by turning one spin after another; a field that is linear in every spin feels nothing of a site itself."""
    state = spins.random(field.lattice, 1, seed=0)
    before, felt = field(state).field, set()
    for site in range(field.lattice.n_sites):
        moved = state.clone()
        moved[0, site] = -moved[0, site]
        changed = (field(moved).field - before).abs().amax((0, 2)) > 1e-9
        felt |= {(site, int(other)) for other in changed.nonzero()}
    assert field.linear == linear == (not any(i == j for i, j in felt))
    assert {(i, j) for i, j in felt if i != j} == {(i, j) for i, j in map(tuple, field.pairs().tolist()) if i != j}
