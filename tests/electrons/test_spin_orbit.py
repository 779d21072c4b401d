"""Spin-orbit coupling in the hopping: closed bands, an independent matrix, symmetries with controls, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons import DirectedVector, SpinOrbit
from sdgnn.electrons.bands import bloch_matrices
from sdgnn.fields.testing import carry
from sdgnn.lattice import PointOperation

PAULI = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
SQUARE, TRIANGULAR, HONEYCOMB = Lattice.square(4, 4), Lattice.triangular(3, 3), Lattice.honeycomb(3, 3)
KAGOME, CUBIC, CHAIN = Lattice.kagome(2, 2), Lattice.cubic(3, 3, 3), Lattice.chain(6)
RASHBA, RADIAL = SpinOrbit(kind="rashba", strength=0.4), SpinOrbit(kind="radial", strength=0.4)
DRESSELHAUS = SpinOrbit(kind="dresselhaus", strength=0.4)
KANE_MELE = SpinOrbit(kind="kane-mele", strength=0.3)


def momenta(lattice: Lattice, twist: tuple[float, ...] | None = None) -> np.ndarray:
    """All momenta (k, dim) of the finite lattice."""
    assert lattice.shape is not None
    steps = np.array(list(itertools.product(*[range(n) for n in lattice.shape])))
    return (steps + (0 if twist is None else np.array(twist))) @ lattice.reciprocal


@pytest.mark.parametrize("twist", [None, (0.3, -0.2, 0.1)])
@pytest.mark.parametrize(
    ("term", "lattice"),
    [(RASHBA, Lattice.square(5, 4)), (RASHBA, Lattice.square(1, 2)), (DRESSELHAUS, Lattice.square(5, 4)),
     (RADIAL, Lattice.cubic(2, 3, 4)), (RASHBA, Lattice.chain(7))],
    ids=lambda x: getattr(x, "kind", None) or x.name,
)  # fmt: skip
def test_free_bands_are_those_of_the_closed_form(
    term: SpinOrbit, lattice: Lattice, twist: tuple[float, ...] | None
) -> None:
    """E = -2 t sum_a cos k_a +- 2 s sqrt(sum_a sin^2 k_a) with one orbital a cell, for orthogonal lambda."""
    twist = twist and twist[: lattice.dim]
    k = momenta(lattice, twist)
    middle, split = -2 * np.cos(k).sum(1), 2 * term.strength * np.sqrt((np.sin(k) ** 2).sum(1))
    levels = np.linalg.eigvalsh(SDModel(lattice, spin_orbit=term).orbital_matrix(twist).toarray())
    assert np.allclose(levels, np.sort([middle + split, middle - split], axis=None), atol=1e-12)


def test_rashba_and_dresselhaus_have_the_signs_of_their_equations() -> None:
    """H_k of one square cell, at a momentum off all symmetry lines: the spin texture and not only its levels."""
    mesh = (7, 5)
    k = np.array([2 * math.pi * 1 / 7, 2 * math.pi * 2 / 5])
    for term, vector in (
        (RASHBA, [-math.sin(k[1]), math.sin(k[0]), 0]),
        (DRESSELHAUS, [math.sin(k[0]), -math.sin(k[1]), 0]),
    ):
        found = bloch_matrices(SDModel(SQUARE, [0.0], spin_orbit=term), mesh)[1, 2]
        # bloch_matrices sums exp(-i k . r) from the fast Fourier transform: the matrix at -k, odd in k
        assert np.allclose(-found, 2 * term.strength * np.einsum("a,aij->ij", vector, PAULI), atol=1e-12)


def test_kane_mele_opens_its_gap_at_the_corners_of_the_zone() -> None:
    """6 sqrt(3) s (Kane and Mele), exact on lattices whose momenta contain K; and the bands are twofold there."""
    lattice = Lattice.honeycomb(6, 6)
    levels = np.linalg.eigvalsh(
        SDModel(lattice, spin_orbit=KANE_MELE.replace(strength=0.05)).orbital_matrix().toarray()
    )
    half = len(levels) // 2
    assert levels[half] - levels[half - 1] == pytest.approx(6 * math.sqrt(3) * 0.05, rel=1e-12)
    assert np.allclose(levels[0::2], levels[1::2], atol=1e-12)
    model = SDModel(lattice, spin_orbit=KANE_MELE)
    bonds, blocks = model.bonds, model.bond_matrices()
    (one,) = np.flatnonzero((bonds.source == 0) & (np.abs(bonds.vector - [math.sqrt(3), 0]).max(1) < 1e-9))
    # (0, 0) and (sqrt 3, 0) share the neighbour at (sqrt 3 / 2, -1/2), below the line: the electron, which goes
    # to (0, 0), turns right there
    assert np.allclose(blocks[one], -1j * 0.3 * PAULI[2])


def by_hand(model: SDModel, state: np.ndarray, twist: tuple[float, ...]) -> np.ndarray:
    """H(S) by Kronecker products, bond by bond."""
    n, lattice = model.lattice.n_sites, model.lattice
    vectors = model.spin_orbit_vectors
    assert vectors is not None
    h = np.zeros((2 * n, 2 * n), dtype=complex)
    k = np.array(twist) @ lattice.reciprocal
    for b in range(len(model.bonds)):
        i, j = model.bonds.source[b], model.bonds.target[b]
        unit = np.zeros((n, n), dtype=complex)
        unit[i, j] = -np.exp(1j * k @ model.bonds.vector[b])
        h += np.kron(unit, model.amplitudes[b] * np.eye(2))
        for a in range(3):
            h += np.kron(unit, 1j * vectors[b, a] * PAULI[a])
    for i in range(n):
        unit = np.zeros((n, n))
        unit[i, i] = -model.exchange
        h += sum(np.kron(unit, state[i, a] * PAULI[a]) for a in range(3))
    return h


MODELS = [
    SDModel(SQUARE, [1.0, -0.2], 1.5, spin_orbit=[RASHBA, DRESSELHAUS.replace(strength=0.1)]),
    SDModel(Lattice.square(1, 2), [1.0, 0.3], 1.5, spin_orbit=RASHBA),
    SDModel(HONEYCOMB, [1.0], 1.0, {"width": 0.3, "seed": 1}, [KANE_MELE, RASHBA]),
    SDModel(KAGOME, [1.0], 1.0, spin_orbit=KANE_MELE.replace(shell=1)),
    SDModel(CUBIC, [1.0], 1.0, spin_orbit=RADIAL),
    SDModel(CHAIN, [1.0], 1.0, spin_orbit=RASHBA.replace(shell=3)),
    SDModel(Lattice.triangular(4, 3).without([2, 7]), [1.0], 1.0, spin_orbit=RASHBA),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_the_exact_field_is_that_of_an_independent_matrix(model: SDModel) -> None:
    """Energy, field, density and mu at a filling, with every eigenstate of the matrix made by hand, averaged over two
    boundary phases; and the field is minus the slope of that energy."""
    kT, filling = 0.1, 0.3
    state = spins.random(model.lattice, seed=3)
    lattice = model.lattice
    twists = (2,) + (1,) * (lattice.dim - 1)
    phases = [(0.0,) * lattice.dim, (0.5,) + (0.0,) * (lattice.dim - 1)]
    solved = [np.linalg.eigh(by_hand(model, state[0].numpy(), phase)) for phase in phases]
    assert np.allclose(model.matrix(state, phases[1])[0].numpy(), by_hand(model, state[0].numpy(), phases[1]))
    result = ExactField(model, kT, filling=filling, twists=twists)(state)
    mu = float(result.mu[0])
    n = lattice.n_sites
    field, density, omega = np.zeros((n, 3)), np.zeros(n), 0.0
    for levels, states in solved:
        f = 1 / (1 + np.exp((levels - mu) / kT))
        omega -= kT * np.logaddexp(0, (mu - levels) / kT).sum() / 2
        rho = (states * f) @ states.conj().T / 2
        for i in range(n):
            block = rho[2 * i : 2 * i + 2, 2 * i : 2 * i + 2]
            field[i] += model.exchange * np.array([np.trace(block @ p).real for p in PAULI])
            density[i] += np.trace(block).real
    assert density.sum() == pytest.approx(2 * n * filling, abs=1e-9)
    assert float(result.energy[0]) == pytest.approx(omega + mu * 2 * n * filling, abs=1e-9)
    assert np.allclose(result.field[0].numpy(), field, atol=1e-10)
    assert np.allclose(result.density[0].numpy(), density, atol=1e-10)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(state.shape))
    exact, step = ExactField(model, kT, filling=filling, twists=twists), 1e-5
    slope = (exact(state + step * along).energy - exact(state - step * along).energy) / (2 * step)
    assert float(slope + (result.field * along).sum()) == pytest.approx(0, abs=1e-7)


def turned(matrix: np.ndarray) -> np.ndarray:
    """How an operation of the lattice (dim, dim) turns spins, which are axial: det(R) R."""
    whole = np.eye(3)
    whole[: len(matrix), : len(matrix)] = matrix
    return np.linalg.det(whole) * whole


SYMMETRIC = [
    (SDModel(SQUARE, exchange=1.5, spin_orbit=RASHBA), "rashba"),
    (SDModel(SQUARE, [1.0, 0.2], exchange=1.5, spin_orbit=DRESSELHAUS), "dresselhaus"),
    (SDModel(TRIANGULAR, exchange=1.5, spin_orbit=RASHBA), "rashba"),
    (SDModel(HONEYCOMB, exchange=1.5, spin_orbit=KANE_MELE), "kane-mele"),
    (SDModel(KAGOME, exchange=1.5, spin_orbit=KANE_MELE.replace(shell=1)), "kane-mele"),
    (SDModel(CUBIC, exchange=1.5, spin_orbit=RADIAL), "radial"),
    (SDModel(SQUARE, exchange=1.5, spin_orbit=RADIAL), "radial"),
]


def allowed(kind: str, operation: PointOperation) -> bool:
    """Whether an operation keeps lambda: every one for rashba and kane-mele, rotations for radial, the half turn and
    the mirrors on the diagonals for dresselhaus."""
    if kind == "radial":
        return operation.is_proper
    return kind != "dresselhaus" or operation.is_proper == np.allclose(np.abs(operation.matrix), np.eye(2))


@pytest.mark.parametrize(("model", "kind"), SYMMETRIC, ids=lambda x: x if isinstance(x, str) else x.lattice.name)
def test_lattice_and_spins_turn_together(model: SDModel, kind: str) -> None:
    """E and H of spins that an operation carries to other sites and turns as axial vectors are carried and turned too,
    if it keeps lambda. The lattice alone and the spins alone do change the energy, unless the lambda of all bonds
    stay as they are: the controls."""
    vectors = model.spin_orbit_vectors
    assert vectors is not None
    state = spins.random(model.lattice, seed=5)
    exact = ExactField(model, 0.1, filling=0.3)
    before, kept = exact(state), 0
    for operation in model.lattice.point_group[:: 1 if model.lattice.dim < 3 else 7]:
        turn = torch.from_numpy(turned(operation.matrix))
        both = carry(state @ turn.T, operation.sites)
        after = exact(both)
        if not allowed(kind, operation):
            assert abs(float(after.energy - before.energy)) > 1e-4
            continue
        kept += 1
        torch.testing.assert_close(after.energy, before.energy, atol=1e-9, rtol=0)
        torch.testing.assert_close(after.field, carry(before.field @ turn.T, operation.sites), atol=1e-9, rtol=0)
        if not np.allclose(vectors @ turned(operation.matrix).T, vectors):
            for control in (state @ turn.T, carry(state, operation.sites)):
                assert abs(float(exact(control).energy - before.energy)) > 1e-4
    assert kept > 1


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_time_is_reversed(model: SDModel) -> None:
    state = spins.random(model.lattice, seed=2)
    exact = ExactField(model, 0.1, mu=-0.5)
    one, other = exact(state), exact(-state)
    torch.testing.assert_close(one.energy, other.energy, atol=1e-10, rtol=0)
    torch.testing.assert_close(one.field, -other.field, atol=1e-10, rtol=0)
    free = SDModel(model.lattice, model.hopping, 0.0, model.disorder, model.spin_orbit)
    levels = np.linalg.eigvalsh(free.orbital_matrix().toarray())
    assert np.allclose(levels[0::2], levels[1::2], atol=1e-10)  # Kramers


def test_a_pure_gauge_is_a_turn_of_the_spins() -> None:
    """-(cos a + i sin a sigma_z) = -exp(i a sigma_z) from site to site of a ring, in spinors c_j = exp(-i a j sigma_z)
    d_j that turn about z: free hopping of d_j between spins that are turned by -2 a j. Where a full turn closes the
    ring, spinors come back as -1: antiperiodic electrons."""
    n = 8
    lattice, angle = Lattice.chain(n), math.pi / n
    coupled = SDModel(
        lattice,
        [math.cos(angle)],
        1.3,
        spin_orbit={"kind": "own", "strength": math.sin(angle), "vectors": [{"direction": [1], "vector": [0, 0, 1]}]},
    )
    plain, state = SDModel(lattice, [1.0], 1.3), spins.random(lattice, seed=4)
    levels = np.linalg.eigvalsh(coupled.matrix(state)[0].numpy())

    def free(sign: int) -> np.ndarray:
        turn = Rotation.from_rotvec(np.outer(sign * 2 * angle * np.arange(n), [0, 0, 1])).as_matrix()
        moved = torch.from_numpy(np.einsum("nab,rnb->rna", turn, state.numpy()))
        return np.linalg.eigvalsh(plain.matrix(moved, (0.5,))[0].numpy())

    assert np.allclose(levels, free(-1), atol=1e-12)
    assert not np.allclose(levels, free(1), atol=1e-3) and not np.allclose(levels, free(0), atol=1e-3)


def test_vectors_belong_to_bonds_and_to_both_of_their_ends() -> None:
    for model in MODELS:
        vectors, bonds = model.spin_orbit_vectors, model.bonds
        assert vectors is not None and vectors.shape == (len(bonds), 3)
        assert np.allclose(vectors, -vectors[bonds.reversed])
        assert np.allclose(model.norms, np.linalg.norm(model.bond_matrices(), ord=2, axis=(1, 2)))
        h = model.matrix(spins.random(model.lattice, seed=0), (0.2,) * model.lattice.dim)
        assert torch.equal(h, h.mH)
    assert SDModel(SQUARE).spin_orbit_vectors is None


def test_own_vectors_are_those_of_the_named_kinds() -> None:
    """Rashba by direction; and with a vector for each sublattice, Kane-Mele."""
    given = [{"direction": [1, 0], "vector": [0, 1, 0]}, {"direction": [0, -2], "vector": [1, 0, 0]}]
    own = SDModel(SQUARE, spin_orbit={"kind": "own", "strength": 0.4, "vectors": given})
    assert np.allclose(own.spin_orbit_vectors, SDModel(SQUARE, spin_orbit=RASHBA).spin_orbit_vectors)
    angles = [0, 2 * math.pi / 3, 4 * math.pi / 3]
    named = SDModel(HONEYCOMB, spin_orbit=KANE_MELE)
    one = next(b for b in range(len(named.bonds)) if named.bonds.source[b] == 0 and named.bonds.shell[b] == 1
               and named.bonds.vector[b, 1] == 0 and named.bonds.vector[b, 0] > 0)  # fmt: skip
    assert named.spin_orbit_vectors is not None
    sign = named.spin_orbit_vectors[one, 2] / 0.3
    both = tuple(
        DirectedVector(direction=(math.cos(a), math.sin(a)), vector=(0, 0, sign * (1 - 2 * s)), source=s)
        for a in angles for s in (0, 1)
    )  # fmt: skip
    own = SDModel(HONEYCOMB, spin_orbit=SpinOrbit(kind="own", strength=0.3, shell=2, vectors=both))
    assert np.allclose(own.spin_orbit_vectors, named.spin_orbit_vectors)


def test_models_are_written_and_read() -> None:
    for model in MODELS:
        again = SDModel.from_dict(model.lattice, model.to_dict())
        assert again.to_dict() == model.to_dict() and again.spin_orbit == model.spin_orbit
        assert "spin_orbit=" in repr(model)
    assert SDModel(SQUARE, spin_orbit=RASHBA.replace(strength=0.0)).to_dict() == SDModel(SQUARE).to_dict()
    assert not SDModel(SQUARE, spin_orbit=RASHBA.replace(strength=0.0)).has_spin_orbit


def test_disorder_multiplies_the_whole_bond() -> None:
    clean = SDModel(SQUARE, spin_orbit=RASHBA)
    disordered = SDModel(SQUARE, spin_orbit=RASHBA, disorder={"width": 0.5})
    factor = disordered.amplitudes / clean.amplitudes
    assert np.ptp(factor) > 0.1
    assert np.allclose(disordered.bond_matrices(), factor[:, None, None] * clean.bond_matrices())


def own(*directions: list[float]) -> dict[str, object]:
    """One vector along each of the directions."""
    return {"kind": "own", "strength": 1, "vectors": [{"direction": d, "vector": [0, 0, 1]} for d in directions]}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: SpinOrbit(kind="ising", strength=0.1), "kind"),
        (lambda: SpinOrbit(kind="rashba", strength=math.nan), "strength"),
        (lambda: SpinOrbit(kind="own", strength=0.1), "without vectors"),
        (lambda: RASHBA.replace(vectors=[{"direction": [1, 0], "vector": [0, 0, 1]}]), "with vectors"),
        (lambda: SDModel(CUBIC, spin_orbit=RASHBA), "three dimensions"),
        (lambda: SDModel(SQUARE, spin_orbit=KANE_MELE), "share a nearest neighbour"),
        (lambda: SDModel(SQUARE, spin_orbit="rashba"), "spin_orbit"),
        (lambda: SDModel(SQUARE, spin_orbit=[0.3]), "spin_orbit 0.3"),
        (lambda: SDModel(SQUARE, spin_orbit=own([1, 1])), "no bond along"),
        (lambda: SDModel(SQUARE, spin_orbit=own([1])), "2 numbers"),
        (lambda: SDModel(SQUARE, spin_orbit=own([1, 0], [-1, 0])), "given twice"),
        (lambda: SDModel(SQUARE, {"form": "exponential"}, spin_orbit=RASHBA), "depends on the distance"),
        (lambda: SDModel(SQUARE.without([1]), spin_orbit=RASHBA.replace(shell=2)), "vacancies"),
        (lambda: SDModel(SQUARE, spin_orbit=RASHBA).hopping_matrix(), "hopping without spin"),
        (lambda: SDModel(SQUARE, spin_orbit=RASHBA).bond_hoppings((0.1, 0.2)), "hopping without spin"),
        (lambda: SDModel(SQUARE, spin_orbit=RASHBA).strengths, "strengths of bonds"),
        (lambda: SDModel.from_dict(SQUARE, {"hopping": [1], "exchange": 1, "spinorbit": []}), "spin_orbit"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(make: object, why: str) -> None:
    assert callable(make)
    with pytest.raises(UserError, match=why):
        make()
