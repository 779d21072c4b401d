"""Linear spin waves: the normal modes of the Landau-Lifshitz-Gilbert equation around a state at rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from sdgnn.analysis.spectra.static import wave_vectors
from sdgnn.analysis.waves.couplings import Couplings, exchange
from sdgnn.common.arrays import Numbers
from sdgnn.common.errors import UserError
from sdgnn.common.frozen import freeze
from sdgnn.fields.protocol import Field
from sdgnn.fields.schedules import Time

AT_REST = 1e-3
"""Largest |S x H|, relative to the largest curvature of the energy, at which a state counts as at rest."""
FLAT = 1e-6
"""Curvatures, relative to the largest, that count as zero."""


@dataclass(frozen=True, eq=False)
class SpinWaves:
    """Frequencies of linear spin waves around a state, from :func:`spin_waves`; see there for the equations."""

    couplings: Couplings
    """The state, its magnetic cell and its couplings."""
    q: Float[np.ndarray, "q dim"]
    """(q, dim) wave vectors, 1 / nearest-neighbour distance."""
    omega: Float[np.ndarray, "q band"]
    """(q, band) angular frequencies in t / hbar, ascending; one band for each site of the magnetic cell. Negative ones
    are waves that lower the energy."""
    growth: Float[np.ndarray, "q band"]
    """(q, band) rate at which a wave grows by itself, in t / hbar: 0 but where the state is unstable."""
    linewidth: Float[np.ndarray, "q band"]
    """(q, band) decay rate of the amplitude over Gilbert's alpha, to first order in alpha; half the line's full width
    at half height. NaN where omega = 0 or the state is unstable."""
    lowest_curvature: Float[np.ndarray, " q"]
    """(q,) lowest second derivative of E along normalised waves, in t: negative where the state is no minimum."""
    resolution: float
    """Curvatures closer to zero than this, in t, count as zero: 1e-6 of the largest, or what differences leave."""

    def __post_init__(self) -> None:
        freeze(self)

    @property
    def unstable(self) -> Bool[np.ndarray, " q"]:
        """(q,) where the energy falls along a wave: the state is no minimum of the energy."""
        return self.lowest_curvature < -self.resolution

    def __repr__(self) -> str:
        count, bands = self.omega.shape
        found = (
            f"SpinWaves({bands} bands at {count} wave vectors, omega {self.omega.min():.4g} to {self.omega.max():.4g}"
        )
        if self.unstable.any():
            worst = int(self.lowest_curvature.argmin())
            found += (
                f", UNSTABLE at {int(self.unstable.sum())} of them, most at q = {np.round(self.q[worst], 4).tolist()}"
            )
        return f"{found}) on {self.couplings.lattice!r}"


def spin_waves(
    field: Field | Couplings,
    spins: Numbers | None = None,
    q: Float[np.ndarray, "q dim"] | None = None,
    time: Time = 0.0,
) -> SpinWaves:
    """Linear spin waves of any field around a state at rest::

        q, along = sdgnn.analysis.wave_vector_path(lattice, corners, points=200)
        waves = sdgnn.spin_waves(field, sdgnn.spins.neel(lattice), q)
        waves.omega  # (q, band)

    With x_i the deviation of spin i along its transverse axes e_1, e_2 (e_1 x e_2 = S_i) and A the second derivatives
    of E there (:meth:`.Couplings.curvature`), dS/dt = - S x H is to first order

        dx/dt = Omega A x,    Omega = [[0, -1], [1, 0]] at every site,    x_j ~ exp(i (q . r_j - omega t)),

    so that omega(q) are eigenvalues of i Omega A(q): one positive and one negative for each site of the magnetic cell
    where A is positive, of which the positive ones are the bands (the negative ones are those of -q). In a field along
    S every spin turns counter-clockwise at omega = h. Waves with A < 0 lower the energy and stand with negative omega;
    pairs of complex frequencies stand with the ``growth`` of the one that grows. Gilbert's damping makes the rate of
    decay alpha x^+ A^2 x / x^+ A x, ``linewidth`` times alpha.

    ``field`` may be the :class:`Couplings` that :func:`exchange` found, without ``spins``; ``q`` (q, dim) any wave
    vectors, in 1 / nearest-neighbour distance, by default those of the lattice in the magnetic zone. On a finite
    lattice waves at its own wave vectors are exact, those between them as exact as the couplings have fallen off at
    half the lattice.

    Raises UserError where the residual torque |S x H| is more than 1e-3 of the largest curvature: the state is not at
    rest, and its frequencies would mean nothing.
    """
    if isinstance(field, Couplings):
        if spins is not None:
            raise UserError(
                "spin waves of couplings around other spins", allowed="couplings alone: they know the state"
            )
        found = field
    else:
        if spins is None:
            raise UserError(f"spin waves of {field!r} around no state", allowed="spins (site, 3) or (1, site, 3)")
        found = exchange(field, spins, time)
    q = own_wave_vectors(found) if q is None else np.array(q, dtype=np.float64)
    if q.ndim != 2 or q.shape[1] != found.lattice.dim or not np.isfinite(q).all() or len(q) == 0:
        raise UserError(f"wave vectors of shape {q.shape}", allowed=f"(q, {found.lattice.dim}), finite, at least one")
    curvature = found.curvature(q)
    curvature = (curvature + curvature.conj().swapaxes(1, 2)) / 2
    values, vectors = np.linalg.eigh(curvature)
    scale = float(np.abs(values).max())
    if found.residual_torque > AT_REST * scale:
        raise UserError(
            f"spin waves around a state that is not at rest: |S x H| is up to {found.residual_torque:.3g} t, "
            f"curvatures up to {scale:.3g} t",
            allowed=f"torques up to {AT_REST:g} of the curvature",
            fix="let it relax first: sdgnn.simulate(field, spins, sdgnn.Heun(dt=sdgnn.suggest_dt(field, spins, "
            "sdgnn.Heun(dt=1.0, damping=0.5)), damping=0.5), steps=2000).spins",
        )
    flat = max(FLAT * scale, found.asymmetry)
    modes = [_modes(a, u, m, flat) for a, u, m in zip(values, vectors, curvature, strict=True)]
    omega, growth, linewidth = (np.stack(column) for column in zip(*modes, strict=True))
    return SpinWaves(found, q, omega, growth, linewidth, values[:, 0], flat)


def own_wave_vectors(couplings: Couplings) -> Float[np.ndarray, "q dim"]:
    """Wave vectors that fit the periodic lattice, one of those that the magnetic cell makes equal; 0 on free lattices.

    As many as there are magnetic cells in the lattice.
    """
    lattice = couplings.lattice
    if not lattice.is_crystal:
        return np.zeros((1, lattice.dim))
    q = wave_vectors(lattice)
    phases = np.round(q @ couplings.cell.vectors.T / (2 * np.pi), 6)
    _, first = np.unique(np.round(phases - np.floor(phases), 5) % 1, axis=0, return_index=True)
    return q[np.sort(first)]


def _modes(
    values: Float[np.ndarray, " mode"],
    vectors: Complex[np.ndarray, "mode mode"],
    curvature: Complex[np.ndarray, "mode mode"],
    flat: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frequencies, rates of growth and line widths of one wave vector, from A and its eigenvalues and -vectors."""
    turn = np.kron(np.eye(len(values) // 2), [[0, -1j], [1j, 0]])  # i Omega
    bands = len(values) // 2
    if values[0] >= -flat:
        root = np.sqrt(np.maximum(values, 0))[:, None] * vectors.conj().T  # K with A = K^+ K
        omega, waves = np.linalg.eigh(root @ turn @ root.conj().T)
        omega, waves = omega[bands:], waves[:, bands:]
        width = (values[:, None] * np.abs(waves) ** 2).sum(0)
        return omega, np.zeros(bands), np.where(omega > flat, width, np.nan)
    omega, waves = np.linalg.eig(turn @ curvature)
    norm = np.einsum("mk,mn,nk->k", waves.conj(), turn, waves).real / (np.abs(waves) ** 2).sum(0)
    least = np.sqrt(flat * np.abs(values).max())  # what a curvature of zero may become
    grows = omega.imag > least
    rank = np.where(grows, 2.0, np.where(omega.imag < -least, -2.0, norm))
    chosen = np.argsort(-rank, kind="stable")[:bands]
    chosen = chosen[np.argsort(omega.real[chosen], kind="stable")]
    growth = np.where(grows[chosen], omega.imag[chosen], 0.0)
    return omega.real[chosen], growth, np.full(bands, np.nan)
