"""What learning adds to walks of electrons: candidates on fresh states, shipped models by kind of state, time.

    python benchmarks/network.py candidates [--epochs 40] [--only triangular]
    python benchmarks/network.py cells [--level fast accurate] [--output docs/images/universal.png]
    python benchmarks/network.py shipped [--snapshots SNAPSHOTS.npz]
    python benchmarks/network.py time [--sizes 48 256]

``candidates``: the walks, factors of moments from 2, 6 and 24 exact states, and hidden functions, for both Hamiltonians
of the documentation; 24 random states of 24 x 24 sites train, 6 others and ordered ones are judged. Trained networks
appear with and without the gate that switches them off away from what they saw. ``cells``: R² of ``universal`` by
lattice, J, filling, kT and kind of state, with the worst cells. ``shipped``: trained models on orders of other kinds
and on published 100 x 100 snapshots (spins, field, step). ``time``: of the walk and of shipped networks, per site.
Exact labels are kept in ``--labels``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from truncated_labels import Electrons, Labels, labelled, square, state, triangular

import sdgnn
from sdgnn.data import LabelSet
from sdgnn.data.labels import Origin
from sdgnn.electrons.levels import Level
from sdgnn.fields import Field
from sdgnn.nn import ElectronsSettings, Network, NetworkSettings
from sdgnn.train import TrainSettings, fit
from sdgnn.train.factors import calibrate

TRAINING, JUDGED = range(100, 124), range(200, 206)
"""Seeds of the random states."""
FEW = (2, 6, 24)
"""Exact states of a calibration."""
HIDDEN = (0, 16, 32, 64)
"""Hidden functions of trained networks."""
OTHERS = {"triangular": [("tetrahedral", 0.1), ("tetrahedral", 0.6)], "square": [("neel", 0.3), ("neel", 0.6)]}
"""Orders with noise that calibrated and trained networks of random states are judged on."""
EXCHANGES, FILLINGS, TEMPERATURES = (1.0, 2.0, 4.0, 8.0), (0.1, 0.25, 0.4, 0.6, 0.75, 0.9), (0.03, 0.1)
"""Cells of the table of ``universal``."""
CELLS = {"square": ((14, 14), "neel"), "triangular": ((14, 14), "tetrahedral")}
"""Unit cells, exact at four times the length, and the order that stands beside random spins."""


def label_set(electrons: Electrons, labels: Labels, protocol: str) -> LabelSet:
    """Labels as training wants them."""
    origin = Origin(electrons.model.to_dict(), electrons.kT, electrons.filling)
    names = (protocol,) * len(labels.spins)
    return LabelSet(electrons.lattice, labels.spins, labels.field, labels.energy, protocol=names, origin=origin)


def trained(electrons: Electrons, labels: LabelSet, hidden: int, epochs: int) -> Network:
    """A network of random states."""
    known = ElectronsSettings(hamiltonian=electrons.model.to_dict(), kT=electrons.kT, filling=electrons.filling)
    network = Network(NetworkSettings(hidden=hidden, electrons=known), electrons.lattice)
    settings = TrainSettings(epochs=epochs, learning_rate=0.003, weight_decay=0.01)
    with tempfile.TemporaryDirectory() as folder:
        return fit(network, [labels[:-3]], [labels[-3:]], settings, Path(folder) / "training")


def judged_on(electrons: Electrons, folder: Path) -> dict[str, Labels]:
    """States that nothing was trained on."""
    found = {"random": labelled(electrons, state(electrons.lattice, "random", 0.0, JUDGED), folder)}
    for order, noise in OTHERS[electrons.lattice.name]:
        spins = state(electrons.lattice, order, noise, range(200, 202))
        found[f"{order} {noise:g}"] = labelled(electrons, spins, folder)
    return found


def candidates(given: argparse.Namespace) -> None:
    """The walk, calibrated and trained."""
    for electrons in (triangular(24), square(24)):
        if given.only not in (None, electrons.lattice.name):
            continue
        tests = judged_on(electrons, given.labels)
        spins = state(electrons.lattice, "random", 0.0, TRAINING)
        labels = label_set(electrons, labelled(electrons, spins, given.labels), "random")
        made = Table(title=f"torque R², {electrons.lattice.name}, 24 x 24, float32", title_justify="left")
        for k, name in enumerate(("fields", *tests, "processor seconds")):
            made.add_column(name, justify="left" if k == 0 else "right")

        def row(name: str, field: Field, seconds: float | None, made: Table = made, tests: dict = tests) -> None:
            cells = [f"{one.judged(field).torque_r2:.4f}" for one in tests.values()]
            made.add_row(name, *cells, "" if seconds is None else f"{seconds:.0f}")

        levels: tuple[Level, Level] = ("fast", "accurate")
        for level in levels:
            plain = sdgnn.TruncatedField(electrons.model, electrons.kT, filling=electrons.filling, level=level)
            row(f"walk, {level}", plain, None)
        for level, count in (*((levels[0], count) for count in FEW), (levels[1], FEW[-1])):
            start = time.process_time()
            few = labels[:count]
            known: dict[str, Any] = {"kT": electrons.kT, "filling": electrons.filling}
            network, _ = calibrate(electrons.model, **known, level=level, labels=few)
            row(f"factors, {level}, {count} states", network.on(electrons.lattice), time.process_time() - start)
        for hidden in HIDDEN:
            start = time.process_time()
            network = trained(electrons, labels, hidden, given.epochs)
            row(f"trained, {hidden} hidden", network.on(electrons.lattice), time.process_time() - start)
            assert network.readout is not None
            network.readout.radius.fill_(torch.inf)
            row("the same, never switched off", network.on(electrons.lattice), None)
        Console(width=118).print(made)


def cells(given: argparse.Namespace) -> None:
    """``universal`` over the phase diagram."""
    import matplotlib.pyplot as plt

    found: dict[tuple[str, str, str, float], np.ndarray] = {}
    worst: list[tuple[float, str]] = []
    for name, (shape, order) in CELLS.items():
        for kind in ("random", order):
            for kT in TEMPERATURES:
                grids = {level: np.empty((len(EXCHANGES), len(FILLINGS))) for level in given.level}
                for i, exchange in enumerate(EXCHANGES):
                    for j, filling in enumerate(FILLINGS):
                        lattice = getattr(sdgnn.Lattice, name)(*shape)
                        electrons = Electrons(sdgnn.SDModel(lattice, exchange=exchange), kT, filling, (4, 4))
                        labels = labelled(electrons, state(lattice, kind, 0.3, [7]), given.labels)
                        for level, grid in grids.items():
                            field = sdgnn.load("universal", level=level).on(electrons.model, kT=kT, filling=filling)
                            grid[i, j] = labels.judged(field).torque_r2
                            where = f"{name}, {kind}, J {exchange:g}, filling {filling:g}, kT {kT:g}, {level}"
                            worst.append((float(grid[i, j]), where))
                for level, grid in grids.items():
                    found[level, name, kind, kT] = grid
    made = Table(title="torque R² of universal: median, worst cell (24 cells: J 1 to 8, filling .1 to .9)")
    for k, head in enumerate(("level", "lattice", "states", "kT", "median", "worst")):
        made.add_column(head, justify="left" if k < 3 else "right")
    for (level, name, kind, kT), grid in found.items():
        made.add_row(level, name, kind, f"{kT:g}", f"{np.median(grid):.4f}", f"{grid.min():.4f}")
    console = Console(width=118)
    console.print(made)
    for r2, where in sorted(worst)[:10]:
        console.print(f"{r2:8.4f}  {where}")
    figure, axes = plt.subplots(len(given.level), 8, figsize=(16, 2.6 * len(given.level)), squeeze=False)
    for (level, name, kind, kT), grid in found.items():
        column = [(n, k, t) for n, (_, o) in CELLS.items() for k in ("random", o) for t in TEMPERATURES].index(
            (name, kind, kT)
        )
        axis = axes[given.level.index(level), column]
        image = axis.imshow(np.log10(np.clip(1 - grid, 1e-4, 1)), vmin=-4, vmax=0, cmap="viridis_r", origin="lower")
        axis.set_xticks(range(len(FILLINGS)), [f"{x:g}" for x in FILLINGS], fontsize=7)
        axis.set_yticks(range(len(EXCHANGES)), [f"{x:g}" for x in EXCHANGES], fontsize=7)
        axis.set_title(f"{name}, {kind}\nkT = {kT:g}, {level}", fontsize=8)
        if column == 0:
            axis.set_ylabel("J")
        axis.set_xlabel("filling", fontsize=8)
    figure.colorbar(image, ax=axes, label="log10(1 - R²) of the torque", shrink=0.8)
    if given.output is not None:
        figure.savefig(given.output, dpi=110, bbox_inches="tight")


def shipped(given: argparse.Namespace) -> None:
    """Trained models beside the walk of the same level."""
    made = Table(title="torque R², fast, float32", title_justify="left")
    for k, head in enumerate(("states", "universal", "trained", "known")):
        made.add_column(head, justify="left" if k == 0 else "right")

    def row(where: str, electrons: Electrons, name: str, labels: Labels) -> None:
        walk = sdgnn.load("universal").on(electrons.model, kT=electrons.kT, filling=electrons.filling)
        field = sdgnn.load(name).on(electrons.lattice)
        known = torch.cat([field.gate(one[None].float()) for one in labels.spins]).mean()  # type: ignore[attr-defined]
        cells = [f"{labels.judged(one).torque_r2:.4f}" for one in (walk, field)]
        made.add_row(where, *cells, f"{float(known):.3f}")

    for name, build in (("triangular-tetrahedral", triangular), ("square-double-exchange", square)):
        electrons = build(16, 5)
        for order, noise in (("ferro", 0.1), ("spiral", 0.1), ("spiral", 0.3)):
            labels = labelled(electrons, state(electrons.lattice, order, noise, (0, 1)), given.labels)
            row(f"{name}, {order} {noise:g}, 16 x 16", electrons, name, labels)
    if given.snapshots is not None:
        with np.load(given.snapshots) as stored:
            spins, field = (torch.from_numpy(stored[key].astype(np.float64)) for key in ("spins", "field"))
            for k, step in enumerate(stored["step"]):
                labels = Labels(spins[k : k + 1], torch.zeros(1), field[k : k + 1])
                row(f"published 100 x 100, step {step}", square(100), "square-double-exchange", labels)
    Console(width=118).print(made)


def seconds_per_call(call: object, repeats: int = 5) -> float:
    """Processor time, the least of some."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        call()  # type: ignore[operator]
        best = min(best, time.process_time() - start)
    return best


