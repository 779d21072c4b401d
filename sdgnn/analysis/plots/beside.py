"""Runs of several fields from the same spins with the same noise: maps, and how far the runs go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sdgnn.analysis.orders.chirality import scalar_chirality
from sdgnn.analysis.orders.correlations import local_correlation
from sdgnn.analysis.plots.maps import TETRAHEDRAL, chirality_bar, draw_chirality, draw_sites, map_of, window
from sdgnn.analysis.plots.style import COLOURS, TIME, WIDTH, level, sheet, style
from sdgnn.analysis.plots.trajectory import nearest, perfect
from sdgnn.analysis.recorded import recorded_spins, states
from sdgnn.common.errors import UserError
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure, FigureBase

CHIRAL = ("triangular", "kagome")
"""Lattices whose order is compared by the chirality of their triangles; that of others by neighbours' S_i . S_j."""
LINES = ("-", "--", ":", "-.")


def local_order(spins: Tensor, lattice: Lattice) -> Float[Tensor, "replica _"]:
    """The chirality of every triangle on triangular and kagome lattices; elsewhere S_i . S_j with the neighbours of
    every site."""
    return scalar_chirality(spins, lattice) if lattice.name in CHIRAL else local_correlation(spins, lattice)


def going_together(first: xarray.Dataset, second: xarray.Dataset, lattice: Lattice) -> Float[np.ndarray, " time"]:
    """Pearson's correlation of the :func:`local_order` of two runs at each time, over all replicas.

    1 for equal maps, 0 for unrelated ones. Raises UserError on runs that were not recorded at the same times.
    """
    pair = [recorded_spins(run, "the comparison of runs") for run in (first, second)]
    times = [spins[spins.dims[0]].values for spins in pair]
    if len(times[0]) != len(times[1]) or not np.allclose(times[0], times[1]):
        raise UserError("runs recorded at different times", allowed="the same steps of the same length")
    maps = [[local_order(state, lattice).double().ravel() for state in states(spins)] for spins in pair]
    return np.array([float(torch.corrcoef(torch.stack(row))[0, 1]) for row in zip(*maps, strict=True)])


@style()
def runs_beside(runs: Mapping[str, xarray.Dataset], lattice: Lattice, times: Sequence[float]) -> Figure:
    """Several runs {name: trajectory} from the same spins with the same noise, the first of them the reference.

    In two dimensions the :func:`local_order` of the first replica of the first two at the recorded times nearest to
    ``times``, a row for each run. Below, through time: :func:`going_together` of each with the first; mean of
    the modulus of the local order; energy per site where all have recorded that. Raises UserError on fewer than two.
    """
    if len(runs) < 2:
        raise UserError(f"{len(runs)} run(s) beside each other", allowed="two or more")
    names = list(runs)
    spins = {name: recorded_spins(run, "a map") for name, run in runs.items()}
    time = spins[names[0]][spins[names[0]].dims[0]].values
    chosen = nearest(time, times)
    width, height = window(lattice) if lattice.dim == 2 else (1.0, 0.0)
    maps = 2 * ((WIDTH - 0.8) / len(chosen) * height / width + 0.35) if lattice.dim == 2 else 0.0
    figure = sheet(WIDTH, maps + 2.3)
    below: FigureBase = figure
    if lattice.dim == 2:
        above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[maps, 2.3])[:, 0]
        panels = above.subplots(2, len(chosen), squeeze=False)
        for row, name in zip(panels, names[:2], strict=True):
            for panel, k in zip(row, chosen, strict=True):
                map_of(panel, lattice, rf"{name}, $t = {time[k]:.4g}$")
                values = local_order(torch.from_numpy(np.ascontiguousarray(spins[name][k].values)), lattice)[0].numpy()
                if lattice.name in CHIRAL:
                    limit = TETRAHEDRAL if lattice.name == "triangular" else 1.0
                    drawn = draw_chirality(panel, values, lattice, limit)
                else:
                    drawn = draw_sites(panel, values, lattice, "RdBu_r", (-1.0, 1.0))
        if lattice.name in CHIRAL:
            chirality_bar(above, list(panels.ravel()), drawn, lattice)
        else:
            above.colorbar(drawn, ax=panels, label=SITES, shrink=0.6, pad=0.02)
    together, order, energies = below.subplots(1, 3)
    for k, name in enumerate(names):
        line = {"color": COLOURS[k % len(COLOURS)], "ls": LINES[k % len(LINES)], "label": name}
        if k:
            together.plot(time, going_together(runs[names[0]], runs[name], lattice), **line)
        sizes = [float(local_order(state, lattice).abs().mean()) for state in states(spins[name])]
        order.plot(time, sizes, **line)
        if all("energy" in run for run in runs.values()):
            energy = runs[name]["energy"].mean("replica") / lattice.n_sites
            energies.plot(energy[energy.dims[0]].values, energy.values, **line)
    together.axhline(1.0, color="black", lw=0.8, ls=":", gid="equal maps")
    together.set(
        xlabel=TIME, ylabel=f"correlation of the maps\nwith {names[0]}", ylim=(min(0, together.get_ylim()[0]), 1.05)
    )
    order.set(
        xlabel=TIME, ylabel=r"mean $|\chi|$" if lattice.name in CHIRAL else r"mean $|\mathbf{S}_i\cdot\mathbf{S}_j|$"
    )
    for name, value in perfect(lattice).items():
        level(order, value, name, fontsize=7)
    energies.set(xlabel=TIME, ylabel="energy per site ($t$)")
    handles, labels = order.get_legend_handles_labels()
    below.legend(handles, labels, loc="outside upper center", ncols=3)
    return figure


SITES = r"$\mathbf{S}_i\cdot\mathbf{S}_j$ with the neighbours"
"""Label of the local order of sites."""
