"""Lists of bonds: crystals, free positions and given bonds alike, and the symmetries away from crystals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.equivariant import LATTICES, ROUNDING, distance, trained_like
from scipy.spatial.transform import Rotation
from torch import Tensor

import sdgnn
from sdgnn import Lattice, spins
from sdgnn.common.errors import UserError
from sdgnn.lattice import Bonds
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, SiteField
from sdgnn.nn.baselines.graph import cutoff, strengths
from sdgnn.nn.baselines.harmonics import BondHarmonics

FAMILIES = {lattice.name: lattice for lattice in LATTICES}


def disordered(lattice: Lattice) -> Lattice:
    """Every fifth site taken out, the others moved by up to a tenth of the nearest-neighbour distance."""
    left = lattice.without(np.arange(0, lattice.n_sites, 5))
    moved = np.random.default_rng(2).uniform(-0.1, 0.1, left.positions.shape)
    return Lattice.free(left.positions + moved, left.cell)


def bound(family: Lattice, lattice: Lattice) -> SiteField:
    return trained_like(family).on(lattice, torch.float64)


def slopes(field: SiteField, states: torch.Tensor) -> list[torch.Tensor]:
    """Energy, its slopes in the spins, and those of a weighted sum of site energies in every weight."""
    at = states.clone().requires_grad_()
    sites = field.site_energies(at)
    weighted = (sites * torch.linspace(0.5, 1.5, sites.numel(), dtype=torch.float64).view_as(sites)).sum()
    weights = [weight for name, weight in field.network.named_parameters() if name != "constant"]
    return [sites, *torch.autograd.grad(weighted, [at, *weights])]


TINY = [Lattice.chain(2), Lattice.square(1, 2), Lattice.triangular(2, 1), Lattice.kagome(1, 1), Lattice.cubic(1, 1, 2)]
"""Sites that are their own neighbours, or each other's several times."""


@pytest.mark.parametrize("lattice", [*LATTICES, *TINY], ids=repr)
def test_crystals_free_positions_and_given_bonds_are_equal(lattice: Lattice) -> None:
    """Site energies, fields and gradients in every weight, from positions alone and from given bonds."""
    network, states = trained_like(lattice).double(), spins.random(lattice, replicas=2, seed=1)
    expected = slopes(network.on(lattice, torch.float64), states)
    assert all(float(value.detach().abs().max()) > 1e-3 for value in expected)
    free = Lattice.free(lattice.positions, lattice.cell)
    for field in (network.on(free, torch.float64), network.on(lattice, torch.float64, bonds=lattice.bonds(1))):
        for value, other in zip(slopes(field, states), expected, strict=True):
            assert distance(value, other) < ROUNDING


@pytest.mark.parametrize(
    ("family", "found"),
    [
        ("chain", [0, 1]),
        ("square", [0, 1, 2]),
        ("triangular", [0, 1, 2, 3]),
        ("kagome", [0, 1, 2, 3]),
        ("cubic", [0, 1, 2]),
    ],
)
def test_every_space_of_lattice_harmonics_has_one_degree(family: str, found: list[int]) -> None:
    assert sorted(BondHarmonics.of(FAMILIES[family]).degrees) == found


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_vacancies_are_missing_bonds_of_the_crystal(lattice: Lattice) -> None:
    """Second route: the whole crystal, with every bond to or from a vacancy of strength 0."""
    network, states = trained_like(lattice), spins.random(lattice, seed=1)
    taken = np.array([0, 3, 4])
    left = torch.from_numpy(np.setdiff1d(np.arange(lattice.n_sites), taken))
    bonds = lattice.bonds(1)
    kept = ~np.isin(bonds.source, taken) & ~np.isin(bonds.target, taken)
    assert 0 < kept.sum() < len(bonds)
    expected = network.on(lattice, torch.float64, bonds=bonds, strengths=kept.astype(float)).site_energies(states)[
        :, left
    ]
    found = network.on(lattice.without(taken), torch.float64).site_energies(states[:, left])
    assert distance(found, expected) < ROUNDING


