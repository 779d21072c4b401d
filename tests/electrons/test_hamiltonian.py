"""The s-d Hamiltonian: bands in closed form, hermiticity, dense against matrix-free, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from sdgnn import Lattice, SDModel, spins
from sdgnn.common.errors import UserError


def momenta(lattice: Lattice, twist: tuple[float, ...] | None = None) -> np.ndarray:
    """All momenta (k, dim) of the finite lattice."""
    assert lattice.shape is not None
    shift = np.zeros(lattice.dim) if twist is None else np.array(twist)
    steps = np.array(list(itertools.product(*[range(n) for n in lattice.shape])))
    return (steps + shift) @ lattice.reciprocal


def square_band(k: np.ndarray, t: tuple[float, float, float]) -> np.ndarray:
    x, y = k.T
    shells = np.cos(x) + np.cos(y), 2 * np.cos(x) * np.cos(y), np.cos(2 * x) + np.cos(2 * y)
    return -2 * sum(amplitude * shell for amplitude, shell in zip(t, shells, strict=True))


def triangular_phase(k: np.ndarray) -> np.ndarray:
    """cos k . a summed over the three bond directions a of a triangular lattice."""
    x, y = k[:, 0], k[:, 1] * math.sqrt(3) / 2
    return np.cos(x) + np.cos(x / 2 + y) + np.cos(x / 2 - y)


def bands(lattice: Lattice, k: np.ndarray) -> np.ndarray:
    """Nearest-neighbour bands, t = 1."""
    if lattice.name == "chain":
        return -2 * np.cos(k[:, 0])
    if lattice.name == "cubic":
        return -2 * np.cos(k).sum(1)
    if lattice.name == "triangular":
        return -2 * triangular_phase(k)
    if lattice.name == "honeycomb":
        # |1 + exp(i k.a_1) + exp(i k.a_2)|^2, with primitive vectors those of a triangular lattice times sqrt(3)
        root = np.sqrt(np.clip(3 + 2 * triangular_phase(math.sqrt(3) * k), 0, None))
        return np.concatenate([root, -root])
    # kagome: a flat band at +2 and -1 -/+ sqrt(4 Lambda - 3) with Lambda = sum of cos^2 of half the phases
    x, y = k[:, 0], k[:, 1] * math.sqrt(3) / 2
    squares = np.cos(x) ** 2 + np.cos(x / 2 + y) ** 2 + np.cos(x / 2 - y) ** 2
    root = np.sqrt(np.clip(4 * squares - 3, 0, None))
    return np.concatenate([np.full(len(k), 2.0), -1 - root, -1 + root])


LATTICES = [
    Lattice.chain(7),
    Lattice.chain(1),
    Lattice.chain(2),
    Lattice.triangular(4, 5),
    Lattice.triangular(1, 2),
    Lattice.honeycomb(3, 4),
    Lattice.kagome(3, 4),
    Lattice.kagome(1, 1),
    Lattice.cubic(2, 3, 4),
]


@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
@pytest.mark.parametrize("twisted", [False, True], ids=["periodic", "twisted"])
def test_hopping_has_the_bands_of_the_infinite_lattice(lattice: Lattice, twisted: bool) -> None:
    twist = (0.3, -0.1, 0.45)[: lattice.dim] if twisted else None
    matrix = SDModel(lattice).hopping_matrix(twist).toarray()
    expected = np.sort(bands(lattice, momenta(lattice, twist)))
    # the square root at band touchings halves the digits there
    assert np.allclose(np.linalg.eigvalsh(matrix), expected, atol=1e-7 if lattice.n_basis > 1 else 1e-12)


@pytest.mark.parametrize("size", [(5, 4), (2, 2), (1, 3), (1, 1)])
def test_three_shells_on_the_square_lattice_and_its_small_images(size: tuple[int, int]) -> None:
    # on 2x2 and thinner lattices bonds join a site with images of one site or of itself: each counts
    lattice, hopping = Lattice.square(*size), (1.0, 0.3, -0.5)
    matrix = SDModel(lattice, hopping).hopping_matrix().toarray()
    assert np.allclose(np.linalg.eigvalsh(matrix), np.sort(square_band(momenta(lattice), hopping)), atol=1e-12)


def test_whole_twists_are_periodic() -> None:
    model = SDModel(Lattice.kagome(2, 3))
    periodic = np.linalg.eigvalsh(model.hopping_matrix().toarray())
    assert np.allclose(np.linalg.eigvalsh(model.hopping_matrix((1.0, -2.0)).toarray()), periodic)
    assert not np.allclose(np.linalg.eigvalsh(model.hopping_matrix((0.5, 0.0)).toarray()), periodic)


def test_exchange_is_minus_j_spin_dot_pauli() -> None:
    # hopping 0: each site's 2x2 block is -J S.sigma, with eigenvalues -/+ J |S| and eigenstates along S
    lattice = Lattice.square(2, 2)
    state = spins.random(lattice, seed=1) * 1.5
    h = SDModel(lattice, hopping=[0.0], exchange=2.0).matrix(state)[0].numpy()
    pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
    for site in range(4):
        block = h[2 * site : 2 * site + 2, 2 * site : 2 * site + 2]
        levels, states = np.linalg.eigh(block)
        assert np.allclose(levels, [-3, 3])
        low = states[:, 0]
        assert np.allclose([(low.conj() @ p @ low).real for p in pauli], state[0, site].numpy() / 1.5)


@pytest.mark.parametrize("twist", [None, (0.2, 0.7)])
def test_matrix_free_product_equals_the_dense_one(twist: tuple[float, float] | None) -> None:
    lattice = Lattice.kagome(2, 3)
    model = SDModel(lattice, [1.0, -0.2], exchange=1.7)
    state = spins.random(lattice, replicas=3, seed=2)
    dense = model.matrix(state, twist)
    assert torch.equal(dense, dense.mH)
    generator = torch.Generator().manual_seed(0)
    psi = torch.randn(3, lattice.n_sites, 2, 5, dtype=torch.complex128, generator=generator)
    expected = (dense @ psi.reshape(3, -1, 5)).reshape(psi.shape)
    torch.testing.assert_close(model.apply(state, psi, twist), expected, atol=1e-12, rtol=0)
    single = model.apply(state.float(), psi.to(torch.complex64), twist)
    assert single.dtype == torch.complex64
    torch.testing.assert_close(single.to(torch.complex128), expected, atol=1e-4, rtol=0)


def test_matrices_of_one_model_do_not_share_memory() -> None:
    model = SDModel(Lattice.square(2, 2))
    state = spins.random(model.lattice)
    first = model.matrix(state)
    kept = first.clone()
    first.zero_()
    assert torch.equal(model.matrix(state), kept)


def test_wrong_models_are_refused() -> None:
    lattice = Lattice.square(3, 3)
    with pytest.raises(UserError, match="finite hopping"):
        SDModel(lattice, hopping=[])
    with pytest.raises(UserError, match="finite hopping"):
        SDModel(lattice, hopping=[math.nan])
    with pytest.raises(UserError, match="finite hopping"):
        SDModel(lattice, exchange=math.inf)
    with pytest.raises(UserError, match="one per cell axis"):
        SDModel(lattice).hopping_matrix((0.5,))
    with pytest.raises(UserError, match="free lattice"):
        SDModel(Lattice.free([[0.0], [1.1]], [[3.0]]))


@pytest.mark.parametrize("lattice", [Lattice.kagome(2, 3), Lattice.cubic(2, 2, 3)], ids=repr)
def test_vacancies_strike_rows_and_columns_of_the_crystal(lattice: Lattice) -> None:
    taken = [1, 5]
    left = np.setdiff1d(np.arange(lattice.n_sites), taken)
    states = spins.random(lattice, replicas=2, seed=1)
    twist = [0.3, 0.1, 0.2][: lattice.dim]
    whole = SDModel(lattice, exchange=2.0).matrix(states, twist)
    cut = SDModel(lattice.without(taken), exchange=2.0).matrix(states[:, left], twist)
    orbitals = np.stack([2 * left, 2 * left + 1], axis=1).ravel()
    torch.testing.assert_close(cut, whole[:, orbitals][:, :, orbitals], rtol=0, atol=1e-12)


def test_vacancies_have_no_further_hoppings() -> None:
    with pytest.raises(UserError, match="one hopping"):
        SDModel(Lattice.square(4, 4).without([0]), hopping=[1.0, 0.3])
