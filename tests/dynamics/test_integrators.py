"""Integrators against another program, closed forms, scipy's Runge-Kutta and conservation laws."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

import sdgnn
from sdgnn import DepondtMertens, DormandPrince, Heun, ImplicitMidpoint, Lattice, SemiImplicitB
from sdgnn.analysis.orders.correlations import parallel_bonds
from sdgnn.common.errors import NumericalError, UserError
from sdgnn.dynamics.integrators.equation import cayley, rotation
from sdgnn.fields import DMI, Anisotropy, FieldResult, Heisenberg, Zeeman
from sdgnn.fields.protocol import Field

SCHEMES = [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens]
WITHOUT_BATH = [*SCHEMES, DormandPrince]
FORMS = ["gilbert", "landau-lifshitz"]


def march(integrator, field, spins, steps, seed=0):
    state = integrator.init(field, spins, seed)
    for _ in range(steps):
        state = integrator.step(field, state)
    return state


def gyration(alpha, form):
    return 1 / (1 + alpha**2) if form == "gilbert" else 1.0


# -- another program ------------------------------------------------------------------------------------------------


def about_the_whole_field(integrator, field, state):
    """A step of the other program's semi-implicit scheme, which leaves the part of the field along the spins in."""
    spins, alpha, dt = state.spins, integrator.alpha(state.spins), integrator.dt
    turn = rotation(spins, field(spins).field, alpha, integrator.form)
    middle = (spins + cayley(spins, dt * turn)) / 2
    return state.advanced(cayley(spins, dt * rotation(middle, field(middle).field, alpha, integrator.form)), dt)