def test_a_vacancy_beyond_the_halo_changes_nothing() -> None:
    """The cutoff is 2 bonds here, the halo 4; the sixth neighbour along a row is not seen, the second is."""
    lattice = Lattice.triangular(14, 14)
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=4), lattice, seed=1)
    states = spins.random(lattice, seed=2)
    centre, far, near = lattice.find([[0.0, 0.0], [6.0, 0.0], [2.0, 0.0]])
    field = network.on(lattice, torch.float64)(states).field[0, centre]
    for taken, seen in ((far, False), (near, True)):
        left = np.setdiff1d(np.arange(lattice.n_sites), [taken])
        other = network.on(lattice.without([taken]), torch.float64)(states[:, left]).field[0, centre]
        assert (float((other - field).norm()) > 1e-4) == seen
        assert seen or float((other - field).norm()) < 1e-12


@pytest.mark.parametrize("family", FAMILIES)
def test_spin_rotation_and_time_reversal(family: str) -> None:
    lattice = disordered(FAMILIES[family])
    field, states = bound(FAMILIES[family], lattice), spins.random(lattice, replicas=2, seed=3)
    before = field(states)
    rotation = torch.from_numpy(Rotation.random(random_state=7).as_matrix())
    for turn in (rotation, -torch.eye(3, dtype=torch.float64)):
        after = field(states @ turn.T)
        assert distance(after.energy, before.energy) < ROUNDING
        assert distance(after.field, before.field @ turn.T) < ROUNDING


def orthogonal(dim: int) -> list[np.ndarray]:
    """A rotation by no angle of any lattice, and a reflection of it."""
    if dim == 1:
        return [-np.eye(1)]
    turn = Rotation.from_rotvec([0, 0, 0.3] if dim == 2 else [0.3, -0.7, 0.4]).as_matrix()[:dim, :dim]
    return [turn, turn @ np.diag([-1.0] + [1.0] * (dim - 1))]


@pytest.mark.parametrize("family", FAMILIES)
def test_rigid_motion_of_all_positions(family: str) -> None:
    """Spins stay as they are: without spin-orbit coupling they turn independently."""
    lattice = disordered(FAMILIES[family])
    states = spins.random(lattice, seed=3)
    before = bound(FAMILIES[family], lattice)(states)
    for matrix in orthogonal(lattice.dim):
        moved = Lattice.free(lattice.positions @ matrix.T + 0.37, lattice.cell @ matrix.T)
        after = bound(FAMILIES[family], moved)(states)
        assert distance(after.energy, before.energy) < ROUNDING
        assert distance(after.field, before.field) < ROUNDING


@pytest.mark.parametrize("family", ["square", "triangular", "kagome", "cubic"])
def test_bending_bonds_changes_the_energy(family: str) -> None:
    """Positive control: moving one site changes angles, and nothing else while no bond is longer than 1."""
    lattice = FAMILIES[family]
    states = spins.random(lattice, seed=3)
    bonds = lattice.bonds(1)
    turned = bonds.vector.copy()
    first = int(np.flatnonzero(bonds.source == 1)[0])
    back = (bonds.source == bonds.target[first]) & np.isclose(bonds.vector, -bonds.vector[first]).all(1)
    turned[first] += 0.2 * np.roll(turned[first], 1) * np.array([-1.0] + [1.0] * (lattice.dim - 1))
    turned[back] = -turned[first]
    network = trained_like(lattice)
    straight, bent = (
        network.on(lattice, torch.float64, bonds=replace(bonds, vector=vector))(states).energy
        for vector in (bonds.vector, turned)
    )
    assert distance(bent, straight) > 1e-5