def timing(given: argparse.Namespace) -> None:
    """Per site, of walks and networks."""
    made = Table(title="energy and field, processor µs per site, one thread, float32, fixed filling")
    for k, head in enumerate(("electrons", "level", "sites", "walk", "network")):
        made.add_column(head, justify="left" if k == 0 else "right")
    for name in ("triangular-tetrahedral", "square-double-exchange"):
        for level in ("fast", "accurate"):
            network = sdgnn.load(name, level=level)
            for size in given.sizes:
                field = network.on(network.family.resized(size, size))
                spins = sdgnn.spins.random(field.lattice, seed=0).float()
                walk = field.electrons  # type: ignore[attr-defined]
                cells = [
                    1e6 * seconds_per_call(lambda f=f, s=spins: f(s)) / field.lattice.n_sites for f in (walk, field)
                ]
                made.add_row(name, level, f"{size} x {size}", *(f"{cell:.1f}" for cell in cells))
    Console(width=118).print(made)


def main(arguments: Sequence[str] | None = None) -> None:
    """One subcommand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("candidates", "cells", "shipped", "time"))
    parser.add_argument("--labels", type=Path, default=Path("results/truncated"))
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--only", choices=("triangular", "square"))
    parser.add_argument("--level", nargs="+", default=["fast", "accurate"])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--snapshots", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[48])
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    {"candidates": candidates, "cells": cells, "shipped": shipped, "time": timing}[given.what](given)


if __name__ == "__main__":
    main()
