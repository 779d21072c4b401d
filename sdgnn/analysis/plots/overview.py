"""Pictures of a run by name, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdgnn.analysis.measuring import measured, names_known, numbers, trajectory_of
from sdgnn.analysis.plots.style import COLUMN, WIDTH, sheet, style
from sdgnn.analysis.plots.trajectory import (
    LENGTHS,
    MOMENT_LENGTHS,
    ORDERS,
    Panel,
    map_panels,
    number_panel,
    number_panels,
)
from sdgnn.analysis.trajectories import averaged
from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean
from sdgnn.dynamics.run import Run
from sdgnn.dynamics.trajectory import lattice_of

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from sdgnn.lattice import Lattice

SEVERAL = {"order": ORDERS, "domain_growth": LENGTHS, "domain_growth_moment": MOMENT_LENGTHS}
"""Panels of several numbers, by name."""
MAPS = ("spins", "sublattices", "chirality_map", "structure_factor", "chirality_structure_factor")
"""Maps that are known by name; those of other quantities of the sites have the name of the quantity."""


@style()
def plot(
    run: Run | xarray.Dataset | str | Path, *what: str, time: float | Sequence[float] | None = None, replica: int = 0
) -> Figure:
    """What happened in a run, as one figure that a notebook shows::

        run.plot()                                 # spins at four times, energy, order
        run.plot("spins", time=[0, 20, 100])       # the states recorded nearest to these times
        run.plot("chirality_map", "chirality", "skyrmion_number")
        sdgnn.plot(sdgnn.open_trajectory("results/quench"), "structure_factor")

    ``run`` is what :func:`sdgnn.simulate` returned, its trajectory, or its folder; ``run.plot(...)`` is the same.

    ======================= ===================================================================================
    name                    what
    ======================= ===================================================================================
    spins                   arrows, or colours on large lattices, of one ``replica``
    sublattices             spins of each sublattice of the order that is seen at the last time
    chirality_map           scalar chirality of the triangles of one ``replica``
    structure_factor        S(q), mean over replicas
    another map             density, torque_error and so on of the sites, where recorded
    energy                  per site, through time
    order                   mean chirality, mean of its modulus, correlation of neighbours
    domain_growth           domain lengths by C(r); domain_growth_moment by S(q)
    a number                any one that :func:`sdgnn.measure` knows by name, through time
    ======================= ===================================================================================

    Maps are those of two dimensions, at up to four recorded times or at those nearest to ``time``; numbers are means
    over replicas with bands of one standard error, a curve for each setting of the replicas. Save a figure with
    ``sdgnn.analysis.plots.save(figure, "quench")``: PDF and SVG with letters that stay letters.

    Raises UserError on names that are not known or were not recorded, on times beyond the run, with ``time`` where
    nothing is a map, and on a replica that is not there.
    """
    trajectory = trajectory_of(run)
    lattice = lattice_of(trajectory)
    replicas = trajectory.sizes.get("replica", 0)
    if not -replicas <= replica < replicas:
        raise UserError(f"replica {replica}", allowed=f"0 to {replicas - 1}")
    times = None if time is None else [float(time)] if isinstance(time, int | float) else [float(t) for t in time]
    names = what or default(trajectory, lattice)
    return arranged(_panels(trajectory, lattice, names, times, replica))


def default(trajectory: xarray.Dataset, lattice: Lattice) -> tuple[str, ...]:
    """What :func:`plot` shows unless told otherwise: states, energy and order, as far as recorded."""
    has_spins = "spins" in trajectory and bool(trajectory["spins"].size)
    names = ["spins"] if has_spins and lattice.dim == 2 else []
    known = numbers(trajectory, lattice)
    names += [name for name in ("energy",) if name in known]
    names += ["order"] if any(name in known for name in ORDERS) else []
    return tuple(names or known)


def _panels(
    trajectory: xarray.Dataset, lattice: Lattice, names: Sequence[str], times: list[float] | None, replica: int
) -> list[Panel]:
    """A panel for every name."""
    sites = {str(name) for name, values in trajectory.data_vars.items() if values.dims[1:] == ("replica", "site")}
    maps = [name for name in names if name in MAPS or name in sites]
    known = sorted({*MAPS, *SEVERAL, *names_known(trajectory, lattice)})
    if unknown := [name for name in names if name not in known]:
        raise UserError(
            f"nothing to draw is named {unknown[0]!r}", allowed=", ".join(known), fix=did_you_mean(unknown[0], known)
        )
    if times is not None and not maps:
        raise UserError(f"a time for {', '.join(names)}, which are drawn through time", fix="leave time= away")
    allowed = numbers(trajectory, lattice)
    parts = {name: [one for one in SEVERAL[name] if one in allowed] for name in names if name in SEVERAL}
    single = [name for name in names if name not in maps and name not in parts]
    factors = [name for name in maps if name == "chirality_structure_factor"]
    together = measured(trajectory, lattice, [*single, *factors, *(one for part in parts.values() for one in part)])
    analysis = averaged(together) if together.data_vars else together
    drawn = map_panels(trajectory, analysis, lattice, times, replica) if maps else {}
    for name, part in parts.items():
        chosen = analysis[[f"{one}_{key}" for one in part for key in ("mean", "error")]]
        drawn |= {key: panel for key, panel in number_panels(chosen, lattice, ()).items() if key == name}
    drawn |= {name: panel for name in single if (panel := number_panel(analysis, lattice, name)) is not None}
    if missing := [name for name in names if name not in drawn]:
        raise UserError(
            f"nothing to draw as {missing[0]!r} on {lattice!r}",
            allowed="what was recorded and is a number; maps of two-dimensional lattices, sublattices of an order",
            fix="record the observer spins" if "spins" not in trajectory else "",
        )
    return [drawn[name] for name in names]


def arranged(panels: Sequence[Panel]) -> Figure:
    """Panels in one figure: wide ones in rows of their own, narrow ones two in a row."""
    rows: list[list[Panel]] = []
    for panel in panels:
        if panel.wide or not rows or rows[-1][0].wide or len(rows[-1]) == 2:
            rows.append([])
        rows[-1].append(panel)
    heights = [max(panel.height for panel in row) for row in rows]
    width = COLUMN if len(panels) == 1 and not panels[0].wide else WIDTH
    figure = sheet(width, sum(heights))
    for part, row in zip(
        figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0], rows, strict=True
    ):
        places = part.subfigures(1, 1 if width == COLUMN or row[0].wide else 2, squeeze=False)[0]
        for panel, place in zip(row, places, strict=False):
            panel.draw(into=place)
    return figure
