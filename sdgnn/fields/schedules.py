"""Temperatures and fields that depend on time: quenches, ramps, annealing, sweeps and pulses."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, Literal

import numpy as np
from pydantic import Discriminator, model_validator

from sdgnn.common.settings import Positive, Settings

Time = float | np.ndarray | np.floating
"""One time, or one for each replica, in hbar / t."""
ROUNDING = 1e-12
"""Relative difference of two times that are the same: multiples of a time step are rounded."""
Values = float | tuple[float, ...]
"""One number for all replicas, or one for each."""

# number by number: numpy's loops may give other last bits for many than for one, but replicas know nothing of others
_power = np.vectorize(math.pow, otypes=[float])
_exponential = np.vectorize(math.exp, otypes=[float])


class _Schedule(Settings):
    """A number, or one for each replica, as a function of time alone: a restart finds it where it was."""

    @model_validator(mode="after")
    def _one_size(self) -> _Schedule:
        sizes = {len(value) for value in self.ends if isinstance(value, tuple)}
        if len(sizes) > 1 or 0 in sizes:
            raise ValueError("values of as many replicas at both ends are needed")
        return self

    @property
    @abstractmethod
    def ends(self) -> tuple[Values, Values]:
        """The two values between which all others lie."""

    @abstractmethod
    def part(self, time: Time) -> Time:
        """How far the value is from the first of ``ends`` (0) to the second (1)."""

    def __call__(self, time: Time) -> np.ndarray:
        """The value at ``time``: a number, or one per replica where ends or times are."""
        first, second = map(np.asarray, self.ends)
        part = self.part(time)
        return np.asarray((1 - part) * first + part * second)

    @property
    def replicas(self) -> int | None:
        """For how many replicas there are values; None where all have one."""
        return next((len(value) for value in self.ends if isinstance(value, tuple)), None)

    @property
    def lowest(self) -> float:
        """Lowest of all values."""
        return float(min(map(np.min, self.ends)))

    @property
    def highest(self) -> float:
        """Highest of all values."""
        return float(max(map(np.max, self.ends)))


class Quench(_Schedule):
    """``before`` until the time ``at``, ``after`` from then on."""

    kind: Literal["quench"] = "quench"
    """A sudden change."""
    before: Values
    """Value at first; one number, or one per replica."""
    after: Values
    """Value afterwards; one number, or one per replica."""
    at: float
    """When it changes."""

    @property
    def ends(self) -> tuple[Values, Values]:
        return self.before, self.after

    def part(self, time: Time) -> Time:
        before = (np.asarray(time) < self.at) & ~np.isclose(time, self.at, rtol=ROUNDING, atol=0.0)
        return np.where(before, 0.0, 1.0)


class Ramp(_Schedule):
    """From ``start`` to ``stop``, linearly in ``duration``; constant before and afterwards."""

    kind: Literal["ramp"] = "ramp"
    """Linear in time."""
    start: Values
    """Value at first; one number, or one per replica."""
    stop: Values
    """Value at last; one number, or one per replica."""
    duration: Positive
    """How long it takes."""
    begin: float = 0.0
    """When it begins."""

    @property
    def ends(self) -> tuple[Values, Values]:
        return self.start, self.stop

    def part(self, time: Time) -> Time:
        return np.clip((np.asarray(time) - self.begin) / self.duration, 0.0, 1.0)


class Anneal(Ramp):
    """From ``start`` to ``stop`` by equal factors in equal times, start (stop / start)^x; both above 0."""

    kind: Literal["anneal"] = "anneal"  # type: ignore[assignment]
    """By equal factors in equal times."""

    @model_validator(mode="after")
    def _positive(self) -> Anneal:
        if self.lowest <= 0:
            raise ValueError("start and stop above 0 are needed")
        return self

    def __call__(self, time: Time) -> np.ndarray:
        first, second = map(np.asarray, self.ends)
        return np.asarray(first * _power(second / first, self.part(time)))


class Sweep(_Schedule):
    """From ``high`` to ``low`` and back, linearly, once every ``period``: a loop of hysteresis."""

    kind: Literal["sweep"] = "sweep"
    """There and back, again and again."""
    high: Values
    """Value at times 0, period, 2 period ...; one number, or one per replica."""
    low: Values
    """Value in the middle between them; one number, or one per replica."""
    period: Positive
    """How long one loop takes."""

    @property
    def ends(self) -> tuple[Values, Values]:
        return self.high, self.low

    def part(self, time: Time) -> Time:
        return 1 - np.abs(1 - 2 * np.mod(np.asarray(time) / self.period, 1.0))


class Pulse(_Schedule):
    """``base`` + (``peak`` - ``base``) exp(-(t - centre)^2 / (2 width^2))."""

    kind: Literal["pulse"] = "pulse"
    """A Gaussian pulse."""
    peak: Values
    """Value at the centre; one number, or one per replica."""
    centre: float
    """Time at which the pulse is highest."""
    width: Positive
    """Standard deviation of the Gaussian, in units of time."""
    base: Values = 0.0
    """Value long before and after; one number, or one per replica."""

    @property
    def ends(self) -> tuple[Values, Values]:
        return self.base, self.peak

    def part(self, time: Time) -> Time:
        x = (np.asarray(time) - self.centre) / self.width
        return _exponential(-x * x / 2)


Schedule = Quench | Ramp | Anneal | Sweep | Pulse
"""A schedule of any kind."""
ScheduleSection = Annotated[Schedule, Discriminator("kind")]
"""A schedule in a configuration, where the key ``kind`` says which."""
