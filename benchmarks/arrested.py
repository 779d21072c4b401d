"""The study of docs/arrested.md: its stored results, tables and figures.

    python benchmarks/arrested.py collect    results/arrested -> notebooks/stored
    python benchmarks/arrested.py report     notebooks/stored -> tables, and figures in docs/images

The runs behind ``collect`` are named in configs/arrested.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import xarray
from stored_results import agreement, commands, console, copied, opened, table, write

import sdgnn
from sdgnn import analysis
from sdgnn.analysis import plots
from sdgnn.dynamics import open_trajectory

COPIED = {"arrested": "arrested/analysis/domains.nc", "arrested-check": "arrested/check/agreement.nc"}
SERIES = ("parallel_bonds", "nearest_neighbour_correlation", "energy")


def collect(results: Path, stored: Path) -> None:
    """Results of the runs in small files."""
    copied(COPIED, results, stored)
    density = xarray.open_dataset(results / "arrested/analysis/density.nc", engine="scipy").load()
    write("arrested-density", density.assign(density=density["density"].astype("float32")), stored)
    series = open_trajectory(results / "arrested/quench")[list(SERIES)].load()
    write("arrested-series", series.drop_vars(["position", "axis", "site", "component"], errors="ignore"), stored)


def report(stored: Path, images: Path) -> None:
    """Puddles, electrons and the published numbers."""
    check = ("energy", *SERIES[:2], "bragg_weight", "spin_domain_length", "spin_domain_length_moment")
    agreement("arrested-check", check, stored)
    series, found, density = (opened(n, stored) for n in ("arrested-series", "arrested", "arrested-density"))
    bonds, (dim, *_) = series["parallel_bonds"], series["parallel_bonds"].dims
    time = bonds[dim].values
    shown = [int(np.abs(time - t).argmin()) for t in (0, 25, 50, 100, 200, 400, 800)]
    rows = [(name, *(f"{float(series[name].mean('replica')[k]):.4g}" for k in shown)) for name in SERIES]
    table("100 x 100", ("", *(f"t = {time[k]:g}" for k in shown)), rows)
    columns = ["density_spread", "density_follows"]
    console.print(density[columns].mean("replica").to_dataframe().round(4))
    names = ("frozen", "autocorrelation", "displacement", "clusters_left")
    later = [int(np.abs(found["later"].values - t).argmin()) for t in (100, 200, 400, 800)]
    rows = [(name, *(f"{float(found[name].mean('replica')[k]):.3g}" for k in later)) for name in names]
    table("since the waiting time", ("", *(f"t = {found['later'].values[k]:g}" for k in later)), rows)
    rows = [(str(r), *(f"{float(found['length'].sel(route=r).mean('replica').sel(time=t, method='nearest')):.2f}"
             for t in (20, 50, 100, 200, 400, 800)), f"{float(found['exponent'].sel(route=r)):.2f} ± "
             f"{float(found['exponent_error'].sel(route=r)):.2f}") for r in found.route.values]  # fmt: skip
    table("puddles: L", ("route", *(f"t = {t}" for t in (20, 50, 100, 200, 400, 800)), "n, t = 100 to 800"), rows)
    figures = plots.coarsening_figures(found)
    for part in ("lengths", "mobility", "memory"):
        figures[part].savefig(images / f"arrested-{part}.png", dpi=130)
    lattice, (when, *_) = sdgnn.Lattice.square(100, 100), density["density"].dims
    holes = torch.from_numpy(1 - density["density"].values[-1]).double()
    regions = analysis.cluster_areas((holes - 0.05).sign().long(), analysis.site_graph(lattice), phase=1)
    counts = ", ".join(f"{len(areas)} for {float(h.sum()):.0f} holes" for areas, h in zip(regions, holes, strict=True))
    console.print(f"connected regions that miss more than 0.05 electrons a site, at the end: {counts}")
    maps = {f"time {float(density[when][k]):g}": density["density"].values[k, 0] for k in (1, -1)}
    plots.site_maps(maps, lattice, "electrons per site").savefig(images / "arrested-density.png", dpi=130)


if __name__ == "__main__":
    commands(__doc__, collect, report)
