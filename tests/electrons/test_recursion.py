"""Chebyshev recursion: both engines against dense matrices and automatic differentiation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from sdgnn import Lattice, SDModel, spins
from sdgnn.electrons.kpm.compiled_recursion import CompiledRecursion
from sdgnn.electrons.kpm.plain_recursion import PlainRecursion
from sdgnn.electrons.kpm.recursion import chebyshev_moments, chebyshev_vectors, recursion, reverse_weights
from sdgnn.electrons.kpm.scaled import HoppingTable, ScaledHamiltonian

SIGMA = torch.tensor([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]], [[1, 0], [0, 1]]])
BOUNDS = torch.tensor([[-14.0, 12.0], [-13.0, 12.5]], dtype=torch.float64)
LATTICES = [Lattice.triangular(3, 4), Lattice.square(4, 3).without([2, 7]), Lattice.chain(2)]
MOMENTS = 20
OUT_OF_PLANE = {1: [{"direction": [1], "vector": [0, 0, 1]}], 2: [{"direction": [1, 0], "vector": [0, 0, 1]}]}


def problem(  # type: ignore[no-untyped-def]
    lattice: Lattice, twist: tuple[float, ...] | None, dtype: torch.dtype, coupled: bool = False, vectors: int = 19
):
    """H~ of two states, the same as a dense matrix, and vectors (more than one block of them)."""
    coupling = [{"kind": "rashba", "strength": 0.4}, {"kind": "radial", "strength": -0.3}] if coupled else []
    if coupled and lattice.is_crystal:  # then lambda has all three components
        coupling.append({"kind": "own", "strength": 0.2, "vectors": OUT_OF_PLANE[lattice.dim]})
    model = SDModel(lattice, [1.0, 0.3] if lattice.is_crystal else [1.0], exchange=2.0, spin_orbit=coupling)
    state = spins.random(lattice, replicas=2, seed=1)
    scaled = ScaledHamiltonian.of(model, state, BOUNDS, HoppingTable.of(model, twist, dtype))
    centre, scale = BOUNDS.mean(1), (BOUNDS[:, 1] - BOUNDS[:, 0]) / 2
    eye = torch.eye(model.n_orbitals)
    dense = (model.matrix(state, twist) - centre[:, None, None] * eye) / scale[:, None, None]
    generator = torch.Generator().manual_seed(2)
    psi = torch.randn(2, lattice.n_sites, 2, vectors, dtype=torch.complex128, generator=generator)
    return scaled, dense, psi / psi.norm(dim=(1, 2), keepdim=True)


def dense_vectors(dense: torch.Tensor, psi: torch.Tensor, count: int) -> list[torch.Tensor]:
    flat = psi.flatten(1, 2)
    terms = [flat, dense @ flat]
    for _ in range(count - 2):
        terms.append(2 * dense @ terms[-1] - terms[-2])
    return terms[:count]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-6)], ids=str)
@pytest.mark.parametrize("twisted", [False, True])
@pytest.mark.parametrize("coupled", [False, True], ids=["plain", "spin-orbit"])
@pytest.mark.parametrize("lattice", LATTICES, ids=repr)
def test_vectors_moments_and_gradient(
    lattice: Lattice, coupled: bool, twisted: bool, dtype: torch.dtype, tolerance: float
) -> None:
    # the sums of 20 products carry at most a few tens of roundings, 1e-16 or 6e-8 each, of vectors of norm 1
    scaled, dense, psi = problem(lattice, (0.2,) * lattice.dim if twisted else None, dtype, coupled)
    dense = dense.requires_grad_()
    terms = dense_vectors(dense, psi, MOMENTS)
    moments = torch.stack([(terms[0].conj() * term).sum(1).real for term in terms], dim=1)
    coefficients = np.random.default_rng(3).normal(size=(2, MOMENTS))
    (slope,) = torch.autograd.grad((torch.from_numpy(coefficients)[..., None] * moments).sum(), dense)
    slope = (slope + slope.mH) / 2
    blocks = torch.stack([slope[:, i : i + 2, i : i + 2] for i in range(0, slope.shape[1], 2)], dim=1)
    expected = torch.einsum("aij,rsji->rsa", SIGMA.to(slope), blocks).real

    terms = [term.detach() for term in terms]
    for kind in (CompiledRecursion, PlainRecursion):
        engine = kind(scaled)
        found, before, last = engine.forward(engine.pack(psi), MOMENTS)
        torch.testing.assert_close(found[..., : psi.shape[-1]], moments.detach(), atol=tolerance, rtol=0)
        gradient = engine.reverse(before, last, reverse_weights(coefficients))
        scale = float(expected.abs().max())
        torch.testing.assert_close(gradient / scale, expected / scale, atol=tolerance, rtol=0)
        for m, (rows, term) in enumerate(zip(rows_of(engine, psi), terms, strict=False)):
            difference = engine.unpack(rows, psi.shape).flatten(1, 2) - term
            assert float(difference.abs().max()) < tolerance * 10, m
    torch.testing.assert_close(chebyshev_moments(scaled, psi, MOMENTS), moments.detach(), atol=tolerance, rtol=0)
    for found_vectors, term in zip(itertools.islice(chebyshev_vectors(scaled, psi), 5), terms, strict=False):
        torch.testing.assert_close(found_vectors.flatten(1, 2).to(term), term, atol=10 * tolerance, rtol=0)


def rows_of(engine, psi):  # type: ignore[no-untyped-def]
    before = engine.pack(psi)
    yield before
    last = engine.first(before)
    while True:
        yield last
        before, last = last, engine.next(last, before)


def test_a_wrong_weight_is_noticed() -> None:
    # positive control: the correction of mu_1 in every odd moment cannot be left out
    scaled, _, psi = problem(LATTICES[0], None, torch.float64)
    weights = reverse_weights(np.ones((2, MOMENTS)))
    engine = recursion(scaled)
    _, before, last = engine.forward(engine.pack(psi), MOMENTS)
    right = engine.reverse(before.copy(), last.copy(), weights)
    weights[:, -1, 2] = 2.0
    wrong = engine.reverse(before, last, weights)
    assert float((right - wrong).abs().max()) > 0.1


def test_running_backwards_in_single_precision_does_not_drift() -> None:
    # T_k are bounded by 1: the error of 500 steps back grows no faster than their number times rounding
    scaled, _, psi = problem(LATTICES[0], None, torch.float32)
    engine = recursion(scaled)
    start = engine.pack(psi)
    _, before, last = engine.forward(start, 1000)
    for _ in range(499):
        before, last = engine.next(before, last), before
    assert float(np.abs(before - start).max()) < 500 * 6e-8
