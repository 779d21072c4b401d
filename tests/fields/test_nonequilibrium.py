"""Fields that are no gradients: closed forms, symmetries, work around closed paths, electrons followed in time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

import sdgnn
from sdgnn import ExactField, Lattice, SDModel, spins
from sdgnn.common.errors import UserError
from sdgnn.electrons import LaggingElectrons
from sdgnn.electrons.filling import occupation
from sdgnn.electrons.lagging import polarisation
from sdgnn.fields import Alignment, DampingLike, Field, Heisenberg, SpinTransfer
from sdgnn.fields.testing import check_field, circulation
from sdgnn.train import torque_part

LATTICE = Lattice.square(4, 4)
MODEL = SDModel(LATTICE, exchange=3.0)
ELECTRONS = ExactField(MODEL, kT=0.1, mu=-3.0)
STATES = spins.random(LATTICE, 2, seed=1)
BROKEN = {
    "damping": (DampingLike(ELECTRONS, strength=-0.5), {"slope", "time reversal"}),
    "baths": (ELECTRONS + DampingLike(ExactField(MODEL, kT=0.1, mu=-2.0), 0.5), {"slope", "time reversal"}),
    "lagging": (LaggingElectrons(MODEL, kT=0.1, mu=-3.0, rate=0.3), {"slope", "time reversal"}),
    "alignment": (Alignment(LATTICE, coupling=1.0), {"slope"}),
    "current": (SpinTransfer(LATTICE, drift=(0.3, 0.1), beta=0.2), {"slope", "time reversal", "lattice"}),
}


@pytest.mark.parametrize(("field", "broken"), BROKEN.values(), ids=BROKEN.keys())
def test_they_are_no_gradients_and_keep_all_other_laws(field: Field, broken: set[str]) -> None:
    check_field(field, broken)
    assert float(circulation(field, STATES).abs().max()) > 1e-5
    with pytest.raises(AssertionError, match="slope of no energy"):
        check_field(field)


@pytest.mark.parametrize("field", [ELECTRONS, Heisenberg(LATTICE, [1.0, -0.3])], ids=["electrons", "heisenberg"])
def test_gradients_do_no_work_around_closed_paths(field: Field) -> None:
    assert float(circulation(field, STATES).abs().max()) < 1e-12


def test_work_around_a_path_that_is_known() -> None:
    """H = S x z on one spin: H . dS = -z . (S x dS), so W is -2 times the area of the path's shadow across z."""
    lattice = Lattice.free([[0.0, 0.0]], [[3.0, 0.0], [0.0, 3.0]])
    vertical = sdgnn.fields.Zeeman(lattice, field=(0, 0, 1.0))
    field, up = DampingLike(vertical, 1.0), torch.tensor([[[0.6, 0.0, 0.8]]], dtype=torch.float64)
    size, points = 0.1, 400
    random = np.random.default_rng(0)
    u, v = (torch.from_numpy(random.standard_normal((1, 1, 3)))[0, 0] for _ in range(2))
    u, v = u / u.norm(), v / v.norm()
    s = 2 * torch.pi * torch.arange(points + 1, dtype=torch.float64)[:, None] / points
    path = up[0, 0] + size * (torch.cos(s) * u + torch.sin(s) * v)
    path = path / path.norm(dim=-1, keepdim=True)
    x, y = path[:, 0], path[:, 1]
    area = float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2
    middle = (path[1:] + path[:-1]) / 2
    torque = torch.linalg.cross(middle, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand_as(middle))
    step = 2 * torch.pi / points
    moved = (path[1:] - path[:-1]).square().sum() / step
    bound = float((torque.square().sum() * step * moved).sqrt())
    found = float(circulation(field, up, size=size, seed=0))
    assert found == pytest.approx(-2 * area / bound, rel=1e-3)
    assert abs(found) > 0.05


def test_damping_like_torque_of_the_same_bath_is_gilbert_damping() -> None:
    """dS/dt with H + alpha S x H and no damping is Landau and Lifshitz's equation with damping alpha."""
    alpha = 0.3
    exchange = Heisenberg(LATTICE, [1.0])
    forced = sdgnn.simulate(exchange + DampingLike(exchange, alpha), STATES, sdgnn.Heun(dt=0.01, damping=0.0), 50)
    damped = sdgnn.simulate(exchange, STATES, sdgnn.Heun(dt=0.01, damping=alpha, form="landau-lifshitz"), 50)
    torch.testing.assert_close(forced.spins, damped.spins, rtol=1e-9, atol=1e-9)


