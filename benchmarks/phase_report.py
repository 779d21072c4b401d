"""What the stored phase diagrams say: which state is lowest where, tables and the figure. Used by phase_diagram.py."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray
from phase_orders import energies, guesses, lattice_of, levels_of, spiral_levels, spiral_name
from rich.console import Console
from rich.table import Table

from sdgnn.analysis import plots
from sdgnn.analysis.plots.style import COLOURS, WIDTH, remark, style
from sdgnn.analysis.transitions.mixtures import phase_mixture

MARGIN = 5e-4
"""Energy per site by which a state or a mixture has to be lower to count as lower, in t."""
CLOSE = 3e-3
"""Energy per site within which annealing counts as having found the best guess."""
NAMES = {
    "ferro": "ferromagnet",
    "neel": "Néel",
    "order120": "120 degrees",
    "stripe": "stripes",
    "90 degrees": "90 degrees",
    "tetrahedral": "tetrahedral",
    "spiral": "spiral",
    "3 of 4": "3 up, 1 down",
    "2 of 3": "2 up, 1 down",
    "uudd": "double stripes",
    "uudd diagonal": "double stripes",
    "no guess": "no guess",
}
"""Names of orders in the figure."""
SHOWN = {"square": ((3.0, 0.25), (6.0, 0.5)), "triangular": ((3.0, 0.25), (6.0, 0.5))}
"""(J, filling) whose structure factors are drawn."""
LARGE = 1
"""The round of the annealed states of 24 x 24 sites."""
MIXED = 6.0
"""J of the square lattice whose energies above the best mixture are drawn."""


def with_lowest(data: xarray.Dataset) -> xarray.Dataset:
    """``data`` with the lowest state at each J and filling: ``energy``, ``order``, and ``above``.

    ``above`` is its energy above that of the best mixture of two fillings. An annealed state counts where it lies below
    every guess by MARGIN.
    """
    known = np.concatenate([data["guess_energy"].values, data["spiral_energy"].values[:, None]], axis=1)
    guess, names, found = known.argmin(1), data["guess"].values.tolist(), data["annealed_energy"].values
    order = [
        [
            "no guess" if found[j, k] < known[j, :, k].min() - MARGIN else [*names, str(spiral)][guess[j, k]]
            for k, spiral in enumerate(data["spiral_order"].values[j])
        ]
        for j in range(len(found))
    ]
    energy = np.minimum(known.min(1), found)
    above = energy - np.stack([mixed(data["filling"].values, row) for row in energy])
    places = ("exchange", "filling")
    return data.assign(order=(places, np.array(order)), energy=(places, energy), above=(places, above))


def mixed(filling: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Energy of the best mixture of two fillings at each one, those above 1/2 of the square lattice included."""
    if filling[-1] < 1:
        filling, energy = np.append(filling, 1 - filling[-2::-1]), np.append(energy, energy[-2::-1])
        return phase_mixture(filling, energy).energy[: len(filling) // 2 + 1]
    return phase_mixture(filling, energy).energy


def text_of(data: xarray.Dataset) -> list[str]:
    """One line for each J: orders by their fillings, with a star where phases separate."""
    lines = []
    for j, exchange in enumerate(data["exchange"].values):
        row = data.isel(exchange=j).sel(filling=slice(1e-9, 1 - 1e-9))  # without electrons or holes there is no order
        cells = zip(row["filling"].values, row["order"].values, row["above"].values > MARGIN, strict=True)
        parts = []
        for (name, apart), group in groupby(cells, key=lambda cell: (str(cell[1]), bool(cell[2]))):
            places = [float(cell[0]) for cell in group]
            parts.append(f"{places[0]:.4g}-{places[-1]:.4g} {name}{'*' if apart else ''}")
        lines.append(f"J = {exchange:g}: {'; '.join(parts)}")
    return lines


def beside_half(data: xarray.Dataset) -> list[str]:
    """One line for each J: fillings of the phases into which 0.0125 electrons (or holes) per two sites separate."""
    lines = []
    for j, exchange in enumerate(data["exchange"].values):
        filling, energy = data["filling"].values, data["energy"].values[j]
        if data.attrs["lattice"] == "square":
            filling, energy = np.append(filling, 1 - filling[-2::-1]), np.append(energy, energy[-2::-1])
        mixture, half = phase_mixture(filling, energy), len(filling) // 2
        ends = [(mixture.low[k], mixture.high[k]) for k in (half - 1, half + 1)]
        told = [f"{low:.4g} and {high:.4g}" if low < high else "one phase" for low, high in ends]
        lines.append(f"J = {exchange:g}: {' below, '.join(told)} above")
    return lines


def against_guesses(data: xarray.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """At each annealed point, energies of the best annealed state and of the best guess."""
    known = np.minimum(_at_starts(data, "guess_energy").min(1), _at_starts(data, "spiral_energy"))
    own = np.nan_to_num(data["own_energy"].values, nan=np.inf).min(-1)
    return np.where(np.isfinite(own), own, np.nan), known


def report(stored: Path, figure: Path | None) -> None:
    """Prints lines of orders, what annealing gains, and the field's energies beside exact ones; draws the figure."""
    console, all_data = Console(width=150), {}
    for name in ("square", "triangular"):
        data = all_data[name] = xarray.open_dataset(stored / f"phase-diagram-{name}.nc", engine="scipy").load()
        console.print(f"\n{name} (star: phases separate)", *text_of(data), sep="\n")
        console.print(
            "fillings of the phases that are best just below and just above half filling", *beside_half(data), sep="\n"
        )
        annealed, best = against_guesses(data)
        gain = best - annealed
        below, close, above = gain > MARGIN, np.abs(gain) <= CLOSE, gain < -CLOSE
        console.print(
            f"annealed states of {np.isfinite(gain).sum()} points: {below.sum()} below every guess by more than "
            f"{MARGIN:g} t, {close.sum()} within {CLOSE:g} t of the best, {above.sum()} further above; "
            f"median {-np.nanmedian(gain):.4f} t above"
        )
        for j, k in np.argwhere(gain > MARGIN):
            point = data.isel(exchange=j, start=k)
            console.print(
                f"  J = {float(point['exchange']):g}, filling {float(point['start']):g}: {gain[j, k]:.4f} t below, "
                f"{point['own_order'].values!s}, mean |chirality| {float(point['own_chirality']):.2f}"
            )
        miss = np.abs(data["own_field"].values - data["own_energy"].values)
        perfect = np.abs(np.moveaxis(data["guess_field"].values, 2, 1) - _at_starts(data, "guess_energy"))
        spirals = np.abs(data["spiral_field"].values - _at_starts(data, "spiral_energy"))
        for what, error in (("annealed states", miss), ("guesses", perfect), ("best spirals", spirals)):
            console.print(
                f"field - exact, energy per site of {what}: median {np.nanmedian(error):.5f}, "
                f"nine of ten below {np.nanpercentile(error, 90):.4f}, at most {np.nanmax(error):.4f} t"
            )
    console.print(checked(all_data))
    console.print(three_quarters())
    if figure is not None:
        draw(all_data, figure)


def _at_starts(data: xarray.Dataset, name: str) -> np.ndarray:
    """A variable at the fillings of the annealed states, these last."""
    near = np.abs(data["filling"].values[:, None] - data["start"].values).argmin(0)
    return data[name].values[..., near]


def checked(all_data: dict[str, xarray.Dataset]) -> Table:
    """Exact energies, and those of the field, of the lowest states of the points that have one of 24 x 24 sites."""
    columns = ("lattice", "J", "filling", "12 x 12, exact", "field", "24 x 24, exact", "field", "two best guesses")
    table = Table(*columns, "exact", "field", title="Energy per site (t) of annealed states and guesses")
    for name, data in all_data.items():
        guessed, spirals = _at_starts(data, "guess_energy"), _at_starts(data, "spiral_energy")
        turned = _at_starts(data, "spiral_order")
        for j, k in np.argwhere(np.isfinite(data["own_energy"].values[..., LARGE])):
            own, field = data["own_energy"].values[j, k], data["own_field"].values[j, k]
            names = [*data["guess"].values.tolist(), str(turned[j, k])]
            exact = np.append(guessed[j, :, k], spirals[j, k])
            by_field = np.append(data["guess_field"].values[j, k], data["spiral_field"].values[j, k])
            first = np.nanargmin(np.where(np.arange(len(own)) == LARGE, np.nan, own))
            two = exact.argsort()[:2]
            table.add_row(
                name, f"{float(data['exchange'][j]):g}", f"{float(data['start'][k]):g}", f"{own[first]:.4f}",
                f"{field[first]:.4f}", f"{own[LARGE]:.4f}", f"{field[LARGE]:.4f}", ", ".join(names[i] for i in two),
                ", ".join(f"{exact[i]:.4f}" for i in two), ", ".join(f"{by_field[i]:.4f}" for i in two),
            )  # fmt: skip
    return table


def three_quarters() -> Table:
    """Exact energies at weak coupling and three-quarters filling of the triangular lattice, electrons at kT = 0.01."""
    table = Table("J", "best spiral", "energy", "tetrahedral", title="Triangular, filling 3/4, kT = 0.01, per site (t)")
    lattice = lattice_of("triangular")
    cell, spins = guesses("triangular")["tetrahedral"]
    for exchange in (0.25, 0.5, 1.0):
        q, levels = spiral_levels(lattice, exchange)
        spirals = energies(levels, (0.75,), 0.01)[:, 0]
        chiral = float(energies(levels_of(cell, spins, exchange)[None], (0.75,), 0.01)[0, 0])
        best = spiral_name(q[spirals.argmin()], lattice)
        table.add_row(f"{exchange:g}", best, f"{spirals.min():.5f}", f"{chiral:.5f}")
    return table


@style()
def draw(all_data: dict[str, xarray.Dataset], path: Path) -> None:
    """Both diagrams; below, S(q) of annealed states, and energies above the best mixture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.8, 1))
    above, below = parts
    halves: Any = above.subfigures(1, 2)
    for part, (name, data) in zip(halves, all_data.items(), strict=True):
        inner = data.isel(filling=slice(1, None if name == "square" else -1))  # no electrons, no order
        orders = [[NAMES[str(order)] for order in row] for row in inner["order"].values]
        apart = inner["above"].values > MARGIN
        places = inner["filling"].values, inner["exchange"].values
        plots.phase_diagram(orders, *places, list(dict.fromkeys(NAMES.values())), apart, into=part)
        part.suptitle(f"{name} lattice")
    left, middle, right = below.subfigures(1, 3, width_ratios=(1.1, 1.1, 0.8))
    for part, (name, data) in zip((left, middle), all_data.items(), strict=True):
        maps = {
            f"J = {j:g}, {f:g}": torch.from_numpy(data["own_structure"].sel(exchange=j, start=f).values)
            for j, f in SHOWN[name]
        }
        plots.structure_factor_maps(maps, lattice_of(name), label="$S(q) / N$", into=part)
    axes = right.add_subplot()
    data = all_data["square"].sel(exchange=MIXED)
    filling, chord = data["filling"].values, (data["energy"] - data["above"]).values
    curves = {"best guess": np.minimum(data["spiral_energy"].values, data["guess_energy"].values.min(0)),
              "best annealed": data["annealed_energy"].values}  # fmt: skip
    for (label, energy), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(filling, 1e3 * (energy - chord), color=colour, label=label)
    axes.axhline(0, color="black", lw=0.8, ls=":")
    axes.set(xlabel="filling", ylabel="above the best mixture ($10^{-3}\\,t$)", ylim=(-2, 60))
    axes.legend()
    remark(axes, f"square lattice, J = {MIXED:g}")
    figure.savefig(path)
