"""Settings of the integrators, which a configuration checks before any of them is loaded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, model_validator

from sdgnn.common.errors import UserError
from sdgnn.common.settings import Count, NotNegative, Positive, Settings, by_default
from sdgnn.fields.schedules import Schedule, ScheduleSection

Form = Literal["gilbert", "landau-lifshitz"]
"""Which equation: Gilbert divides the right-hand side by 1 + alpha^2, Landau-Lifshitz does not."""


def _plain(given: Any) -> Any:
    """Numbers of numpy and torch as Python's."""
    return given.tolist() if hasattr(given, "tolist") else given


PerReplica = Annotated[
    NotNegative | Annotated[tuple[NotNegative, ...], Field(min_length=1)],
    BeforeValidator(_plain),
]
"""One number for all replicas, or one for each (kept as a tuple)."""


class LLGSettings(Settings):
    """Settings of every scheme that integrates the Landau-Lifshitz-Gilbert equation."""

    dt: Positive | None = None
    """Time step in hbar / t; without it the one that suggest_dt finds for the first spins. Adaptive steps go from state
    to state in substeps of their own."""
    damping: PerReplica = 0.1
    """Gilbert damping alpha; one number, or one per replica."""
    kT: PerReplica | ScheduleSection = 0.0
    """Temperature of the spins' bath (not that of the electrons); one number, one per replica, or a schedule in time,
    for example {kind: quench, before: 0.5, after: [0.1, 0.01], at: 100}. Without damping there is no contact to it."""
    form: Form = "gilbert"
    """gilbert divides by 1 + alpha^2, landau-lifshitz does not."""

    @property
    def has_bath(self) -> bool:
        """Whether any replica is at a temperature above 0."""
        highest = self.kT.highest if isinstance(self.kT, Schedule) else self.kT
        return any(highest) if isinstance(highest, tuple) else highest > 0

    @model_validator(mode="after")
    def _no_negative_bath(self) -> LLGSettings:
        if isinstance(self.kT, Schedule) and self.kT.lowest < 0:
            raise UserError(f"bath temperature kT {self.kT!r}", allowed="values >= 0")
        return self


class ExplicitSettings(LLGSettings):
    """Settings of a scheme that has no others."""

    scheme: Literal["depondt-mertens", "heun", "semi-implicit-b"] = "depondt-mertens"
    """The rotations of Depondt and Mertens, Heun's predictor-corrector, or Mentink's semi-implicit scheme B."""


class MidpointSettings(LLGSettings):
    """Settings of the implicit midpoint rule."""

    scheme: Literal["implicit-midpoint"] = Field("implicit-midpoint", repr=False)
    """The implicit midpoint rule, for runs without damping."""
    tolerance: Positive = 1e-11
    """Largest change of a spin component in the last iteration; not finer than 16 roundings of the spins' dtype."""
    iterations: Count = 100
    """Most iterations of one step."""


class AdaptiveSettings(LLGSettings):
    """Settings of the adaptive steps of Dormand and Prince."""

    scheme: Literal["dormand-prince"] = Field("dormand-prince", repr=False)
    """Dormand and Prince's adaptive steps, for kT = 0."""
    tolerance: Positive = 1e-6
    """Largest estimated error of a spin's direction in one substep, in radian; not finer than 16 roundings of the
    spins' dtype."""
    substeps: Count = 10_000
    """Most attempts of one step."""

    @model_validator(mode="after")
    def _no_bath(self) -> AdaptiveSettings:
        if self.has_bath:
            raise UserError(
                f"adaptive steps at kT = {self.kT}",
                allowed="kT = 0",
                fix="use Heun, SemiImplicitB, DepondtMertens or ImplicitMidpoint, whose noise belongs to a fixed dt",
            )
        return self


class MonteCarloSettings(Settings):
    """Settings of Monte Carlo, which has no time."""

    kT: PerReplica | ScheduleSection = 0.0
    """Temperature of the spins' bath; one number, one per replica, or a schedule of either in steps."""
    scheme: Literal["monte-carlo"] = Field("monte-carlo", repr=False)
    """No dynamics but Metropolis steps of Monte Carlo, in classical fields."""
    width: Positive = 0.7
    """How far trial directions lie from the old ones."""
    overrelaxation: Annotated[int, Field(ge=0)] = 0
    """Sweeps of overrelaxation after each sweep of Metropolis."""


class HybridMonteCarloSettings(Settings):
    """Settings of hybrid Monte Carlo, which moves all spins at once and has no time."""

    kT: PerReplica | ScheduleSection = 0.0
    """Temperature of the spins' bath; one number, one per replica, or a schedule of either in steps."""
    scheme: Literal["hybrid-monte-carlo"] = Field("hybrid-monte-carlo", repr=False)
    """No dynamics but steps of hybrid Monte Carlo, in any field that has an energy."""
    dt: Positive | None = None
    """Length of a leap, no time; without it the one that suggest_leap finds for the first spins."""
    leaps: Count = 5
    """Leaps of a step, each one evaluation of the field."""


Moves = Annotated[
    Annotated[
        ExplicitSettings | MidpointSettings | MonteCarloSettings | HybridMonteCarloSettings, Discriminator("scheme")
    ],
    by_default("scheme", "hybrid-monte-carlo"),
]
"""Settings of any scheme that keeps a temperature; hybrid Monte Carlo where none is given."""


Ladder = Annotated[tuple[Positive, ...], BeforeValidator(_plain), Field(min_length=2)]
"""Temperatures of parallel tempering."""


class ParallelTemperingSettings(Settings):
    """Settings of parallel tempering."""

    kT: Ladder
    """Temperatures of the spins' baths, one per replica; each as often as the others."""
    scheme: Literal["parallel-tempering"] = Field("parallel-tempering", repr=False)
    """Replicas at a ladder of temperatures that exchange their states, in any field that has an energy."""
    moves: Moves = HybridMonteCarloSettings()
    """How replicas move between exchanges: a scheme of its own, without kT."""
    every: Count = 5
    """Steps between exchanges."""

    @model_validator(mode="after")
    def _whole_ladders(self) -> ParallelTemperingSettings:
        counts = {self.kT.count(value) for value in self.kT}
        if len(counts) > 1 or len(set(self.kT)) < 2:
            raise UserError(
                f"a ladder of temperatures {list(self.kT)}",
                allowed="two or more different ones, each as often as the others",
            )
        if self.moves.kT != 0:
            raise UserError(f"moves at kT = {self.moves.kT!r}", allowed="moves without kT: that of the ladder holds")
        return self


def _written_before(given: Any) -> Any:
    """Files of version 0.1 name the settings of all schemes, with null or 0 sweeps where one has none."""
    if not isinstance(given, dict):
        return given
    kept = {key: value for key, value in given.items() if value is not None}
    if kept.get("scheme") != "monte-carlo" and kept.get("overrelaxation") == 0:
        del kept["overrelaxation"]
    return kept


IntegratorSettings = Annotated[
    Annotated[
        ExplicitSettings
        | MidpointSettings
        | AdaptiveSettings
        | MonteCarloSettings
        | HybridMonteCarloSettings
        | ParallelTemperingSettings,
        Discriminator("scheme"),
    ],
    by_default("scheme", "depondt-mertens"),
    BeforeValidator(_written_before),
]
"""Settings of any scheme, told apart by ``scheme``; the rotations of Depondt and Mertens where none is given."""
