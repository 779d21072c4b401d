"""Energies of holes in ferromagnetic regions of Neel order, by diagonalisation: what drives regions, what stops them.

    python benchmarks/polarons.py

Square lattice, 14 x 14 sites, J = 6, electrons at kT = 0; energies in units of t. Two tables:

1. regions of turned spins of one sublattice, each with the number of holes that suits the region best: energy for each
   hole, E(region, holes) - E(Neel order, no hole) over holes, less that of a single hole with one turned spin. The last
   row is the limit of large regions, the ferromagnet of the best density (common tangent), from its bands;
2. ways of one hole and its turned spin: the turned spin goes back while a neighbour, or the next site on the diagonal,
   turns by the same angle in the same plane, the others at rest; and the turned spin given up. The highest energy on
   the way bounds the barrier from above.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch
from stored_results import table

import sdgnn

EXCHANGE = 6.0
Place = tuple[int, int]


def disc(radius: float) -> list[Place]:
    """Sites of the sublattice of the origin within a radius."""
    reach = range(-math.ceil(radius), math.ceil(radius) + 1)
    return [(x, y) for x in reach for y in reach if (x + y) % 2 == 0 and math.hypot(x, y) < radius]


REGIONS: Mapping[str, list[Place]] = {
    "one spin": [(0, 0)],
    "two, two steps apart": [(0, 0), (2, 0)],
    **{f"{n} on a diagonal": [(k, k) for k in range(n)] for n in (2, 3, 5)},
    "four around a site": [(0, 0), (1, 1), (2, 0), (1, -1)],
    **{f"disc of {len(disc(r))}": disc(r) for r in (1.5, 2.1, 2.9, 3.2)},
}
"""Turned spins."""


def filled(lattice: sdgnn.Lattice, turned: Mapping[Place, float]) -> np.ndarray:
    """Energy of the lowest 1, 2, ... levels of Neel order with spins turned by angles (in radians)."""
    size = round(lattice.n_sites**0.5)
    spins = sdgnn.spins.neel(lattice)
    site = {tuple(p): k for k, p in enumerate(lattice.positions.round().astype(int).tolist())}
    across = torch.linalg.cross(spins[0, 0], spins.new_tensor([0.6, 0.64, 0.48]))
    for (x, y), angle in turned.items():
        k = site[x % size, y % size]
        spins[0, k] = math.cos(angle) * spins[0, k] + math.sin(angle) * across / across.norm()
    matrix = sdgnn.SDModel(lattice, exchange=EXCHANGE).matrix(spins)[0]
    return np.cumsum(torch.linalg.eigvalsh(matrix).numpy())


def for_each_hole(lattice: sdgnn.Lattice, turned: Iterable[Place], most: int) -> np.ndarray:
    """Energy of the region for each of 1, 2, ... ``most`` holes, above Neel order without holes."""
    holes = np.arange(1, most + 1)
    n = lattice.n_sites
    return (filled(lattice, dict.fromkeys(turned, math.pi))[n - holes - 1] - filled(lattice, {})[n - 1]) / holes


def large_region(points: int = 400) -> tuple[float, float]:
    """Energy for each hole of a ferromagnet beside Neel order without holes at its best, and its holes per site."""
    k = 2 * np.pi * (np.arange(points) + 0.5) / points
    band = np.sort((-2 * (np.cos(k)[:, None] + np.cos(k))).ravel())
    neel = -np.sqrt(band**2 + EXCHANGE**2).mean()
    electrons = np.arange(1, band.size) / band.size
    energy = np.cumsum(band)[:-1] / band.size - EXCHANGE * electrons
    each = (energy - neel) / (1 - electrons)
    best = int(each.argmin())
    return float(each[best]), float(1 - electrons[best])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=14)
    lattice = sdgnn.Lattice.square(*[parser.parse_args().size] * 2)
    alone = float(for_each_hole(lattice, [(0, 0)], 1)[0])
    rows = []
    for name, sites in REGIONS.items():
        each = for_each_hole(lattice, sites, len(sites) + 1)
        best = int(each.argmin())
        as_many = f"{each[len(sites) - 1] - alone:+.4f}"
        rows.append((name, str(best + 1), f"{each[best]:.4f}", f"{each[best] - alone:+.4f}", as_many))
    limit, density = large_region()
    rows.append(("ferromagnet", f"{density:.2f} per site", f"{limit:.4f}", f"{limit - alone:+.4f}", ""))
    columns = ("turned spins", "holes, best", "energy for each", "less that of one spin", "with a hole for each spin")
    table("regions", columns, rows)
    barriers = []
    angles = np.linspace(0, math.pi, 13)
    start = lattice.n_sites - 2
    for name, target in (("to a neighbour", (1, 0)), ("along the diagonal", (1, 1)), ("given up", None)):
        ways = [{(0, 0): math.pi - a} | ({} if target is None else {target: a}) for a in angles]
        energy = np.array([filled(lattice, turned)[start] for turned in ways])
        top = int(energy.argmax())
        barriers.append((name, f"{energy[top] - energy[0]:.4f}", f"{math.degrees(angles[top]):.0f}"))
    table("one hole and its turned spin", ("way", "highest energy", "at degrees"), barriers)


if __name__ == "__main__":
    main()
