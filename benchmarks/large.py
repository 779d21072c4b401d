"""One step of a large crystal in a memory limit: what was estimated, and the time and largest resident memory it took.

    python benchmarks/large.py [MODEL] [--size 2048] [--memory 4] [--steps 1]

The same as ``sdgnn simulate`` with ``memory: 4`` on a triangular or square lattice of the model's family, single
precision, Heun's scheme with thermal noise. Processor time is shown beside wall time: where the machine is shared, it
is the one to compare.
"""

from __future__ import annotations

import argparse
import time

import torch

import sdgnn
from sdgnn.cli.commands.single_run import field_memory
from sdgnn.cli.config.commands import SimulateConfig
from sdgnn.common.memory import peak_memory
from sdgnn.dynamics import estimate


def main() -> None:
    """Estimate, step, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="triangular-tetrahedral", help="network: folder, file or name")
    parser.add_argument("--size", type=int, default=2048, metavar="L")
    parser.add_argument("--memory", type=float, default=4.0, metavar="GB")
    parser.add_argument("--steps", type=int, default=1)
    given = parser.parse_args()
    network = sdgnn.load(given.model)
    lattice = network.family.resized(given.size, given.size)
    config = SimulateConfig.parse(
        {
            "lattice": {"type": network.family.name, "size": [given.size, given.size]},
            "field": {"model": given.model},
            "steps": given.steps,
            "memory": given.memory,
        }
    )
    field = network.on(lattice, memory=field_memory(config, lattice.n_sites))
    spins = sdgnn.spins.random(lattice, seed=0, dtype=torch.float32)
    integrator = sdgnn.Heun(dt=0.1, damping=0.1, kT=0.01)
    expected = estimate(field, spins, integrator, given.steps)
    print(f"{network!r}; {given.size} x {given.size}, float32, {torch.get_num_threads()} thread(s)")
    print(expected)
    state = integrator.init(field, spins)
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(given.steps):
        state = integrator.step(field, state)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    peak = peak_memory()
    print(f"took {wall:.0f} s ({processor:.0f} s of processor time), at most {peak / 1e9:.2f} GB resident")


if __name__ == "__main__":
    main()
