"""The bath against closed forms of statistical mechanics.

Every tolerance is five standard errors of the mean of independent samples plus the systematic error named beside it;
wrong noise strengths fail the same tests.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.equilibrium import langevin
from scipy.optimize import minimize

import sdgnn
from sdgnn import DepondtMertens, Heun, ImplicitMidpoint, Lattice, MonteCarlo, SemiImplicitB
from sdgnn.dynamics.integrators.equation import diffusion, noise_strength
from sdgnn.fields import Heisenberg, Zeeman

SCHEMES = [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens]
FORMS = ["gilbert", "landau-lifshitz"]
SIGMAS = 5


def settings(scheme):
    """The midpoint rule's solver need not be finer than the statistics."""
    return {"tolerance": 1e-6} if scheme is ImplicitMidpoint else {}


def last_spins(field, integrator, time, replicas, seed=1):
    spins = sdgnn.spins.random(field.lattice, replicas, seed=seed)
    return sdgnn.simulate(field, spins, integrator, round(time / integrator.dt), seed=seed, observers=()).spins


def excess(values, expected, systematic):
    """Deviation of the mean in units of what is allowed; above 1 fails."""
    values = np.asarray(values)
    allowed = SIGMAS * values.std(ddof=1) / np.sqrt(values.size) + systematic
    return abs(values.mean() - expected) / allowed


class TestSpinInAField:
    """<cos theta> = coth x - 1/x and <cos^2 theta> = 1 - 2 <cos theta> / x, with x = h / kT.

    At a step where noise inside the stages leaves errors of 3 to 6 %.
    """

    h, kT, alpha, dt = 1.0, 0.5, 1.0, 0.2
    lattice = Lattice.chain(800)
    field = Zeeman(lattice, (0, 0, h))

    def cosines(self, scheme, form, kT):
        """At times 10, 12, ... 30 of 1600 spins (time, spin); 7e-3 = exp(-g alpha h t) of the start is left."""
        start = sdgnn.spins.random(self.lattice, 2, seed=1)
        run = sdgnn.simulate(
            self.field, start, scheme(self.dt, self.alpha, kT, form, **settings(scheme)), 150, seed=1,
            observers=[sdgnn.dynamics.observers.spins(10)],
        )  # fmt: skip
        return run.trajectory["spins"].values[5:, ..., 2].reshape(11, -1)

    @pytest.mark.parametrize(
        ("scheme", "form"),
        [
            (Heun, FORMS[0]),
            (ImplicitMidpoint, FORMS[0]),
            (SemiImplicitB, FORMS[0]),
            (SemiImplicitB, FORMS[1]),
            (DepondtMertens, FORMS[0]),
        ],
    )
    def test_langevin_function(self, scheme, form):
        x, cosines = self.h / self.kT, self.cosines(scheme, form, self.kT)
        # systematic, less than the 4 (D_s dt)^2 of temperature_bias: 1 % and in the other form 4 %, of 0.54
        allowed = 0.003 if form == "gilbert" else 0.01
        assert excess(cosines.mean(0), langevin(x), allowed) < 1
        assert excess((cosines**2).mean(0), 1 - 2 * langevin(x) / x, allowed) < 1

    @pytest.mark.parametrize("form", FORMS)
    def test_noise_that_is_wrong_by_a_tenth_fails(self, form):
        x, cosines = self.h / self.kT, self.cosines(SemiImplicitB, form, 1.1 * self.kT)
        assert excess(cosines.mean(0), langevin(x), 0.01) > 1


PAIRS = Lattice.crystal([[4.0]], [[0.0], [1.0]], [300])
"""Sites in pairs that see nothing else at one neighbour shell."""


def pair_energies(spins, h=0.0):
    """-S_1 . S_2 - h (S_1z + S_2z) of each pair, from spins (time, replica, site, 3): (time, replica, pair)."""
    first, second = spins[..., 0::2, :].astype(np.float64), spins[..., 1::2, :].astype(np.float64)
    return -(first * second).sum(-1) - h * (first + second)[..., 2]


def test_energies_of_pairs_add_up_to_that_of_the_field():
    spins = sdgnn.spins.random(PAIRS, 2, seed=5)
    summed = pair_energies(spins.numpy(), 1.0).sum(-1)
    np.testing.assert_allclose(summed, TestTwoTemperatures.field(spins).energy.numpy(), rtol=1e-10)


class TestTwoCoupledSpins:
    """<S_1 . S_2> = coth x - 1/x for E = - K S_1 . S_2, x = K / kT."""

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_closed_form(self, scheme):
        field, kT = Heisenberg(PAIRS, [1.0]), 0.4
        start = sdgnn.spins.random(PAIRS, 4, seed=1)
        watch = [sdgnn.dynamics.observers.spins(20)]
        run = sdgnn.simulate(field, start, scheme(0.1, 0.5, kT, **settings(scheme)), 300, seed=1, observers=watch)
        products = -pair_energies(run.trajectory["spins"].values[5:]).mean(0).ravel()
        # systematic: half a per cent of what is missing to 1, for dt = 0.1
        assert excess(products, langevin(1.0 / kT), 0.002) < 1
        assert excess(products, langevin(1.0 / (1.1 * kT)), 0.002) > 1


