"""What an error of the torque does: fields of one Hamiltonian from poor to good, and what becomes of the physics.

    python benchmarks/how_good.py run              # resumable; about 40 minutes of one core
    python benchmarks/how_good.py report --figure docs/images/how-good.png

Triangular lattice, J = 3, quarter filling, electrons at kT = 0.05. Every field is judged on exact labels of 24 x 24
sites from a quench that the best one drives (the Heisenberg models are fitted to other states of such a quench), and
drives the same two runs: a quench of 32 x 32 sites from the same random spins with the same noise, and parallel
tempering of 12 x 12 sites. ``report`` prints, for each field, torque R², the mean |chirality| of the triangles,
domain lengths and the energy per site at the end of the quench (evaluated by the best field, for all), and the
temperature at which the mean chirality has fallen to half of its value at the lowest one, with standard errors; and the
quench of 12 x 12 sites by the best field beside that by exact diagonalisation.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from truncated_labels import Electrons, Labels, labelled, triangular

import sdgnn
from sdgnn.analysis import jackknife, observer, thermodynamics
from sdgnn.common.rounding import with_error
from sdgnn.data import LabelSet
from sdgnn.data.labels import Origin
from sdgnn.dynamics import observers, open_trajectory
from sdgnn.fields import Field, Heisenberg
from sdgnn.train.baselines import fit_heisenberg

if TYPE_CHECKING:
    import xarray

KT, FILLING = 0.05, 0.25
QUENCH, LABELLED, SMALL = 32, 24, 12
"""Sites along an edge: of the quench, of the exact labels, of tempering and of the quench by diagonalisation."""
SCHEME = sdgnn.Heun(dt=1.0, damping=0.5, kT=0.003)
STEPS, REPLICAS = 300, 8
TIMES = (20, 60, 120, 300)
"""Steps of the quench whose states are labelled."""
LADDER = tuple(float(kT) for kT in np.geomspace(0.012, 0.044, 10).round(5))
MOVES = sdgnn.HybridMonteCarlo(dt=0.75, leaps=4)
SWEEPS, EVERY = 750, 3
BEST = "walks, accurate (7, 67)"
LEAST_ORDER = 0.2
"""Mean chirality at the lowest temperature from which on there is an order that can be halved; 0.77 is perfect."""
SMALL_REPLICAS, SMALL_STEPS = 4, 150


def lattice_of(size: int) -> sdgnn.Lattice:
    """A triangular lattice."""
    return sdgnn.Lattice.triangular(size, size)


def truncated(cutoff: int, moments: int) -> Callable[[sdgnn.Lattice], Field]:
    """Walks of this size, without training."""

    def on(lattice: sdgnn.Lattice) -> Field:
        return sdgnn.TruncatedField(
            sdgnn.SDModel(lattice, exchange=3.0), KT, filling=FILLING, cutoff=cutoff, moments=moments
        )

    return on


FIELDS: dict[str, Callable[[sdgnn.Lattice], Field]] = {
    "walks, 2 bonds, 9 moments": truncated(2, 9),
    "walks, 2 bonds, 13 moments": truncated(2, 13),
    "walks, 3 bonds, 15 moments": truncated(3, 15),
    "walks, 4 bonds, 25 moments": truncated(4, 25),
    "walks, fast (5, 41)": truncated(5, 41),
    "network, fast": lambda lattice: sdgnn.load("triangular-tetrahedral").on(lattice),
    BEST: truncated(7, 67),
}


def finished(folder: Path, steps: int) -> bool:
    """Whether a run is there with all its steps."""
    return (folder / "run.json").is_file() and int(open_trajectory(folder)["step"].values.max(initial=0)) >= steps


def quench(field: Field, folder: Path, size: int, replicas: int, steps: int, seed: int) -> torch.Tensor:
    """A quench from random spins, or what is there of it; its recorded spins (time, replica, site, 3)."""
    if finished(folder, steps):
        return torch.from_numpy(open_trajectory(folder)["spins"].values)
    lattice = lattice_of(size)
    start = sdgnn.spins.random(lattice, replicas=replicas, seed=seed).to(torch.float32)
    watch = [observer(name, lattice, 10) for name in ("energy", "domain_length", "domain_length_walls")]
    watch += [observer("absolute_chirality", lattice, 10), observer("chirality", lattice, 10)]
    watch += [observer("spins", lattice, 20)]
    run = sdgnn.simulate(
        field, start, SCHEME, steps, seed=seed, observers=watch, folder=folder, resume=folder.exists(),
        checkpoint_every=10,
    )  # fmt: skip
    return torch.from_numpy(run.trajectory["spins"].values)


def tempering(field: Field, folder: Path, steps: int = SWEEPS) -> None:
    """Parallel tempering, or what is there of it, from tetrahedral order."""
    if finished(folder, steps):
        return
    start = sdgnn.spins.tetrahedral(field.lattice, replicas=len(LADDER)).to(torch.float32)
    start = sdgnn.spins.noisy(start, 0.1, seed=0)
    watch = [observers.energy(EVERY), observers.walker(EVERY), observer("chirality", field.lattice, EVERY)]
    scheme = sdgnn.ParallelTempering(kT=LADDER, moves=MOVES, every=EVERY)
    sdgnn.simulate(
        field, start, scheme, steps, seed=3, observers=watch, folder=folder, resume=folder.exists(),
        checkpoint_every=15,
    )  # fmt: skip


def labels(folder: Path, seed: int) -> tuple[Electrons, Labels]:
    """Exact labels of two replicas of a quench that the best field drives, at TIMES."""
    electrons = triangular(LABELLED)
    spins = quench(FIELDS[BEST](electrons.lattice), folder / f"labels-{seed}", LABELLED, 2, max(TIMES), seed)
    chosen = torch.cat([spins[step // 20] for step in TIMES]).double()
    chosen = chosen / chosen.norm(dim=-1, keepdim=True)
    return electrons, labelled(electrons, chosen, folder / "exact")


def fields(folder: Path) -> dict[str, Callable[[sdgnn.Lattice], Field]]:
    """All fields, from poor to good, the Heisenberg models fitted to states that judge nothing."""
    electrons, known = labels(folder, seed=101)
    origin = Origin(electrons.model.to_dict(), electrons.kT, electrons.filling)
    training = LabelSet(electrons.lattice, known.spins, known.field, known.energy, origin=origin)
    couplings = {n: fit_heisenberg(training, n).couplings for n in (1, 5)}
    return {
        f"Heisenberg, {n} shells": lambda lattice, n=n: Heisenberg(lattice, couplings[n]) for n in couplings
    } | FIELDS


def run(folder: Path, only: str | None) -> None:
    """Everything that takes long."""
    start = time.process_time()
    known = fields(folder)
    for name, on in sorted(known.items(), key=lambda item: item[0] != BEST):
        if only is not None and only not in name:
            continue
        place = place_of(folder, name)
        quench(on(lattice_of(QUENCH)), place / "quench", QUENCH, REPLICAS, STEPS, seed=1)
        print(f"{name}: quench, {time.process_time() - start:.0f} s of processor time so far", flush=True)
        tempering(on(lattice_of(SMALL)), place / "tempering")
        print(f"{name}: tempering, {time.process_time() - start:.0f} s", flush=True)
    if only not in (None, "exact"):
        return
    for name, field in (("exact", exact()), ("best", FIELDS[BEST](lattice_of(SMALL)))):
        quench(field, folder / f"{name}-small", SMALL, SMALL_REPLICAS, SMALL_STEPS, seed=2)
    print(f"quench by diagonalisation, {time.process_time() - start:.0f} s", flush=True)


def exact() -> Field:
    """Diagonalisation of the small lattice."""
    return sdgnn.ExactField(sdgnn.SDModel(lattice_of(SMALL), exchange=3.0), KT, filling=FILLING)


def report(folder: Path, figure: Path | None) -> None:
    """The table of every field whose runs are there, the check by diagonalisation, and the figure."""
    judged, known = labels(folder, seed=102)[1], fields(folder)
    best = FIELDS[BEST](lattice_of(QUENCH))
    rows: list[dict[str, Any]] = []
    for name, on in known.items():
        place = place_of(folder, name)
        if not finished(place / "quench", STEPS):
            print(f"{name}: no finished quench")
            continue
        series = open_trajectory(place / "quench")
        last = torch.from_numpy(series["spins"].values[-1])
        row: dict[str, Any] = {"name": name, "r2": judged.judged(on(lattice_of(LABELLED))).torque_r2}
        row["energy"] = best(last).energy.numpy() / QUENCH**2
        row["length"] = series["domain_length"].values[-1]
        row["walls"] = series["domain_length_walls"].values[-1]
        row["curve"] = series["domain_length_walls"].values.mean(1)
        row["time"] = series["time"].values
        row["chirality"] = series["absolute_chirality"].values[-1]
        if finished(place / "tempering", SWEEPS):
            row["thermo"] = thermodynamics(open_trajectory(place / "tempering"), discard=0.2)
            row["kT"] = halved(row["thermo"])
        rows.append(row)
    reference = next(row for row in rows if row["name"] == BEST)
    table = Table(title=f"Quench of {QUENCH} x {QUENCH} sites to t = {STEPS}, tempering of {SMALL} x {SMALL} sites")
    columns = ("field", "torque R²", "|chi|", "L, correlation", "L, walls", "L / best, paired", "1e3 (E - best)",
               "order at lowest kT", "kT of half of it")  # fmt: skip
    for k, head in enumerate(columns):
        table.add_column(head, justify="left" if k == 0 else "right")
    for row in rows:
        both = torch.from_numpy(np.stack([row["walls"], reference["walls"]], 1))
        ratio, paired = jackknife(both, lambda part: part[:, 0].mean() / part[:, 1].mean())
        order = ["", ""]
        if "thermo" in row:
            first = row["thermo"].isel(kT=0)
            value, error = (float(first[f"chirality_{key}"]) for key in ("mean", "mean_error"))
            order = [with_error(value, error), with_error(*row["kT"])]
        table.add_row(
            row["name"], f"{row['r2']:.4f}", *(told(row[key]) for key in ("chirality", "length", "walls")),
            "1" if row is reference else with_error(float(ratio), float(paired)),
            "0" if row is reference else told(1e3 * (row["energy"] - reference["energy"])), *order,
        )  # fmt: skip
    console = Console(width=160)
    console.print(table)
    exact, same = (open_trajectory(folder / f"{name}-small") for name in ("exact", "best"))
    for name in ("absolute_chirality", "domain_length_walls", "energy"):
        scale = SMALL**2 if name == "energy" else 1
        a, b = exact[name].values[-1] / scale, same[name].values[-1] / scale
        console.print(
            f"{SMALL} x {SMALL}, t = {SMALL_STEPS}, {name}: exact {told(a)}, {BEST} {told(b)}, difference {told(b - a)}"
        )
    if figure is not None:
        draw(rows, figure)


def told(values: np.ndarray) -> str:
    """Mean and standard error over replicas."""
    return with_error(float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5))


def halved(found: xarray.Dataset) -> tuple[float, float]:
    """Where the modulus of the chirality falls below half of its value at the lowest temperature, with its error.

    By linear interpolation; the error by a jackknife over blocks. NaN where the lowest temperature has no order.
    """
    kT = found["kT"].values
    blocks = torch.from_numpy(found["chirality_moments"].values[..., 0].T.copy())

    def place(part: torch.Tensor) -> torch.Tensor:
        order = part.mean(0).numpy()
        below = int(np.argmax(order < order[0] / 2))
        if order[0] < LEAST_ORDER or below == 0:
            return torch.tensor(float("nan"), dtype=torch.float64)
        share = (order[below - 1] - order[0] / 2) / (order[below - 1] - order[below])
        return torch.tensor(kT[below - 1] + share * (kT[below] - kT[below - 1]), dtype=torch.float64)

    where, error = jackknife(blocks, place)
    return float(where), float(error)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Domain length through time, order against temperature, and the length at the end against 1 - R²."""
    from sdgnn.analysis.plots.style import COLOURS, look, panels, style

    with style():
        figure, axes = panels(3, 1.5, columns=3)
        for k, row in enumerate(rows):
            line = {**look(k), "ms": 2.5, "lw": 1.0, **({"mfc": "white", "ls": "--"} if k >= len(COLOURS) else {})}
            axes[0].plot(row["time"][1:], row["curve"][1:], label=f"{row['name']}: {row['r2']:.3f}", **line)
            if "thermo" in row:
                chi, error = (row["thermo"][f"chirality_{key}"].values for key in ("mean", "mean_error"))
                axes[1].errorbar(row["thermo"]["kT"].values, chi, error, capsize=1.5, **line)
            axes[2].errorbar(
                1 - row["r2"], row["walls"].mean(), row["walls"].std(ddof=1) / len(row["walls"]) ** 0.5, capsize=1.5,
                **line,
            )  # fmt: skip
        axes[0].set(xlabel=r"time ($\hbar / t$)", ylabel="domain length $L$")
        axes[1].set(xlabel=r"$kT$ of the spins ($t$)", ylabel=r"$\langle|\chi|\rangle$")
        axes[2].set(xlabel=r"$1 - R^2$ of the torque", ylabel=f"$L$ at $t$ = {STEPS}", xscale="log")
        figure.legend(loc="outside lower center", ncols=3)
        figure.savefig(path)


def place_of(folder: Path, name: str) -> Path:
    """Where the runs of a field are."""
    return folder / name.replace(", ", "-").replace(" ", "-")


def main() -> None:
    """Run, or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "report"))
    parser.add_argument("--folder", type=Path, default=Path("results/how-good"))
    parser.add_argument("--only", help="fields whose name has this word, or exact: the quenches that need no field")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.what == "run":
        run(given.folder, given.only)
    else:
        report(given.folder, given.figure)


if __name__ == "__main__":
    main()
