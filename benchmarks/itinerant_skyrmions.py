"""Skyrmion crystals of electrons without spin-orbit coupling: skyrmion numbers 2, 1 and 0 in a magnetic field.

    python benchmarks/itinerant_skyrmions.py [--figure docs/images/skyrmions-itinerant.png]

The model of Ozawa, Hayami and Motome, Phys. Rev. Lett. 118, 147205 (2017), doi:10.1103/PhysRevLett.118.147205:
triangular lattice, t_1 = 1, t_3 = -0.85, J = 0.5, mu = -3.5, a magnetic field h on the spins. Prints the bare
susceptibility along two lines, exact grand potentials of spirals and of superpositions of three, and what these and
random spins relax to in fields: energy, magnetisation and skyrmion number of a magnetic cell of 48 sites, and
density and Hall conductivity of the electrons of the state that wins. Spins relax with electrons on 10 x 10 such cells
(twists); energies are compared with electrons on 14 x 14. Minima are kept in the folder and not computed again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from torch import Tensor

import sdgnn
from sdgnn import analysis
from sdgnn.analysis.plots.style import look, style
from sdgnn.common.files import atomic_path
from sdgnn.electrons import conductivity

CONSOLE = Console(width=150)
HOPPING, EXCHANGE, MU, KT = (1.0, 0.0, -0.85), 0.5, -3.5, 0.003
Q = np.pi / 3 * np.array([[1, 0], [-0.5, 3**0.5 / 2], [-0.5, -(3**0.5) / 2]])
"""The three wave vectors at which the susceptibility is largest."""
FIELDS = (0.0, 0.002, 0.003, 0.004, 0.005, 0.006, 0.007, 0.008, 0.01)
RANDOM = FIELDS[::4]
"""Fields in which random spins relax."""


def magnetic_cell(repeats: int = 1) -> sdgnn.Lattice:
    """The 48 sites of a triangular lattice after which cos(Q_k . r) of all three k repeats."""
    vectors = np.array([[6, 12**0.5], [0, 48**0.5]])
    steps = np.stack(np.meshgrid(np.arange(-12, 13), np.arange(-12, 13)), axis=-1).reshape(-1, 2)
    sites = steps @ np.array([[1, 0], [0.5, 3**0.5 / 2]])
    share = sites @ np.linalg.inv(vectors)
    inside = ((share > -1e-9) & (share < 1 - 1e-9)).all(1)
    return sdgnn.Lattice.crystal(vectors, sites[inside], (repeats, repeats))


CELL = magnetic_cell()


def superpositions() -> dict[str, Float[Tensor, "one site 3"]]:
    """Spins (1, site, 3) of one spiral and of superpositions of the three waves, by name."""
    phase = CELL.positions @ Q.T
    cosine, sine, nothing = np.cos(phase), np.sin(phase), 0 * phase[:, 0]
    states = {
        "helix": np.stack([cosine[:, 0], sine[:, 0], nothing + 0.1], axis=1),
        "n_sk = 2": cosine,
        "n_sk = 1": np.column_stack([sine @ Q / np.linalg.norm(Q[0]), 0.3 - cosine.sum(1)]),
        "two waves": np.stack([cosine[:, 0], cosine[:, 1], nothing + 0.3], axis=1),
        "ferromagnet": np.stack([nothing, nothing, nothing + 1], axis=1),
    }
    return {name: torch.from_numpy(s / np.linalg.norm(s, axis=1, keepdims=True))[None] for name, s in states.items()}


def susceptibility(size: int = 240) -> None:
    """Prints chi(q) = (1/N) sum_k [f(e_k) - f(e_k+q)] / (e_k+q - e_k) of free electrons of one spin, on two lines."""
    first, second = np.meshgrid(*2 * [2 * np.pi / size * np.arange(size)], indexing="ij")
    energy = -2 * sum(
        HOPPING[0] * np.cos(a) + HOPPING[2] * np.cos(2 * a) for a in (first, second, np.subtract(first, second))
    )
    occupied = (1 - np.tanh((energy - MU) / 0.02)) / 2
    table = Table(
        "line", "largest chi", "at |q| / pi", title=f"Susceptibility, {size} x {size} wave vectors, kT = 0.01"
    )
    bond, across = 4 * np.pi / size, 4 / 3**0.5 * np.pi / size
    for line, (a, b), length in (("along a bond", (2, 1), bond), ("across a bond", (0, 1), across)):
        found = []
        for n in range(1, size // 4):
            shifted, share = (np.roll(x, (n * a, n * b), (0, 1)) for x in (energy, occupied))
            apart = np.where(np.abs(shifted - energy) < 1e-9, np.inf, shifted - energy)
            found.append(((occupied - share) / apart).mean())
        best = int(np.argmax(found))
        table.add_row(line, f"{found[best]:.4f}", f"{(best + 1) * length / np.pi:.4f}")
    CONSOLE.print(table)


def electrons(field: float, twists: int) -> sdgnn.fields.Field:
    """Exact electrons of ``twists`` x ``twists`` cells, with a magnetic field along z on the spins."""
    model = sdgnn.SDModel(CELL, HOPPING, EXCHANGE)
    return sdgnn.ExactField(model, KT, mu=MU, twists=(twists, twists)) + sdgnn.Zeeman(CELL, (0, 0, field))


def minimum(field: float, name: str, start: Tensor, twists: int, folder: Path) -> Float[Tensor, "one site 3"]:
    """Spins at the minimum below ``start``, from the folder if they are there."""
    path = folder / f"{name.replace(' ', '-')}-{field:g}.npy"
    if not path.exists():
        began = time.process_time()
        found = sdgnn.relax(electrons(field, twists), start, torque=2e-5, evaluations=120)
        CONSOLE.print(f"h = {field:g}, {name}: {found}, {time.process_time() - began:.0f} s")
        with atomic_path(path) as part, part.open("wb") as stream:
            np.save(stream, found.spins.numpy())
    return torch.from_numpy(np.load(path))


def closed_forms(twists: tuple[int, int]) -> None:
    """Prints exact grand potentials of the superpositions as they are."""
    states = superpositions()
    columns = [electrons(0, n)(torch.cat(list(states.values()))).energy / CELL.n_sites for n in twists]
    table = Table("state", "|M|", "n_sk", *(f"{n} x {n} cells" for n in twists), title="Omega / N at h = 0 (t)")
    for k, (name, state) in enumerate(states.items()):
        number = float(analysis.skyrmion_number(state, CELL))
        table.add_row(name, f"{state[0].mean(0).norm():.3f}", f"{number:+.2f}", *(f"{e[k]:.6f}" for e in columns))
    CONSOLE.print(table)


def minima(folder: Path, twists: int, seeds: int) -> dict[str, dict[float, Tensor]]:
    """Minima by start and field; each start but random ones goes on from its minimum in the field before."""
    found: dict[str, dict[float, Tensor]] = {}
    for name, start in superpositions().items():
        if name == "ferromagnet":
            continue
        state = sdgnn.spins.noisy(start, 0.03, seed=1)
        found[name] = {}
        for field in FIELDS:
            state = found[name][field] = minimum(field, name, state, twists, folder)
    for seed in range(seeds):
        start = sdgnn.spins.random(CELL, seed=seed)
        found[f"random {seed}"] = {h: minimum(h, f"random {seed}", start, twists, folder) for h in RANDOM}
    return found


def compare(found: dict[str, dict[float, Tensor]], twists: int) -> tuple[dict[str, dict[float, float]], list[Tensor]]:
    """Prints all minima beside the lowest of each field, and what its electrons do; energies and lowest states."""
    energy = {
        name: {h: float(electrons(h, twists)(state).energy) / CELL.n_sites for h, state in states.items()}
        for name, states in found.items()
    }
    lowest = [min((name for name in found if h in found[name]), key=lambda name: energy[name][h]) for h in FIELDS]
    table = Table("start", *(f"h = {h:g}" for h in FIELDS), title="10^4 (Omega - lowest) / N in t (n_sk, M)")
    for name, states in found.items():
        cells = []
        for h, best in zip(FIELDS, lowest, strict=True):
            if h in states:
                number = float(analysis.skyrmion_number(states[h], CELL))
                above = 1e4 * (energy[name][h] - energy[best][h])
                cells.append(f"{above:.2f} ({number:+.0f}, {states[h][0, :, 2].mean():.2f})")
            else:
                cells.append("")
        table.add_row(name, *cells)
    CONSOLE.print(table)
    best_states = [found[name][h] for name, h in zip(lowest, FIELDS, strict=True)]
    model, batch = sdgnn.SDModel(CELL, HOPPING, EXCHANGE), torch.cat(best_states)
    hall = conductivity(model, batch, kT=KT, mu=MU, broadening=0.02, twists=(twists, twists))
    density = sdgnn.ExactField(model, KT, mu=MU, twists=(twists, twists))(batch).density
    assert density is not None
    columns = ("h", "from", "Omega / N", "n_sk", "M", "sigma_xy", "sigma_xx", "filling", "density, std")
    table = Table(*columns, title="Lowest minimum of each field; conductivities in e^2/h, broadening 0.02")
    for k, (h, name) in enumerate(zip(FIELDS, lowest, strict=True)):
        table.add_row(
            f"{h:g}", name, f"{energy[name][h]:.6f}", f"{analysis.skyrmion_number(batch, CELL)[k]:+.0f}",
            f"{batch[k, :, 2].mean():.3f}", f"{(hall[k, 0, 1] - hall[k, 1, 0]) / 2:+.3f}",
            f"{hall[k].diagonal().mean():.2f}", f"{density[k].mean() / 2:.4f}", f"{density[k].std():.4f}",
        )  # fmt: skip
    CONSOLE.print(table)
    return energy, best_states


def draw(
    found: dict[str, dict[float, Tensor]], energy: dict[str, dict[float, float]], best: list[Tensor], path: Path
) -> None:
    """Energies of minima by field, and the spins of the lowest ones in three fields."""
    with style():
        figure = Figure(figsize=(7.0, 5.2), layout="constrained")
        grid = figure.add_gridspec(2, 1, height_ratios=(1, 1.05))
        upper, lower = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
        left, right = upper.subplots(1, 2)
        for k, name in enumerate(name for name in found if not name.startswith("random")):
            curve = [1e4 * (energy[name][h] - energy["helix"][h]) for h in FIELDS]
            left.plot(FIELDS, curve, **look(k), label=name, ms=4)
        left.set(xlabel="h (t)", ylabel=r"$10^4\,(\Omega - \Omega_\mathrm{helix})/N$ (t)")
        left.legend(title="started from")
        number = [abs(float(analysis.skyrmion_number(state, CELL))) for state in best]
        mean = [float(state[0, :, 2].mean()) for state in best]
        right.plot(FIELDS, number, **look(0), label=r"$|n_\mathrm{sk}|$ per 48 sites")
        right.plot(FIELDS, mean, **look(1), label="magnetisation")
        right.set(xlabel="h (t)", title="lowest state")
        right.legend()
        shown = {f"h = {h:g}": best[FIELDS.index(h)][0].repeat(4, 1) for h in (0.0, 0.005, 0.01)}
        analysis.plots.spin_maps(shown, magnetic_cell(2), into=lower)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def main() -> None:
    """Compute, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("results/skyrmions/itinerant"))
    parser.add_argument("--figure", type=Path, default=None, metavar="FILE.png")
    parser.add_argument("--twists", type=int, default=10, help="cells along each axis while spins relax")
    parser.add_argument("--judged", type=int, default=14, help="cells along each axis of energies that are compared")
    parser.add_argument("--seeds", type=int, default=1, help="random starts")
    given = parser.parse_args()
    susceptibility()
    closed_forms((given.twists, given.judged))
    found = minima(given.folder, given.twists, given.seeds)
    energy, best = compare(found, given.judged)
    if given.figure is not None:
        draw(found, energy, best, given.figure)


if __name__ == "__main__":
    main()