def test_the_names_of_sites_do_not_matter() -> None:
    lattice = disordered(Lattice.kagome(3, 3))
    states = spins.random(lattice, seed=3)
    before = bound(FAMILIES["kagome"], lattice)(states)
    order = np.random.default_rng(0).permutation(lattice.n_sites)
    after = bound(FAMILIES["kagome"], Lattice.free(lattice.positions[order], lattice.cell))(states[:, order])
    assert distance(after.energy, before.energy) < ROUNDING
    assert distance(after.field, before.field[:, order]) < ROUNDING


@pytest.mark.parametrize("family", ["honeycomb", "cubic"])
def test_field_is_minus_the_slope_of_the_energy(family: str) -> None:
    """Central difference with h = 1e-4; its error h^2 (third derivative) / 6 ~ 1e-9 x 1e3."""
    lattice = disordered(FAMILIES[family])
    field, states = bound(FAMILIES[family], lattice), spins.random(lattice, replicas=2, seed=1)
    along = torch.from_numpy(np.random.default_rng(0).standard_normal(states.shape))
    along /= along.norm()
    slope = (field(states + 1e-4 * along).energy - field(states - 1e-4 * along).energy) / 2e-4
    expected = -(field(states).field * along).sum((1, 2))
    assert float(expected.abs().max()) > 1e-2
    torch.testing.assert_close(slope, expected, rtol=1e-5, atol=1e-5)


def test_replicas_do_not_see_each_other_and_float32_is_close() -> None:
    lattice = disordered(FAMILIES["square"])
    field, states = bound(FAMILIES["square"], lattice), spins.random(lattice, replicas=3, seed=1)
    together = field(states)
    assert distance(field(states[1:2]).field, together.field[1:2]) < ROUNDING
    single = trained_like(FAMILIES["square"]).on(lattice)(states)
    assert single.field.dtype == torch.float32
    assert distance(single.field.to(torch.float64), together.field) < 1e-4


def pair_apart(length: float) -> Lattice:
    """A square of sites, one of which is ``length`` away from the first."""
    return Lattice.free([[0.0, 0.0], [length, 0.0], [0.0, 1.0], [0.6, 0.8]], 20 * np.eye(2))


def test_the_energy_is_continuous_where_bonds_begin_and_end() -> None:
    """Over steps of 1e-6 through the nearest-neighbour distance and the cutoff; a sharp cutoff jumps."""
    family = FAMILIES["square"]
    network, end = trained_like(family), cutoff(family)
    states = spins.random(pair_apart(1.0), seed=4)

    def energy(length: float) -> Tensor:
        return network.on(pair_apart(length), torch.float64)(states).energy

    def sharp(length: float) -> Tensor:
        lattice = pair_apart(length)
        return network.on(lattice, torch.float64, bonds=lattice.bonds_within(end))(states).energy

    for length in (1.0, end):
        assert float((energy(length + 1e-6) - energy(length - 1e-6)).abs()) < 1e-4
    assert float((energy(end) - energy(1.0)).abs()) > 1e-2
    assert float((sharp(end + 1e-5) - sharp(end - 1e-5)).abs()) > 1e-2


def test_strengths_of_bonds() -> None:
    """1 up to the nearest-neighbour distance, 0 from the cutoff on, falling, flat at both ends."""
    family = FAMILIES["triangular"]
    end = cutoff(family)
    assert 1 < end < family.shell_distances(2)[1]
    lengths = np.linspace(0.5, 1.1 * end, 2001)
    found = strengths(lengths, family)
    assert (found[lengths <= 1] == 1).all() and (found[lengths >= end] == 0).all()
    assert (np.diff(found) <= 0).all()
    slope = np.diff(strengths(np.array([1, 1 + 1e-4, end - 1e-4, end]), family))
    assert abs(slope[0]) < 1e-9 and abs(slope[2]) < 1e-9


