"""Orders that annealing finds from random spins in the exact field, beside the energies of those that compete.

    python benchmarks/orders.py [--orders neel order120 tetrahedral skyrmions] [--figure results/orders.pdf]

Each is an s-d model on a small lattice whose electrons are diagonalised in every step; skyrmions come with a classical
Dzyaloshinskii-Moriya interaction and an external field. The bath cools by equal factors in equal times, Heun, dt = 1,
damping 0.5. Competing states have their energies in the same field: perfect orders as they are, helices and the
skyrmion crystal relaxed. The figure shows the structure factor of the annealed state of lowest energy.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import sdgnn
from sdgnn import analysis, fields
from sdgnn.analysis import plots
from sdgnn.fields import Field
from sdgnn.fields.schedules import Anneal


@dataclass(frozen=True)
class Case:
    """An order and the model that has it."""

    lattice: sdgnn.Lattice
    field: Field
    hot: float
    """First temperature of the bath."""
    duration: float
    peaks: np.ndarray
    competitors: dict[str, Tensor]
    relaxed: tuple[str, ...] = ()
    """Competitors that are no perfect orders and relax first."""


def orders(lattice: sdgnn.Lattice, *names: str) -> dict[str, Tensor]:
    """Perfect orders by their names in ``sdgnn.spins``."""
    return {name: getattr(sdgnn.spins, name)(lattice) for name in names}


def helix(lattice: sdgnn.Lattice, periods: int) -> Tensor:
    """Spins that turn in the plane across the first reciprocal vector, ``periods`` times over the lattice."""
    q = periods * lattice.reciprocal[0]
    across = np.array([-q[1], q[0], 0]) / np.linalg.norm(q)
    phase = (lattice.positions @ q)[:, None]
    return torch.from_numpy(np.cos(phase) * np.array([0.0, 0, 1]) - np.sign(periods) * np.sin(phase) * across)[None]


def cases() -> dict[str, Case]:
    """The orders by name."""
    square, triangular = sdgnn.Lattice.square(6, 6), sdgnn.Lattice.triangular(6, 6)
    large = sdgnn.Lattice.triangular(12, 12)
    half: dict[str, Any] = {"kT": 0.05, "filling": 0.5}
    ferromagnet = sdgnn.ExactField(sdgnn.SDModel(large, exchange=6.0), kT=0.05, filling=0.12)
    chiral = ferromagnet + fields.DMI(large, strength=0.12, kind="bloch") + fields.Zeeman(large, field=(0, 0, 0.1))
    period = large.reciprocal * 2  # skyrmions six sites apart
    return {
        "neel": Case(
            square, sdgnn.ExactField(sdgnn.SDModel(square, exchange=6.0), **half), 0.1, 200,
            analysis.order_peaks("neel", square), orders(square, "neel", "ferro", "stripe"),
        ),
        "order120": Case(
            triangular, sdgnn.ExactField(sdgnn.SDModel(triangular, exchange=6.0), **half), 0.1, 200,
            analysis.order_peaks("order120", triangular),
            orders(triangular, "order120", "ferro", "stripe", "tetrahedral"),
        ),
        "tetrahedral": Case(
            triangular, sdgnn.ExactField(sdgnn.SDModel(triangular, exchange=3.0), kT=0.05, filling=0.25), 0.05, 300,
            analysis.order_peaks("tetrahedral", triangular),
            orders(triangular, "tetrahedral", "ferro", "stripe", "order120"),
        ),
        "skyrmions": Case(
            large, chiral, 0.06, 400, np.stack([period[0], period[1], -period[0] - period[1]]),
            {
                "skyrmion crystal": sdgnn.spins.skyrmion_crystal(large, period=6),
                "helix": helix(large, 2), "longer helix": helix(large, 1), **orders(large, "ferro"),
            },
            relaxed=("skyrmion crystal", "helix", "longer helix"),
        ),
    }  # fmt: skip


def annealed(case: Case, replicas: int, seed: int) -> Tensor:
    """Spins after annealing, and a last stretch without noise."""
    hot = sdgnn.Heun(dt=1.0, damping=0.5, kT=Anneal(start=case.hot, stop=0.0005, duration=case.duration))
    spins = sdgnn.spins.random(case.lattice, replicas, seed)
    run = sdgnn.simulate(case.field, spins, hot, int(case.duration), seed=seed, observers=[])
    return relaxed(case, run.spins)


def relaxed(case: Case, spins: Tensor) -> Tensor:
    """Spins after 60 hbar / t without noise."""
    return sdgnn.simulate(case.field, spins, sdgnn.Heun(dt=1.0, damping=0.8), 60, observers=[]).spins


def main() -> None:
    """Anneal, compare, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", nargs="+", choices=list(cases()), default=list(cases()))
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path, default=None, metavar="FILE.pdf", help="FILE-neel.pdf and so on")
    given = parser.parse_args()
    table = Table("order", "state", "energy per site (t)", "weight of its peaks", "chirality", "skyrmions")
    for name in given.orders:
        case, start = cases()[name], time.monotonic()
        states = {f"annealed {k}": s[None] for k, s in enumerate(annealed(case, given.replicas, given.seed))}
        for other, state in case.competitors.items():
            states[other] = relaxed(case, state) if other in case.relaxed else state
        for label, spins in states.items():
            energy = float(case.field(spins).energy) / case.lattice.n_sites
            weight = float(analysis.bragg_weight(spins, case.lattice, case.peaks))
            chirality = float(analysis.mean_chirality(spins, case.lattice))
            skyrmions = f"{float(analysis.skyrmion_number(spins, case.lattice)):.0f}" if name == "skyrmions" else ""
            table.add_row(name, label, f"{energy:.4f}", f"{weight:.3f}", f"{chirality:.3f}", skyrmions)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        if given.figure is not None:
            best = min(
                (s for s in states if s.startswith("annealed")), key=lambda s: float(case.field(states[s]).energy)
            )
            factor = analysis.structure_factor(states[best], case.lattice)[0]
            panels = plots.structure_factor_maps({f"{name}, {best}": factor}, case.lattice)
            panels.savefig(given.figure.with_stem(f"{given.figure.stem}-{name}"))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
