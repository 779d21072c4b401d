"""Effective exchange and linear spin waves: closed forms, the equation of motion itself, S(q, omega) of a run."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from sdgnn import ExactField, Lattice, SDModel, TruncatedField, exchange, spin_waves, spins
from sdgnn.analysis import DynamicalStructureFactor, magnetic_cell, wave_vector_path, wave_vectors
from sdgnn.common.errors import UserError
from sdgnn.dynamics import SemiImplicitB
from sdgnn.dynamics.integrators.equation import velocity
from sdgnn.fields import DMI, Anisotropy, DampingLike, Field, Heisenberg, Zeeman

SQUARE, TRIANGLES, KAGOME = Lattice.square(6, 6), Lattice.triangular(6, 6), Lattice.kagome(3, 3)
Q = np.random.default_rng(0).normal(size=(7, 2))
"""Wave vectors that fit no lattice."""


def electrons(lattice: Lattice, exchange: float = 3.0, filling: float = 0.25) -> Field:
    return ExactField(SDModel(lattice, exchange=exchange), kT=0.1, filling=filling)


def harmonics(lattice: Lattice, q: np.ndarray) -> np.ndarray:
    """Sum of cos(q . d) over the nearest neighbours d of a site."""
    bonds = lattice.bonds(1)
    return np.cos(q @ bonds.vector[bonds.source == 0].T).sum(1)


# -- couplings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [spins.ferro, spins.random], ids=["ferro", "random"])
@pytest.mark.parametrize("lattice", [Lattice.chain(9), TRIANGLES, KAGOME, Lattice.cubic(3, 3, 3)], ids=lambda x: x.name)
def test_bilinear_fields_return_their_own_couplings(lattice: Lattice, state: Callable[..., Tensor]) -> None:
    """Whatever the state: J by shell, D by bond, K and h by site, to rounding."""
    field = Heisenberg(lattice, [0.7, -0.3]) + DMI(lattice, 0.2) + Zeeman(lattice, (0.1, 0, 0.4))
    found = exchange(field + Anisotropy(lattice, 0.3, (1, 2, 2)), state(lattice))
    bonds = lattice.bonds(2)
    assert found.bilinear and len(found) * lattice.n_sites == len(bonds) * found.cell.count
    r, J, spread = found.by_distance()
    assert r == pytest.approx(lattice.shell_distances(2)) and J.tolist() == pytest.approx([0.7, -0.3], abs=1e-13)
    assert spread == pytest.approx(0, abs=1e-13) and found.asymmetry < 1e-13
    near = found.length < 1.01
    along = np.pad(found.vector, ((0, 0), (0, 3 - lattice.dim)))
    assert found.dmi[near] == pytest.approx(0.2 * along[near], abs=1e-13)
    assert found.dmi[~near] == pytest.approx(0, abs=1e-13)
    axis = np.array([1, 2, 2]) / 3
    assert found.onsite == pytest.approx(np.broadcast_to(0.6 * np.outer(axis, axis), found.onsite.shape), abs=1e-13)
    assert found.external == pytest.approx(np.tile([0.1, 0, 0.4], (found.cell.count, 1)), abs=1e-12)


def test_energy_of_the_couplings_is_that_of_the_field() -> None:
    """E = -1/2 sum S J S - 1/2 sum S K S - sum h S, the zero of energy included, summed bond by bond."""
    field = Heisenberg(KAGOME, [0.7, -0.3]) + DMI(KAGOME, 0.2) + Anisotropy(KAGOME, 0.3) + Zeeman(KAGOME, (0.1, 0, 0.4))
    state = spins.random(KAGOME, seed=4)
    found, S = exchange(field, state), state[0].numpy()
    pairs = np.einsum("na,nab,nb->", S[found.source], found.tensor, S[found.target])
    sites = np.einsum("na,nab,nb->", S, found.onsite, S)
    assert float(field(state).energy) == pytest.approx(-0.5 * (pairs + sites) - (found.external * S).sum(), abs=1e-11)


def test_couplings_of_electrons_are_the_energys_second_derivatives() -> None:
    """E of two spins turned by small angles along their transverse axes, by second differences of the energy itself.

    Steps of 1e-3 leave 1e-6 of the fourth derivative and 1e-9 of rounding.
    """
    lattice = Lattice.triangular(3, 4)
    field, state = electrons(lattice), spins.rotate_randomly(spins.stripe(lattice, axis=1), seed=3)
    found = exchange(field, state)
    frames, member = found.frames(), found.cell.member
    assert not found.bilinear and found.cell.count == 2 and found.residual_torque < 1e-10

    def turned(moves: dict[tuple[int, int], float]) -> Tensor:
        new = state.clone()
        for (site, axis), angle in moves.items():
            new[0, site] += angle * torch.from_numpy(frames[member[site]][:, axis].copy())
        return new / new.norm(dim=-1, keepdim=True)

    h, whole = 1e-3, np.concatenate([[[0, 0]], wave_vectors(lattice)])
    A = found.curvature(whole[1:])
    for i, j, a, b in ((0, 5, 0, 0), (0, 1, 1, 1), (0, 1, 0, 1), (0, 0, 0, 0), (1, 1, 0, 1)):
        i, j = found.cell.sites[i] if i < 2 else i, j if j != i else found.cell.sites[i]
        energies = [
            float(field(turned({(i, a): x * h, (j, b): y * h} if (i, a) != (j, b) else {(i, a): (x + y) * h})).energy)
            for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1))
        ]
        second = (energies[0] - energies[1] - energies[2] + energies[3]) / (4 * h**2)
        apart = lattice.positions[j] - lattice.positions[i]
        block = A[:, 2 * member[i] + a, 2 * member[j] + b] * np.exp(-1j * whole[1:] @ apart)
        # A(q) runs over the 6 wave vectors of the magnetic cell, each twice in the list
        assert block.mean() == pytest.approx(second, abs=3e-6)


def test_the_ordering_vector_is_the_maximum_of_j_of_q() -> None:
    """Triangular antiferromagnet: J(q) = - sum cos(q . d), 3 at the corners of the zone; kagome's is flat."""
    found = exchange(Heisenberg(TRIANGLES, [-1.0]), spins.random(TRIANGLES))
    assert found.strongest(Q) == pytest.approx(-harmonics(TRIANGLES, Q), abs=1e-12)
    best = found.ordering_vectors()
    assert found.strongest(best) == pytest.approx(3) and np.linalg.norm(best, axis=1) == pytest.approx(4 * np.pi / 3)
    assert len(best) == 2
    assert exchange(Heisenberg(KAGOME, [-1.0]), spins.random(KAGOME)).strongest(Q) == pytest.approx(2)


