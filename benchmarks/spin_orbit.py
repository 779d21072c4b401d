"""A film with Rashba spin-orbit coupling: its Dzyaloshinskii-Moriya interaction and its skyrmion crystal in a field.

    python benchmarks/spin_orbit.py dmi
    python benchmarks/spin_orbit.py film [--figure docs/images/spin-orbit-film.png]
    python benchmarks/spin_orbit.py anneal [--figure docs/images/spin-orbit-anneal.png]

`dmi`: stiffness A and interaction D of exact electrons by spirals of both senses, for several Hamiltonians and
strengths s of the coupling, beside D = 4 A s / t, and the anisotropy of ferromagnets.
`film`: triangular lattice, J = 4, filling 0.1, kT = 0.1, Rashba 0.3. Exact electrons on 24 x 24 sites whose spins
repeat after 12 x 12: energies of relaxed spirals, skyrmion crystals and ferromagnets by field, and the Hall
conductivity and density of their electrons, with and without spin-orbit coupling.
`anneal`: random spins on 24 x 24 sites cooled in the field of walks without training, by field; exact electrons judge.
"""

from __future__ import annotations

import argparse
import time
import warnings
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
from sdgnn.common.errors import StepSizeWarning
from sdgnn.electrons import conductivity
from sdgnn.fields.schedules import Anneal

CONSOLE = Console(width=150)
EXCHANGE, FILLING, KT, RASHBA = 4.0, 0.1, 0.1, 0.3
FIELDS = (0.0, 0.004, 0.008, 0.012, 0.016, 0.02, 0.024)
ANNEALED = (0.0, 0.012, 0.024)
"""Fields in which random spins are cooled."""
HALF_TURN = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
"""About z: skyrmions whose spins point outwards become ones whose spins point inwards."""


def model(lattice: sdgnn.Lattice, strength: float = RASHBA, exchange: float = EXCHANGE) -> sdgnn.SDModel:
    """Electrons with Rashba coupling."""
    return sdgnn.SDModel(lattice, exchange=exchange, spin_orbit={"kind": "rashba", "strength": strength})


# -- Dzyaloshinskii-Moriya interaction ----------------------------------------------------------------------------


def dmi() -> None:
    """Prints A, D and the anisotropy by Hamiltonian and strength."""
    columns = ("lattice", "J", "filling", "s", "A", "D", "D / 4As", "favoured q", "2 atan s", "e_z - e_x", "D^2 / 4A")
    table = Table(*columns, title="Exact electrons at kT = 0.1; A in D / 4As is that without spin-orbit coupling")
    for name, make in (("square", sdgnn.Lattice.square), ("triangular", sdgnn.Lattice.triangular)):
        long, small = make(36, 1), make(2, 2)
        directions = torch.cat([sdgnn.spins.ferro(small, axis) for axis in ((0, 0, 1), (1, 0, 0))])
        for exchange, filling in ((3.0, 0.1), (4.0, 0.1), (8.0, 0.2)):
            plain = 0.0
            for strength in (0.0, 0.05, 0.1, 0.2, 0.3):
                film = sdgnn.ExactField(model(long, strength, exchange), KT, filling=filling, twists=(2, 24))
                found = analysis.spiral_energies(film, turns=4)
                plain = plain or found.stiffness
                uniform = sdgnn.ExactField(model(small, strength, exchange), KT, filling=filling, twists=(18, 18))
                along, across = (uniform(directions).energy / small.n_sites).tolist()
                table.add_row(
                    name, f"{exchange:g}", f"{filling:g}", f"{strength:g}",
                    f"{found.stiffness:.4f}", f"{found.dmi:.5f}",
                    f"{found.dmi / (4 * plain * strength):.3f}" if strength else "", f"{found.favoured:.3f}",
                    f"{2 * np.arctan(strength):.3f}", f"{along - across:.5f}",
                    f"{found.dmi**2 / (4 * found.stiffness):.5f}",
                )  # fmt: skip
    CONSOLE.print(table)


# -- energies of competitors --------------------------------------------------------------------------------------


