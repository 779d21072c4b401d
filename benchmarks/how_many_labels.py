"""Learning curves: torque R² against the number of exact states, for factors of moments and trained networks.

    python benchmarks/how_many_labels.py --figure docs/images/how-many-labels.png

Square lattice of 12 x 12 sites, J = 6, filling 0.485, electrons at kT = 0.02, where learning adds most of the two
Hamiltonians of the documentation. Random states, each count with the first of one sequence; eight others judge and
choose nothing. Walks of level ``fast`` without labels, with factors of moments (``sdgnn.calibrate``) and with 32 hidden
functions (``sdgnn.train.fit``, three of the states for validation, as many steps for every count), and the Heisenberg
model of five shells fitted to the same labels. Seconds are processor time of one thread: of the exact labels and of the
fit. Errors are standard errors over the states that judge. Labels and results are kept in --folder.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from network import label_set, trained
from rich.console import Console
from rich.table import Table
from truncated_labels import Electrons, Labels, labelled, square, state

import sdgnn
from sdgnn.common.files import write_json
from sdgnn.fields import Field
from sdgnn.train.baselines import fit_heisenberg
from sdgnn.train.factors import calibrate

COUNTS = (3, 12, 24, 48, 98)
LEARNING, JUDGING = range(300, 300 + max(COUNTS)), range(900, 908)
"""Seeds of the states."""
HIDDEN, STATE_STEPS = 32, 1500
"""Hidden functions, and epochs times states of every training."""
FIELDS = ("walks, no labels", "Heisenberg, 5 shells", "factors", "trained")


def judged(field: Field, labels: Labels) -> tuple[float, float]:
    """Torque R² and its standard error over the states."""
    each = [Labels(labels.spins[k : k + 1], labels.energy[k : k + 1], labels.field[k : k + 1]).judged(field).torque_r2
            for k in range(len(labels.spins))]  # fmt: skip
    return labels.judged(field).torque_r2, float(np.std(each, ddof=1) / len(each) ** 0.5)


def fitted(name: str, electrons: Electrons, labels: Labels) -> Field | None:
    """A field learned from these labels; None where they are too few for it."""
    known = label_set(electrons, labels, "random")
    if name == "walks, no labels":
        return sdgnn.TruncatedField(electrons.model, electrons.kT, filling=electrons.filling)
    if name == "Heisenberg, 5 shells":
        return fit_heisenberg(known, 5)
    if name == "factors":
        network, _ = calibrate(electrons.model, kT=electrons.kT, filling=electrons.filling, labels=known)
        return network.on(electrons.lattice)
    if len(known.spins) < 6:
        return None
    return trained(electrons, known, HIDDEN, STATE_STEPS // len(known.spins)).on(electrons.lattice)


def measured(folder: Path) -> list[dict[str, Any]]:
    """Every row, those that are there already as they are."""
    path = folder / "rows.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"] if path.is_file() else []
    electrons = square(12)
    start = time.process_time()
    every = labelled(electrons, state(electrons.lattice, "random", 0.0, LEARNING), folder)
    seconds = time.process_time() - start
    tests = labelled(electrons, state(electrons.lattice, "random", 0.0, JUDGING), folder)
    if not rows:
        rows.append({"field": "labels", "states": len(LEARNING), "seconds": seconds})
    for count in COUNTS:
        part = Labels(every.spins[:count], every.energy[:count], every.field[:count])
        for name in FIELDS:
            if any((row["field"], row["states"]) == (name, count) for row in rows):
                continue
            start = time.process_time()
            field = fitted(name, electrons, part)
            if field is None:
                continue
            seconds = time.process_time() - start
            r2, error = judged(field, tests)
            rows.append({"field": name, "states": count, "r2": r2, "error": error, "seconds": seconds})
            print(rows[-1], flush=True)
            write_json(path, {"rows": rows})
    return rows


def main() -> None:
    """Measure what is missing, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("results/how-many-labels"))
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    rows = measured(given.folder)
    each = rows[0]["seconds"] / rows[0]["states"]
    known = {(row["field"], row["states"]): row for row in rows[1:]}
    made = Table(title=f"torque R²; {each:.2f} processor seconds a label, {torch.get_num_threads()} thread(s)")
    for k, head in enumerate(("states", "labelling", *FIELDS, "factors, seconds", "trained, seconds")):
        made.add_column(head, justify="left" if k == 0 else "right")
    for count in COUNTS:
        cells = [
            f"{row['r2']:.4f} ± {row['error']:.4f}" if (row := known.get((name, count))) else "" for name in FIELDS
        ]
        times = [f"{row['seconds']:.0f}" if (row := known.get((name, count))) else "" for name in FIELDS[2:]]
        made.add_row(str(count), f"{each * count:.0f} s", *cells, *times)
    Console(width=140).print(made)
    if given.figure is not None:
        draw(known, given.figure)


def draw(known: dict[tuple[str, int], dict[str, Any]], path: Path) -> None:
    """1 - R² against the number of states."""
    from sdgnn.analysis.plots.style import look, one_panel, style

    with style():
        figure, axes = one_panel()
        for k, name in enumerate(FIELDS):
            found = [known[name, count] for count in COUNTS if (name, count) in known]
            x, y, error = (np.array([row[key] for row in found]) for key in ("states", "r2", "error"))
            axes.errorbar(x, 1 - y, error, lw=1.0, capsize=1.5, label=name, **look(k))
        axes.set(xscale="log", yscale="log", xlabel="exact states", ylabel=r"$1 - R^2$ of the torque")
        axes.set_xticks(COUNTS, [str(count) for count in COUNTS])
        axes.minorticks_off()
        axes.legend()
        figure.savefig(path)


if __name__ == "__main__":
    main()
