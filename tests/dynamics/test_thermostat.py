"""The bath against closed forms of statistical mechanics.

Every tolerance is five standard errors of the mean of independent samples plus the systematic error named beside it;
wrong noise strengths fail the same tests.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import DepondtMertens, Heun, ImplicitMidpoint, Lattice, SemiImplicitB
from sdgnn.dynamics.equation import noise_strength
from sdgnn.fields import Heisenberg, Zeeman

SCHEMES = [Heun, ImplicitMidpoint, SemiImplicitB, DepondtMertens]
FORMS = ["gilbert", "landau-lifshitz"]
SIGMAS = 5


def langevin(x):
    """coth x - 1/x."""
    return 1 / np.tanh(x) - 1 / x


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
    """<cos theta> = coth x - 1/x and <cos^2 theta> = 1 - 2 <cos theta> / x, with x = h / kT."""

    h, kT, alpha, dt = 1.0, 0.5, 1.0, 0.1
    lattice = Lattice.chain(256)
    field = Zeeman(lattice, (0, 0, h))

    def cosines(self, scheme, form, kT):
        spins = last_spins(self.field, scheme(self.dt, self.alpha, kT, form, **settings(scheme)), time=12.0, replicas=8)
        return spins[..., 2].numpy().ravel()

    @pytest.mark.parametrize(
        ("scheme", "form"),
        [
            (Heun, FORMS[0]),
            (Heun, FORMS[1]),
            (ImplicitMidpoint, FORMS[0]),
            (SemiImplicitB, FORMS[1]),
            (DepondtMertens, FORMS[0]),
        ],
    )
    def test_langevin_function(self, scheme, form):
        cosines, x = self.cosines(scheme, form, self.kT), self.h / self.kT
        # systematic: (h dt)^2 / 2 of the scheme and exp(-g alpha h t) < 2.5e-3 of what is left of the random start
        assert excess(cosines, langevin(x), 0.0075) < 1
        assert excess(cosines**2, 1 - 2 * langevin(x) / x, 0.0075) < 1

    @pytest.mark.parametrize("form", FORMS)
    def test_the_other_form_s_noise_fails(self, form):
        """With D of the other form, that is kT (1 + alpha^2) or kT / (1 + alpha^2), the same test fails."""
        factor = 1 + self.alpha**2
        wrong = self.kT * factor if form == "landau-lifshitz" else self.kT / factor
        cosines, x = self.cosines(Heun, form, wrong), self.h / self.kT
        assert excess(cosines, langevin(x), 0.0075) > 2


class TestTwoCoupledSpins:
    """<S_1 . S_2> = coth x - 1/x for E = - K S_1 . S_2, x = K / kT."""

    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_closed_form(self, scheme):
        lattice = Lattice.chain(2)  # both images are bonds, so K is twice the coupling
        field, kT = Heisenberg(lattice, [0.5]), 0.4
        integrator = scheme(0.1, 0.5, kT, **settings(scheme))
        spins = last_spins(field, integrator, time=12.0, replicas=300)
        products = (spins[:, 0] * spins[:, 1]).sum(-1).numpy()
        assert float(field(torch.eye(3, dtype=torch.float64)[[0, 0]][None]).energy) == pytest.approx(-1.0)
        assert excess(products, langevin(1.0 / kT), 0.0075) < 1
        assert excess(products, langevin(1.0 / (2 * kT)), 0.0075) > 1.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("form", FORMS)
def test_free_spins_diffuse(scheme, form):
    """<S(t) . S(0)> = exp(-2 g alpha kT t) without a field: the fluctuations alone, before any balance."""
    lattice, alpha, kT, dt, time = Lattice.chain(500), 0.6, 0.5, 0.1, 1.5
    field = Zeeman(lattice, (0, 0, 0.0))
    start = sdgnn.spins.random(lattice, 12, seed=1)
    end = last_spins(field, scheme(dt, alpha, kT, form, **settings(scheme)), time, 12)
    g = 1 / (1 + alpha**2) if form == "gilbert" else 1.0
    diffusion = g * alpha * kT
    overlap = (start * end).sum(-1).numpy().ravel()
    assert excess(overlap, np.exp(-2 * diffusion * time), diffusion * dt * 2 * diffusion * time) < 1
    assert excess(overlap, np.exp(-2 * alpha * kT * time * (1 + alpha**2) * g), 0.01) > 1


def test_noise_strength_in_both_forms():
    alpha, kT = torch.tensor([0.0, 0.1, 1.0]), torch.full((3,), 0.3)
    assert torch.allclose(noise_strength(alpha, kT, "gilbert"), alpha * 0.3)
    assert torch.allclose(noise_strength(alpha, kT, "landau-lifshitz"), alpha * 0.3 / (1 + alpha**2))


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
            field, spins[r : r + 1], scheme(0.05, damping[r], kT[r]), 20, seed=9, observers=(), replicas=[r]
        )
        assert torch.equal(alone.spins[0], together.spins[r]), r
    other = sdgnn.simulate(field, spins[1:2], scheme(0.05, damping[1], kT[1]), 20, seed=9, observers=(), replicas=[0])
    assert not torch.equal(other.spins[0], together.spins[1])