def test_isotropic_part_of_heisenberg_seen_transversely_is_its_coupling() -> None:
    """What a Heisenberg bond looks like where only transverse motion is seen: canted spins at any angle."""
    found = exchange(Heisenberg(TRIANGLES, [0.8]), spins.random(TRIANGLES, seed=2))
    across = np.eye(3) - found.spins[:, :, None] * found.spins[:, None, :]
    seen = across[found.source] @ found.tensor @ across[found.target]
    same = {**vars(found), "tensor": seen, "bilinear": False}
    assert type(found)(**same).isotropic == pytest.approx(0.8)


def test_magnetic_cells() -> None:
    even, three = Lattice.triangular(6, 6), Lattice.kagome(3, 6)
    for state, lattice, count in (
        (spins.ferro(even), even, 1),
        (spins.stripe(even, 1), even, 2),
        (spins.order120(even), even, 3),
        (spins.tetrahedral(even), even, 4),
        (spins.order120(three), three, 3),
        (spins.random(even), even, 36),
        (spins.skyrmion_crystal(even, 3), even, 9),
        (spins.neel(Lattice.cubic(4, 4, 2)), Lattice.cubic(4, 4, 2), 2),
        (spins.ferro(Lattice.amorphous(9)), Lattice.amorphous(9), 9),
    ):
        turned = spins.rotate_randomly(state, seed=1)[0].numpy()
        cell = magnetic_cell(turned, lattice)
        assert cell.count == count
        assert np.linalg.det(cell.vectors) == pytest.approx(np.linalg.det(lattice.cell) * count / lattice.n_sites)
        assert turned[cell.sites][cell.member] == pytest.approx(turned, abs=1e-9)


def test_disorder_of_the_field_makes_every_site_its_own() -> None:
    lattice = Lattice.triangular(4, 4)
    model = SDModel(lattice, exchange=3.0, disorder={"width": 0.3, "seed": 1})
    assert exchange(ExactField(model, 0.1, filling=0.25), spins.ferro(lattice)).cell.count == 16


