"""Chebyshev coefficients of the grand potential and the Fermi function, and the chemical potential from moments."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
import scipy.optimize
import scipy.special
from jaxtyping import Float
from numpy.polynomial import chebyshev
from torch import Tensor

SMOOTH = 2.0
"""A kernel damps the expansion where pi kT moments / scale is smaller: there, the coefficients do not yet decay."""

COLD = 1e-4
"""Electrons at kT below this part of the scale count as kT = 0: (kT/scale)^2 = 1e-8 is the error."""

DECAY = 40.0
"""Functions are sampled on a number of nodes at which aliased coefficients have fallen to exp(-DECAY)."""

PLAIN_DECAY = 16.0
"""DECAY of plain expansions, without a kernel: their truncation is the larger error."""

PRECISION = 1e-14
"""Error of mu, in t and relative to mu."""


@dataclass(frozen=True)
class Expansion:
    """Functions of energy e = centre + scale x as sums over m < ``moments`` of g_m c_m T_m(x).

    g_m = 1 where kT is resolved (pi kT moments / scale > 2): the coefficients of functions of (e - mu)/kT decay as
    exp(-pi kT m / scale), for their nearest poles are at mu +- i pi kT. Elsewhere g_m is the Jackson kernel, which
    smooths over pi scale / moments (Weisse et al., Rev. Mod. Phys. 78, 275, doi:10.1103/RevModPhys.78.275), unless
    ``plain``.
    """

    centre: float
    scale: float
    kT: float
    moments: int
    plain: bool = False

    @property
    def resolved(self) -> bool:
        """Whether no kernel is needed."""
        return math.pi * self.kT * self.moments >= SMOOTH * self.scale

    @property
    def damping(self) -> Float[np.ndarray, " moment"]:
        """g_m."""
        return np.ones(self.moments) if self.plain or self.resolved else jackson(self.moments)

    def grand_potential(self, mu: float) -> Float[np.ndarray, " moment"]:
        """Damped coefficients of -kT ln(1 + exp(-(e - mu)/kT)); for mu = -inf of 0, for mu = +inf of e."""
        if math.isinf(mu):
            line = np.zeros(self.moments)
            line[:2] = (self.centre, self.scale) if mu > 0 else 0.0
            return line
        if self._cold:
            return self.damping * self._grand_potential_of_step(mu)
        energies = self._nodes
        omega = -self.kT * np.logaddexp(0, (mu - energies) / self.kT)
        return self.damping * _coefficients(omega)[: self.moments]

    def occupation(self, mu: float) -> Float[np.ndarray, " moment"]:
        """Damped coefficients of the Fermi function, which are minus the derivatives of :meth:`grand_potential`."""
        if math.isinf(mu):
            line = np.zeros(self.moments)
            line[0] = float(mu > 0)
            return line
        if self._cold:
            return self.damping * self._step(mu, self.moments)
        return self.damping * _coefficients(self._fermi(mu, self._nodes))[: self.moments]

    def chemical_potential(self, moments: Float[np.ndarray, " moment"], filling: float) -> float:
        """mu at which the moments Tr T_m(H~) say that this part of all levels is filled; infinite for none and all.

        Where kT is not resolved, N(mu) of an expansion without kernel rings: of its roots, one next to the Fermi level
        of the density of states with the Jackson kernel is taken, which is positive.
        """
        if filling in (0, 1):
            return math.copysign(math.inf, filling - 0.5)
        electrons, margin = filling * float(moments[0]), self.scale + DECAY * self.kT
        low, high = self.centre - margin, self.centre + margin
        count = self._count(self.damping * moments)

        def excess(mu: float) -> float:
            return count(mu) - electrons

        if self.plain or self.resolved:
            near, reach = self._fermi_level(moments, electrons), max(self.kT, self.scale / self.moments)
            while reach < margin and excess(near - reach) * excess(near + reach) > 0:
                reach *= 2
            low, high = max(low, near - reach), min(high, near + reach)
        if excess(low) * excess(high) > 0:  # fewer electrons, or holes, than rounding lets see
            return low if excess(low) > 0 else high
        return scipy.optimize.brentq(excess, low, high, xtol=PRECISION, rtol=PRECISION)

    def _fermi_level(self, moments: Float[np.ndarray, " moment"], electrons: float) -> float:
        """Energy up to which the density of states with the Jackson kernel holds ``electrons``, on a grid."""
        points = 2 * self.moments
        filled = np.cumsum(_density(jackson(self.moments) * moments, points)[::-1])
        place = min(int(np.searchsorted(filled, electrons)), points - 1)
        return self.centre - self.scale * math.cos(math.pi * (place + 0.5) / points)

    def _count(self, damped: Float[np.ndarray, " moment"]) -> Callable[[float], float]:
        """N(mu) of damped moments: of a step, or as a sum over the nodes, which are all full or empty but near mu."""
        if self._cold:
            return lambda mu: float(self._step(mu, self.moments) @ damped)
        nodes = self._nodes
        density = _density(damped, len(nodes))
        from_here_on = np.append(np.cumsum(density[::-1])[::-1], 0.0)
        ascending = -nodes

        def count(mu: float) -> float:
            first, last = np.searchsorted(ascending, (-mu - DECAY * self.kT, -mu + DECAY * self.kT))
            return float(self._fermi(mu, nodes[first:last]) @ density[first:last] + from_here_on[last])

        return count

    def truncation(self, mu: float, moments: Float[np.ndarray, " moment"] | None = None) -> float:
        """Root mean square, over the density of states, of what the occupation lacks.

        The field is the slope of the expanded grand potential, so the occupation meant here is the derivative of that
        polynomial. Without moments, over the levels of a cosine band.
        """
        if math.isinf(mu):
            return 0.0
        nodes = self._nodes
        slope = chebyshev.chebder(self.grand_potential(mu)) / self.scale
        lacking = self._fermi(mu, nodes) - _values(np.pad(slope, (0, len(nodes) - len(slope))))
        weight = np.ones(len(nodes))
        if moments is not None:
            weight = _density(jackson(self.moments) * moments, len(nodes)).clip(min=0)
        return float(np.sqrt((weight * lacking**2).sum() / weight.sum()))

    @property
    def _cold(self) -> bool:
        return self.kT < COLD * self.scale

    @cached_property
    def _nodes(self) -> Float[np.ndarray, " node"]:
        """Energies cos(pi (j + 1/2) / n) at which functions are sampled."""
        kT = max(self.kT, COLD * self.scale)
        decay = PLAIN_DECAY if self.plain else DECAY
        count = scipy.fft.next_fast_len(self.moments + math.ceil(decay * self.scale / (math.pi * kT)), real=True)
        return self.centre + self.scale * np.cos(math.pi * (np.arange(count) + 0.5) / count)

    def _fermi(self, mu: float, energies: np.ndarray) -> np.ndarray:
        if self._cold:
            return np.where(energies < mu, 1.0, 0.0)
        return scipy.special.expit((mu - energies) / self.kT)

    def _step(self, mu: float, count: int) -> Float[np.ndarray, " moment"]:
        """Coefficients of the step theta(mu - e)."""
        angle, m = self._angle(mu), np.arange(1, count)
        return np.concatenate([[1 - angle / math.pi], -2 * np.sin(m * angle) / (math.pi * m)])

    def _grand_potential_of_step(self, mu: float) -> Float[np.ndarray, " moment"]:
        """Coefficients of (e - mu) theta(mu - e), from those s_m of the step: x T_m = (T_{m+1} + T_{m-1}) / 2."""
        s = self._step(mu, self.moments + 1)
        x = np.empty(self.moments)
        x[0], x[1] = s[1] / 2, s[0] + s[2] / 2
        x[2:] = (s[1 : self.moments - 1] + s[3 : self.moments + 1]) / 2
        return self.centre * s[:-1] + self.scale * x - mu * s[:-1]

    def _angle(self, mu: float) -> float:
        return math.acos(min(1.0, max(-1.0, (mu - self.centre) / self.scale)))


def expansions_of(bounds: Float[Tensor, "replica 2"], kT: float, moments: int) -> list[Expansion]:
    """For each state, with a spectrum between ``bounds``, functions of energy as sums over so many polynomials."""
    return [Expansion((low + high) / 2, (high - low) / 2, kT, moments) for low, high in bounds.tolist()]


def jackson(count: int) -> Float[np.ndarray, " moment"]:
    """The Jackson kernel: the positive one of least width, pi / count."""
    q = math.pi / (count + 1)
    m = np.arange(count)
    return ((count - m + 1) * np.cos(q * m) + np.sin(q * m) / math.tan(q)) / (count + 1)


def _coefficients(values: np.ndarray) -> np.ndarray:
    """c_m of a function sampled on the nodes."""
    c = scipy.fft.dct(values, type=2) / len(values)
    c[0] /= 2
    return c


def _density(moments: np.ndarray, count: int) -> np.ndarray:
    """Levels that belong to each of ``count`` nodes, mu_0 in all, from damped moments."""
    return _values(np.pad(moments * np.where(np.arange(len(moments)), 2, 1), (0, count - len(moments)))) / count


def _values(coefficients: np.ndarray) -> np.ndarray:
    """The function on as many nodes as there are coefficients."""
    c = coefficients / 2
    c[0] *= 2
    return scipy.fft.dct(c, type=3)
