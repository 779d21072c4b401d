"""Exact electrons and the shipped network on one lattice through time, from the same spins and with the same noise.

    python benchmarks/proof.py --output docs/images/proof.png

A quench of a triangular lattice (J = 3, filling 1/4, electrons at kT = 0.05; bath kT = 0.003, damping 0.5) from random
spins, three times: with a diagonalisation in every evaluation, by ``triangular-tetrahedral``, and by that network from
a start with noise of strength ``--nudge``. The third run tells what the dynamics makes of a small difference by itself:
trajectories of disordered spins drift apart, whatever computes their field, and averages are what can be compared
then. No state of this size of lattice trained the network. Draws :func:`sdgnn.analysis.plots.runs_beside`, also as PDF
and SVG, and prints by time the correlation of the maps of chirality, the overlap of the spins, mean |chi|, domain
lengths and exact energies of both runs; then the torque R^2 on states of the exact run, and processor seconds. Runs lie
in ``--folder``; an interrupted one goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
import xarray

import sdgnn
from sdgnn.analysis import observer
from sdgnn.analysis.plots import going_together, runs_beside, save
from sdgnn.fields import Field
from sdgnn.train import torque_part

EVERY = 5
"""Steps between records."""
NAMES = ("exact electrons", "network", "network, other start")
"""The runs."""
SHOWN = (40.0, 120.0, 300.0)
"""Times of the maps, of those recorded the nearest."""
CHECKED = 6
"""Records from one state to the next at which exact energies and torques are compared."""


def run(field: Field, spins: torch.Tensor, steps: int, folder: Path) -> xarray.Dataset:
    """The trajectory; prints the processor seconds of this call."""
    watch = [observer(name, field.lattice, EVERY) for name in ("spins", "energy")]
    start = time.process_time()
    integrator = sdgnn.Heun(dt=2.0, damping=0.5, kT=0.003)
    found = sdgnn.simulate(
        field, spins, integrator, steps, seed=1, observers=watch, folder=folder, resume=True, checkpoint_every=10
    )
    print(f"{folder.name}: {time.process_time() - start:.0f} processor seconds in this call", flush=True)
    return found.trajectory


def main() -> None:
    """Run, or go on; print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=22, help="unit cells along each direction, even")
    parser.add_argument("--steps", type=int, default=150, help="of 2 hbar/t")
    parser.add_argument("--nudge", type=float, default=0.05, help="strength of the noise on the other start")
    parser.add_argument("--folder", type=Path, default=Path("results/proof"))
    parser.add_argument("--output", type=Path, default=Path("results/proof/proof.png"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    lattice = sdgnn.Lattice.triangular(given.size, given.size)
    exact = sdgnn.ExactField(sdgnn.SDModel(lattice, hopping=[1.0], exchange=3.0), kT=0.05, filling=0.25)
    network = sdgnn.load("triangular-tetrahedral").on(lattice, dtype=torch.float64)
    start = sdgnn.spins.random(lattice, replicas=1, seed=0)
    starts = (start, start, sdgnn.spins.noisy(start, given.nudge, seed=1))
    found = {
        name: run(field, spins, given.steps, given.folder / name.replace(" ", "-").replace(",", ""))
        for name, field, spins in zip(NAMES, (exact, network, network), starts, strict=True)
    }
    t = found[NAMES[0]]["time"].values
    together = going_together(found[NAMES[0]], found[NAMES[1]], lattice)
    own = going_together(found[NAMES[1]], found[NAMES[2]], lattice)
    measures = [sdgnn.measure(found[name], "absolute_chirality", "domain_length") for name in NAMES[:2]]
    print("  t  correlation  of both starts  overlap  |chi|         L             E/N by exact electrons")
    errors = torques = 0.0
    for k in range(0, len(t), CHECKED):
        first, second = (torch.from_numpy(found[name]["spins"].values[k]) for name in NAMES[:2])
        energies = [float(exact(state).energy[0]) / lattice.n_sites for state in (first, second)]
        torque, other = (torque_part(field(first).field, first) for field in (exact, network))
        errors, torques = errors + float((other - torque).square().sum()), torques + float(torque.square().sum())
        cells = [f"{m[n].values[k, 0]:6.3f}" for n in ("absolute_chirality", "domain_length") for m in measures]
        overlap = float((first * second).sum(-1).mean())
        print(
            f"{t[k]:3.0f}  {together[k]:11.3f}  {own[k]:14.3f}  {overlap:7.3f}  {' '.join(cells)}  "
            f"{energies[0]:.5f} {energies[1]:.5f}",
            flush=True,
        )
    print(f"torque R2 of the network on the states of the exact run: {1 - errors / torques:.4f}")
    for what, values in (("exact electrons and network", together), ("network from both starts", own)):
        below = np.flatnonzero(values < 0.9)
        told = f"below 0.9 from t = {t[below[0]]:g} on" if len(below) else "0.9 or more throughout"
        print(f"correlation of the maps, {what}: {told}")
    figure = runs_beside(found, lattice, SHOWN)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.output, dpi=110)
    save(figure, given.output.with_suffix(""))


if __name__ == "__main__":
    main()
