"""The study of docs/arrested.md on 100 x 100 sites: its stored results, tables and figures.

    python benchmarks/arrested.py collect    results/arrested -> notebooks/stored
    python benchmarks/arrested.py report     notebooks/stored -> tables, and figures in docs/images

The runs behind ``collect`` are named in configs/arrested; those of the published 30 x 30 quench are those of
published_quench.py.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
import xarray
from matplotlib.figure import Figure
from published_quench import spread
from stored_results import agreement, commands, console, opened, table, write

import sdgnn
from sdgnn import analysis
from sdgnn.analysis import plots
from sdgnn.dynamics import open_trajectory

RUNS = {"0.05": "quench", "0.5": "quench-damped"}
"""Folders of the runs, by damping; the first is analysed too."""
HOLES = 0.03
"""Holes per site."""
TIMES = (0, 25, 50, 100, 200, 400, 700, 1000)
SIZES = (1, 5, 6, 9, 17, 33, 10001)
"""Sizes of regions are counted from one of these to below the next: below five, one turned spin, and larger."""
WINDOWS = ((50, 200), (100, 200), (200, 400), (300, 900))
"""Fits over times that a run reached; the last route counts regions in quarters of the cell, the others by replica."""


def region_sizes(trajectory: xarray.Dataset, lattice: sdgnn.Lattice) -> xarray.Dataset:
    """Regions of each state by their size and by the quarter of the cell, the largest, and the sites in regions."""
    spins = trajectory["spins"]
    time = spins[spins.dims[0]].values
    far = (lattice.positions > lattice.positions.max(0) / 2).astype(int)
    quarter = 2 * far[:, 0] + far[:, 1]
    shape = (len(time), spins.sizes["replica"])
    counts, quarters = np.zeros((*shape, len(SIZES) - 1), dtype=np.int32), np.zeros((*shape, 4), dtype=np.int32)
    largest, total = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    for k, state in enumerate(spins.values):
        marked = analysis.parallel_sites(torch.from_numpy(state), lattice)
        labels = analysis.cluster_labels(marked.long(), analysis.site_graph(lattice)).numpy()
        for r, (inside, label) in enumerate(zip(marked.numpy(), labels, strict=True)):
            _, first, sites = np.unique(label[inside], return_index=True, return_counts=True)
            counts[k, r] = np.histogram(sites, SIZES)[0]
            quarters[k, r] = np.bincount(quarter[inside][first], minlength=4)
            largest[k, r], total[k, r] = sites.max(initial=0), inside.sum()
    parts = {
        "regions": (("time", "replica", "size"), counts),
        "quarters": (("time", "replica", "quarter"), quarters),
        "largest": (("time", "replica"), largest),
        "sites": (("time", "replica"), total),
    }
    for name in ("parallel_bonds", "nearest_neighbour_correlation", "energy"):
        series = trajectory[name]
        parts[name] = (("time", "replica"), series.sel({series.dims[0]: time}).values)
    return xarray.Dataset(parts, {"time": time, "size": list(SIZES[:-1])}, {"sites": lattice.n_sites})


def collect(results: Path, stored: Path) -> None:
    """Results of the runs, and of the analysis of the first, in small files."""
    folder = results / "arrested"
    for damping, run in RUNS.items():
        sizes = region_sizes(open_trajectory(folder / run), analysis.lattice_of_run(folder / run))
        write(f"arrested-regions-{damping.replace('.', '')}", sizes, stored)
    domains = xarray.open_dataset(folder / "analysis/domains.nc", engine="scipy").load()
    write("arrested-domains", domains.astype("float32"), stored)
    density = xarray.open_dataset(folder / "analysis/density.nc", engine="scipy").load()
    values = density["density"].values
    memory = [[np.corrcoef(a, b)[0, 1] for a, b in zip(rows, values[-1], strict=True)] for rows in values]
    parts = {
        "memory": (("time", "replica"), np.array(memory)),
        "spread": (("time", "replica"), density["density_spread"].values),
        "follows": (("time", "replica"), density["density_follows"].values),
        "last": ("site", values[-1, 0].astype("float32")),
        "early": ("site", values[1, 0].astype("float32")),
    }
    write("arrested-density", xarray.Dataset(parts, {"time": density[density["density"].dims[0]].values}), stored)


def at(found: xarray.DataArray, time: float) -> np.ndarray:
    """Values over replicas at a time, none where nothing was measured."""
    return found.sel(time=time).values.astype(float) if time in found["time"].values else np.array([])


def report(stored: Path, images: Path) -> None:
    """Tables and figures; first the check of the former network of messages against exact electrons, 16 x 16 sites."""
    agreement("arrested-check", ("parallel_bonds", "nearest_neighbour_correlation", "bragg_weight"), stored)
    found = {damping: opened(f"arrested-regions-{damping.replace('.', '')}", stored) for damping in RUNS}
    for damping, one in found.items():
        number = one["regions"].sum("size")
        shown = {
            "share of parallel bonds": one["parallel_bonds"],
            "correlation": one["nearest_neighbour_correlation"],
            "regions": number,
            "sites of each": one["sites"] / number,
            "holes for each": HOLES * one.attrs["sites"] / number,
            "largest": one["largest"],
            **{
                f"of {a} to {b - 1}" if b > a + 1 else f"of {a}": one["regions"].sel(size=a)
                for a, b in itertools.pairwise(SIZES[1:])
            },
        }
        rows = [(name, *(spread(at(values, t)) for t in TIMES)) for name, values in shown.items()]
        table(f"damping {damping}, {one.attrs['sites']} sites", ("", *(f"t = {t}" for t in TIMES)), rows)
    growth(opened("arrested-domains", stored), next(iter(found.values())))
    draw(found).savefig(images / "arrested-regions.png", dpi=130)
    density = opened("arrested-density", stored)
    rows = [(name, *(spread(at(density[name], t)) for t in TIMES)) for name in ("memory", "spread", "follows")]
    table("density: as at the end, spread, with the correlation", ("", *(f"t = {t}" for t in TIMES)), rows)
    maps = {f"time {float(density['time'][k]):g}": density[name].values for k, name in ((1, "early"), (-1, "last"))}
    side = round(density.sizes["site"] ** 0.5)
    figure = plots.site_maps(maps, sdgnn.Lattice.square(side, side), "electrons per site")
    figure.savefig(images / "arrested-density.png", dpi=130)


def growth(domains: xarray.Dataset, found: xarray.Dataset) -> None:
    """Exponents of the lengths, the last by the number of regions in quarters of the cell, and mobility."""
    time = domains["time"].values
    lengths = {str(route): domains["length"].sel(route=route).values.T for route in domains["route"].values}
    counted = found["quarters"].sel(time=time).values.reshape(len(time), -1).T
    lengths["regions, quarters"] = np.sqrt(found.attrs["sites"] / 4 / np.maximum(counted, 1))
    windows = [window for window in WINDOWS if window[1] <= time[-1] + 1]
    rows = []
    for route, length in lengths.items():
        fits = [analysis.growth_exponent(time, torch.tensor(length).double(), window) for window in windows]
        rows.append((route, *(f"{f.value:.3f} ± {f.error:.3f}" for f in fits)))
    table("n of L ~ t^n", ("route", *(f"{a} to {b}" for a, b in windows)), rows)
    later = domains["later"].values
    frozen, moved, left = (domains[name].mean("replica").values for name in ("frozen", "displacement", "clusters_left"))
    console.print(
        f"from t = {later[0]:g} to {later[-1]:g}: {frozen[-1]:.3f} of the sites keep their phase; regions of more"
        f" than four sites move by <r^2> = {moved[-1]:.2f}, {left[-1]:.3f} are left"
    )


def draw(runs: dict[str, xarray.Dataset]) -> Figure:
    """Parallel bonds and number of regions through time, by damping."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    for damping, found in runs.items():
        number = found["regions"].sum("size")
        values = (found["parallel_bonds"], HOLES * found.attrs["sites"] / number, found["regions"].sel(size=5) / number)
        for panel, series in zip(panels, values, strict=True):
            panel.errorbar(
                found["time"][1:],
                series.mean("replica")[1:],
                series.std("replica", ddof=1)[1:] / series.sizes["replica"] ** 0.5,
                fmt=".-",
                label=f"damping {damping}",
            )
    for panel, label in zip(
        panels, ("share of parallel bonds", "holes for each region", "share of regions of one turned spin"), strict=True
    ):
        panel.set(xlabel="time", ylabel=label, xscale="log")
    panels[0].legend(frameon=False)
    return figure


if __name__ == "__main__":
    commands(__doc__, collect, report)
