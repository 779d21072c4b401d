"""The study of docs/coarsening.md: its stored results, tables and figures.

    python benchmarks/coarsening.py collect    results/coarsening -> notebooks/stored
    python benchmarks/coarsening.py report     notebooks/stored -> tables, and figures in docs/images

The runs behind ``collect`` are named in configs/coarsening.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from stored_results import agreement, commands, console, copied, opened, table

from sdgnn import analysis
from sdgnn.analysis import plots

COPIED = {
    "coarsening": "coarsening/analysis/domains.nc",
    "coarsening-warm": "coarsening/analysis-warm/domains.nc",
    "coarsening-check": "coarsening/check/agreement.nc",
}
WINDOWS = ((60, 600), (100, 600), (150, 600), (200, 600))


def collect(results: Path, stored: Path) -> None:
    """Results of the runs in small files."""
    copied(COPIED, results, stored)


def report(stored: Path, images: Path) -> None:
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


if __name__ == "__main__":
    commands(__doc__, collect, report)
