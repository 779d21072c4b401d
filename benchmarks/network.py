"""Energy and field of one network three ways, side by side in one process: crystal path, graph path, e3nn + scatter.

    python benchmarks/network.py [--lattice triangular] [--size 48 48] [--layers 3] [--channels 12] [--repeats 5]
                                 [--dtype float32]

Weights are untrained: the arithmetic is the same. Before timing, the fields are compared with each other. The three
take turns within every repeat, so that a busy machine slows all of them; shortest times are printed.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.fields import Field
from sdgnn.nn import Network, NetworkSettings
from sdgnn.nn.reference import ReferenceField


def processor() -> str:
    """Name of the processor."""
    listed = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in listed.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def seconds(fields: dict[str, Field], spins: torch.Tensor, repeats: int) -> dict[str, float]:
    """Shortest time of one evaluation of each field, after two that warm up."""
    times: dict[str, list[float]] = {name: [] for name in fields}
    for _ in range(repeats + 2):
        for name, field in fields.items():
            start = time.perf_counter()
            field(spins)
            times[name].append(time.perf_counter() - start)
    return {name: min(taken[2:]) for name, taken in times.items()}


def main() -> None:
    """Time the three and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lattice", default="triangular", choices=["chain", "square", "triangular", "kagome", "cubic"])
    parser.add_argument("--size", type=int, nargs="+", default=[48, 48], metavar="L")
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--channels", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    given = parser.parse_args()

    lattice = getattr(sdgnn.Lattice, given.lattice)(*given.size)
    network = Network(NetworkSettings(layers=given.layers, channels=given.channels), lattice)
    dtype = getattr(torch, given.dtype)
    fields: dict[str, Field] = {
        "crystal path": network.on(lattice, dtype),
        "graph path": network.on(sdgnn.Lattice.free(lattice.positions, lattice.cell), dtype),
        "e3nn + scatter": ReferenceField(network, lattice, dtype),
    }
    spins = sdgnn.spins.random(lattice, seed=0)
    first, *_ = found = [field(spins).field for field in fields.values()]
    times = seconds(fields, spins, given.repeats)
    fastest = times["crystal path"]
    table = Table(
        title=f"{network!r}\n{lattice!r}; {given.dtype}; {torch.get_num_threads()} thread(s) of {processor()}; "
        f"torch {torch.__version__}"
    )
    for column in ("energy and field", "µs/site", "times the crystal path", "field differs by"):
        table.add_column(column, justify="right")
    for name, field in zip(fields, found, strict=True):
        difference = float((field - first).norm() / first.norm())
        per_site = times[name] / lattice.n_sites * 1e6
        table.add_row(name, f"{per_site:,.1f}", f"{times[name] / fastest:,.2f}", f"{difference:.1e}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
