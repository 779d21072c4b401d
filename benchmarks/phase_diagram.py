"""Phase diagrams without labels: orders of the square and the triangular lattice, J against filling.

    python benchmarks/phase_diagram.py guess              # a minute of one core
    python benchmarks/phase_diagram.py run                # resumable; four minutes of one core
    python benchmarks/phase_diagram.py collect            # results -> notebooks/stored/phase-diagram-LATTICE.nc
    python benchmarks/phase_diagram.py report --figure docs/images/phase-diagram.png

``run`` anneals random spins at every (J, filling) in the field of truncated electrons, without training (``fast``,
float32): two states of 12 x 12 sites, which are repeated to 24 x 24, and for two points of each J one of 24 x 24 sites.
The exact Hamiltonian of what came out is diagonalised once: its levels give the exact energy at every filling.
``guess`` has the exact energies of the orders that one would guess, at every J and filling: collinear and coplanar ones
of small cells, tetrahedral order, and all single-q spirals that fit 24 x 24 sites.

``report`` prints which state is lowest where, where two fillings side by side are lower still (the lower convex hull of
the energy, Maxwell's construction), and how the energies of the field compare with exact ones.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from phase_orders import KT, SIZE, energies, guesses, lattice_of, levels_of, order_of, spiral_levels, spiral_name
from phase_report import report, with_lowest

import sdgnn
from sdgnn import analysis
from sdgnn.common.errors import StepSizeWarning
from sdgnn.common.files import atomic_path
from sdgnn.fields.schedules import Anneal

ORDER = (3.0, 6.0, 1.5, 8.0, 2.0, 4.0, 5.0, 1.0, 2.5, 10.0)
"""J in the order of the runs: what is there of them is a diagram at any time."""
EXCHANGES = tuple(sorted(ORDER))
FILLINGS = {
    "square": tuple(round(0.05 * k, 2) for k in range(1, 11)),
    "triangular": (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.9),
}
"""N_e / (2 N) of the annealed states. The square lattice has the same orders at 1 - filling."""
STEPS = 80
"""Fillings from 0 to 1 at which exact energies of all states are compared."""
DIMS = {
    "guess_energy": ("guess", "filling"),
    "guess_field": ("start", "guess"),
    **dict.fromkeys(("spiral_energy", "spiral_order", "annealed_energy", "annealed_order"), ("filling",)),
    "spiral_q": ("filling", "axis"),
    "spiral_field": ("start",),
    **dict.fromkeys(("own_energy", "own_field"), ("start", "replica")),
    **dict.fromkeys(("own_order", "own_chirality"), ("start",)),
    "own_structure": ("start", "q"),
}
"""Stored for each J: exact energies per site and names of guesses, of the best spiral and of the best annealed state at
every filling; and for the annealed states of each point their exact energies, name, chirality and S(q) / N, and the
energies that the field gives to them and to the others."""
DT, DURATION, REST = 1.5, 120.0, 24.0
"""Length of a step, time of cooling from kT = 0.05 to 0.0005, and time at the latter."""


def field_of(lattice: sdgnn.Lattice, exchange: float, filling: float) -> sdgnn.TruncatedField:
    """Truncated electrons at their fast level: the model ``universal``."""
    return sdgnn.TruncatedField(sdgnn.SDModel(lattice, exchange=exchange), KT, filling=filling, level="fast")


def annealed(
    lattice: sdgnn.Lattice,
    exchange: float,
    filling: float,
    seed: int = 0,
    duration: float = DURATION,
    replicas: int = 1,
) -> torch.Tensor:
    """Spins (replica, site, 3) after cooling from random ones, and a rest."""
    bath = sdgnn.Heun(dt=DT, damping=0.5, kT=Anneal(start=0.05, stop=0.0005, duration=duration))
    start = sdgnn.spins.random(lattice, replicas, seed, dtype=torch.float32)
    steps = round(duration * (1 + REST / DURATION) / DT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StepSizeWarning)  # of a cooled run the end counts, not the path
        return sdgnn.simulate(field_of(lattice, exchange, filling), start, bath, steps, seed=seed, observers=[]).spins


def large_points(exchange: float) -> list[tuple[str, float]]:
    """Lattice and filling of the two points of each J that have a state of 24 x 24 sites."""
    turn = EXCHANGES.index(exchange) % 2
    return [("square", (0.5, 0.25)[turn]), ("triangular", (0.25, 0.5)[turn])]


def starts_of(name: str, exchange: float, filling: float) -> list[tuple[int, int]]:
    """Sites along an edge, and round of the runs, of the annealed states of a point."""
    return [(12, 0), *([(SIZE, 1)] if (name, filling) in large_points(exchange) else []), (12, 2)]


def fillings_of(name: str) -> np.ndarray:
    """Fillings at which exact energies are compared; the square lattice is the same at 1 - filling."""
    highest = 0.5 if name == "square" else 1.0
    return np.linspace(0, highest, round(STEPS * highest) + 1)


def place(folder: Path, name: str, exchange: float, filling: float, size: int, turn: int) -> Path:
    """File of one annealed state."""
    return folder / f"{name}-J{exchange:g}-f{filling:.2f}-{size}-{turn}.npz"


def run(folder: Path) -> None:
    """Anneals and diagonalises every state whose file is not there, in rounds through all points."""
    folder.mkdir(parents=True, exist_ok=True)
    points = [(name, j, f) for j in ORDER for name, fillings in FILLINGS.items() for f in fillings]
    states = [(*start, seed, point) for seed, point in enumerate(points) for start in starts_of(*point)]
    for size, turn, seed, (name, exchange, filling) in sorted(states, key=lambda state: state[1]):
        path = place(folder, name, exchange, filling, size, turn)
        if path.is_file():
            continue
        lattice = lattice_of(name, size)
        spins = annealed(lattice, exchange, filling, seed=1000 * turn + seed)
        energy = field_of(lattice, exchange, filling)(spins).energy.numpy() / lattice.n_sites
        levels = levels_of(lattice, spins[0], exchange).numpy()
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, spins=spins.numpy(), levels=levels[None], energy=energy)
        print(f"{path.stem}: {energy.round(4)}, {time.process_time():.0f} s of processor time", flush=True)


def guess(folder: Path) -> None:
    """Exact energies of the guesses and of the best spiral at every J, where their file is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, exchange in itertools.product(FILLINGS, ORDER):
        path, lattice, fine = folder / f"{name}-J{exchange:g}-guesses.npz", lattice_of(name), fillings_of(name)
        if path.is_file():
            continue
        q, levels = spiral_levels(lattice, exchange)
        spirals = energies(levels, fine)
        guessed = [energies(levels_of(cell, spins, exchange)[None], fine)[0] for cell, spins in guesses(name).values()]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, guess_energy=guessed, spiral_energy=spirals.min(0), spiral_q=q[spirals.argmin(0)])
        print(f"{path.stem}: {time.process_time():.0f} s of processor time", flush=True)