@pytest.mark.parametrize("name", ["sll", "sll_sib"])
def test_reference_trajectory(shared, name):
    """Both trajectories of the other program to 1e-6 after 200 steps (its site order mapped by position).

    Its semi-implicit scheme turns spins about the whole field: written again here, that equals it, and ours is ten
    times closer to the path.
    """
    data = json.loads((shared / "reference" / "llg_square4x4.json").read_text())
    (given,) = (t for t in data["trajectories"] if t["integrator"] == name)
    lattice = Lattice.square(4, 4)
    site = lattice.find(np.array([[i % 4, i // 4] for i in range(16)], dtype=float))

    def mapped(values):
        spins = torch.empty(1, 16, 3, dtype=torch.float64)
        spins[0, site] = torch.tensor(values, dtype=torch.float64)
        return spins

    field = sdgnn.ExactField(
        sdgnn.SDModel(lattice, [-given["t1"]], given["J"]), kT=given["kT_electrons"], mu=given["mu"]
    )
    dt, steps = given["dt"], given["steps"]
    settings = {"damping": given["alpha"], "form": "landau-lifshitz"}
    integrator = (Heun if name == "sll" else SemiImplicitB)(dt=dt, **settings)
    state = integrator.init(field, mapped(given["spins0"]))
    assert float(state.result(field).energy) == pytest.approx(given["E0"], abs=1e-8)
    expected = {1: given["spins_step1"], 10: given["spins_step10"], steps: given["spins_final"]}
    while state.step < steps:
        state = integrator.step(field, state) if name == "sll" else about_the_whole_field(integrator, field, state)
        if state.step in expected:
            assert (state.spins - mapped(expected[state.step])).abs().max() < 1e-6
    assert float(state.result(field).energy) == pytest.approx(given["E_final"], abs=1e-6)
    if name == "sll_sib":
        start = mapped(given["spins0"])
        exact = march(DormandPrince(dt * steps, tolerance=1e-7, **settings), field, start, 1).spins
        ours = (march(integrator, field, start, steps).spins - exact).abs().max()
        assert 10 * ours < (state.spins - exact).abs().max()


# -- the field along a spin -----------------------------------------------------------------------------------------


class Along(Field):
    """A field besides one along every spin, which turns none: H + 50 S."""

    def __init__(self, field):
        self.lattice, self.field = field.lattice, field

    def evaluate(self, spins, time):
        result = self.field.evaluate(spins, time)
        return FieldResult(result.energy - 25 * (spins * spins).sum((1, 2)), result.field + 50 * spins)


@pytest.mark.parametrize("scheme", WITHOUT_BATH)
def test_the_field_along_a_spin_does_nothing(scheme):
    """As large as that of electrons: the same path to rounding, which turning about the whole field misses."""
    field = crowded(Lattice.square(3, 3))
    spins = sdgnn.spins.random(field.lattice, 1, seed=2)
    integrator = scheme(dt=0.05, damping=0.3)
    plain, along = (march(integrator, driven, spins, 10).spins for driven in (field, Along(field)))
    assert torch.allclose(plain, along, atol=1e-9)
    state = integrator.init(field, spins)
    for _ in range(10):
        state = about_the_whole_field(integrator, Along(field), state)
    assert (state.spins - plain).norm(dim=-1).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [Heun, SemiImplicitB, DepondtMertens])
def test_published_quench_of_electrons(shared, scheme):
    """Parallel bonds (S_i . S_j > 1/2, of 1,800) at t = 25 of the published exact quench of 30 x 30 sites: 331.

    From its own start with its parameters (Zhang and Chern, doi:10.1103/PhysRevLett.127.146401), one noise, electrons
    of level fast, dt = 0.1; turned about the whole field there are 257 to 267.
    """
    with np.load(shared / "data" / "double_exchange_prl2021.npz", allow_pickle=False) as data:
        start = torch.from_numpy(data["spins"][data["protocol"] == "quench"])[:1].float()
    lattice = Lattice.square(30, 30)
    field = sdgnn.TruncatedField(sdgnn.SDModel(lattice, exchange=6.0), kT=0.003, filling=873 / 1800, level="fast")
    run = sdgnn.simulate(field, start, scheme(dt=0.1, damping=0.055, kT=0.001), 250, seed=0, observers=())
    assert 320 < float(parallel_bonds(run.spins, lattice)) * 1800 < 360


# -- one spin in a field --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", WITHOUT_BATH)
@pytest.mark.parametrize("form", FORMS)
def test_handedness_of_precession(scheme, form):
    """In a field along +z a spin turns counter-clockwise about z at the angular velocity h."""
    field = Zeeman(Lattice.chain(2), field=(0, 0, 1.5))
    spins = torch.tensor([[[1.0, 0, 0], [0.6, 0, 0.8]]], dtype=torch.float64)
    dt, steps = 0.02, 60
    state = march(scheme(dt=dt, damping=0.0, form=form), field, spins, steps)
    x = 1.5 * dt
    turned = torch.tensor([np.cos(x * steps), np.sin(x * steps), 1.0], dtype=torch.float64)
    expected = turned * (spins[0, :, :1] * torch.tensor([1.0, 1, 0]) + spins[0, :, 2:] * torch.tensor([0, 0, 1.0]))
    miss = scheme.phase_error * x**3 * steps + (1e-6 * steps if scheme is DormandPrince else 1e-12)
    assert (state.spins[0] - expected).norm(dim=-1).max() < 1.05 * miss
    assert torch.allclose(state.spins[0, :, 2], spins[0, :, 2], atol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_phase_error(scheme):
    """Of one step at all angles between spin and field: the largest is what the class says, from above, to 5 %."""
    angle, x = np.linspace(0.01, np.pi - 0.01, 200), 0.05
    spins = torch.from_numpy(np.stack([np.sin(angle), 0 * angle, np.cos(angle)], -1))[None]
    state = march(scheme(dt=x, damping=0.0), Zeeman(Lattice.chain(200), (0, 0, 1.0)), spins, 1)
    exact = np.stack([np.sin(angle) * np.cos(x), np.sin(angle) * np.sin(x), np.cos(angle)], -1)
    miss = np.linalg.norm(state.spins[0].numpy() - exact, axis=-1).max() / x**3
    assert 0.95 * scheme.phase_error < miss <= scheme.phase_error


@pytest.mark.parametrize("scheme", [ImplicitMidpoint, SemiImplicitB])
def test_midpoint_rules_turn_by_twice_the_arctangent(scheme):
    """Where spin and field are perpendicular."""
    field = Zeeman(Lattice.chain(1), field=(0, 0, 2.0))
    state = march(scheme(dt=0.3, damping=0.0), field, torch.tensor([[[1.0, 0, 0]]], dtype=torch.float64), 7)
    angle = 7 * 2 * np.arctan(2.0 * 0.3 / 2)
    expected = torch.tensor([np.cos(angle), np.sin(angle), 0.0], dtype=torch.float64)
    assert torch.allclose(state.spins[0, 0], expected, atol=1e-9)


@pytest.mark.parametrize("scheme", WITHOUT_BATH)
@pytest.mark.parametrize("form", FORMS)
def test_damped_spin_in_a_field(scheme, form):
    """S_z = tanh(g alpha h t + artanh S_z(0)), phi = g h t."""
    h, alpha, dt, steps, z0 = 1.2, 0.7, 0.02, 100, -0.5
    spins = torch.tensor([[[np.sqrt(1 - z0**2), 0, z0]]], dtype=torch.float64)
    state = march(scheme(dt=dt, damping=alpha, form=form), Zeeman(Lattice.chain(1), (0, 0, h)), spins, steps)
    g, t = gyration(alpha, form), dt * steps
    z = np.tanh(g * alpha * h * t + np.arctanh(z0))
    planar = np.sqrt(1 - z**2)
    expected = torch.tensor([planar * np.cos(g * h * t), planar * np.sin(g * h * t), z], dtype=torch.float64)
    # the global error of a second-order scheme is of order t (h dt)^2 h = 1.4e-3
    assert torch.allclose(state.spins[0, 0], expected, atol=1.4e-3)
    other = gyration(alpha, FORMS[1 - FORMS.index(form)])
    assert abs(np.tanh(other * alpha * h * t + np.arctanh(z0)) - z) > 0.1


# -- many spins -----------------------------------------------------------------------------------------------------


def crowded(lattice):
    """Every classical term at once."""
    return (
        Heisenberg(lattice, [1.0, -0.3])
        + Zeeman(lattice, (0.1, 0.2, 0.3))
        + Anisotropy(lattice, 0.4, (1, 1, 0))
        + DMI(lattice, 0.3)
    )


def right_hand_side(field, alpha, form):
    """dS/dt for scipy, written independently of the package."""

    def evaluate(_, flat):
        s = flat.reshape(1, -1, 3)
        b = field(torch.from_numpy(s.copy())).field.numpy()
        precession = np.cross(s, b)
        return (-gyration(alpha, form) * (precession + alpha * np.cross(s, precession))).ravel()

    return evaluate


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("form", FORMS)
def test_second_order_and_right_limit(scheme, form):
    """Against an independent right-hand side solved by scipy to 1e-12: error ~ dt^2."""
    lattice, alpha, time = Lattice.square(3, 3), 0.3, 0.8
    field = crowded(lattice)
    spins = sdgnn.spins.random(lattice, 1, seed=2)
    exact = solve_ivp(
        right_hand_side(field, alpha, form), (0, time), spins.numpy().ravel(), method="DOP853", rtol=1e-12, atol=1e-12
    ).y[:, -1].reshape(spins.shape)  # fmt: skip
    counts = np.array([16, 32, 64])
    errors = []
    for steps in counts:
        state = march(scheme(dt=time / steps, damping=alpha, form=form), field, spins, int(steps))
        errors.append(np.abs(state.spins.numpy() - exact).max())
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert 1.85 < order < 2.15, errors
    assert errors[-1] < 2e-3


@pytest.mark.parametrize("form", FORMS)
def test_adaptive_steps_meet_their_tolerance(form):
    """Of the same problem: the error follows the tolerance, at an effort that grows as its fifth root."""
    lattice, alpha, time = Lattice.square(3, 3), 0.3, 4.0
    field = crowded(lattice)
    spins = sdgnn.spins.random(lattice, 1, seed=2)
    exact = solve_ivp(
        right_hand_side(field, alpha, form), (0, time), spins.numpy().ravel(), method="DOP853", rtol=1e-12, atol=1e-12
    ).y[:, -1].reshape(spins.shape)  # fmt: skip
    errors, calls = [], []
    for tolerance in (1e-4, 1e-6, 1e-8):
        counted = Counting(lattice, field)
        state = march(DormandPrince(time, alpha, form=form, tolerance=tolerance), counted, spins, 1)
        errors.append(np.abs(state.spins.numpy() - exact).max())
        calls.append(counted.calls)
    # some 30 to 200 substeps, whose errors add up and are carried along by the motion
    assert all(error < 100 * tolerance for error, tolerance in zip(errors, (1e-4, 1e-6, 1e-8), strict=True)), errors
    assert errors[0] > errors[1] > errors[2] > 0
    assert 1.5 < calls[1] / calls[0] < 4 and 1.8 < calls[2] / calls[1] < 3.2, calls  # 100^(1/5) = 2.5


def test_adaptive_steps_need_not_be_short_in_quiet_times():
    """Near the minimum of E one long step takes fewer substeps than among random spins, to equal tolerance."""
    lattice = Lattice.square(4, 4)
    field = Heisenberg(lattice, [1.0])
    calls = []
    for start in (sdgnn.spins.random(lattice, 1, seed=0), sdgnn.spins.noisy(sdgnn.spins.ferro(lattice), 1e-3, 0)):
        counted = Counting(lattice, field)
        march(DormandPrince(dt=5.0, damping=0.1), counted, start, 1)
        calls.append(counted.calls)
    assert calls[1] < 0.7 * calls[0], calls


def test_replicas_of_adaptive_steps_run_as_if_alone():
    """Each replica has substeps of its own: a fast one beside a slow one changes no bit."""
    lattice = Lattice.triangular(4, 4)
    field = Heisenberg(lattice, [1.0])
    spins = torch.cat([sdgnn.spins.random(lattice, 2, 1), sdgnn.spins.noisy(sdgnn.spins.ferro(lattice), 0.01, 1)])
    damping = (0.1, 0.5, 0.02)
    together = march(DormandPrince(0.7, damping), field, spins, 3)
    for r in range(3):
        alone = march(DormandPrince(0.7, damping[r]), field, spins[r : r + 1], 3)
        assert torch.equal(alone.spins[0], together.spins[r]), r


def test_adaptive_steps_refuse_a_bath_and_say_when_they_do_not_arrive():
    with pytest.raises(UserError, match=r"adaptive steps at kT = 0.1; allowed: kT = 0; use Heun"):
        DormandPrince(dt=0.1, damping=0.1, kT=0.1)
    with pytest.raises(UserError, match="kT = 0"):
        DormandPrince(dt=0.1, damping=0.1, kT=(0.0, 0.1))
    with pytest.raises(UserError, match="tolerance"):
        DormandPrince(dt=0.1, damping=0.1, tolerance=0.0)
    lattice = Lattice.square(4, 4)
    with pytest.raises(NumericalError, match=r"did not arrive in step 1 .*replica \d.*after 5 substeps .*shorten dt"):
        march(DormandPrince(50.0, 0.1, substeps=5), Heisenberg(lattice, [1.0]), sdgnn.spins.random(lattice, 2), 1)


def test_rotations_are_exact_in_a_field_across_the_spin():
    """At one radian a step, where Heun's scheme is off by a sixth of it."""
    field = Zeeman(Lattice.chain(1), field=(0, 0, 2.0))
    state = march(DepondtMertens(dt=0.5, damping=0.0), field, torch.tensor([[[1.0, 0, 0]]], dtype=torch.float64), 7)
    expected = torch.tensor([np.cos(7.0), np.sin(7.0), 0.0], dtype=torch.float64)
    assert torch.allclose(state.spins[0, 0], expected, atol=1e-12)


def drift(scheme, dt=0.05, steps=40, dtype=torch.float64):
    """Energy change per site and largest deviation from unit length without damping, all classical terms."""
    lattice = Lattice.triangular(3, 3)
    field = crowded(lattice)
    spins = sdgnn.spins.random(lattice, 2, seed=5, dtype=dtype)
    state = march(scheme(dt=dt, damping=0.0), field, spins, steps)
    change = state.result(field).energy - field(spins).energy
    return float(change.abs().max()) / lattice.n_sites, float((state.spins.norm(dim=-1) - 1).abs().max())


def test_midpoint_rule_conserves_quadratic_energies():
    """To the solver's tolerance (1e-11 per step and spin, times the field of about 5); Heun's scheme does not."""
    assert drift(ImplicitMidpoint)[0] < 40 * 5 * 1e-11
    assert drift(Heun)[0] > 1e-5


@pytest.mark.parametrize("scheme", WITHOUT_BATH)
def test_spins_keep_their_length(scheme):
    """To rounding: at most one unit of the last place per step and operation, seen over 40 steps."""
    assert drift(scheme)[1] < 1e-13
    assert drift(scheme, dtype=torch.float32)[1] < 40 * 10 * 6e-8


def test_energy_of_electrons_stays_bounded():
    """Not quadratic, so the midpoint rule's energy error oscillates at the size of dt^2 instead of vanishing."""
    lattice = Lattice.chain(6)
    field = sdgnn.ExactField(sdgnn.SDModel(lattice, [1.0], 1.0), kT=0.1, mu=-1.0)
    spins = sdgnn.spins.random(lattice, 1, seed=1)
    start = field(spins).energy
    errors = {}
    for dt in (0.2, 0.1):
        integrator = ImplicitMidpoint(dt=dt, damping=0.0, tolerance=1e-8)
        state, worst = integrator.init(field, spins), 0.0
        for _ in range(round(2 / dt)):
            state = integrator.step(field, state)
            worst = max(worst, float((state.result(field).energy - start).abs()))
        errors[dt] = worst
    assert errors[0.2] < 1e-4 and errors[0.1] < 0.4 * errors[0.2]


def test_damping_lowers_the_energy_of_every_scheme():
    lattice = Lattice.square(4, 4)
    field = Heisenberg(lattice, [1.0])
    spins = sdgnn.spins.random(lattice, 1, seed=0)
    for scheme in WITHOUT_BATH:
        integrator = scheme(dt=0.05, damping=0.5)
        state, energies = integrator.init(field, spins), []
        for _ in range(60):
            energies.append(float(state.result(field).energy))
            state = integrator.step(field, state)
        assert (np.diff(energies) < 1e-10).all() and energies[-1] < energies[0] - 5


# -- what a step costs and leaves alone -----------------------------------------------------------------------------


class Counting(Field):
    """A field, of an external field along z unless told otherwise, that counts its evaluations."""

    def __init__(self, lattice, field=None):
        self.lattice, self.calls = lattice, 0
        self.field = Zeeman(lattice, (0, 0, 1.0)) if field is None else field

    def evaluate(self, spins, time):
        self.calls += 1
        return self.field.evaluate(spins, time)


@pytest.mark.parametrize("scheme", [Heun, SemiImplicitB, DepondtMertens])
def test_two_evaluations_per_step_observed_or_not(scheme):
    field = Counting(Lattice.chain(3))
    spins = sdgnn.spins.random(field.lattice, 2, seed=0)
    sdgnn.simulate(field, spins, scheme(dt=0.1, damping=0.1), 10, observers=())
    assert field.calls == 20
    field.calls = 0
    sdgnn.simulate(field, spins, scheme(dt=0.1, damping=0.1), 10, observers=sdgnn.dynamics.observers.standard(1))
    assert field.calls == 21  # the last state's observation comes on top


@pytest.mark.parametrize("scheme", SCHEMES)
def test_steps_leave_state_and_known_results_alone(scheme):
    """The given state is not changed, and a known result of another field is not taken for this one's."""
    lattice = Lattice.chain(4)
    spins = sdgnn.spins.random(lattice, 2, seed=0)
    up, down = Zeeman(lattice, (0, 0, 1.0)), Zeeman(lattice, (0, 0, -1.0))
    integrator = scheme(dt=0.1, damping=0.1, kT=0.3)
    state = integrator.init(up, spins, seed=4).evaluated(up)
    before = state.spins.clone()
    following = integrator.step(down, state)
    assert torch.equal(state.spins, before) and torch.equal(spins, before)
    assert torch.equal(following.spins, integrator.step(down, integrator.init(down, spins, seed=4)).spins)
    assert following.step == 1 and following.time == 0.1 and state.step == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_field_of_another_dtype_is_cast(scheme):
    """A float64 field drives float32 spins, and the other way round; the state keeps the dtype of the spins."""

    class Single(Counting):
        def evaluate(self, spins, time):
            result = super().evaluate(spins.float(), time)
            return FieldResult(result.energy, result.field.float())

    field = Single(Lattice.chain(3))
    for dtype in (torch.float32, torch.float64):
        spins = sdgnn.spins.random(field.lattice, 2, seed=0, dtype=dtype)
        state = march(scheme(dt=0.1, damping=0.1, kT=0.1), field, spins, 3)
        assert state.spins.dtype == dtype


def test_midpoint_rule_says_when_it_does_not_converge():
    lattice = Lattice.square(4, 4)
    field, spins = Heisenberg(lattice, [1.0]), sdgnn.spins.random(lattice, 3, seed=0)
    with pytest.raises(NumericalError, match=r"did not converge in step 1 .*replica \d.*shorten dt"):
        march(ImplicitMidpoint(dt=5.0, damping=0.1), field, spins, 10)
    with pytest.raises(UserError, match="tolerance"):
        ImplicitMidpoint(dt=0.1, damping=0.1, tolerance=0.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dt": 0.0}, "dt = 0.0: .* greater than 0"),
        ({"dt": float("nan")}, "finite"),
        ({"damping": -0.1}, "damping = -0.1: .* greater than or equal to 0"),
        ({"kT": float("inf")}, "finite"),
        ({"kT": [0.1, -0.1]}, r"kT\.1 = -0.1: .* greater than or equal to 0"),
        ({"kT": ()}, "one per replica"),
        ({"form": "Gilbert"}, "'gilbert' or 'landau-lifshitz'"),
    ],
)
def test_bad_settings(settings, words):
    with pytest.raises(UserError, match=words):
        Heun(**({"dt": 0.1, "damping": 0.1} | settings))


def test_bad_states():
    field = Zeeman(Lattice.chain(3), (0, 0, 1))
    spins = sdgnn.spins.random(field.lattice, 2, seed=0)
    heun = Heun(dt=0.1, damping=0.1)
    for bad, words in [
        (spins[:, :2], r"\(replica, 3, 3\)"),
        (spins * 1.1, "unit spins"),
        (spins.where(spins != spins[1, 2, 0], torch.nan), "not finite"),
        (spins[:0], "at least one replica"),
    ]:
        with pytest.raises(UserError, match=words):
            heun.init(field, bad)
    for seed, replicas in [(-1, None), (2**64, None), (0, [0]), (0, [1, 1]), (0, [-1, 0])]:
        with pytest.raises(UserError, match="allowed"):
            heun.init(field, spins, seed, replicas)
    with pytest.raises(UserError, match="3 values of kT for 2 replicas"):
        Heun(dt=0.1, damping=0.1, kT=[0, 1, 2]).init(field, spins)
