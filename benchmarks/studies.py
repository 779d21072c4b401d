"""The two studies of docs/coarsening.md and docs/arrested.md: their stored results, tables and figures.

    python benchmarks/studies.py collect    results/coarsening and results/arrested -> notebooks/stored
    python benchmarks/studies.py report     notebooks/stored -> tables, and figures in docs/images

The runs behind ``collect`` are named in configs/coarsening and configs/arrested.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn import analysis
from sdgnn.analysis import plots
from sdgnn.common.files import atomic_path
from sdgnn.dynamics import open_trajectory

ROOT = Path(__file__).parents[1]
COPIED = {
    "coarsening": "coarsening/analysis/domains.nc",
    "coarsening-warm": "coarsening/analysis-warm/domains.nc",
    "coarsening-check": "coarsening/check/agreement.nc",
    "arrested": "arrested/analysis/domains.nc",
    "arrested-check": "arrested/check/agreement.nc",
}
SERIES = ("parallel_bonds", "nearest_neighbour_correlation", "energy")
WINDOWS = ((60, 600), (100, 600), (150, 600), (200, 600))
console = Console(width=120)


def write(name: str, data: xarray.Dataset, stored: Path) -> None:
    """Store ``data`` as ``name``.nc."""
    with atomic_path(stored / f"{name}.nc") as temporary:
        data.to_netcdf(temporary, engine="scipy")


def collect(given: argparse.Namespace) -> None:
    """Results of the runs in small files."""
    results, stored = Path(given.results), Path(given.stored)
    for name, path in COPIED.items():
        data = xarray.open_dataset(results / path, engine="scipy").load()
        write(name, data.assign({n: v.astype("float32") for n, v in data.items() if v.ndim > 2}), stored)
    density = xarray.open_dataset(results / "arrested/analysis/density.nc", engine="scipy").load()
    write("arrested-density", density.assign(density=density["density"].astype("float32")), stored)
    series = open_trajectory(results / "arrested/quench")[list(SERIES)].load()
    write("arrested-series", series.drop_vars(["position", "axis", "site", "component"], errors="ignore"), stored)


def opened(name: str, stored: Path) -> xarray.Dataset:
    """A stored result."""
    return xarray.open_dataset(stored / f"{name}.nc", engine="scipy").load()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    made = Table(*columns, title=title)
    for row in rows:
        made.add_row(*row)
    console.print(made)


def agreement(name: str, quantities: Sequence[str], stored: Path) -> None:
    """How far network and exact electrons agree, quantity by quantity."""
    found = opened(name, stored)
    rows = []
    for quantity in quantities:
        within, rms, paired = (found.attrs[f"{quantity}_{key}"] for key in ("within", "rms", "paired_rms"))
        ends = (f"{float(found[f'{quantity}_{which}'][-1]):.4g}" for which in ("first", "second", "error"))
        rows.append((quantity, f"{100 * within:.0f} %", f"{rms:.2f}", f"{paired:.2f}", *ends))
    columns = ("quantity", "within two errors", "rms / error", "rms / paired error", "exact, end", "network", "error")
    table(name, columns, rows)


def coarsening(stored: Path, images: Path) -> None:
    """Lengths, exponents and collapse at both temperatures."""
    check = ("energy", "absolute_chirality", "bragg_weight", "nearest_neighbour_correlation", "domain_length",
             "domain_length_walls", "domain_length_clusters", "spin_domain_length")  # fmt: skip
    agreement("coarsening-check", check, stored)
    for name in ("coarsening", "coarsening-warm"):
        found = opened(name, stored)
        time, length = found["time"].values, found["length"].values
        shown = [int(np.abs(time - t).argmin()) for t in (30, 60, 100, 150, 200, 300, 450, 600)]
        rows = [
            (str(route), *(f"{length[n, k].mean():.2f}" for k in shown)) for n, route in enumerate(found.route.values)
        ]
        table(f"{name}: L", ("route", *(f"t = {time[k]:g}" for k in shown)), rows)
        rows = []
        for n, route in enumerate(found.route.values):
            by_replica = torch.tensor(length[n].T)
            fits = [analysis.growth_exponent(time, by_replica, window) for window in WINDOWS]
            beside = analysis.offset_exponent(time, by_replica, WINDOWS[0])
            rows.append((str(route), *(f"{f.value:.2f} ± {f.error:.2f}" for f in fits),
                         f"{beside.value:.2f} ± {beside.error:.2f}"))  # fmt: skip
        windows = (f"n, t = {low} to {high}" for low, high in WINDOWS)
        table(f"{name}: exponents", ("route", *windows, "beside an offset"), rows)
        fold = np.abs(np.exp(6j * found["angle"].values) @ found["orientation"].mean("replica").values.T)
        quality, spread = found.attrs["collapse_quality"], found.attrs["collapse_spread"]
        console.print(f"collapse of C(r/L): {quality:.1f} errors, spread {spread:.3f}")
        console.print(f"sixfold part of the walls' directions at the end: {fold[-1] / len(found.angle):.2f}")
        figures = plots.coarsening_figures(found)
        for part in ("lengths", "local_exponent", "collapse", "walls"):
            figures[part].savefig(images / f"{name}-{part.replace('_', '-')}.png", dpi=130)
        del figures


def arrested(stored: Path, images: Path) -> None:
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


def report(given: argparse.Namespace) -> None:
    """Tables and figures of both studies."""
    coarsening(Path(given.stored), Path(given.images))
    arrested(Path(given.stored), Path(given.images))


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", default=ROOT / "notebooks" / "stored")
    kinds = parser.add_subparsers(required=True)
    collecting = kinds.add_parser("collect", help="results of the runs, stored small")
    collecting.add_argument("--results", default=ROOT / "results")
    collecting.set_defaults(run=collect)
    reporting = kinds.add_parser("report", help="tables and figures")
    reporting.add_argument("--images", default=ROOT / "docs" / "images")
    reporting.set_defaults(run=report)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