def test_a_common_chemical_potential_couples_far_sites() -> None:
    """Walks at fixed filling see spins within their halo, and all others through mu: d2E of a far pair by second
    differences of E, in a state without symmetry. At fixed mu there is none."""
    chain = Lattice.chain(24)
    state = spins.random(chain, seed=5)
    for settings, coupled in ({"filling": 0.3}, True), ({"mu": -0.8}, False):
        field = TruncatedField(SDModel(chain, exchange=2.0), kT=0.2, cutoff=2, moments=9, **settings)
        found = exchange(field, state)
        j = 12
        far = np.abs(found.tensor[found.length > field.halo + 0.5]).max(initial=0)
        assert (far > 1e-6) == coupled
        if not coupled:
            continue
        frames, h, energies = found.frames(), 0.05, []
        for x, y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            moved = state.clone()
            moved[0, 0] += x * h * torch.from_numpy(frames[0, :, 0].copy())
            moved[0, j] += y * h * torch.from_numpy(frames[j, :, 0].copy())
            energies.append(float(field(moved).energy))
        second = (energies[0] - energies[1] - energies[2] + energies[3]) / (4 * h**2)
        images = (found.source == 0) & (found.target == j)  # two equally near
        own = -sum(frames[0, :, 0] @ J @ frames[j, :, 0] for J in found.tensor[images])
        assert own == pytest.approx(second, rel=0.02, abs=1e-8)


def test_far_sources_share_evaluations() -> None:
    """On a chain of 24 with one bond's reach, sources 3 apart share: 9 columns in place of 72, and the same answer."""

    class Counted(Heisenberg):
        states = 0

        def evaluate(self, state, time):
            object.__setattr__(self, "states", self.states + len(state))
            return super().evaluate(state, time)

    field = Counted(Lattice.chain(24), [1.0])
    found = exchange(field, spins.random(field.lattice))
    assert field.states <= 1 + 2 * 3 * 4 and len(found) == 48
    assert found.tensor == pytest.approx(np.broadcast_to(np.eye(3), (48, 3, 3)))


# -- spin waves ---------------------------------------------------------------------------------------------------


def test_ferromagnet_in_a_field() -> None:
    """omega = h + J (z - sum cos q . d), every line alpha omega wide; K > 0 along the spins adds 2 K."""
    field = Heisenberg(TRIANGLES, [0.7]) + Zeeman(TRIANGLES, (0, 0, 0.4)) + Anisotropy(TRIANGLES, 0.1)
    waves = spin_waves(field, spins.ferro(TRIANGLES), Q)
    expected = 0.4 + 0.2 + 0.7 * (6 - harmonics(TRIANGLES, Q))
    assert waves.omega[:, 0] == pytest.approx(expected) and waves.linewidth[:, 0] == pytest.approx(expected)
    assert not waves.unstable.any() and waves.lowest_curvature == pytest.approx(expected)


def test_neel() -> None:
    """omega = |J| sqrt(z^2 - (sum cos q . d)^2), twice; lines alpha |J| z wide (Keffer and Kittel, Phys. Rev. 85, 329
    (1952), without anisotropy)."""
    waves = spin_waves(Heisenberg(SQUARE, [-0.5]), spins.neel(SQUARE), Q)
    expected = 0.5 * np.sqrt(16 - harmonics(SQUARE, Q) ** 2)
    assert waves.omega == pytest.approx(np.stack([expected, expected], axis=1))
    assert waves.linewidth == pytest.approx(2.0)


def test_triangular_120_degrees() -> None:
    """omega = 3 |J| sqrt((1 - g)(1 + 2 g)), g = sum cos(q . d) / 6, of q and of q -+ K in the cell of three sites
    (Jolicoeur and Le Guillou, Phys. Rev. B 40, 2727 (1989), doi:10.1103/PhysRevB.40.2727)."""
    waves = spin_waves(Heisenberg(TRIANGLES, [-0.8]), spins.rotate_randomly(spins.order120(TRIANGLES), seed=5), Q)
    corner = np.array([4 * np.pi / 3, 0])
    g = np.stack([harmonics(TRIANGLES, Q + k * corner) / 6 for k in (-1, 0, 1)], axis=1)
    assert waves.omega == pytest.approx(np.sort(0.8 * 3 * np.sqrt((1 - g) * (1 + 2 * g)), axis=1))
    rest = spin_waves(waves.couplings, q=np.zeros((1, 2)))
    assert rest.omega == pytest.approx(0, abs=1e-6) and np.isnan(rest.linewidth).all()


