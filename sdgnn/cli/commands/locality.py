"""The floor of the torque error by halo, from a configuration."""

from __future__ import annotations

import itertools
from pathlib import Path

from sdgnn.analysis.locality.floor import LocalityFloor, check_radii
from sdgnn.analysis.plots.errors import floors_by_halo
from sdgnn.cli.commands.console import say
from sdgnn.cli.commands.floors import measure_floors
from sdgnn.cli.config.locality import LocalityConfig
from sdgnn.cli.report.table import Table
from sdgnn.cli.results import open_results
from sdgnn.common.rounding import with_error
from sdgnn.lattice import LENGTH_TOLERANCE, Lattice
from sdgnn.lattice.periodic import inner_radius

WIDEST = 5.0
"""Largest radius that is taken unless others are given, in nearest-neighbour distances."""


def measure_locality(config: LocalityConfig) -> Path:
    """Measure the floors into a results folder and return it."""
    lattice = config.lattice.build()
    exact = config.electrons.build(config.hamiltonian.build(lattice))
    ensembles = {states.name: states.build() for states in config.states}
    for ensemble in ensembles.values():
        ensemble.check(lattice)
    radii = config.radii or neighbour_distances(lattice)
    check_radii(lattice, radii)
    results = open_results(config, "locality")
    floors = measure_floors(exact, radii, ensembles, config, config.seed)
    content = {name: floor.to_dict() for name, floor in floors.items()}
    results.write_json("locality.json", {"lattice": lattice.to_dict(), "field": repr(exact), "states": content})
    results.write_figure("locality", floors_by_halo(floors))
    say(table(floors, repr(exact)).for_console())
    say(f"locality: {results.path}")
    return results.path


def neighbour_distances(lattice: Lattice, widest: float = WIDEST) -> tuple[float, ...]:
    """Distances of neighbours up to ``widest`` and to half the shortest period of the lattice.

    Every distance at which the near spins become more, each once; the nearest-neighbour distance alone where no other
    fits.
    """
    widest = min(widest, inner_radius(lattice.cell)) + LENGTH_TOLERANCE
    shells = 1
    while float(lattice.shell_distances(shells + 1)[-1]) <= widest:
        shells += 1
    return tuple(map(float, lattice.shell_distances(shells)))


def table(floors: dict[str, LocalityFloor], caption: str = "") -> Table:
    """Floor and highest R^2 by radius, a pair of columns for each ensemble of states."""
    pairs = [(f"{name}\ntorque RMSE", "\ntorque R²") for name in floors]
    rows = []
    for k, radius in enumerate(next(iter(floors.values())).radii):
        cells = [
            (with_error(floor.rmse[k], floor.rmse_error[k], ".5f"), f"{floor.r2[k]:.4f}") for floor in floors.values()
        ]
        rows.append([f"{radius:.3g}", *itertools.chain(*cells)])
    nothing = [(with_error(floor.rms, floor.rms_error, ".5f"), "0") for floor in floors.values()]
    rows.append(["none", *itertools.chain(*nothing)])
    return Table(["reach", *itertools.chain(*pairs)], rows, caption)