def test_chosen_bonds_cut_a_crystal_in_two() -> None:
    """A chain without the bonds 8-0 and 3-4 has two parts that do not see each other."""
    lattice = Lattice.chain(9)
    bonds = lattice.bonds(1)
    ends = [frozenset(pair) for pair in zip(bonds.source.tolist(), bonds.target.tolist())]
    kept = np.array([pair not in ({8, 0}, {3, 4}) for pair in ends])
    cut = Bonds(bonds.source[kept], bonds.target[kept], bonds.vector[kept], bonds.shell[kept])
    field, states = trained_like(lattice).on(lattice, torch.float64, bonds=cut), spins.random(lattice, seed=1)
    other = states.clone()
    other[:, 4:] = spins.random(lattice, seed=2)[:, 4:]
    before, after = field(states).field, field(other).field
    assert distance(after[:, :4], before[:, :4]) < ROUNDING
    assert distance(after[:, 4:], before[:, 4:]) > 1e-2


def test_spins_on_a_crystal_with_vacancies_relax() -> None:
    """Damped dynamics lowers the energy of the learned field."""
    lattice = Lattice.square(5, 5).without([3, 12])
    field, states = bound(FAMILIES["square"], lattice), spins.random(lattice, seed=1)
    run = sdgnn.simulate(field, states, sdgnn.Heun(dt=1e-4, damping=0.5), steps=20)
    assert float(field(run.spins).energy) < float(field(states).energy) - 1e-3


@pytest.mark.parametrize(
    ("lattice", "message"),
    [
        (Lattice.free([[0.0]], [[1.0]]), "2 dimensions"),
        (Lattice.free([[0.0, 0.0], [50.0, 0.0]], 100 * np.eye(2)), "nearest-neighbour distance"),
        (Lattice.triangular(4, 4), "square"),
    ],
    ids=["dimension", "no bonds", "another crystal"],
)
def test_lattices_without_a_meaning_are_refused(lattice: Lattice, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bound(FAMILIES["square"], lattice)


def test_body_centred_crystals_are_refused() -> None:
    body_centred = Lattice.crystal([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], [[0.0, 0, 0]], (3, 3, 3))
    with pytest.raises(UserError, match="8 bond directions in 3 dimensions"):
        EquivariantNetwork(EquivariantSettings(layers=1, channels=2), body_centred)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": np.array([0]), "target": np.array([1]), "vector": np.array([[1.0, 0.0]])}, "either end"),
        (
            {"source": np.array([0, 1]), "target": np.array([1, 0]), "vector": np.array([[1.0, 0], [1, 0]])},
            "either end",
        ),
        (
            {
                "source": np.array([0, 0, 1, 1]),
                "target": np.array([1, 1, 0, 0]),
                "vector": np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]]),
            },
            "once",
        ),
        ({"source": np.array([0, 99]), "target": np.array([99, 0]), "vector": np.array([[1.0, 0], [-1, 0]])}, "99"),
        ({"source": np.array([0, 1]), "target": np.array([1, 0]), "vector": np.zeros((2, 2))}, "no length"),
        ({"source": np.array([0, 1]), "target": np.array([1, 0]), "vector": np.array([[1.0], [-1.0]])}, "2 numbers"),
    ],
)
def test_bonds_that_do_not_fit_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    lattice = FAMILIES["square"]
    bonds = Bonds(**change, shell=np.zeros(len(change["source"]), dtype=np.int64))
    with pytest.raises(UserError, match=message):
        trained_like(lattice).on(lattice, bonds=bonds)


def test_harmonics_that_a_crystal_lacks_carry_nothing_there() -> None:
    """sin 3 phi or cos 3 phi vanishes in all directions of a triangular crystal, not so on moved positions."""
    lattice = FAMILIES["triangular"]
    network = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice)
    for positions, zero in ((Lattice.free(lattice.positions, lattice.cell), True), (disordered(lattice), False)):
        graph = network.tables(positions, 1, torch.device("cpu"), torch.float64)
        assert len(graph.space) == 7
        assert (float(graph.harmonics.abs().amax((0, 1)).min()) < 1e-12) == zero
