"""Runs that the tests start by torchrun on one, two and four processes, each into a folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import sdgnn
from sdgnn import DormandPrince, Heun, ImplicitMidpoint, Lattice, SDModel, TruncatedField, simulate
from sdgnn.common.processes import group
from sdgnn.dynamics import observers
from sdgnn.fields import DMI, Anisotropy, Heisenberg, Zeeman
from sdgnn.fields.schedules import Sweep
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, SiteField
from sdgnn.nn.committee import Committee


def network(lattice: Lattice, seed: int = 2) -> SiteField:
    """Fields with halos of four bonds, none of whose weights is zero."""
    made = EquivariantNetwork(EquivariantSettings(layers=1, channels=2), lattice, seed=1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
    return made.on(lattice, torch.float64)


def runs(folder: Path, steps: int) -> None:
    """Networks and classical fields, with noise and without, explicit, implicit and adaptive."""
    lattice, ladder = Lattice.triangular(21, 5), Lattice.honeycomb(18, 3)
    classical = (
        Heisenberg(ladder, [1.0, -0.3])
        + DMI(ladder, 0.2)
        + Anisotropy(ladder, 0.1)
        + Zeeman(ladder, (0, 0, 0.5), Sweep(high=1.0, low=-1.0, period=1.0))
    )
    cases = {
        "network": (network(lattice), Heun(dt=0.05, damping=0.2, kT=0.1)),
        "implicit": (network(lattice), ImplicitMidpoint(dt=0.05, damping=0.2, kT=0.1)),
        "classical": (classical, Heun(dt=0.05, damping=0.2, kT=0.1)),
        "adaptive": (classical, DormandPrince(dt=0.2, damping=0.2)),
        "committee": (
            Committee([network(lattice).network, network(lattice, 3).network]).on(lattice, torch.float64),
            Heun(dt=0.05, damping=0.2, kT=0.1),
        ),
        "electrons": (
            TruncatedField(SDModel(lattice), kT=0.1, filling=0.3, cutoff=2, moments=9),
            Heun(dt=0.05, damping=0.2, kT=0.1),
        ),
    }
    for name, (field, integrator) in cases.items():
        spins = sdgnn.spins.random(field.lattice, 2, seed=0)
        electrons = [observers.density(2), observers.chemical_potential(2)]
        seen = [*observers.standard(2), observers.spin_temperature(field, 4), *electrons]
        simulate(field, spins, integrator, steps, seed=3, observers=seen, folder=folder / name, resume=True,
                 checkpoint_every=5)  # fmt: skip


def threads() -> set[str]:
    """Names of this process's threads, where the system lists them (Linux)."""
    return {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")}


if __name__ == "__main__":
    with group():
        runs(Path(sys.argv[1]), int(sys.argv[2]))
    assert not {name for name in threads() if "gloo" in name}, "a thread that frees tensors while Python ends aborts"