def test_alignment_by_hand() -> None:
    """The square lattice's site 0 of 4 x 4 has neighbours (1, 0), (3, 0), (0, 1), (0, 3)."""
    mean = STATES[:, LATTICE.find([[1.0, 0.0], [3.0, 0.0], [0.0, 1.0], [0.0, 3.0]])].mean(1)
    expected = 0.7 * mean.norm(dim=-1, keepdim=True) ** 2 * mean
    torch.testing.assert_close(Alignment(LATTICE, 0.7)(STATES).field[:, 0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lattice", [Lattice.chain(12), Lattice.square(12, 3), Lattice.triangular(12, 4)], ids=str)
def test_a_current_carries_a_spiral_along(lattice: Lattice) -> None:
    """A spiral of wave vector q, the first reciprocal vector over 12, moves as a whole. The phase's rate is
    (dim / z) sum_j (u . e_ij) sin(q . e_ij), u . q for long waves; Heun's error at dt = 0.02 is below 1e-5."""
    drift = [0.5, 0.2][: lattice.dim]
    wave = 2 * np.pi * np.linalg.inv(lattice.cell)[:, 0]
    rate = np.mean([np.dot(drift, e) * np.sin(wave @ e) for e in lattice.bonds(1).vector]) * lattice.dim
    assert rate == pytest.approx(np.dot(drift, wave), rel=0.1)
    run = sdgnn.simulate(
        SpinTransfer(lattice, drift), spiral(lattice, wave, 0.0), sdgnn.Heun(dt=0.02, damping=0.0), 100
    )
    torch.testing.assert_close(run.spins, spiral(lattice, wave, -2.0 * rate), rtol=0, atol=1e-5)


def spiral(lattice: Lattice, wave: np.ndarray, phase: float) -> Tensor:
    angle = torch.from_numpy(lattice.positions @ wave) + phase
    return torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], dim=-1)[None]


def test_beta_turns_spins_out_of_the_plane_of_a_spiral() -> None:
    """dS/dt = -D + beta S x D, with S x D along the spiral's axis."""
    lattice = Lattice.chain(12)
    states = spiral(lattice, np.array([2 * np.pi / 12]), 0.0)
    torque = torch.linalg.cross(SpinTransfer(lattice, [0.5], beta=0.3)(states).field, states)
    carried = 0.5 * np.sin(2 * np.pi / 12)
    torch.testing.assert_close(torque[..., 2], torch.full_like(torque[..., 2], 0.3 * carried))
    torch.testing.assert_close(torque[..., :2].norm(dim=-1), torch.full_like(torque[..., 2], carried))


def test_two_energies_cannot_hold_the_torque_of_a_current_even_if_they_knew_its_direction() -> None:
    """Neither D nor S x D is a gradient: what i feels of j is minus what j feels of i."""
    current = SpinTransfer(LATTICE, (0.3, 0.1))
    for field in (current, DampingLike(current, 1.0)):
        assert float(circulation(field, STATES).abs().max()) > 1e-5
    with pytest.raises(UserError, match="evenly"):
        SpinTransfer(Lattice.kagome(3, 3), (0.1, 0.0))


