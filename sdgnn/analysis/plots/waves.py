"""Effective exchange against distance and wave vector, and the bands of spin waves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from sdgnn.analysis.plots.style import COLOURS, look, one_panel, style
from sdgnn.analysis.spectra.dynamical import distance_along
from sdgnn.analysis.waves.couplings import Couplings
from sdgnn.analysis.waves.modes import SpinWaves
from sdgnn.common.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

UNSTABLE = COLOURS[4]
"""Colour of waves that grow, and of wave vectors along which the energy falls."""


@style()
def exchange_by_distance(couplings: Mapping[str, Couplings]) -> Figure:
    """J(r) of each {name: couplings}, mean over bonds of one length; bars: standard deviation over these bonds."""
    if not couplings:
        raise UserError("no couplings to draw", allowed="one or more")
    figure, axes = one_panel()
    draw_exchange(axes, couplings)
    return figure


def draw_exchange(axes: Axes, couplings: Mapping[str, Couplings]) -> None:
    """:func:`exchange_by_distance` on axes of your own."""
    for k, (name, found) in enumerate(couplings.items()):
        distance, mean, spread = found.by_distance()
        axes.errorbar(distance, mean, spread, label=name, lw=0.8, capsize=1.5, **look(k))
    axes.axhline(0, color="black", lw=0.5)
    axes.set(xlabel="distance $r$", ylabel="$J(r)$ ($t$)")
    axes.legend()


@style()
def exchange_along(
    couplings: Mapping[str, Couplings], q: Float[np.ndarray, "q dim"], corners: Mapping[str, ArrayLike] | None = None
) -> Figure:
    """Largest eigenvalue of J(q) along a path of wave vectors, of each {name: couplings}: an order with the wave vector
    of the maximum lies lowest. ``corners``, {name: wave vector}, are marked wherever the path goes through them."""
    if not couplings:
        raise UserError("no couplings to draw", allowed="one or more")
    figure, axes = one_panel()
    along = distance_along(q)
    for k, (name, found) in enumerate(couplings.items()):
        axes.plot(along, found.strongest(q), color=COLOURS[k % len(COLOURS)], label=name)
    _mark(axes, q, along, corners or {})
    axes.set(ylabel="$J(q)$ ($t$)")
    axes.legend()
    return figure


@style()
def spin_wave_bands(
    waves: SpinWaves | Mapping[str, SpinWaves], corners: Mapping[str, ArrayLike] | None = None
) -> Figure:
    """omega(q) of spin waves along their wave vectors, of one or of each {name: waves} on one path.

    Rates of growth are drawn downwards as dotted lines where a state is unstable; wave vectors along which the energy
    falls are shaded. ``corners``, {name: wave vector}, are marked wherever the path goes through them. Raises UserError
    on several paths.
    """
    named = {"": waves} if isinstance(waves, SpinWaves) else dict(waves)
    paths = [found.q for found in named.values()]
    if not paths or any(q.shape != paths[0].shape or not np.allclose(q, paths[0]) for q in paths):
        raise UserError(f"bands of {len(paths)} paths", allowed="one or more with the same wave vectors")
    figure, axes = one_panel(height=3.2)
    draw_bands(axes, named, corners or {})
    return figure


def draw_bands(axes: Axes, named: Mapping[str, SpinWaves], corners: Mapping[str, ArrayLike]) -> None:
    """:func:`spin_wave_bands` of {name: waves} on one path, on axes of your own."""
    q = next(iter(named.values())).q
    along = distance_along(q)
    for k, (name, found) in enumerate(named.items()):
        colour, dash = COLOURS[k % len(COLOURS)], ("-", "--", ":")[k % 3]
        for band, omega in enumerate(found.omega.T):
            axes.plot(along, omega, color=colour, lw=1.2, ls=dash, label=name if band == 0 else None)
        if found.unstable.any():
            axes.fill_between(
                along, 0, 1, where=found.unstable, transform=axes.get_xaxis_transform(), color=UNSTABLE, alpha=0.12,
                lw=0, step="mid", label=f"{name} unstable".strip(),
            )  # fmt: skip
        if found.growth.any():
            axes.plot(along, -found.growth.max(1), color=UNSTABLE, lw=1, ls=":", label=f"{name} $-$growth".strip())
    _mark(axes, q, along, corners)
    axes.set(ylabel=r"$\omega$ ($t / \hbar$)")
    if not any(found.growth.any() or (found.omega < 0).any() for found in named.values()):
        axes.set_ylim(bottom=0)
    if any(named):
        axes.legend()


def _mark(
    axes: Axes, q: Float[np.ndarray, "q dim"], along: Float[np.ndarray, " q"], corners: Mapping[str, ArrayLike]
) -> None:
    """Lines and names of the wave vectors ``corners`` wherever the path meets them."""
    met = [
        (along[k], name)
        for name, at in corners.items()
        for k in np.flatnonzero(np.linalg.norm(q - np.asarray(at, dtype=np.float64), axis=1) < 1e-6)
    ]
    for place, _ in met:
        axes.axvline(place, color="black", lw=0.5)
    if met:
        axes.set_xticks([place for place, _ in met], [name for _, name in met])
    else:
        axes.set_xlabel("distance along the path")
    axes.set_xlim(along[0], along[-1])
