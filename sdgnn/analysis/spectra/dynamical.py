"""Dynamical structure factor S(q, omega) of a trajectory, by Fourier transforms of stretches of time."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from sdgnn.analysis.recorded import recorded_spins, states
from sdgnn.analysis.statistics.means import mean_and_error
from sdgnn.analysis.statistics.replicas import require_one_group
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

LEAST_SEGMENT = 8
"""Times in a stretch at least."""
EVEN = 1e-6
"""Relative differences of time steps up to which times count as equally spaced."""


class DynamicalStructureFactor:
    """S(q, omega) with errors over replicas, from states given one after another at equal steps of time::

        found = DynamicalStructureFactor(lattice, q, dt=0.1, segment=512)
        for spins in states:
            found.add(spins)
        found.omega, found.mean, found.error

        S_aa(q, omega) = (dt / (N sum_n w_n^2)) |sum_n w_n A_a(q, t_n) exp(i omega t_n)|^2,
        A_a(q, t) = sum_i S_i^a(t) exp(-i q . r_i),    int d omega / (2 pi) S_aa(q, omega) = S_aa(q)

    over stretches of ``segment`` states with Hann's window w, each overlapping the one before by half, and averaged
    (Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967), doi:10.1109/TAU.1967.1161901). Classical spins at
    equilibrium show each magnon at omega and -omega alike. The window's first zeros lie 4 pi / (``segment`` dt) to
    either side of a line; frequencies above pi / dt fold back. What is kept is one stretch of amplitudes and the sums:
    memory does not grow with the run.

    ``q`` (q, dim): any wave vectors, 1 / nearest-neighbour distance; combinations of ``lattice.reciprocal`` are free of
    boundary effects. ``omega`` (frequency,): angular frequencies in t / hbar, growing, of both signs. ``segments``:
    stretches that were averaged so far. Raises UserError on segments below 8 states and steps that are not positive.
    """

    def __init__(self, lattice: Lattice, q: Float[np.ndarray, "q dim"], dt: float, segment: int = 256) -> None:
        if not (math.isfinite(dt) and dt > 0) or segment < LEAST_SEGMENT:
            raise UserError(
                f"a spectrum of segments of {segment} states {dt} apart",
                allowed=f"at least {LEAST_SEGMENT} states, a positive time step",
            )
        self.lattice, self.q, self.dt, self.segment, self.segments = lattice, q, float(dt), int(segment), 0
        self.omega: Float[np.ndarray, " frequency"] = np.fft.fftshift(2 * math.pi * np.fft.fftfreq(segment, dt))
        self._phase = torch.from_numpy(np.exp(-1j * lattice.positions @ q.T))
        self._window = torch.hann_window(self.segment, dtype=torch.float64, device="cpu")
        self._buffer: list[Complex[Tensor, "replica q 3"]] = []
        self._sum: Tensor | float = 0.0

    def add(self, spins: Float[Tensor, "replica site 3"]) -> None:
        """The next state; a full stretch is added to the sums, its second half kept for the next one."""
        phase = self._phase.to(spins.device)
        self._buffer.append(torch.einsum("rsc,sq->rqc", spins.to(phase.dtype), phase))
        if len(self._buffer) < self.segment:
            return
        amplitudes = torch.stack(self._buffer)
        window = self._window.to(amplitudes.device)[:, None, None, None]
        transformed = torch.fft.ifft(window * amplitudes, dim=0, norm="forward")
        norm = self.dt / (self.lattice.n_sites * float(self._window.square().sum()))
        self._sum = self._sum + norm * transformed.abs().square().permute(1, 2, 0, 3)
        self.segments += 1
        del self._buffer[: self.segment // 2]

    @property
    def values(self) -> Float[Tensor, "replica q frequency component"]:
        """S_aa(q, omega) for a = x, y, z, the mean over all complete stretches. Raises UserError before the first."""
        if not isinstance(self._sum, Tensor):
            raise UserError(
                f"a spectrum of {len(self._buffer)} states", allowed=f"at least one segment of {self.segment}"
            )
        return torch.fft.fftshift(self._sum / self.segments, dim=2).cpu()

    @property
    def mean(self) -> Float[Tensor, "q frequency"]:
        """Sum over components, mean over replicas."""
        return mean_and_error(self.values.sum(-1))[0]

    @property
    def error(self) -> Float[Tensor, "q frequency"]:
        """Standard error of :attr:`mean` over replicas; nan with a single one."""
        return mean_and_error(self.values.sum(-1))[1]

    def to_dataset(self) -> xarray.Dataset:
        """``S`` (replica, wave_vector, omega, component) with the coordinates ``q`` and ``omega``."""
        import xarray

        dims = ("replica", "wave_vector", "omega", "component")
        return xarray.Dataset(
            {"S": (dims, self.values.numpy(), {"units": "hbar / t", "long_name": "dynamical structure factor"})},
            coords={
                "q": (
                    ("wave_vector", "axis"), self.q,
                    {"units": "1 / nearest-neighbour distance", "long_name": "wave vector"},
                ),
                "omega": ("omega", self.omega, {"units": "t / hbar", "long_name": "angular frequency"}),
                "component": list("xyz"),
                "axis": list("xyz"[: self.q.shape[1]]),
            },
            attrs={"segments": self.segments},
        )  # fmt: skip


def dynamical_structure_factor(
    trajectory: xarray.Dataset, lattice: Lattice, q: Float[np.ndarray, "q dim"], segment: int = 256
) -> DynamicalStructureFactor:
    """S(q, omega) of the stored spins of a run, read one time after another; see :class:`DynamicalStructureFactor`.

    The spins must have been recorded at equal steps of time, at least twice per shortest period of interest. Raises
    UserError where they were not recorded, or at times that are not equally spaced, and on replicas of several
    settings.
    """
    spins = recorded_spins(trajectory, "a spectrum")
    require_one_group(trajectory, "a spectrum")
    time = spins[spins.dims[0]].values.astype(np.float64)
    steps = np.diff(time)
    if len(steps) == 0 or np.ptp(steps) > EVEN * steps.max():
        raise UserError(
            f"a spectrum of {len(time)} times that are not equally spaced", allowed="one observer's schedule"
        )
    found = DynamicalStructureFactor(lattice, q, float(steps.mean()), segment)
    for state in states(spins):
        found.add(state)
    if not found.segments:
        raise UserError(f"a spectrum of {len(time)} states", allowed=f"at least one segment of {segment}")
    return found


def wave_vector_path(
    lattice: Lattice, corners: Float[np.ndarray, "corner dim"], points: int | None = None
) -> tuple[Float[np.ndarray, "q dim"], Float[np.ndarray, " q"]]:
    """Wave vectors on straight lines between ``corners``, with their distance along the path.

    Those of the periodic lattice, of which the corners must be some; with ``points``, about as many in all at equal
    distances, the corners among them, whatever they are. Raises UserError where a corner is no wave vector of the
    lattice, on fewer than two corners and on fewer points than corners.
    """
    if points is not None:
        return _evenly(corners, points)
    whole = corners @ np.linalg.inv(lattice.reciprocal)
    if len(corners) < 2 or np.abs(whole - np.round(whole)).max() > 1e-6:
        raise UserError(
            f"a path through {np.round(corners, 4).tolist()} on {lattice!r}",
            allowed="two or more wave vectors that fit the periodic lattice",
            fix="choose a lattice whose extent is a multiple of the order's cell, or give points=",
        )
    whole = np.round(whole).astype(int)
    found = [whole[:1]]
    for start, end in itertools.pairwise(whole):
        count = int(np.gcd.reduce(end - start))
        found.append(start + np.outer(np.arange(1, count + 1), (end - start) // max(count, 1)))
    q = np.concatenate(found) @ lattice.reciprocal
    return q, distance_along(q)


def _evenly(
    corners: Float[np.ndarray, "corner dim"], points: int
) -> tuple[Float[np.ndarray, "q dim"], Float[np.ndarray, " q"]]:
    """About ``points`` wave vectors at equal distances on the lines between corners, these among them."""
    if len(corners) < 2 or points < len(corners):
        raise UserError(
            f"{points} points between {len(corners)} corners", allowed="two or more corners, at least as many points"
        )
    at = distance_along(corners)
    counts = np.maximum(1, np.round(np.diff(at) / max(at[-1], 1e-300) * (points - 1))).astype(int)
    legs = zip(itertools.pairwise(corners), counts, strict=True)
    lines = [start + np.arange(1, n + 1)[:, None] / n * (end - start) for (start, end), n in legs]
    q = np.concatenate([corners[:1], *lines])
    return q, distance_along(q)


def distance_along(q: Float[np.ndarray, "q dim"]) -> Float[np.ndarray, " q"]:
    """Distance of each wave vector from the first one, along the lines from one to the next."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(q, axis=0), axis=1))])
