"""Weak and strong scaling of one run over several processes, and a model of it beyond this machine.

    python benchmarks/scaling.py [--model triangular-tetrahedral] [--processes 1 2 4] [--size 96]

Every row is a run of torchrun on this machine: seconds of a step of Heun's scheme, the fastest of several, of the
slowest process, and the largest processor time of a process, which counts what it computes whatever else is running.
The model says what a step takes on P processes: (planes + 2 halos) x sites of a plane x time per site and evaluation,
plus the bytes of the halos over the bandwidth, plus the messages' latency. Bandwidth and latency are given, not
measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.common.processes import group, is_first, largest, together
from sdgnn.dynamics.domain_decomposition import Subdomain, SubdomainField

STEPS = 4
BANDWIDTH, LATENCY = 1e9, 5e-6
"""Bytes per second and seconds of a message between nodes: an ordinary cluster's network."""


def measure(model: str, planes: int, width: int) -> None:
    """One run; the first process prints what it took as JSON."""
    torch.set_num_threads(1)
    lattice = sdgnn.Lattice.triangular(planes, width)
    field = sdgnn.load(model).on(lattice)
    integrator = sdgnn.Heun(dt=1.0, damping=0.5, kT=0.003)
    state = integrator.init(field, sdgnn.spins.random(lattice, 1, seed=0, dtype=torch.float32))
    halo = 0
    if together():
        subdomain = Subdomain.of(field)
        field, state, halo = SubdomainField(field, subdomain), subdomain.share(state), subdomain.halo
    state = integrator.step(field, state)
    walls, processor = [], time.process_time()
    for _ in range(STEPS):
        start = time.perf_counter()
        state = integrator.step(field, state)
        walls.append(float(largest(torch.tensor(time.perf_counter() - start, dtype=torch.float64))))
    used = float(largest(torch.tensor(time.process_time() - processor, dtype=torch.float64))) / STEPS
    if is_first():
        bytes_sent = 2 * 2 * halo * width * 3 * 4 if halo else 0  # two evaluations, two neighbours
        print(json.dumps({"wall": min(walls), "processor": used, "bytes": bytes_sent, "halo": halo}))


def started(processes: int, given: argparse.Namespace, planes: int) -> dict[str, float]:
    """What :func:`measure` prints on so many processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), __file__, "--measure",
               "--model", given.model, "--planes", str(planes), "--size", str(given.size)]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="triangular-tetrahedral")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--size", type=int, default=96, help="planes for one process, and sites of a plane")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--planes", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        with group():
            measure(given.model, given.planes, given.size)
        return
    table = Table(
        title=f"one step of Heun's scheme, {given.model}, planes of {given.size} sites, {os.cpu_count()} cores"
    )
    for name in ("scaling", "processes", "planes", "wall (s)", "processor (s)", "efficiency", "sent per process (kB)"):
        table.add_column(name, justify="right")
    alone = started(1, given, given.size)
    for kind in ("strong", "weak"):
        for count in given.processes:
            planes = given.size * (count if kind == "weak" else 1)
            found = alone if count == 1 else started(count, given, planes)
            ideal = alone["processor"] / (count if kind == "strong" else 1)
            table.add_row(
                kind, str(count), str(planes), f"{found['wall']:.3f}", f"{found['processor']:.3f}",
                f"{ideal / found['processor']:.2f}", f"{found['bytes'] / 1e3:.0f}",
            )  # fmt: skip
            halo = found["halo"]
    Console(width=120).print(table)
    per_site = alone["processor"] / 2 / given.size**2
    model = Table(title=f"beyond: {1e6 * per_site:.1f} µs per site and evaluation, halos of {halo:.0f} planes, "
                        f"{BANDWIDTH / 1e9:g} GB/s, {1e6 * LATENCY:g} µs")  # fmt: skip
    for name in ("lattice", "processes", "planes each", "compute (s)", "exchange (s)", "efficiency"):
        model.add_column(name, justify="right")
    for size, count in ((1024, 8), (1024, 32), (4096, 32), (4096, 128), (16384, 512)):
        planes = size / count
        compute = 2 * (planes + 2 * halo) * size * per_site
        exchange = 2 * (2 * halo * size * 12 / BANDWIDTH + 3 * LATENCY)
        efficiency = 2 * size * size * per_site / count / (compute + exchange)
        model.add_row(
            f"{size} x {size}", str(count), f"{planes:g}", f"{compute:.3f}", f"{exchange:.5f}", f"{efficiency:.2f}"
        )
    Console(width=120).print(model)


if __name__ == "__main__":
    main()
