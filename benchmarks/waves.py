"""Exchange and spin waves of tetrahedral order: exact electrons, walks without training and the shipped network.

    python benchmarks/waves.py [--size 16] [--figure docs/images/waves.png]

The s-d model is that of the network `triangular-tetrahedral` (J = 3, quarter filling, kT = 0.05) on a periodic lattice,
all in float64. Prints J(r), the lowest curvature of the energy, the highest frequency, how far each field's bands are
from the exact ones at the lattice's own wave vectors (root mean square over that of the exact ones), and the processor
time of each; draws J(r) and the bands.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn import analysis
from sdgnn.analysis.plots.waves import draw_bands, draw_exchange
from sdgnn.fields import Field


def fields(lattice: sdgnn.Lattice) -> dict[str, Field]:
    """The exact field and its approximations, by name."""
    model = sdgnn.SDModel(lattice, hopping=[1.0], exchange=3.0)
    return {
        "exact": sdgnn.ExactField(model, kT=0.05, filling=0.25),
        "walks, fast": sdgnn.load("universal").on(model, torch.float64, kT=0.05, filling=0.25),
        "walks, accurate": sdgnn.load("universal", level="accurate").on(model, torch.float64, kT=0.05, filling=0.25),
        "network": sdgnn.load("triangular-tetrahedral").on(lattice, torch.float64),
    }


def path(points: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Wave vectors from Gamma to K, M and back, and the corners."""
    corners = {
        r"$\Gamma$": np.array([0.0, 0.0]),
        "K": np.array([4 * np.pi / 3, 0.0]),
        "M": np.array([np.pi, np.pi / np.sqrt(3)]),
    }
    order = np.array([corners[name] for name in (r"$\Gamma$", "K", "M", r"$\Gamma$")])
    return analysis.wave_vector_path(sdgnn.Lattice.triangular(4, 4), order, points)[0], corners


def main() -> None:
    """Compute, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=16, help="unit cells along each axis, even")
    parser.add_argument("--figure", type=Path, default=None, metavar="FILE.png")
    given = parser.parse_args()
    lattice = sdgnn.Lattice.triangular(given.size, given.size)
    order, own = sdgnn.spins.tetrahedral(lattice), analysis.wave_vectors(lattice)
    couplings, seconds = {}, {}
    for name, field in fields(lattice).items():
        field(order)  # compiles
        start = time.process_time()
        couplings[name] = sdgnn.exchange(field, order)
        seconds[name] = time.process_time() - start
    distances = couplings["exact"].by_distance()[0][:4]
    table = Table(
        "field", *(f"J({r:.3f})" for r in distances), "lowest curvature", "highest omega", "bands off by", "s"
    )
    reference = sdgnn.spin_waves(couplings["exact"], q=own)
    for name, found in couplings.items():
        waves = sdgnn.spin_waves(found, q=own)
        off = float(np.sqrt(np.mean((waves.omega - reference.omega) ** 2) / np.mean(reference.omega**2)))
        row = [f"{x:.5f}" for x in found.by_distance()[1][:4]]
        row += [f"{waves.lowest_curvature.min():.0e}", f"{waves.omega.max():.4f}"]
        table.add_row(name, *row, f"{off:.1%}", f"{seconds[name]:.1f}")
    Console(width=130).print(table)
    if given.figure is None:
        return
    q, corners = path(150)
    drawn = {name: couplings[name] for name in ("exact", "walks, fast", "network")}
    with analysis.plots.style.style():
        figure = Figure(figsize=(7.0, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_exchange(left, drawn)
        draw_bands(right, {name: sdgnn.spin_waves(found, q=q) for name, found in drawn.items()}, corners)
        left.set(xlim=(0.8, 4.2))
        given.figure.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(given.figure)


if __name__ == "__main__":
    main()
