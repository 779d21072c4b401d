"""Six snapshots of the published learned quench of a 100 x 100 double-exchange lattice, judged by the electrons.

    python benchmarks/published_learned.py DATA.npz

DATA.npz holds spins, step, and the electrons' field and density of the snapshots (Zhang and Chern, Phys. Rev. Lett.
127, 146401, doi:10.1103/PhysRevLett.127.146401; zhangpuhan/ML_double_exchange). Two tables:

1. each snapshot: parallel bonds, correlation, regions, spread of the density;
2. the motion from each snapshot to the next, S' - S without its part along S. How much of it (squared correlation
   over sites and components) goes along the damping of the electrons, -S x (S x H), and along their precession, -S x H,
   both at the first snapshot; and along the motion of spins that the electrons drive from the same snapshot (truncated
   electrons of level fast, no bath) for each damping, at the time when it is largest. The last column is the control:
   how much of those spins' own motion until then goes along the damping at its start.

The steps of the published run have no stated length and its damping is not in the files, which is why time and damping
are searched.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from stored_results import table
from torch import Tensor

import sdgnn
from sdgnn.analysis import cluster_areas, observer, parallel_bonds, parallel_sites, site_graph, spin_correlation

LATTICE = sdgnn.Lattice.square(100, 100)
DAMPINGS = (0.05, 0.2, 0.5)
EXCHANGE, KT, FILLING = 6.0, 0.003, 0.485


def across(motion: Tensor, spins: Tensor) -> Tensor:
    """The part of ``motion`` transverse to ``spins``, both (site, 3)."""
    return motion - (motion * spins).sum(-1, keepdim=True) * spins


def together(a: Tensor, b: Tensor) -> float:
    """Squared correlation of two motions about no motion: the share of a that the best multiple of b explains."""
    return float((a * b).sum() ** 2 / ((a * a).sum() * (b * b).sum()))


def snapshots(spins: Tensor, density: Tensor, step: np.ndarray) -> None:
    """First table, of spins (state, site, 3) and density (state, site)."""
    sizes = cluster_areas(parallel_sites(spins, LATTICE).long(), site_graph(LATTICE), phase=1)
    columns = (parallel_bonds(spins, LATTICE), spin_correlation(spins, LATTICE)[:, 0], density.std(1, correction=0))
    rows = [
        (
            str(s),
            f"{b:.4f}",
            f"{c:.3f}",
            f"{d:.4f}",
            str(len(areas)),
            f"{areas[0]:.0f}",
            f"{(areas.round() == 5).sum()}",
        )
        for s, b, c, d, areas in zip(step, *columns, sizes, strict=True)
    ]
    names = ("step", "parallel bonds", "correlation", "spread of density", "regions", "largest", "of 5 sites")
    table("published learned run, 100 x 100", names, rows)


def driven(spins: Tensor, damping: float, time: float, dt: float) -> Tensor:
    """States (time, state, site, 3) of spins (state, site, 3) that the electrons drive, at each unit of time."""
    model = sdgnn.SDModel(LATTICE, exchange=EXCHANGE)
    field = sdgnn.TruncatedField(model, kT=KT, filling=FILLING, level="fast")
    integrator = sdgnn.DepondtMertens(dt=dt, damping=damping, kT=0.0)
    seen = [observer("spins", LATTICE, round(1 / dt))]
    run = sdgnn.simulate(field, spins.float(), integrator, round(time / dt), observers=seen)
    return torch.from_numpy(run.trajectory["spins"].values).double()


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="double_exchange_100x100.npz")
    parser.add_argument("--time", type=float, default=30.0, help="of the search, in hbar / t")
    parser.add_argument("--dt", type=float, default=0.5)
    given = parser.parse_args()
    with np.load(given.data, allow_pickle=False) as data:
        spins, field, density = (torch.from_numpy(data[name]).double() for name in ("spins", "field", "density"))
        step = data["step"]
    snapshots(spins, density, step)
    ours = {damping: driven(spins[:-1], damping, given.time, given.dt) for damping in DAMPINGS}
    rows = []
    for k, (first, last) in enumerate(itertools.pairwise(range(len(spins)))):
        s, motion = spins[first], across(spins[last] - spins[first], spins[first])
        turning = -torch.linalg.cross(s, field[first])
        damped = torch.linalg.cross(s, turning)
        row = [f"{step[first]} to {step[last]}", f"{together(motion, damped):.4f}", f"{together(motion, turning):.4f}"]
        best = (0.0, 0.0, 0.0, 0.0)
        for damping, states in ours.items():
            found = [together(motion, across(state[k] - s, s)) for state in states[1:]]
            at = int(np.argmax(found))
            row.append(f"{found[at]:.3f} (t = {at + 1})")
            best = max(best, (found[at], damping, at + 1, together(across(states[at + 1, k] - s, s), damped)))
        rows.append((*row, f"{best[3]:.3f}"))
    columns = ("steps", "damping", "precession", *(f"driven, damping {d:g}" for d in DAMPINGS), "control")
    table("share of the motion that goes along", columns, rows)


if __name__ == "__main__":
    main()
