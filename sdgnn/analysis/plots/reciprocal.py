"""Structure factors drawn in the Brillouin zone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.plots.style import bare, one_panel, panels, style
from sdgnn.analysis.spectra.dynamical import DynamicalStructureFactor
from sdgnn.analysis.spectra.static import require_crystal, wave_vectors
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice
from sdgnn.lattice.periodic import nearest_site, wigner_seitz_corners

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

PIXELS = 500
"""Resolution of a map; every pixel takes the value at the nearest wave vector."""
LOWEST = 1e-3
"""Least value of the colour scale, relative to the largest."""
ABOVE = 3.0
"""End of the colours of S(q, omega), in units of the median over wave vectors of the strongest value."""
LOWEST_LINE = 0.03
"""What counts as a line, in units of the strongest value at its wave vector."""


@style()
def structure_factor_maps(
    factors: Mapping[str, Float[np.ndarray | Tensor, " q"]],
    lattice: Lattice,
    zones: int = 1,
    label: str = "$S(q)$",
    into: FigureBase | None = None,
) -> Figure:
    """S(q) in the Brillouin zone of a two-dimensional crystal, one panel for each {title: S at ``wave_vectors``}.

    Each wave vector fills the area nearest to it; the colour scale is logarithmic and shared. Outside, the zone's
    boundary with its symmetry points. With ``zones`` > 1 the larger zone is shown and the first one drawn inside.
    Raises UserError unless two-dimensional and every S has one value per wave vector.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Polygon

    shape = require_crystal(lattice)
    if lattice.dim != 2:
        raise UserError(f"a map of a {lattice.dim}-dimensional zone", allowed="two-dimensional lattices")
    q = wave_vectors(lattice, zones)
    maps = {title: np.asarray(values, dtype=np.float64) for title, values in factors.items()}
    if not maps or any(values.shape != (len(q),) for values in maps.values()):
        raise UserError("structure factors that do not fit the lattice", allowed=f"{len(q)} values in each panel")
    primitive = lattice.reciprocal * np.array(shape)[:, None]
    corners = wigner_seitz_corners(zones * primitive)
    half = np.abs(corners).max(axis=0)
    side = int(np.ceil(PIXELS * half[1] / half[0]))
    x, y = np.meshgrid(np.linspace(-half[0], half[0], PIXELS), np.linspace(-half[1], half[1], side))
    nearest = nearest_site(np.stack([x.ravel(), y.ravel()], axis=-1), q, zones * primitive).reshape(x.shape)
    highest = max(values.max() for values in maps.values()) or 1.0
    lowest = np.clip(min(values.min() for values in maps.values()), LOWEST * highest, 0.1 * highest)
    figure, axes = panels(len(maps), half[1] / half[0], extra=0.7, into=into)
    for panel, (title, values) in zip(axes, maps.items(), strict=True):
        image = panel.imshow(
            np.maximum(values, lowest)[nearest], origin="lower", extent=(-half[0], half[0], -half[1], half[1]),
            norm=LogNorm(lowest, highest), cmap="viridis", interpolation="nearest",
        )  # fmt: skip
        outline = Polygon(corners, fill=False, edgecolor="black", lw=0.9, gid="zone")
        panel.add_patch(outline)
        image.set_clip_path(outline)
        if zones > 1:
            first = wigner_seitz_corners(primitive)
            panel.add_patch(Polygon(first, fill=False, edgecolor="white", lw=0.8, ls="--", gid="first zone"))
        _symmetry_points(panel, wigner_seitz_corners(primitive), "white" if zones > 1 else "black")
        panel.set(xlim=(-1.12 * half[0], 1.12 * half[0]), ylim=(-1.2 * half[1], 1.05 * half[1]), title=title)
        bare(panel)
    figure.colorbar(image, ax=axes, label=label, shrink=0.75, pad=0.02, extend="min")
    return figure


@style()
def spectrum_map(
    found: DynamicalStructureFactor,
    along: Float[np.ndarray, " q"],
    corners: Mapping[str, float] | None = None,
    lines: Mapping[str, Float[np.ndarray, " q"]] | None = None,
) -> Figure:
    """S(q, omega) at omega >= 0 along a path, summed over components, mean over replicas, on a logarithmic scale.

    ``along``: distance of each wave vector along the path, from :func:`.wave_vector_path`; ``corners``:
    {name: distance} of the symmetry points; ``lines``: {name: omega of each q}, such as a dispersion to compare with.
    Colours end at a few times the strongest line of a typical wave vector, not at the Bragg peaks of an order, which
    are stronger by orders of magnitude; frequencies end above the last line. Raises UserError unless there is one
    distance for each wave vector.
    """
    from matplotlib.colors import LogNorm

    if len(along) != len(found.q):
        raise UserError(f"{len(along)} distances for {len(found.q)} wave vectors", allowed="one for each")
    kept = found.omega >= 0
    values = found.mean.numpy()[:, kept].T
    figure, axes = one_panel(height=2.7)
    strongest = values.max(axis=0)
    highest = ABOVE * float(np.median(strongest)) or 1.0
    seen = (values > LOWEST_LINE * strongest).any(axis=1).nonzero()[0]
    image = axes.pcolormesh(
        along, found.omega[kept], np.maximum(values, LOWEST * highest), norm=LogNorm(LOWEST * highest, highest),
        cmap="viridis", shading="nearest", rasterized=True,
    )  # fmt: skip
    for (name, omega), dash in zip((lines or {}).items(), itertools.cycle(["-", "--", ":"])):
        axes.plot(along, omega, color="white", lw=0.9, ls=dash, label=name)
    for at in (corners or {}).values():
        axes.axvline(at, color="white", lw=0.5)
    if corners:
        axes.set_xticks(list(corners.values()), list(corners))
    ends = [1.15 * found.omega[kept][seen[-1]], *(1.1 * np.max(omega) for omega in (lines or {}).values())]
    axes.set(xlabel="wave vector", ylabel=r"$\omega$ ($t / \hbar$)", ylim=(0, min(max(ends), found.omega[-1])))
    if lines:
        figure.legend(loc="outside upper center", ncols=2, frameon=True, facecolor="0.25", labelcolor="white")
    figure.colorbar(image, ax=axes, label=r"$S(q, \omega)$", pad=0.02, extend="both")
    return figure


def _symmetry_points(panel: Axes, corners: Float[np.ndarray, "corner 2"], colour: str) -> None:
    """Marks Gamma, a corner and the middle of an edge: K, M of a hexagon, M, X of a square."""
    middle = (corners[0] + np.roll(corners, -1, axis=0)[0]) / 2
    if len(corners) == 6:
        names = {"K": corners[0], "M": middle}
    elif np.isclose(*np.linalg.norm(corners[1:3] - corners[:2], axis=1)):
        names = {"M": corners[0], "X": middle}
    else:
        names = {}
    panel.plot(0, 0, marker="o", ms=2, color="white")
    panel.annotate(r"$\Gamma$", (0, 0), (5, 4), textcoords="offset points", color="white", fontsize=8, ha="center")
    for name, at in names.items():
        panel.plot(*at, marker="o", ms=2.5, color=colour, clip_on=False)
        outwards = 8 * at / np.linalg.norm(at)
        panel.annotate(
            name, at, outwards, textcoords="offset points", color=colour, fontsize=8, ha="center", va="center"
        )
