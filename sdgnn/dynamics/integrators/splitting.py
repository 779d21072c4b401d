"""Spin dynamics in a bath: motion without noise between two kicks."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.dynamics.integrators.equation import diffusion, transverse, turned, unit
from sdgnn.dynamics.integrators.integrator import Integrator, per_replica
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.state import State, evaluate
from sdgnn.fields import Field

BLOCK = 2**16
"""Sites whose noise is drawn at once, lest its double precision be held for all."""


class Splitting(Integrator):
    """dS/dt = - g [ S x (H + h) + alpha S x (S x (H + h)) ] of :func:`.rotation`, noise apart from motion.

        S -> R[w_1] S,        S -> motion of length dt without noise,        S -> R[w_2] S,

    with rotations R about independent normal vectors w_1 and w_2. Subclasses say how spins move (:meth:`motion`).

    **Kicks.** Noise alone makes a spin diffuse on its sphere with the coefficient D_s = g alpha kT
    (:func:`.diffusion`). So do random rotations: after dt / 2 the heat kernel of the rotations
    is, as a density of w, a normal one with the variance v = D_s dt per component times sin(|w| / 2) / (|w| / 2) =
    exp(-|w|^2 / 24 + ...). That is again normal, with the variance v / (1 + v / 12), up to a relative error of order
    v^2, so that kicks diffuse at the right rate even where they are long.

    **Order.** The sequence is symmetric (Strang, SIAM J. Numer. Anal. 5, 506 (1968), doi:10.1137/0705041), so that
    with a motion of second order means in equilibrium are right up to dt^2, whatever kT. Noise inside the stages of
    Heun's or a midpoint rule leaves an error of order dt. Splittings of stochastic spin dynamics: Ma and Dudarev,
    Phys. Rev. B 83, 134418 (2011), doi:10.1103/PhysRevB.83.134418.

    **The field along a spin** does not turn that spin, and is taken out of the field at every stage. With electrons
    that part is 60 to 260 times the other, and schemes that turn a spin about the field of another stage would turn it
    about that part too.

    A temperature that depends on time is that of the middle of each half of the step. Spins have unit length after
    every step, to rounding.
    """

    def step(self, field: Field, state: State) -> State:
        if not self.has_bath:
            return state.advanced(unit(self.motion(field, state)), self.dt)
        kicked = replace(state, spins=self._kicked(state.spins, state, Purpose.BEFORE), cached=None)
        moved = self.motion(field, kicked)
        return state.advanced(unit(self._kicked(moved, state, Purpose.AFTER)), self.dt)

    @abstractmethod
    def motion(self, field: Field, state: State) -> Float[Tensor, "replica site 3"]:
        """Spins one dt later without noise, up to their length."""

    def effective_field(
        self, field: Field, spins: Float[Tensor, "replica site 3"], state: State, after: float | Tensor = 0.0
    ) -> Float[Tensor, "replica site 3"]:
        """H transverse to ``spins``, those of a stage of the step that follows ``state``, ``after`` its time."""
        result = state.result(field) if spins is state.spins else evaluate(field, spins, state, after)
        return transverse(result.field, spins)

    def _kicked(
        self, spins: Float[Tensor, "replica site 3"], state: State, kick: Purpose
    ) -> Float[Tensor, "replica site 3"]:
        """Spins turned by the noise of half a step."""
        now = self.temperature(state.time + (0.25 if kick is Purpose.BEFORE else 0.75) * self.dt)
        damping, kT = (per_replica(values, spins).double() for values in (self.damping, now))
        variance = diffusion(damping, kT, self.form) * self.dt
        width = (variance / (1 + variance / 12)).sqrt()
        kicked = torch.empty_like(spins)
        for first in range(0, spins.shape[1], BLOCK):
            sites = range(first, min(first + BLOCK, spins.shape[1]))
            numbers = range(state.first_site + sites.start, state.first_site + sites.stop)
            white = torch.from_numpy(normal(state.seed, state.streams, state.step, numbers, kick))
            here = slice(sites.start, sites.stop)
            kicked[:, here] = turned(spins[:, here], (width * white.to(spins.device)).to(spins))
        return kicked