def test_kagome_has_a_flat_band_at_zero() -> None:
    """q = 0 order: one band at 0 for all q, two at |J| sqrt(2 (sin^2 q1 + sin^2 q2 + sin^2 q3)), q_k = q . d_k
    (Harris, Kallin and Berlinsky, Phys. Rev. B 45, 2899 (1992), doi:10.1103/PhysRevB.45.2899)."""
    waves = spin_waves(Heisenberg(KAGOME, [-1.0]), spins.order120(KAGOME), Q)
    steps = np.array([[1, 0], [0.5, math.sqrt(3) / 2], [-0.5, math.sqrt(3) / 2]])
    moving = np.sqrt(2 * (np.sin(Q @ steps.T) ** 2).sum(1))
    assert waves.omega[:, 0] == pytest.approx(0, abs=1e-6)
    assert waves.omega[:, 1:] == pytest.approx(np.stack([moving, moving], axis=1))


@pytest.mark.parametrize("D", [0.05, 0.2])
def test_out_of_plane_dmi_lifts_the_flat_band(D: float) -> None:
    """Rings of spins that turn against D: the band is flat still, at omega^2 = 6 sqrt(3) |J| D + 18 D^2, in the order
    of the chirality that D chooses; the other one is no minimum."""
    field = Heisenberg(KAGOME, [-1.0]) + DMI(KAGOME, D, "out-of-plane")
    waves = spin_waves(field, spins.q0(KAGOME, 1), Q)
    assert np.abs(waves.omega**2 - 6 * math.sqrt(3) * D - 18 * D**2).min(1) == pytest.approx(0, abs=1e-10)
    assert not waves.unstable.any() and spin_waves(field, spins.q0(KAGOME, -1), Q).unstable.all()


def test_dmi_shifts_the_band_of_a_ferromagnet() -> None:
    """Spins and D along a chain: psi = S_y - i S_z ~ exp(i (q x - omega t)) has omega = 2 J (1 - cos q) + 2 D sin q."""
    chain = Lattice.chain(12)
    field = Heisenberg(chain, [1.0]) + DMI(chain, 0.3) + Zeeman(chain, (0.2, 0, 0))
    q = np.linspace(-3, 3, 7)[:, None]
    waves = spin_waves(field, spins.ferro(chain, (1, 0, 0)), q)
    expected = 0.2 + 2 * (1 - np.cos(q)) + 0.6 * np.sin(q)
    assert waves.omega == pytest.approx(expected)


def test_out_of_plane_dmi_opens_the_dirac_points_of_a_honeycomb_ferromagnet() -> None:
    """At K the two bands meet at 3 J; D between second neighbours parts them by 6 sqrt(3) D (Owerre, J. Phys.: Condens.
    Matter 28, 386001 (2016), doi:10.1088/0953-8984/28/38/386001). Along the plane D does nothing to first order."""
    lattice = Lattice.honeycomb(3, 3)
    field = Heisenberg(lattice, [1.0]) + DMI(lattice, 0.1, "out-of-plane", shell=2)
    corner = np.array([[4 * np.pi / (3 * math.sqrt(3)), 0]])
    up = spin_waves(field, spins.ferro(lattice), corner).omega[0]
    assert up == pytest.approx([3 - 0.3 * math.sqrt(3), 3 + 0.3 * math.sqrt(3)])
    flat = spin_waves(field, spins.ferro(lattice, (1, 0, 0)), corner).omega[0]
    assert flat == pytest.approx([3, 3])


def test_the_spiral_of_dmi_is_stable_and_the_ferromagnet_is_not() -> None:
    """tan(angle) = D / J: eight sites a turn. Slow waves go with the turn, softly at its wave vector's ends."""
    chain = Lattice.chain(16)
    field = Heisenberg(chain, [1.0]) + DMI(chain, math.tan(math.pi / 4))
    waves = spin_waves(field, spins.spiral(chain, (2,), normal=(1, 0, 0)))
    assert waves.couplings.cell.count == 8 and not waves.unstable.any() and waves.omega.min() > -1e-6
    # in the turning frame: an XXZ chain with J' = sqrt(J^2 + D^2) in the plane and J across it
    q = np.linspace(0.1, 3, 8)
    both = math.sqrt(2)
    expected = 2 * np.sqrt((both - both * np.cos(q)) * (both - np.cos(q)))
    found = spin_waves(waves.couplings, q=q[:, None]).omega
    assert np.abs(found - expected[:, None]).min(1) == pytest.approx(0, abs=1e-9)
    assert spin_waves(field, spins.ferro(chain, (1, 0, 0))).unstable.any()