def repeated(spins: np.ndarray, cell: sdgnn.Lattice) -> torch.Tensor:
    """States (replica, site, 3) of a small crystal on 24 x 24 sites."""
    assert cell.shape is not None
    times = (1, *(SIZE // n for n in cell.shape), 1)
    return torch.from_numpy(np.tile(spins.reshape(-1, *cell.shape, 3), times).reshape(len(spins), -1, 3))


@dataclass(frozen=True)
class Annealed:
    """Annealed states of one point on 24 x 24 sites, as far as they are there."""

    spins: list[torch.Tensor]
    levels: list[torch.Tensor]
    turns: list[int]
    """Rounds of the runs that made them."""
    field: list[float]
    """Energies per site that the field gives to them."""


def annealed_at(folder: Path, name: str, exchange: float, filling: float) -> Annealed:
    """The annealed states of a point."""
    found = Annealed([], [], [], [])
    for size, turn in starts_of(name, exchange, filling):
        path = place(folder, name, exchange, filling, size, turn)
        if path.is_file():
            with np.load(path, allow_pickle=False) as made:
                found.spins.append(repeated(made["spins"], lattice_of(name, size))[0])
                found.levels.append(torch.from_numpy(made["levels"][0]))
                found.field.append(float(made["energy"][0]))
            found.turns.append(turn)
    return found


def by_round(turns: list[int], energy: Iterable[float]) -> np.ndarray:
    """Energies of a point's states by round, NaN where there is none."""
    placed = np.full(3, np.nan)
    placed[turns] = list(energy)
    return placed


def own_of(point: Annealed, energy: np.ndarray, lattice: sdgnn.Lattice) -> dict[str, Any]:
    """What is stored of the annealed states of a point, with their exact ``energy`` (state,) at its filling."""
    found: dict[str, Any] = {
        "own_energy": by_round(point.turns, energy),
        "own_field": by_round(point.turns, point.field),
    }
    if not point.spins:
        return found | {"own_order": "", "own_chirality": np.nan, "own_structure": np.zeros(lattice.n_sites)}
    best = point.spins[int(energy.argmin())]
    structure = analysis.structure_factor(best[None], lattice)[0].numpy() / lattice.n_sites
    chirality = float(analysis.mean_absolute_chirality(best[None], lattice))
    return found | {"own_order": order_of(best, lattice), "own_chirality": chirality, "own_structure": structure}


def at_exchange(folder: Path, lattice: sdgnn.Lattice, exchange: float, fine: np.ndarray) -> dict[str, Any]:
    """Energies and names of all states at one J, by the variables of :data:`DIMS`."""
    starts, n = FILLINGS[lattice.name], lattice.n_sites
    with np.load(folder / f"{lattice.name}-J{exchange:g}-guesses.npz", allow_pickle=False) as made:
        q, exact = made["spiral_q"], {key: made[key] for key in ("guess_energy", "spiral_energy", "spiral_q")}
    at = [int(np.abs(fine - f).argmin()) for f in starts]
    fields = [field_of(lattice, exchange, f) for f in starts]
    whole = [repeated(spins[None].numpy(), cell).float() for cell, spins in guesses(lattice.name).values()]
    turned = [np.rint(q[i] @ np.linalg.inv(lattice.reciprocal)).astype(int).tolist() for i in at]
    spirals = [sdgnn.spins.spiral(lattice, turns, dtype=torch.float32) for turns in turned]
    points = [annealed_at(folder, lattice.name, exchange, f) for f in starts]
    found = [
        energies(torch.stack(point.levels), fine) if point.levels else np.empty((0, len(fine))) for point in points
    ]
    own = [own_of(point, energy[:, i], lattice) for point, energy, i in zip(points, found, at, strict=True)]
    every = np.concatenate([np.full((1, len(fine)), np.inf), *found])
    names = ["", *(order_of(spins, lattice) for point in points for spins in point.spins)]
    return {
        **exact,
        **{key: [one[key] for one in own] for key in own[0]},
        "guess_field": [[float(field(spins).energy) / n for spins in whole] for field in fields],
        "spiral_order": [spiral_name(one, lattice) for one in q],
        "spiral_field": [float(field(spins).energy) / n for field, spins in zip(fields, spirals, strict=True)],
        "annealed_energy": every.min(0),
        "annealed_order": [names[k] for k in every.argmin(0)],
    }


def collect(folder: Path, stored: Path) -> None:
    """Energies and names of all states, in one small file for each lattice."""
    for name, starts in FILLINGS.items():
        lattice, fine = lattice_of(name), fillings_of(name)
        rows = [at_exchange(folder, lattice, exchange, fine) for exchange in EXCHANGES]
        data = xarray.Dataset(
            {key: (("exchange", *dims), np.array([row[key] for row in rows])) for key, dims in DIMS.items()},
            {"exchange": list(EXCHANGES), "filling": fine, "start": list(starts), "guess": list(guesses(name))},
            {"lattice": name, "size": SIZE, "kT": KT},
        )
        packed = {"own_structure": {"dtype": "int16", "scale_factor": 1 / 30000, "_FillValue": -1}}
        with atomic_path(stored / f"phase-diagram-{name}.nc") as temporary:
            with_lowest(data).to_netcdf(temporary, engine="scipy", encoding=packed)
        print(f"{name}: {time.process_time():.0f} s of processor time", flush=True)


def main() -> None:
    """Run, collect or report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("guess", "run", "collect", "report"))
    parser.add_argument("--folder", type=Path, default=Path("results/phase-diagram"))
    parser.add_argument("--stored", type=Path, default=Path(__file__).parents[1] / "notebooks" / "stored")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.what in ("guess", "run"):
        {"guess": guess, "run": run}[given.what](given.folder)
    elif given.what == "collect":
        collect(given.folder, given.stored)
    else:
        report(given.stored, given.figure)


if __name__ == "__main__":
    main()
