"""The published exact quench of a 30 x 30 double-exchange lattice, run again by truncated electrons without training.

    python benchmarks/published_quench.py DATA.npz --level accurate --replicas 4 --time 1000

DATA.npz holds the snapshots of that quench (spins, step, protocol; Zhang and Chern, Phys. Rev. Lett. 127, 146401,
doi:10.1103/PhysRevLett.127.146401; zhangpuhan/ML_double_exchange). The run starts from its first one, with the
parameters recovered from the snapshots: J = 6, 873 electrons, electrons at kT = 0.003, damping 0.055, bath kT = 0.001.
Prints the parallel bonds (S_i . S_j > 1/2, of 1,800) at each time, mean, standard error and range over replicas
(noises), beside those of the published snapshots, and the nearest-neighbour correlation. The run can be interrupted and
goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import sdgnn
from sdgnn.analysis import observer, parallel_bonds, spin_correlation
from sdgnn.dynamics import open_trajectory

SITES, ELECTRONS, BONDS = 900, 873, 1800
TIMES = (0, 25, 50, 100, 150, 200, 300, 500, 1000)


def published(path: Path, dt: float) -> tuple[torch.Tensor, dict[float, tuple[float, float]]]:
    """First spins, and (parallel bonds, correlation) of the snapshots by their time."""
    with np.load(path, allow_pickle=False) as data:
        quench = data["protocol"] == "quench"
        steps, spins = data["step"][quench], torch.from_numpy(data["spins"][quench])
    lattice = sdgnn.Lattice.square(30, 30)
    bonds = parallel_bonds(spins, lattice) * BONDS
    near = spin_correlation(spins, lattice)[:, 0]
    found = {float(s) * dt: (float(b), float(c)) for s, b, c in zip(steps, bonds, near, strict=True)}
    return spins[:1], found


def main() -> None:
    """Run, or go on, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="double_exchange_prl2021.npz")
    parser.add_argument("--level", default="accurate", help="fast or accurate")
    parser.add_argument("--replicas", type=int, default=4, help="noises")
    parser.add_argument("--time", type=float, default=1000.0, help="in hbar / t")
    parser.add_argument("--dt", type=float, default=0.05)
    parser.add_argument("--output", type=Path, default=None, help="folder; results/published-LEVEL by default")
    given = parser.parse_args()
    start, snapshots = published(given.data, 0.025)
    lattice = sdgnn.Lattice.square(30, 30)
    model = sdgnn.SDModel(lattice, exchange=6.0)
    field = sdgnn.TruncatedField(model, kT=0.003, filling=ELECTRONS / (2 * SITES), level=given.level)
    folder = given.output or Path(f"results/published-{given.level}")
    every = round(5 / given.dt)
    sdgnn.simulate(
        field,
        start.expand(given.replicas, -1, -1).contiguous(),
        sdgnn.Heun(dt=given.dt, damping=0.055, kT=0.001),
        round(given.time / given.dt),
        seed=0,
        observers=[observer(name, lattice, every) for name in ("parallel_bonds", "nearest_neighbour_correlation")]
        + [observer("spins", lattice, 10 * every)],
        folder=folder,
        resume=folder.exists(),
        progress=True,
        checkpoint_every=every,
    )
    run = open_trajectory(folder)
    bonds, near = run["parallel_bonds"] * BONDS, run["nearest_neighbour_correlation"]
    times = run[bonds.dims[0]].values
    print(f"{field!r}, {given.replicas} noises, dt {given.dt:g}, {torch.get_num_threads()} thread(s)")
    columns = ("time", "parallel bonds, mean +- error (range)", "published", "correlation", "published")
    print("{:>6} {:>40} {:>10} {:>18} {:>10}".format(*columns))
    for time in (t for t in TIMES if t <= times[-1] + given.dt / 2):
        at = int(np.argmin(np.abs(times - time)))
        b, c = bonds.values[at], near.values[at]
        error = b.std(ddof=1) / len(b) ** 0.5 if len(b) > 1 else float("nan")
        exact = snapshots[float(time)]
        print(
            f"{time:6g} {f'{b.mean():.1f} +- {error:.1f} ({b.min():.0f} to {b.max():.0f})':>40} {exact[0]:10.0f}"
            f" {f'{c.mean():.3f} +- {c.std() / len(c) ** 0.5:.3f}':>18} {exact[1]:10.3f}"
        )


if __name__ == "__main__":
    main()