CASES = {
    "frustrated Neel": (lambda: Heisenberg(SQUARE, [-1.0, -0.8]), lambda: spins.neel(SQUARE)),
    "Neel of a ferromagnet": (lambda: Heisenberg(SQUARE, [1.0]), lambda: spins.neel(SQUARE)),
    "canted": (
        lambda: Heisenberg(TRIANGLES, [-1.0]) + DMI(TRIANGLES, 0.2, "neel") + Anisotropy(TRIANGLES, -0.3),
        lambda: spins.order120(TRIANGLES),
    ),
    "electrons": (lambda: electrons(Lattice.triangular(4, 4)), lambda: spins.tetrahedral(Lattice.triangular(4, 4))),
    "electrons and DMI": (
        lambda: electrons(Lattice.chain(8)) + DMI(Lattice.chain(8), 0.1) + Zeeman(Lattice.chain(8), (0.3, 0, 0)),
        lambda: spins.ferro(Lattice.chain(8), (1, 0, 0)),
    ),
}
"""Fields and states at rest, stable and not."""


def jacobian(field: Field, state: Tensor) -> np.ndarray:
    """dv/dx of the undamped equation of motion in transverse axes of the whole lattice, by central differences of v.

    Nothing of the code under test: axes by QR, velocities by the integrators' own function.
    """
    n, h, S = state.shape[1], 1e-5, state[0]
    axes = torch.linalg.qr(torch.cat([S[:, :, None], torch.eye(3, dtype=S.dtype).expand(n, 3, 3)], dim=2))[0][:, :, 1:3]
    moves = torch.zeros(n, 2, n, 3, dtype=S.dtype)
    moves[torch.arange(n), :, torch.arange(n)] = axes.transpose(1, 2)
    moves = moves.reshape(2 * n, n, 3)
    zero = torch.zeros(1, 1, 1, dtype=S.dtype)

    def speed(states: Tensor) -> Tensor:
        unit = states / states.norm(dim=-1, keepdim=True)
        return velocity(unit, field(unit).field, zero)

    slope = (speed(state + h * moves) - speed(state - h * moves)) / (2 * h)
    return torch.einsum("mnc,ncx->nxm", slope, axes).reshape(2 * n, 2 * n).numpy()


@pytest.mark.parametrize("name", CASES)
def test_bands_are_the_eigenvalues_of_the_equation_of_motion(name: str) -> None:
    """All of the lattice's 2 N eigenvalues, stable or not: omega(q) and -omega(q), growth and decay, at its own wave
    vectors (of the magnetic zone, each as often as there are sites in the cell). Zero modes are square roots of
    rounding: to 1e-3."""
    field, state = (make() for make in CASES[name])
    waves = spin_waves(field, state)
    assert len(waves.q) * waves.couplings.cell.count == state.shape[1]
    rates = np.linalg.eigvals(jacobian(field, state))
    bands = (waves.omega + 1j * waves.growth).ravel()
    pairs = np.concatenate([bands, -bands.conj(), *([bands.conj(), -bands] if waves.growth.any() else [])])
    found = 1j * rates
    for one, other in ((found, pairs), (pairs, found)):
        assert np.abs(one[:, None] - other).min(1).max() < 3e-3
    # each as often as the other: the same mean of the squares, to which zero modes add nothing
    assert (found**2).real.mean() == pytest.approx((bands**2).real.mean(), rel=1e-6)
    assert waves.unstable.any() == (name in ("frustrated Neel", "Neel of a ferromagnet", "electrons"))


