"""Where learning is still needed: fields without training, fitted, trained and of the former kind, in both stories.

    python benchmarks/learning.py run       # resumable; half an hour of one core, most of it diagonalisation
    python benchmarks/learning.py report --figure docs/images/learning.png
    python benchmarks/learning.py hard      # states where the field without training is poor, and what mends that

The stories are the tetrahedral order of the triangular lattice (J = 3, quarter filling, electrons at kT = 0.05) and
phase separation of the square one (J = 6, 3 % holes, kT = 0.02). ``run`` quenches 16 x 16 sites by exact
diagonalisation and by every field, from the same random spins with the same noise. ``report`` prints torque R² on fresh
exact states (random ones of 24 x 24 sites, and those of the exact quench), processor time per site, and what became of
the quench, with standard errors over replicas and of the paired differences from the exact one. The former models,
networks of message passing that were trained on labels alone, are read from the history of the repository. ``hard``
fits factors and trains networks on exact states of the kind that is poor, and judges them on fresh states of that kind.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from how_good import finished, place_of, told
from network import label_set, seconds_per_call, trained
from rich.console import Console
from rich.table import Table
from truncated_labels import Electrons, Labels, labelled, square, state, triangular

import sdgnn
from sdgnn.analysis import observer
from sdgnn.dynamics import open_trajectory
from sdgnn.electrons.truncated.pair_tail import with_pair_tail
from sdgnn.fields import Field
from sdgnn.train.factors import calibrate

ROOT = Path(__file__).parents[1]
SIZE, REPLICAS = 16, 8
"""Sites along an edge of the quenches, and their number."""
FITTED, TRAINING, JUDGED = range(300, 306), range(500, 524), range(400, 404)
"""Seeds of random states that factors are fitted to, that train networks on hard states, and that judge."""
LARGE = 48
"""Sites along an edge of the lattice on which time is taken."""
EXACT = "exact electrons"


@dataclass(frozen=True)
class Story:
    """A Hamiltonian and its quench."""

    electrons: Callable[..., Electrons]
    """Of a size, with boundary phases."""
    model: str
    """Name of the shipped network."""
    commit: str
    """Where the history of the repository has the former network of this name."""
    scheme: sdgnn.DepondtMertens
    steps: int
    judged: tuple[int, ...]
    """Steps of the exact quench whose states judge."""
    observed: tuple[str, ...]
    """What becomes of the quench; last the energy, of all final states by walks of level accurate."""


STORIES = {
    "tetrahedral": Story(
        triangular, "triangular-tetrahedral", "30e61ca", sdgnn.DepondtMertens(dt=2.0, damping=0.5, kT=0.003), 100,
        (20, 50, 100), ("absolute_chirality", "energy"),
    ),
    "arrested": Story(
        square, "square-double-exchange", "b0662f9", sdgnn.DepondtMertens(dt=0.5, damping=0.5, kT=0.002), 300,
        (50, 150, 300), ("parallel_bonds", "nearest_neighbour_correlation", "energy"),
    ),
}  # fmt: skip


def walks(electrons: Electrons, lattice: sdgnn.Lattice, **size: Any) -> sdgnn.TruncatedField:
    """Walks without training."""
    model = sdgnn.SDModel.from_dict(lattice, electrons.model.to_dict())
    return sdgnn.TruncatedField(model, electrons.kT, filling=electrons.filling, **size)


def fields(story: Story, folder: Path) -> dict[str, Callable[[sdgnn.Lattice], Field]]:
    """Fields of a story, by name."""
    electrons = story.electrons(24)
    fitted, former = folder / f"fitted-{story.model}.safetensors", folder / f"former-{story.model}.safetensors"
    if not fitted.is_file():
        spins = state(electrons.lattice, "random", 0.0, FITTED)
        labels = label_set(electrons, labelled(electrons, spins, folder / "labels"), "random")
        network, _ = calibrate(electrons.model, electrons.kT, filling=electrons.filling, labels=labels)
        network.save(fitted)
    if not former.is_file():
        name = f"{story.commit}:sdgnn/nn/models/{story.model}.safetensors"
        former.write_bytes(subprocess.run(["git", "show", name], capture_output=True, check=True, cwd=ROOT).stdout)
    return {
        "no training, fast": lambda lattice: walks(electrons, lattice),
        "no training, accurate": lambda lattice: walks(electrons, lattice, level="accurate"),
        "fitted coefficients": lambda lattice: sdgnn.load(fitted).on(lattice),
        "network": lambda lattice: sdgnn.load(story.model).on(lattice),
        "former network": lambda lattice: sdgnn.load(former).on(lattice),
    }


def run(folder: Path) -> None:
    """All quenches."""
    for name, story in STORIES.items():
        electrons = story.electrons(SIZE)
        exact = sdgnn.ExactField(electrons.model, electrons.kT, filling=electrons.filling)
        everything = {EXACT: exact.on, **fields(story, folder)}
        start = sdgnn.spins.random(electrons.lattice, REPLICAS, seed=11, dtype=torch.float32)
        every = story.steps // 30
        for title, on in everything.items():
            place = place_of(folder / name, title)
            if finished(place, story.steps):
                continue
            begin = time.process_time()
            watch = [observer(one, electrons.lattice, every) for one in story.observed]
            watch.append(observer("spins", electrons.lattice, story.steps // 10))
            sdgnn.simulate(
                on(electrons.lattice), start, story.scheme, story.steps, seed=12, observers=watch, folder=place,
                resume=place.exists(), checkpoint_every=every,
            )  # fmt: skip
            print(f"{name}, {title}: {time.process_time() - begin:.0f} s", flush=True)


def quench(folder: Path, name: str, title: str) -> Any:
    """A recorded quench."""
    return open_trajectory(place_of(folder / name, title))


def report(folder: Path, figure: Path | None) -> None:
    """Error, cost and what became of the quench."""
    curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for name, story in STORIES.items():
        exact = quench(folder, name, EXACT)
        small, large = story.electrons(SIZE), story.electrons(24)
        spins = exact["spins"]
        when = spins[spins.dims[0]].values
        steps = [int(np.abs(when - step * story.scheme.dt).argmin()) for step in story.judged]
        tests = {"random": labelled(large, state(large.lattice, "random", 0.0, JUDGED), folder / "labels")}
        for at in steps:
            given = torch.from_numpy(spins.values[at]).double()
            label = labelled(small, given / given.norm(dim=-1, keepdim=True), folder / "labels")
            tests[f"t = {when[at]:g}"] = label
        end = f"t = {float(exact['time'].values[-1]):g}"
        table = Table(title=f"{name}: {SIZE} x {SIZE} sites, {REPLICAS} replicas, float32; observed at {end}")
        ends = (f"{one}, {what}" for one in story.observed for what in ("mean", "- exact"))
        for k, head in enumerate(("field", *(f"R², {test}" for test in tests), "µs / site", *ends)):
            table.add_column(head, justify="left" if k == 0 else "right")
        scale = {"energy": small.lattice.n_sites}
        last = {one: exact[one].values[-1] / scale.get(one, 1) for one in story.observed}
        anchor = [cell for one in story.observed for cell in (told(last[one]), "")]
        table.add_row(EXACT, *[""] * (len(tests) + 1), *anchor)
        curves[name] = {EXACT: curve(exact, story)}
        for title, on in fields(story, folder).items():
            errors = [
                f"{label.judged(on(small.lattice if label.spins.shape[1] == SIZE**2 else large.lattice)).torque_r2:.4f}"
                for label in tests.values()
            ]
            seen = quench(folder, name, title)
            cells = []
            for one in story.observed:
                values = seen[one].values[-1] / scale.get(one, 1)
                cells += [told(values), told(values - last[one])]
            judge = walks(small, small.lattice, level="accurate")
            energy, best = (
                judge(torch.from_numpy(run["spins"].values[-1])).energy.numpy() / small.lattice.n_sites
                for run in (seen, exact)
            )
            cells[-2:] = [told(energy), told(energy - best)]
            table.add_row(title, *errors, f"{cost(on, story):.1f}", *cells)
            curves[name][title] = curve(seen, story)
        Console(width=200).print(table)
    if figure is not None:
        draw(curves, figure)


def curve(seen: Any, story: Story) -> tuple[np.ndarray, np.ndarray]:
    """Time and the first observable of a story."""
    values = seen[story.observed[0]]
    return seen[values.dims[0]].values, values.values


def cost(on: Callable[[sdgnn.Lattice], Field], story: Story) -> float:
    """Processor time of energy and field, in microseconds per site."""
    lattice = story.electrons(LARGE).lattice
    field, spins = on(lattice), sdgnn.spins.random(lattice, seed=0, dtype=torch.float32)
    return 1e6 * seconds_per_call(lambda: field(spins), 3) / lattice.n_sites


def draw(curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]], path: Path) -> None:
    """The first observable of both stories through time."""
    from sdgnn.analysis.plots.style import look, panels, style

    labels = {"tetrahedral": r"mean $|\chi|$", "arrested": r"share of bonds with $S_i \cdot S_j > 1/2$"}
    with style():
        figure, axes = panels(2, 0.8, columns=2)
        for ax, (name, lines) in zip(axes, curves.items(), strict=True):
            for k, (title, (when, values)) in enumerate(lines.items()):
                error = values.std(1, ddof=1) / values.shape[1] ** 0.5
                line = {**look(k), "ms": 2.5, "lw": 1.0, **({"color": "black"} if title == EXACT else {})}
                ax.errorbar(when[1:], values[1:].mean(1), error[1:], capsize=1, label=title, **line)
            ax.set(xlabel=r"time ($\hbar / t$)", ylabel=labels[name], title=name)
        axes[0].legend()
        figure.savefig(path, dpi=150)


@dataclass(frozen=True)
class Hard:
    """States that the field without training reproduces badly."""

    title: str
    electrons: Electrons
    order: str
    noise: float
    larger: tuple[int, int]
    """Cutoff and moments that are enough, or better."""


def weak(exchange: float) -> Electrons:
    """Square, weak coupling, filling .3, kT = .05."""
    return Electrons(sdgnn.SDModel(sdgnn.Lattice.square(SIZE, SIZE), exchange=exchange), 0.05, 0.3, (2, 2))


HARD = (
    Hard("Néel, noise 0.1, J = 6, kT = 0.02", square(SIZE, 2), "neel", 0.1, (10, 161)),
    Hard("Néel, noise 0.3, J = 6, kT = 0.02", square(SIZE, 2), "neel", 0.3, (10, 161)),
    Hard("ferromagnet, noise 0.1, J = 3, triangular", triangular(SIZE, 2), "ferro", 0.1, (10, 81)),
    Hard("random, J = 1, square", weak(1.0), "random", 0.0, (10, 81)),
    Hard("random, J = 0.5, square", weak(0.5), "random", 0.0, (10, 81)),
)


def labels_of(case: Hard, seeds: Sequence[int], folder: Path) -> Labels:
    """Exact labels of states of one kind."""
    spins = state(case.electrons.lattice, case.order, case.noise, seeds)
    return labelled(case.electrons, spins, folder / "labels")


def hard(folder: Path, epochs: int) -> None:
    """Walks, fitted and trained on the kind of states that is judged, and larger walks."""
    table = Table(title=f"torque R² on 4 fresh states of {SIZE} x {SIZE} sites in a crystal of {2 * SIZE} x {2 * SIZE}")
    heads = ("states", "fast", "factors, 6 states", "trained, 24 states", "accurate", "accurate, factors", "larger",
             "pair tail")  # fmt: skip
    for k, head in enumerate(heads):
        table.add_column(head, justify="left" if k == 0 else "right")
    for case in HARD:
        electrons = case.electrons
        judged = labels_of(case, JUDGED, folder)
        known = label_set(electrons, labels_of(case, TRAINING, folder), case.order)
        fitted = {
            level: calibrate(
                electrons.model, electrons.kT, filling=electrons.filling, labels=known[:6], level=level
            )[0].on(electrons.lattice)
            for level in ("fast", "accurate")
        }  # fmt: skip
        learned = trained(electrons, known, 32, epochs).on(electrons.lattice)
        cutoff, moments = case.larger
        tail = None
        if case.order == "random":
            tail = with_pair_tail(walks(electrons, electrons.lattice))
        every = (walks(electrons, electrons.lattice), fitted["fast"], learned,
                 walks(electrons, electrons.lattice, level="accurate"), fitted["accurate"],
                 walks(electrons, electrons.lattice, cutoff=cutoff, moments=moments), tail)  # fmt: skip
        table.add_row(case.title, *("" if one is None else f"{judged.judged(one).torque_r2:.4f}" for one in every))
        print(case.title, flush=True)
    Console(width=160).print(table)


def main() -> None:
    """Run, report, or judge hard states."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "report", "hard"))
    parser.add_argument("--folder", type=Path, default=Path("results/learning"))
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "run":
        run(given.folder)
    elif given.what == "report":
        report(given.folder, given.figure)
    else:
        hard(given.folder, given.epochs)


if __name__ == "__main__":
    main()