def test_quick_relaxation_is_equilibrium() -> None:
    """The lag falls as 1 / rate; energy and density are those of equilibrium at any rate."""
    exact = ELECTRONS(STATES)
    lags = []
    for rate in (1e3, 1e4):
        result = LaggingElectrons(MODEL, kT=0.1, mu=-3.0, rate=rate)(STATES)
        torch.testing.assert_close(result.energy, exact.energy, rtol=1e-12, atol=1e-10)
        torch.testing.assert_close(result.density, exact.density, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(result.mu, exact.mu, rtol=0, atol=0)
        lags.append(float((result.field - exact.field).norm()))
    assert lags[0] / lags[1] == pytest.approx(10, rel=1e-2)  # the next order is levels' distances over the rate: 1e-2
    assert lags[0] > 1e-6


def test_electrons_integrated_in_time_lag_behind_as_much() -> None:
    """d rho / dt = -i [H, rho] - rate (rho - rho_eq(S(t))) by Runge and Kutta along S(t) = S + speed t dS/dt.

    Started from equilibrium, after 24 / rate the memory of the start is e^-24; what is left beyond first order is of
    order speed, so the lag per speed of two speeds is extrapolated to none.
    """
    lattice = Lattice.chain(3)
    model, kT, mu, rate = SDModel(lattice, exchange=1.0), 0.3, -0.7, 1.0
    state = spins.random(lattice, seed=4)[0]
    field = LaggingElectrons(model, kT, mu, rate)
    exact = ExactField(model, kT=kT, mu=mu)
    velocity = -torch.linalg.cross(state, exact(state[None]).field[0])

    def equilibrium(at: Tensor) -> tuple[Tensor, Tensor]:
        matrix = model.matrix(at[None])[0]
        levels, states = torch.linalg.eigh(matrix)
        f = occupation(levels[None], levels.new_full((1,), mu), kT)[0]
        return matrix, (states * f) @ states.mH

    def slope(rho: Tensor, time: float, speed: float) -> Tensor:
        matrix, wanted = equilibrium(state + speed * time * velocity)
        return -1j * (matrix @ rho - rho @ matrix) - rate * (rho - wanted)

    def lag(speed: float, dt: float = 0.05) -> Tensor:
        time = -24 / rate
        rho = equilibrium(state + speed * time * velocity)[1]
        for _ in range(round(24 / rate / dt)):
            a = slope(rho, time, speed)
            b = slope(rho + dt / 2 * a, time + dt / 2, speed)
            c = slope(rho + dt / 2 * b, time + dt / 2, speed)
            d = slope(rho + dt * c, time + dt, speed)
            rho, time = rho + dt / 6 * (a + 2 * b + 2 * c + d), time + dt
        return model.exchange * polarisation(rho - equilibrium(state)[1]) / speed

    extrapolated = 2 * lag(1e-3) - lag(2e-3)
    expected = field(state[None]).field[0] - exact(state[None]).field[0]
    torch.testing.assert_close(extrapolated, expected, rtol=1e-4, atol=1e-5 * float(expected.norm()))
    assert float(expected.norm()) > 1e-2


def test_levels_that_coincide_make_no_difference() -> None:
    """Ferromagnets have degenerate levels; a little noise lifts them. Nothing moves, so nothing lags."""
    field = LaggingElectrons(MODEL, kT=0.1, mu=-3.0, rate=0.3)
    ordered = spins.ferro(LATTICE)
    torch.testing.assert_close(field(ordered).field, ELECTRONS(ordered).field, rtol=1e-9, atol=1e-9)
    nearly = [field(spins.noisy(spins.neel(LATTICE), size, seed=2)).field for size in (1e-5, 1e-6)]
    assert float((nearly[0] - nearly[1]).abs().max()) < 1e-3


def test_lag_opposes_motion() -> None:
    """The even part takes energy out: sum_i H_lag . dS_i/dt < 0 for the dissipative part of every state."""
    states = spins.random(LATTICE, 6, seed=7)
    field = LaggingElectrons(MODEL, kT=0.1, mu=-3.0, rate=0.3)
    even = (field(states).field + field(-states).field) / 2
    velocity = -torch.linalg.cross(states, ELECTRONS(states).field)
    assert bool(((torque_part(even, states) * velocity).sum((1, 2)) < 0).all())


def test_vectors_on_sites_and_matrices() -> None:
    """Tr[-J (v_i . sigma_i) sigma_i] = -2 J v_i."""
    vectors = STATES[0]
    matrix = torch.block_diag(*MODEL.exchange_blocks(vectors[None])[0])
    torch.testing.assert_close(polarisation(matrix), -2 * MODEL.exchange * vectors)


def test_numbers_out_of_range_are_refused() -> None:
    for wrong in ({"kT": 0.0}, {"rate": 0.0}, {"rate": -1.0}, {"mu": float("inf")}):
        with pytest.raises(UserError):
            LaggingElectrons(MODEL, **{"kT": 0.1, "mu": 0.0, "rate": 1.0, **wrong})
    with pytest.raises(UserError):
        DampingLike(ELECTRONS, float("nan"))
    with pytest.raises(UserError):
        Alignment(LATTICE, float("inf"))
