"""Time per site of the exact field and of a network's field, side by side, on growing lattices of its family.

    python benchmarks/fields.py [MODEL] [--exact 8 12 16 24] [--network 16 32 64 128] [--repeats 3]

Without MODEL an untrained network of the standard size is timed, on triangular lattices: the arithmetic is the same.
The exact field is timed up to the sizes where it is bearable; beyond, its time is continued as N^3 (so its time per
site as N^2).
"""

from __future__ import annotations

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.fields import Field
from sdgnn.nn import EquivariantNetwork, EquivariantSettings


def seconds(field: Field, repeats: int) -> float:
    """Shortest time of one evaluation of energy and field, after one that warms up."""
    spins = sdgnn.spins.random(field.lattice, replicas=1, seed=0)
    field(spins)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        field(spins)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Time both fields and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="trained network: folder, file or shipped name")
    parser.add_argument("--exact", type=int, nargs="+", default=[8, 12, 16, 20], metavar="L")
    parser.add_argument("--network", type=int, nargs="+", default=[8, 12, 16, 20, 32, 64], metavar="L")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()

    network = (
        sdgnn.load(given.model)
        if given.model
        else EquivariantNetwork(EquivariantSettings(), sdgnn.Lattice.triangular(4, 4))
    )

    def lattice(size: int) -> sdgnn.Lattice:
        return network.family.resized(size, size)

    exact = {
        size: seconds(sdgnn.ExactField(sdgnn.SDModel(lattice(size)), kT=0.1, filling=0.25), given.repeats)
        for size in given.exact
    }
    learned = {size: seconds(network.on(lattice(size)), given.repeats) for size in given.network}
    largest = max(exact)
    table = Table(title=f"{network!r}; {torch.get_num_threads()} thread(s)")
    for column in ("lattice", "sites", "exact (µs/site)", "network (µs/site)", "exact / network"):
        table.add_column(column, justify="right")
    for size in sorted({*exact, *learned}):
        sites = size * size
        continued = "" if size in exact else "~"
        slow = exact.get(size, exact[largest] * (size / largest) ** 6) / sites * 1e6
        if size not in learned:
            table.add_row(f"{size} x {size}", str(sites), f"{slow:,.0f}", "", "")
            continue
        fast = learned[size] / sites * 1e6
        table.add_row(
            f"{size} x {size}", str(sites), f"{continued}{slow:,.0f}", f"{fast:,.1f}", f"{continued}{slow / fast:,.1f}"
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
