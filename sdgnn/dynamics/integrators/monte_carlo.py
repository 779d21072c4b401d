"""Monte Carlo of classical spins: another road to equilibrium, without a clock."""

from __future__ import annotations

from typing import Annotated, ClassVar, final
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Int
from pydantic import Field as Key
from torch import Tensor

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Positive
from sdgnn.dynamics.integrators.equation import dot, unit
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.integrators.settings import MonteCarloSettings
from sdgnn.dynamics.state import State, evaluate
from sdgnn.fields import Field
from sdgnn.fields.protocol import is_linear, pairs_of
from sdgnn.lattice.colouring import first_colours


@final
class MonteCarlo(Integrator, MonteCarloSettings):
    """Metropolis sweeps, each followed by sweeps of overrelaxation; a step is one of each, and time counts steps.

    Made for the same runs as the integrators (``simulate(field, spins, MonteCarlo(kT=0.5), steps)``: observers,
    checkpoints, replicas), with which it shares no line of the dynamics, so that one checks the other.

    Metropolis: at every site S' = (S + width n) / |S + width n|, n standard normal, which is as likely as its reverse;
    taken with the probability min(1, exp(-dE / kT)). Where H is linear in the spins the change is exactly

        dE = - (S' - S) . (H(S) + H(S')) / 2

    Overrelaxation: S' = 2 (S . H) H / H^2 - S, at equal energy; for fields that are linear in every spin.

    Sites of one colour do not interact and are moved at once, colour after colour, each step in the same order; every
    such move leaves Boltzmann's distribution alone.

    Sources: Metropolis et al., J. Chem. Phys. 21, 1087 (1953), doi:10.1063/1.1699114; Creutz, Phys. Rev. D 36, 515
    (1987), doi:10.1103/PhysRevD.36.515.

    ``step`` raises UserError on fields that do not say which sites interact (:meth:`sdgnn.fields.Paired.pairs`), and on
    overrelaxation of fields that are not linear in every spin.
    """

    dt: Annotated[Positive, Key(ge=1, le=1)] = 1.0
    """Length of a step, which is 1: Monte Carlo has no time."""
    damping: Annotated[float, Key(ge=0, le=0)] = 0.0
    """Gilbert damping, which is 0: Monte Carlo has no motion."""
    phase_error: ClassVar[float] = 0.0
    keeps_time: ClassVar[bool] = False

    def step(self, field: Field, state: State) -> State:
        spins = state.spins
        kT = spins.new_tensor(self.temperature(state.time)).reshape(-1, 1, 1)
        sites = range(spins.shape[1])
        trial, decision = (
            torch.from_numpy(normal(state.seed, state.streams, state.step, sites, purpose)).to(spins)
            for purpose in (Purpose.TRIAL, Purpose.DECISION)
        )
        limit = torch.log(torch.special.ndtr(decision[..., :1].double())).to(spins)  # of a uniform number in (0, 1)
        colours = self._colours(field, spins)
        for colour in colours:
            moved = torch.where(colour, unit(spins + self.width * trial), spins)
            before, after = (evaluate(field, s, state).field for s in (spins, moved))
            change = -dot(moved - spins, before + after) / 2
            spins = torch.where(change <= -kT * limit, moved, spins)
        for colour in colours * self.overrelaxation:
            vectors = evaluate(field, spins, state).field
            square = dot(vectors, vectors)
            mirrored = 2 * dot(spins, vectors) / square.clamp_min(torch.finfo(spins.dtype).tiny) * vectors - spins
            spins = torch.where(colour & (square > 0), mirrored, spins)
        return state.advanced(unit(spins) if self.overrelaxation else spins, self.dt)

    def _colours(self, field: Field, spins: Tensor) -> list[Bool[Tensor, "1 site 1"]]:
        """Masks of sites that do not interact with each other, one for each colour."""
        if self.overrelaxation and not is_linear(field):
            raise UserError(
                f"overrelaxation of {field!r}",
                allowed="fields that are linear in every spin, without anisotropy",
                fix="use overrelaxation=0",
            )
        if field not in _COLOURS:
            pairs = pairs_of(field)
            if pairs is None:
                raise UserError(
                    f"Monte Carlo of {field!r}",
                    allowed="classical fields: Heisenberg, DistanceHeisenberg, DMI, Zeeman, Anisotropy and their sums",
                )
            _COLOURS[field] = first_colours(pairs, spins.shape[1])
        colour = _COLOURS[field]
        return [torch.from_numpy(colour == c)[None, :, None].to(spins.device) for c in range(colour.max() + 1)]


_COLOURS: WeakKeyDictionary[Field, Int[np.ndarray, " site"]] = WeakKeyDictionary()
"""Colours of the sites of each field, found once."""