def states(lattice: sdgnn.Lattice) -> dict[str, Float[Tensor, "one site 3"]]:
    """A spiral in the sense that electrons favour, their skyrmion crystal and a tilted ferromagnet."""
    q = lattice.reciprocal[0]
    crystal = sdgnn.spins.skyrmion_crystal(lattice, lattice.shape[0] if lattice.shape else 0, "neel")
    spiral = sdgnn.spins.spiral(lattice, (1, 0), normal=(-q[1], q[0], 0))
    return {
        "spiral": sdgnn.spins.noisy(spiral, 0.05, seed=1),
        "skyrmions": sdgnn.spins.rotate(crystal, HALF_TURN),
        "ferromagnet": sdgnn.spins.ferro(lattice, (1, 0, 0.5)),
    }


def film(figure: Path | None, size: int = 12) -> None:
    """Prints energies of relaxed states by field, and what electrons do in them at h = 0.012."""
    lattice = sdgnn.Lattice.triangular(size, size)
    twists = (24 // size, 24 // size)
    exact = sdgnn.ExactField(model(lattice), KT, filling=FILLING, twists=twists)
    start, energy, kept = states(lattice), {}, {}
    table = Table(
        "h", *start, "lowest", title="Exact energy per site (t); skyrmions per cell, magnetisation; evaluations"
    )
    for h in FIELDS:
        cells = []
        for name in start:
            found = sdgnn.relax(exact + sdgnn.Zeeman(lattice, (0, 0, h)), start[name], torque=2e-4, evaluations=80)
            start[name] = kept[name, h] = found.spins
            energy[name, h] = float(found.energy) / lattice.n_sites
            number = float(analysis.skyrmion_number(found.spins, lattice))
            cells.append(
                f"{energy[name, h]:.6f}; {number:+.0f}, {found.spins[0, :, 2].mean():.2f}; {int(found.evaluations)}"
            )
        table.add_row(f"{h:g}", *cells, min(start, key=lambda name: energy[name, h]))
    CONSOLE.print(table)
    transport(
        lattice, {name: kept[name, 0.012] for name in start} | {"ferromagnet, h = 0.024": kept["ferromagnet", 0.024]}
    )
    if figure is not None:
        draw_film(lattice, energy, kept, figure)


def transport(lattice: sdgnn.Lattice, shown: dict[str, Tensor]) -> None:
    """Prints conductivities and densities of the electrons of states that relaxed with spin-orbit coupling."""
    batch, twists = torch.cat(list(shown.values())), (4, 4)
    columns = (
        "state",
        "sigma_xy",
        "sigma_xx",
        "sigma_xy, Rashba 0",
        "density, std",
        "where S_z < 0",
        "where S_z > 0.9",
    )
    table = Table(*columns, title="Conductivities in e^2/h, broadening 0.05, 48 x 48 sites")
    hall = [
        conductivity(model(lattice, s), batch, kT=KT, filling=FILLING, broadening=0.05, twists=twists)
        for s in (RASHBA, 0)
    ]
    density = sdgnn.ExactField(model(lattice), KT, filling=FILLING, twists=(2, 2))(batch).density
    assert density is not None
    for k, name in enumerate(shown):
        turned = [f"{(s[k, 0, 1] - s[k, 1, 0]) / 2:+.4f}" for s in hall]
        core, outside = batch[k, :, 2] < 0, batch[k, :, 2] > 0.9
        table.add_row(
            name, turned[0], f"{hall[0][k].diagonal().mean():.3f}", turned[1], f"{density[k].std():.5f}",
            f"{density[k, core].mean():.4f}", f"{density[k, outside].mean():.4f}",
        )  # fmt: skip
    CONSOLE.print(table)


def draw_film(
    lattice: sdgnn.Lattice, energy: dict[tuple[str, float], float], kept: dict[tuple[str, float], Tensor], path: Path
) -> None:
    """Energies by field, and spiral and skyrmions."""
    names = ("spiral", "skyrmions", "ferromagnet")
    with style():
        figure = Figure(figsize=(7.0, 2.6), layout="constrained")
        grid = figure.add_gridspec(1, 2, width_ratios=(1, 1.35))
        left, right = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
        axes = left.add_subplot()
        for k, name in enumerate(names):
            axes.plot(FIELDS, [1e3 * (energy[name, h] - energy["skyrmions", h]) for h in FIELDS], **look(k), label=name)
        axes.set(xlabel="h (t)", ylabel=r"$10^3\,(E - E_\mathrm{skyrmions})/N$ (t)")
        axes.legend()
        large = sdgnn.Lattice.triangular(2 * lattice.n_sites // 12, 24)
        shown = {"spiral, h = 0": kept["spiral", 0.0], "skyrmions, h = 0.012": kept["skyrmions", 0.012]}
        tiled = {name: state.reshape(12, 12, 3).repeat(2, 2, 1).reshape(-1, 3) for name, state in shown.items()}
        analysis.plots.spin_maps(tiled, large, into=right)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


# -- annealing ----------------------------------------------------------------------------------------------------


def anneal(figure: Path | None, size: int, steps: int, replicas: int) -> None:
    """Prints what random spins cool to in the field of walks, by field, with exact energies beside."""
    warnings.simplefilter("ignore", StepSizeWarning)  # of a cooled run the end counts, not the path
    lattice = sdgnn.Lattice.triangular(size, size)
    walks = sdgnn.load("universal").on(model(lattice), kT=KT, filling=FILLING)
    exact = sdgnn.ExactField(model(lattice), KT, filling=FILLING)
    title = f"{size} x {size} sites cooled from kT = 0.03 to 0.0005 in {steps} steps, then relaxed"
    table = Table("h", "skyrmions", "M", "E / N by walks", "exact", "torque R2 before it relaxes", "s", title=title)
    shown, maps = {}, {}
    for h in ANNEALED:
        began = time.process_time()
        field = walks + sdgnn.Zeeman(lattice, (0, 0, h))
        bath = sdgnn.Heun(dt=0.7, damping=0.5, kT=Anneal(start=0.03, stop=0.0005, duration=0.56 * steps))
        start = sdgnn.spins.random(lattice, replicas, seed=0, dtype=torch.float32)
        cooled = sdgnn.simulate(field, start, bath, steps, seed=0, observers=[]).spins
        spins = sdgnn.relax(field, cooled, torque=3e-4, evaluations=200).spins
        seconds = time.process_time() - began
        judged, guessed = exact(spins.double()), walks(spins)
        fields = exact(cooled.double()).field, walks(cooled).field.double()
        torques = [torch.linalg.cross(cooled.double(), field) for field in fields]
        r2 = 1 - (torques[1] - torques[0]).square().sum((1, 2)) / torques[0].square().sum((1, 2))
        number = analysis.skyrmion_number(spins.double(), lattice)
        mean = spins[:, :, 2].mean(1)
        for r in range(replicas):
            zeeman = h * float(mean[r])
            table.add_row(
                f"{h:g}", f"{number[r]:+.1f}", f"{mean[r]:.2f}", f"{guessed.energy[r] / lattice.n_sites - zeeman:.6f}",
                f"{judged.energy[r] / lattice.n_sites - zeeman:.6f}", f"{r2[r]:.4f}", f"{seconds / replicas:.0f}",
            )  # fmt: skip
        shown[f"h = {h:g}"] = spins[0]
        maps[f"h = {h:g}"] = analysis.structure_factor(spins.double(), lattice)[0]
    CONSOLE.print(table)
    if figure is not None:
        figure.parent.mkdir(parents=True, exist_ok=True)
        analysis.plots.spin_maps(shown, lattice).savefig(figure, dpi=150)
        analysis.plots.structure_factor_maps(maps, lattice).savefig(figure.with_stem(figure.stem + "-sq"), dpi=150)


def main() -> None:
    """Compute, print and draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("dmi", "film", "anneal"))
    parser.add_argument("--figure", type=Path, default=None, metavar="FILE.png")
    parser.add_argument("--size", type=int, default=24, help="of annealed lattices, a multiple of 12")
    parser.add_argument("--steps", type=int, default=600, help="of annealing")
    parser.add_argument("--replicas", type=int, default=1, help="of annealing")
    given = parser.parse_args()
    if given.what == "dmi":
        dmi()
    elif given.what == "film":
        film(given.figure)
    else:
        anneal(given.figure, given.size, given.steps, given.replicas)


if __name__ == "__main__":
    main()
