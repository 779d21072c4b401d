"""Bond energies: <H> and its slope, closed form, exact against kernel polynomials."""

from __future__ import annotations

import math

import pytest
import torch

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons.bonds import bond_energies
from sdgnn.electrons.filling import occupations

ENSEMBLES = [{"mu": -2.0}, {"filling": 0.25}]
MODELS = [
    SDModel(Lattice.triangular(3, 4), [1.0, 0.3], exchange=2.0),
    SDModel(Lattice.chain(2), exchange=1.0),
    SDModel(Lattice.triangular(2, 4), [1.0], exchange=2.0, spin_orbit={"kind": "rashba", "strength": 0.4}),
    SDModel(Lattice.amorphous(14, seed=2), {"t": 1.0, "decay": 0.5, "cutoff": 1.6}, exchange=2.0),
]


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_sum_rule(model: SDModel, ensemble: dict[str, float]) -> None:
    # <H> = sum f e = kinetic energy + exchange energy - sum S_i . H_i
    state = spins.random(model.lattice, replicas=2, seed=1)
    levels = torch.linalg.eigvalsh(model.matrix(state))
    f = occupations(levels, 0.2, ensemble.get("mu"), ensemble.get("filling")).f
    energy = bond_energies(model, state, kT=0.2, **ensemble)
    exchange = -(state * ExactField(model, kT=0.2, **ensemble)(state).field).sum((1, 2))
    torch.testing.assert_close(energy.sum(1) / 2 + exchange, (f * levels).sum(1), atol=1e-11, rtol=0)
    torch.testing.assert_close(energy, energy[:, model.bonds.reversed], atol=1e-12, rtol=0)


@pytest.mark.parametrize("twists", [None, (1, 2)])
@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=str)
@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]], ids=repr)
def test_kernel_polynomials_with_full_trace(
    model: SDModel, ensemble: dict[str, float], twists: tuple[int, int] | None
) -> None:
    # pi kT moments / scale > 30
    state = spins.random(model.lattice, replicas=2, seed=2)
    exact = bond_energies(model, state, kT=0.25, twists=twists, **ensemble)
    found = bond_energies(model, state, kT=0.25, twists=twists, moments=360, **ensemble)
    torch.testing.assert_close(found, exact, atol=1e-9, rtol=0)


def test_twists_are_a_larger_lattice() -> None:
    small, large = Lattice.square(2, 3), Lattice.square(4, 3)
    state = spins.random(small, seed=3)
    energy = bond_energies(SDModel(small), state, kT=0.1, filling=0.3, twists=(2, 1))
    repeated = bond_energies(SDModel(large), state[:, small.find(large.positions)], kT=0.1, filling=0.3)
    assert float(repeated.sum()) == pytest.approx(2 * float(energy.sum()), abs=1e-10)
    # the first six sites, with 24 bonds from them, are the smaller lattice's
    torch.testing.assert_close(repeated[0, :24], energy[0], atol=1e-10, rtol=0)


def test_chain_in_closed_form() -> None:
    # free electrons, E = -2 t sum_s <c+_i c_i+1 + h.c.>/2 = -(4 / L) sum_k f(k) cos k
    lattice = Lattice.chain(9)
    energy = bond_energies(SDModel(lattice, exchange=0.0), spins.ferro(lattice), kT=0.3, mu=-0.4)
    cos = [math.cos(2 * math.pi * n / 9) for n in range(9)]
    expected = -4 / 9 * sum(c / (1 + math.exp((-2 * c + 0.4) / 0.3)) for c in cos)
    torch.testing.assert_close(energy, torch.full((1, 18), expected, dtype=torch.float64), atol=1e-12, rtol=0)


def test_coloured_vectors_are_close_and_unbiased() -> None:
    lattice = Lattice.triangular(8, 8)
    model, state = SDModel(lattice), spins.random(lattice, seed=4)
    exact = bond_energies(model, state, kT=0.3, mu=-3.0)
    seeds = torch.stack(
        [bond_energies(model, state, kT=0.3, mu=-3.0, moments=100, vectors=32, seed=k)[0] for k in range(12)]
    )
    noise = seeds.std(0)
    chi = (seeds.mean(0) - exact[0]) / (noise / math.sqrt(12))
    # 384 numbers, each once from either end, with the variance 11 / 9 of Student's distribution
    assert 1e-3 < float(noise.mean()) < 0.1 * float(exact.abs().mean())
    assert float(chi.square().mean()) == pytest.approx(11 / 9, abs=0.5)


def test_refusals() -> None:
    state = spins.random(MODELS[1].lattice)
    with pytest.raises(UserError, match="exactly one"):
        bond_energies(MODELS[1], state, kT=0.1)
    with pytest.raises(UserError, match="moments"):
        bond_energies(MODELS[1], state, kT=0.1, mu=0.0, moments=5)