def test_lines_of_a_run_are_at_the_bands_and_tell_their_signs() -> None:
    """A chain with DMI: S(q, omega) of a run has its lines at omega(q) and at -omega(-q), which differ for every q.

    Steps of omega dt = 0.6 shift lines by up to a resolution, another half is the grid of frequencies.
    """
    chain = Lattice.chain(12)
    field = Heisenberg(chain, [1.0]) + DMI(chain, 0.4) + Zeeman(chain, (0.5, 0, 0))
    order, dt = spins.ferro(chain, (1, 0, 0)), 0.125
    q, _ = wave_vector_path(chain, np.array([[-5], [5]]) @ chain.reciprocal)
    found = DynamicalStructureFactor(chain, q, dt, 512)
    step = SemiImplicitB(dt=dt, damping=0.0)
    state = step.init(field, spins.noisy(order.repeat(2, 1, 1), 0.01, seed=0))
    for _ in range(512):
        found.add(state.spins)
        state = step.step(field, state)
    omega = spin_waves(field, order, q).omega[:, 0]
    resolution = found.omega[1] - found.omega[0]
    values = found.values[..., 1:].sum((0, 3)).numpy()
    up, down = found.omega > 2 * resolution, found.omega < -2 * resolution
    assert np.abs(found.omega[up][values[:, up].argmax(1)] - omega).max() < 2 * resolution
    assert np.abs(found.omega[down][values[:, down].argmax(1)] + omega[::-1]).max() < 2 * resolution
    assert np.abs(omega - omega[::-1]).max() > 10 * resolution


@pytest.mark.parametrize(("lattice", "order"), [(Lattice.triangular(4, 4), spins.ferro), (SQUARE, spins.neel)],
                         ids=["ferro", "neel"])  # fmt: skip
def test_rotations_cost_electrons_nothing(lattice: Lattice, order: Callable[..., Tensor]) -> None:
    """E(R S) = E(S): at q = 0 one zero mode of a ferromagnet, two of an antiferromagnet (Goldstone), to the noise of
    differences; a field lifts them to its own strength (Larmor), exactly."""
    field, state = electrons(lattice, 6.0, 0.5 if order is spins.neel else 0.1), order(lattice)
    waves = spin_waves(field, state, np.zeros((1, 2)))
    top = spin_waves(waves.couplings).omega.max()
    assert top > 0.02 and np.abs(waves.omega).max() < 1e-3 * top
    if order is spins.ferro:
        turning = spin_waves(field + Zeeman(lattice, (0, 0, 0.01)), state, np.zeros((1, 2)))
        assert turning.omega == pytest.approx(0.01, rel=1e-5)


def test_damping_to_first_order() -> None:
    """Eigenvalues of (i Omega - i alpha) A at a small alpha: what ``linewidth`` times alpha is the slope of."""
    field = Heisenberg(TRIANGLES, [-1.0, 0.1]) + Anisotropy(TRIANGLES, -0.3)
    waves = spin_waves(field, spins.order120(TRIANGLES), Q)
    alpha, count = 1e-5, waves.couplings.cell.count
    turn = np.kron(np.eye(count), [[0, -1j], [1j, 0]])
    for A, omega, width in zip(waves.couplings.curvature(Q), waves.omega, waves.linewidth, strict=True):
        damped = np.linalg.eigvals((turn - 1j * alpha * np.eye(2 * count)) @ A)
        for w, one in zip(omega, width, strict=True):
            near = damped[np.abs(damped.real - w) < 1e-6]
            assert len(near) and np.abs(-near.imag / alpha - one).min() < 1e-3


def test_errors() -> None:
    field = Heisenberg(SQUARE, [1.0])
    with pytest.raises(UserError, match="not at rest"):
        spin_waves(field, spins.random(SQUARE))
    with pytest.raises(UserError, match="slope of no energy"):
        exchange(DampingLike(field, 0.1), spins.ferro(SQUARE))
    with pytest.raises(UserError, match="2 states"):
        exchange(field, spins.ferro(SQUARE, replicas=2))
    with pytest.raises(UserError, match="length 2"):
        exchange(field, 2 * spins.ferro(SQUARE))
    with pytest.raises(UserError, match="step -1"):
        exchange(field, spins.ferro(SQUARE), step=-1.0)
    with pytest.raises(UserError, match="no state"):
        spin_waves(field)
    with pytest.raises(UserError, match="couplings alone"):
        spin_waves(exchange(field, spins.ferro(SQUARE)), spins.ferro(SQUARE))
    with pytest.raises(UserError, match=r"wave vectors of shape \(3, 1\)"):
        spin_waves(field, spins.ferro(SQUARE), np.zeros((3, 1)))


def test_paths_of_any_density() -> None:
    corners = np.array([[0.0, 0], [3, 0], [3, 1]])
    q, along = wave_vector_path(SQUARE, corners, points=41)
    assert along == pytest.approx(np.linspace(0, 4, 41)) and q[30] == pytest.approx([3, 0])
    with pytest.raises(UserError, match="2 points between 3 corners"):
        wave_vector_path(SQUARE, corners, points=2)
