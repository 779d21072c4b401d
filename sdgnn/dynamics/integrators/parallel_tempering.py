"""Parallel tempering: replicas at a ladder of temperatures that exchange their states."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field as Key
from pydantic import SerializeAsAny, model_validator
from scipy.special import log_ndtr

from sdgnn.common.errors import UserError
from sdgnn.dynamics.integrators.integrator import Integrator
from sdgnn.dynamics.integrators.noise import Purpose, normal
from sdgnn.dynamics.integrators.settings import Ladder, ParallelTemperingSettings
from sdgnn.dynamics.state import State
from sdgnn.fields import Field


@final
class ParallelTempering(Integrator, ParallelTemperingSettings):
    """Replica r is at kT_r, moves by ``moves``, and every ``every`` steps exchanges its state with a neighbour in kT.

    Neighbours k, k + 1 in the order of their temperatures exchange their spins with the probability

        min(1, exp[ (1 / kT_k - 1 / kT_k+1) (E_k - E_k+1) ]),

    total energies E of any field that has one: classical, electrons', learned. So the states of each temperature keep
    Boltzmann's distribution, and a state that is caught in a valley at low temperature leaves on the way over the high
    ones. Even and odd pairs take turns. Where a temperature is given c times, there are c ladders that do not meet, for
    independent repetitions: the j-th replica of every temperature belongs to the j-th of them.

    ============= ====================================================================================================
    argument      meaning
    ============= ====================================================================================================
    kT            temperatures, one for each replica, above 0; :func:`.suggest_temperatures` finds a ladder
    moves         how replicas move: HybridMonteCarlo, MonteCarlo (classical fields), or an integrator of the LLG
                  equation with damping, whose bath is right up to its dt^2; without a kT of their own
    every         steps between exchanges
    ============= ====================================================================================================

    A trajectory is labelled by temperature: replica r is always at kT_r, so that means over time are those of kT_r.
    The number of its noise travels with a state, and the observer :func:`~sdgnn.dynamics.observers.walker` records it:
    which of the first states is at kT_r now. Exchanges depend on seed, step and these numbers alone, so that a resumed
    run is the uninterrupted one. :func:`sdgnn.analysis.exchanges` tells rates and round trips.

    Source: Hukushima and Nemoto, J. Phys. Soc. Jpn. 65, 1604 (1996), doi:10.1143/JPSJ.65.1604.

        ladder = (0.01, 0.013, 0.017, 0.022, 0.03)
        tempering = sdgnn.ParallelTempering(kT=ladder, moves=sdgnn.HybridMonteCarlo(dt=0.5), every=5)
        run = sdgnn.simulate(field, sdgnn.spins.random(field.lattice, replicas=5, seed=0), tempering, steps=2000)

    Raises UserError on fewer than two temperatures, on one that is 0 or not there as often as the others; ``step`` on
    fields without energy and on fields that depend on time.
    """

    kT: Ladder
    """Temperatures of the spins' baths, one per replica; each as often as the others."""
    moves: SerializeAsAny[Integrator]  # type: ignore[assignment]
    """How the replicas move between exchanges."""
    dt: Annotated[float, Key(gt=0, repr=False)] = 1.0
    """Length of a step: that of ``moves``."""
    phase_error: ClassVar[float] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _steps_of_moves(cls, given: Any) -> Any:
        moves = given.get("moves") if isinstance(given, dict) else None
        if not isinstance(moves, Integrator) or isinstance(moves, ParallelTempering):
            raise UserError(
                f"parallel tempering with moves {moves!r}",
                allowed="HybridMonteCarlo, MonteCarlo, or an integrator with damping",
            )
        if given.get("dt", moves.dt) != moves.dt:
            raise UserError(f"parallel tempering with dt = {given['dt']}", allowed="the dt of its moves")
        return {**given, "dt": moves.dt, "damping": moves.damping, "form": moves.form}

    @model_validator(mode="after")
    def _in_contact(self) -> ParallelTempering:
        if self.moves.keeps_time and not np.all(np.asarray(self.damping) > 0):
            raise UserError(f"parallel tempering by {self.moves!r}", allowed="moves with damping, or Monte Carlo")
        return self

    @property
    def keeps_time(self) -> bool:  # type: ignore[override]
        """Whether the moves have a time."""
        return self.moves.keeps_time

    def with_dt(self, dt: float) -> ParallelTempering:
        return self.replace(moves=self.moves.with_dt(dt), dt=dt)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "moves": self.moves.to_dict()}

    @cached_property
    def _mover(self) -> Integrator:
        return self.moves.replace(kT=self.kT)

    def step(self, field: Field, state: State) -> State:
        if not field.has_energy or field.driven:
            raise UserError(f"parallel tempering of {field!r}", allowed="fields with an energy, constant in time")
        moved = self._mover.step(field, state)
        if moved.step % self.every:
            return moved
        moved = moved.evaluated(field)
        result = moved.result(field)
        order = self._exchanged(moved, result.energy.cpu().numpy())
        if order == list(range(len(order))):
            return moved
        return replace(
            moved,
            spins=moved.spins[order],
            streams=tuple(moved.streams[k] for k in order),
            cached=(field, result.rows(order)),
        )

    def _exchanged(self, state: State, energy: np.ndarray) -> list[int]:
        """Which state each replica takes over."""
        order = list(range(len(energy)))
        draws = normal(state.seed, state.streams, state.step, range(1), Purpose.EXCHANGE)[:, 0, 0]
        inverse = 1 / np.asarray(self.kT)
        for ladder in ladders(self.kT):
            for low, high in pairwise(ladder):
                in_turn = (ladder.index(low) + state.step // self.every) % 2 == 0
                gain = (inverse[low] - inverse[high]) * (energy[low] - energy[high])
                if in_turn and log_ndtr(draws[low]) < gain:
                    order[low], order[high] = order[high], order[low]
        return order


def ladders(kT: Any) -> list[list[int]]:
    """Replicas of each ladder, from low to high temperature."""
    values = np.asarray(kT)
    columns = [np.flatnonzero(values == value).tolist() for value in np.unique(values)]
    return [list(row) for row in zip(*columns, strict=True)]
