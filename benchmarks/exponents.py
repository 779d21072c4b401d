"""How often one error of a growth exponent holds the truth: trials with known laws, for docs/domain-growth.md.

    python benchmarks/exponents.py [--trials 100] [--quenches 30] [--kept results/exponents]

Two kinds of trials. Lengths (L_0 + a t^n) exp(noise) and a (t - t_0)^n exp(noise), the noise of a replica correlated
over a factor of ``MEMORY`` in time, at 14 times from 1 to 128. And quenches of the Ising model on 256 x 256 sites of a
square lattice with heat-bath dynamics (Glauber), whose domains grow as t^(1/2) at every kT < 2.27, by the routes of
``sdgnn.analysis.coarsening``; their lengths are kept in files, which a second call reads. n and errors are means of all
trials.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numba
import numpy as np
import torch
from rich.console import Console

from sdgnn import Lattice
from sdgnn.analysis import (
    growth_exponent,
    law_exponent,
    length_from_clusters,
    length_from_correlation,
    length_from_structure_factor,
    length_from_walls,
    route_spread,
    site_graph,
)
from sdgnn.common.files import atomic_path

TIME = np.array([1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 90, 128], dtype=np.float64)
MEMORY, NOISE, PREFACTOR = 2.0, 0.08, 1.7
OFFSETS = ((0.5, 0.0), (0.5, 1.0), (0.5, 4.0), (1 / 3, 2.0), (1.0, 4.0))
DELAYS = ((0.5, 0.8), (0.5, -4.0), (0.5, -16.0), (1.0, 0.8))
BENDS: tuple[Literal["delay", "offset"], ...] = ("delay", "offset")
SIZE, QUENCHED = 256, TIME[1:]
ROUTES = ("correlation", "moment", "walls", "clusters")
WINDOWS = ((2.0, 16.0), (8.0, 128.0))
console = Console(width=160)


def synthetic(law: np.ndarray, replicas: int, trials: int) -> Iterator[torch.Tensor]:
    """(replica, time) lengths of each trial, noise around the lengths ``law`` at ``TIME``."""
    x = np.log(TIME)
    correlated = np.linalg.cholesky(np.exp(-np.abs(np.subtract.outer(x, x)) / np.log(MEMORY)))
    for seed in range(trials):
        drawn = np.random.default_rng([seed, replicas, round(1000 * law[0])]).standard_normal((replicas, len(TIME)))
        yield torch.from_numpy(law * np.exp(NOISE * drawn @ correlated.T))


@numba.njit
def sweeps(spins: np.ndarray, up: np.ndarray, count: int, seed: int) -> None:
    """Heat bath on either sublattice in turn; ``up[h + 4]`` is the probability of +1 beside neighbours of sum h."""
    np.random.seed(seed)  # noqa: NPY002 (numba's own stream)
    size = len(spins)
    for _ in range(count):
        for half in range(2):
            for i in range(size):
                for j in range((i + half) % 2, size, 2):
                    around = spins[i - 1, j] + spins[(i + 1) % size, j] + spins[i, j - 1] + spins[i, (j + 1) % size]
                    spins[i, j] = 1 if np.random.random() < up[around + 4] else -1  # noqa: NPY002


def quenched(kT: float, replicas: int, seed: int) -> torch.Tensor:
    """(route, replica, time) lengths of quenches from infinite temperature."""
    lattice, draw = Lattice.square(SIZE, SIZE), np.random.default_rng(seed)
    graph, around = site_graph(lattice), np.arange(-4, 5)
    up = 1 / (1 + np.exp(-2 * around / kT)) if kT > 0 else (np.sign(around) + 1) / 2
    spins, before, lengths = draw.choice(np.array([-1, 1]), size=(replicas, SIZE, SIZE)), 0, []
    for now in QUENCHED:
        for one in spins:
            sweeps(one, up, int(now) - before, int(draw.integers(2**31)))
        before, phases = int(now), torch.from_numpy(spins.reshape(replicas, -1).copy())
        field = phases.double()
        lengths.append(torch.stack([
            length_from_correlation(field, lattice), length_from_structure_factor(field, lattice, power=2),
            length_from_walls(phases, graph), length_from_clusters(phases, graph),
        ]))  # fmt: skip
    return torch.stack(lengths, dim=-1)


def kept(folder: Path, kT: float, replicas: int, seed: int) -> torch.Tensor:
    """:func:`quenched`, from a file where there is one."""
    path = folder / f"{kT:g}-{seed}.npy"
    if not path.exists():
        with atomic_path(path) as temporary:
            np.save(temporary, quenched(kT, replicas, seed).numpy())
    return torch.from_numpy(np.load(path, allow_pickle=False))


def judged(
    name: tuple[str, ...], time: np.ndarray, trials: list[torch.Tensor], law: float, window: tuple[float, float]
) -> tuple[str, ...]:
    """A row: the slope of the window, and the law by either bend, of all trials."""

    def share(values: np.ndarray, errors: np.ndarray, true: float) -> str:
        return f"{100 * np.mean(np.abs(values - true) < errors):.0f} %"

    fits = [growth_exponent(time, one, window) for one in trials]
    n, error = np.array([(f.value, f.error) for f in fits]).T
    row = [f"{n.mean():.3f}", f"{error.mean():.3f}", share(n, error, n.mean()), share(n, error, law),
           f"{100 * np.mean([f.drifts for f in fits]):.0f} %"]  # fmt: skip
    for bend in BENDS:
        laws = [law_exponent(time, one, window, bend) for one in trials]
        m, spread = np.array([(f.value, f.error) for f in laws]).T
        known = np.isfinite(m) & np.isfinite(spread)
        some = "" if known.all() else f" ({known.sum()} of {len(m)})"
        row += ([f"{m[known].mean():.3f}{some}", f"{spread[known].mean():.3f}", share(m[known], spread[known], law)]
                if known.any() else ["none", "", ""])  # fmt: skip
    return (*name, *row)


def table(title: str, first: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table of markdown."""
    columns = (*first, "n", "error", "holds the window's n", "holds the law", "drifts", "n with a delay", "error",
               "holds the law", "n with an offset", "error", "holds the law")  # fmt: skip
    lines = [columns, ("---",) * len(columns), *rows]
    console.print(title, *("| " + " | ".join(line) + " |" for line in lines), sep="\n", markup=False, soft_wrap=True)


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="sets of synthetic lengths of each law")
    parser.add_argument("--quenches", type=int, default=30, help="sets of quenches at each temperature")
    parser.add_argument("--kept", default=Path("results/exponents"), type=Path, help="folder of the quenches' lengths")
    given = parser.parse_args()
    laws = {f"{offset:g} + 1.7 t^{n:.2g}": (n, offset + PREFACTOR * TIME**n) for n, offset in OFFSETS}
    laws |= {f"1.7 (t {-begin:+g})^{n:.2g}": (n, PREFACTOR * (TIME - begin) ** n) for n, begin in DELAYS}
    rows = [
        judged((name, str(replicas)), TIME, list(synthetic(law, replicas, given.trials)), n, (TIME[0], TIME[-1]))
        for name, (n, law) in laws.items() for replicas in (4, 8)
    ]  # fmt: skip
    table(f"{given.trials} sets of lengths", ("law", "replicas"), rows)
    rows, agreement = [], []
    for kT in (0.0, 1.2):
        sets = [kept(given.kept, kT, 4, seed) for seed in range(given.quenches)]
        for window in WINDOWS:
            times = f"{window[0]:g} to {window[1]:g}"
            for k, route in enumerate(ROUTES):
                rows.append(judged((f"{kT:g}", times, route), QUENCHED, [one[k] for one in sets], 0.5, window))
            spreads = [route_spread(QUENCHED, one, window) for one in sets]
            mean, share = np.mean([s.value for s in spreads]), 100 * np.mean([s.disagree for s in spreads])
            agreement.append(
                f"kT = {kT:g}, t = {times}: routes differ by {mean:.2f}, disagree in {share:.0f} % of sets"
            )
    table(f"{given.quenches} sets of 4 Ising quenches", ("kT", "times", "route"), rows)
    console.print(*agreement, sep="\n")


if __name__ == "__main__":
    main()