@pytest.mark.parametrize("dt", [0.1, 1.5])
@pytest.mark.parametrize("form", FORMS)
def test_free_spins_diffuse(form, dt):
    """<P_l(S(t) . S(0))> = exp(-l (l + 1) g alpha kT t), l = 1 and 2, without a field, at any step: kicks alone."""
    lattice, alpha, kT, time = Lattice.chain(2000), 0.6, 0.5, 1.5
    field = Zeeman(lattice, (0, 0, 0.0))
    start = sdgnn.spins.random(lattice, 12, seed=1)
    end = last_spins(field, SemiImplicitB(dt, alpha, kT, form), time, 12)
    g = 1 / (1 + alpha**2) if form == "gilbert" else 1.0
    diffusion = g * alpha * kT
    overlap = (start * end).sum(-1).numpy().ravel()
    assert excess(overlap, np.exp(-2 * diffusion * time), 0) < 1
    assert excess((3 * overlap**2 - 1) / 2, np.exp(-6 * diffusion * time), 0) < 1
    assert excess(overlap, np.exp(-2 * 1.05 * diffusion * time), 0) > 1


THERMOSTATS = {
    **{scheme.__name__: lambda kT, scheme=scheme: scheme(0.1, 1.0, kT, **settings(scheme)) for scheme in SCHEMES},
    "MonteCarlo": lambda kT: MonteCarlo(kT=kT, overrelaxation=1),
}


class TestTwoTemperatures:
    """ln [ P_2(E) / P_1(E) ] = (1 / kT_1 - 1 / kT_2) E + constant, whatever the density of states.

    Source: Shirts, J. Chem. Theory Comput. 9, 909 (2013), doi:10.1021/ct300688p; the slope is that of largest
    likelihood, from each of ten groups of pairs, which are independent.
    """

    kT = (0.4, 0.4, 0.8, 0.8)
    field = Heisenberg(PAIRS, [1.0]) + Zeeman(PAIRS, (0, 0, 1.0))

    def slope(self, thermostat, factor=1.0):
        """Mean and standard error of the slope over its right value, with noise of ``factor`` times the temperature."""
        start = sdgnn.spins.random(PAIRS, len(self.kT), seed=1)
        watch = [sdgnn.dynamics.observers.spins(10)]
        both = tuple(factor * kT for kT in self.kT)
        run = sdgnn.simulate(self.field, start, thermostat(both), 400, seed=1, observers=watch)
        # slowest, the sum of two spins relaxes in the time 1 / (g alpha h) = 2: exp(-5) of the start is left at first
        energies = pair_energies(run.trajectory["spins"].values[10:], 1.0)
        found = [self.most_likely(energies[:, :2, k::10].ravel(), energies[:, 2:, k::10].ravel()) for k in range(10)]
        slopes = np.array(found) / (1 / self.kT[0] - 1 / self.kT[-1])
        return slopes.mean(), slopes.std(ddof=1) / 10**0.5

    @staticmethod
    def most_likely(cold, warm):
        """Slope of the logistic regression of the temperature on the energy."""
        energy, label = np.concatenate([cold, warm]), np.repeat([0.0, 1.0], cold.size)
        middle = energy.mean()

        def loss(p):
            x = p[0] + p[1] * (energy - middle)
            return np.logaddexp(0, x).mean() - (label * x).mean()

        return minimize(loss, [0.0, 1.0], method="BFGS").x[1]

    @pytest.mark.parametrize("name", THERMOSTATS)
    def test_ratio_of_histograms(self, name):
        """Allowed: 5 standard errors, of 1 to 2 %, and 1 % for the step's bias."""
        slope, error = self.slope(THERMOSTATS[name])
        assert error < 0.025
        assert abs(slope - 1) < SIGMAS * error + 0.01, (slope, error)

    def test_wrong_noise_fails(self):
        """A noise of 1.25 times the strength is one of 1.25 times the temperature."""
        slope, error = self.slope(THERMOSTATS["SemiImplicitB"], 1.25)
        assert abs(slope - 1) > SIGMAS * error + 0.01, (slope, error)
        assert slope == pytest.approx(1 / 1.25, abs=SIGMAS * error + 0.01)


def test_noise_strength_in_both_forms():
    alpha, kT = torch.tensor([0.0, 0.1, 1.0]), torch.full((3,), 0.3)
    assert torch.allclose(noise_strength(alpha, kT, "gilbert"), alpha * 0.3)
    assert torch.allclose(noise_strength(alpha, kT, "landau-lifshitz"), alpha * 0.3 / (1 + alpha**2))
    assert torch.allclose(diffusion(alpha, kT, "gilbert"), alpha * 0.3 / (1 + alpha**2))
    assert torch.allclose(diffusion(alpha, kT, "landau-lifshitz"), alpha * 0.3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_replicas_run_as_if_alone(scheme):
    """Each replica with its own kT and damping equals its own run, bit for bit, whoever runs beside it."""
    lattice = Lattice.triangular(4, 4)
    field = Heisenberg(lattice, [1.0])
    spins = sdgnn.spins.random(lattice, 3, seed=3)
    kT, damping = (0.0, 0.2, 0.4), (0.1, 0.5, 0.02)
    together = sdgnn.simulate(field, spins, scheme(0.05, damping, kT), 20, seed=9, observers=())
    for r in (2, 0, 1):
        alone = sdgnn.simulate(
            field, spins[r : r + 1], scheme(0.05, damping[r], kT[r]), 20, seed=9, observers=(), streams=[r]
        )
        assert torch.equal(alone.spins[0], together.spins[r]), r
    other = sdgnn.simulate(field, spins[1:2], scheme(0.05, damping[1], kT[1]), 20, seed=9, observers=(), streams=[0])
    assert not torch.equal(other.spins[0], together.spins[1])
