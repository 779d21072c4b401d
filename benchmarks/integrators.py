"""Work against precision of all integrators, without and with a bath.

    python benchmarks/integrators.py [--figure docs/images/integrators.png] [--json FILE] [--model MODEL]
    python benchmarks/integrators.py --quench DATA.npz          # the published quench of electrons alone

Three problems, work being evaluations of the field per unit of time:

    exchange   12 x 12 square lattice, E of exchange (J = 1), DMI (0.3) and an external field (0.2), alpha = 0.1,
               kT = 0, from random spins to t = 10: root mean square error of a spin's direction
    network    a shipped network on 12 x 12 sites, alpha = 0.1, kT = 0, from random spins to t = 20: the same
    bath       ring of 64 spins with J = 1, alpha = 0.5, kT = 0.5, 24 replicas, over times 20 to 100: deviation of
               <S_i . S_i+1> from coth x - 1/x, x = J / kT, with its standard error over replicas

References of the first two: Dormand and Prince's steps at a tolerance of 1e-12. Besides:

    temperature   20 x 20 square lattice, J = 1, 8 replicas over times 15 to 55: energy per site, beside that of Monte
                  Carlo, and T_spin / kT - 1, with standard errors over replicas, beside the estimate of it (steps
                  without noise at the last state) and what is left as a multiple of (D_s dt)^2
    free spins    6000 in a field h = 1 at kT = 0.5, over times 10 to 30: <cos> against the Langevin function
    energy        without damping: change per site of the first problem to t = 100
    quench        DATA.npz as in published_quench.py: parallel bonds of electrons (level fast) at t = 25, one noise,
                  and evaluations

Everything in float64 but the quench, in float32.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import sdgnn
from sdgnn.analysis import parallel_bonds
from sdgnn.analysis.plots.style import COLOURS, MARKERS, WIDTH, style
from sdgnn.common.errors import NumericalError
from sdgnn.common.files import atomic_path
from sdgnn.dynamics import Integrator
from sdgnn.dynamics.step_size import Miss, temperature_bias
from sdgnn.fields import DMI, Field, FieldResult, Heisenberg, Zeeman
from sdgnn.fields.schedules import Time

FIXED: dict[str, type[Integrator]] = {
    "semi-implicit B": sdgnn.SemiImplicitB,
    "Heun": sdgnn.Heun,
    "Depondt-Mertens": sdgnn.DepondtMertens,
    "implicit midpoint": sdgnn.ImplicitMidpoint,
}
ADAPTIVE = "Dormand-Prince"
REPLICAS, SITES, BATH_KT, BEFORE, AFTER = 24, 64, 0.5, 20.0, 80.0


class Counted(Field):
    """A field that counts its evaluations."""

    def __init__(self, field: Field) -> None:
        self.lattice, self.field, self.calls = field.lattice, field, 0

    def evaluate(self, spins: torch.Tensor, time: Time) -> FieldResult:
        self.calls += 1
        return self.field.evaluate(spins, time)


def march(field: Field, spins: torch.Tensor, integrator: Integrator, steps: int) -> tuple[torch.Tensor, int]:
    """Last spins and evaluations of the field."""
    counted = Counted(field)
    state = integrator.init(counted, spins)
    for _ in range(steps):
        state = integrator.step(counted, state)
    return state.spins, counted.calls


def quiet(field: Field, time: float, counts: list[int], tolerances: list[float]) -> list[dict[str, Any]]:
    """Errors at kT = 0 of every integrator, with ``counts`` steps to ``time`` or at ``tolerances``."""
    spins = sdgnn.spins.random(field.lattice, 1, seed=1)
    reference, _ = march(field, spins, sdgnn.DormandPrince(dt=time, damping=0.1, tolerance=1e-12), 1)
    plans: list[tuple[str, Integrator, int]] = [
        (name, scheme(dt=time / steps, damping=0.1), steps) for name, scheme in FIXED.items() for steps in counts
    ]
    plans += [(ADAPTIVE, sdgnn.DormandPrince(dt=time, damping=0.1, tolerance=tolerance), 1) for tolerance in tolerances]
    rows = []
    for name, integrator, steps in plans:
        try:
            last, calls = march(field, spins, integrator, steps)
        except NumericalError:
            continue  # the iteration of the midpoint rule does not converge at the longest steps
        error = float((last - reference).square().sum(-1).mean().sqrt())
        setting = integrator.tolerance if isinstance(integrator, sdgnn.DormandPrince) else integrator.dt
        rows.append({"scheme": name, "setting": setting, "work": calls / time, "error": error})
    return rows


def drift(field: Field, time: float, counts: list[int]) -> list[dict[str, Any]]:
    """Change of the energy per site without damping."""
    spins = sdgnn.spins.random(field.lattice, 1, seed=1)
    first = field(spins).energy
    schemes: list[tuple[str, Integrator, int]] = [
        (name, scheme(dt=time / steps, damping=0.0), steps) for name, scheme in FIXED.items() for steps in counts
    ]
    schemes.append((ADAPTIVE, sdgnn.DormandPrince(dt=time, damping=0.0, tolerance=1e-6), 1))
    rows = []
    for name, integrator, steps in schemes:
        last, calls = march(field, spins, integrator, steps)
        change = float((field(last).energy - first).abs()) / field.lattice.n_sites
        rows.append({"scheme": name, "setting": integrator.dt, "work": calls / time, "change": change})
    return rows


def bath(steps_per_unit: list[int]) -> list[dict[str, Any]]:
    """Errors of the nearest-neighbour correlation of a ring in contact with a bath."""
    field = Counted(Heisenberg(sdgnn.Lattice.chain(SITES), [1.0]))
    spins = sdgnn.spins.random(field.lattice, REPLICAS, seed=1)
    expected = 1 / math.tanh(1 / BATH_KT) - BATH_KT
    energy = [sdgnn.dynamics.observers.energy(1)]
    rows = []
    for name, scheme in FIXED.items():
        settings: dict[str, Any] = {"tolerance": 1e-6} if scheme is sdgnn.ImplicitMidpoint else {}
        for count in steps_per_unit:
            integrator = scheme(dt=1 / count, damping=0.5, kT=BATH_KT, **settings)
            field.calls = 0
            total = round((BEFORE + AFTER) * count)
            try:
                run = sdgnn.simulate(field, spins, integrator, total, seed=3, observers=energy)
            except NumericalError:
                continue
            work = field.calls / (BEFORE + AFTER)
            late = -run.trajectory["energy"].values[round(BEFORE * count) :].mean(0) / SITES
            rows.append(
                {
                    "scheme": name, "setting": integrator.dt, "work": work, "error": abs(late.mean() - expected),
                    "statistical": late.std(ddof=1) / math.sqrt(REPLICAS),
                }
            )  # fmt: skip
    return rows


CASES = [(1.0, 0.5, 0.05), (1.0, 0.5, 0.1), (1.0, 0.5, 0.2), (2.0, 0.5, 0.1), (0.1, 0.5, 0.05)]
"""kT, damping and dt of the square lattice."""
HOT = [(2.0, 1.0, 0.2), (1.0, 1.0, 0.2), (4.0, 1.0, 0.1)]
"""The same where the rest counts, for semi-implicit B alone."""


def temperature() -> list[dict[str, Any]]:
    """Energy and temperature of the spins of a square lattice in a bath, measured and estimated."""
    lattice, replicas = sdgnn.Lattice.square(20, 20), 8
    field, rows = Heisenberg(lattice, [1.0]), []
    exact = {}
    for kT in dict.fromkeys(kT for kT, _, _ in CASES + HOT):
        start = sdgnn.spins.noisy(sdgnn.spins.ferro(lattice, replicas=replicas), 0.4 * math.sqrt(kT), seed=1)
        mixing = sdgnn.MonteCarlo(kT=kT, overrelaxation=1)
        run = sdgnn.simulate(field, start, mixing, 500, seed=2, observers=[sdgnn.dynamics.observers.energy(1)])
        late = run.trajectory["energy"].values[100:].mean(0) / lattice.n_sites
        exact[kT] = run.spins, late.mean()
    for kT, damping, dt in CASES + HOT:
        start, energy = exact[kT]
        watched = [sdgnn.dynamics.observers.energy(4), sdgnn.dynamics.observers.spin_temperature(field, 4)]
        hot = (kT, damping, dt) in HOT
        for name, scheme in [("semi-implicit B", sdgnn.SemiImplicitB)] if hot else FIXED.items():
            settings: dict[str, Any] = {"tolerance": 1e-6} if scheme is sdgnn.ImplicitMidpoint else {}
            integrator = scheme(dt=dt, damping=damping, kT=kT, **settings)
            try:
                run = sdgnn.simulate(field, start, integrator, round(55 / dt), seed=3, observers=watched)
            except NumericalError:
                continue
            late = run.trajectory.isel(time=slice(round(15 / dt / 4), None))
            means = late["energy"].values.mean(0) / lattice.n_sites
            warmth = late["spin_temperature"].values.mean(0) / kT - 1
            state = integrator.init(field, run.spins)
            terms = temperature_bias(field, state, integrator, kT, Miss.of(field, state, integrator))
            spread = damping * kT * dt / (1 + damping**2)
            rows.append(
                {
                    "scheme": name, "kT": kT, "damping": damping, "dt": dt, "E": means.mean(),
                    "E, Monte Carlo": energy, "T/kT - 1, %": 100 * warmth.mean(),
                    "error": 100 * warmth.std(ddof=1) / math.sqrt(replicas), "estimate": 100 * sum(terms),
                    "rest": (warmth.mean() - terms[0] - terms[1]) / spread**2,
                }
            )  # fmt: skip
    return rows


def free_spins() -> list[dict[str, Any]]:
    """<cos> of independent spins in an external field, against coth x - 1/x with x = h / kT = 2."""
    field, expected = Zeeman(sdgnn.Lattice.chain(6000), (0, 0, 1.0)), 1 / math.tanh(2.0) - 0.5
    rows = []
    for damping in (0.3, 1.0):
        for dt in (0.2, 0.1):
            for name, scheme in FIXED.items():
                settings: dict[str, Any] = {"tolerance": 1e-6} if scheme is sdgnn.ImplicitMidpoint else {}
                state = scheme(dt=dt, damping=damping, kT=0.5, **settings).init(
                    field, sdgnn.spins.random(field.lattice, 1, seed=1)
                )
                integrator, seen = scheme(dt=dt, damping=damping, kT=0.5, **settings), []
                for step in range(round(30 / dt)):
                    state = integrator.step(field, state)
                    if step * dt >= 10 and step % round(2 / dt) == 0:
                        seen.append(state.spins[0, :, 2])
                means = torch.stack(seen).mean(0)
                off = 100 * (float(means.mean()) / expected - 1)
                error = 100 * float(means.std()) / math.sqrt(len(means)) / expected
                rows.append({"scheme": name, "damping": damping, "dt": dt, "<cos> off, %": off, "error": error})
    return rows


def quench(path: Path) -> list[dict[str, Any]]:
    """Parallel bonds of the published double-exchange lattice at t = 25, from its own start."""
    with np.load(path, allow_pickle=False) as data:
        start = torch.from_numpy(data["spins"][data["protocol"] == "quench"])[:1].float()
    lattice = sdgnn.Lattice.square(30, 30)
    model = sdgnn.SDModel(lattice, exchange=6.0)
    field = Counted(sdgnn.TruncatedField(model, kT=0.003, filling=873 / 1800, level="fast"))
    rows = []
    for dt in (0.2, 0.1, 0.05):
        for name, scheme in FIXED.items():
            if scheme is sdgnn.ImplicitMidpoint and dt < 0.1:
                continue
            settings: dict[str, Any] = {"tolerance": 1e-6} if scheme is sdgnn.ImplicitMidpoint else {}
            field.calls = 0
            run = sdgnn.simulate(
                field, start, scheme(dt=dt, damping=0.055, kT=0.001, **settings), round(25 / dt), observers=()
            )
            bonds = float(parallel_bonds(run.spins, lattice)) * 1800
            rows.append({"scheme": name, "dt": dt, "parallel bonds": bonds, "evaluations": field.calls})
    return rows


def figure(found: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The three problems side by side."""
    titles = {
        "exchange": "exchange, DMI and field, $kT = 0$",
        "network": "network, $kT = 0$",
        "bath": f"ring in a bath, $kT = {BATH_KT:g} J$",
    }
    with style():
        from matplotlib.figure import Figure

        drawn = Figure(figsize=(WIDTH * 1.25, 3.3), layout="constrained")
        for axes, (name, title) in zip(drawn.subplots(1, 3), titles.items(), strict=True):
            for k, scheme in enumerate([*FIXED, ADAPTIVE]):
                rows = [row for row in found[name] if row["scheme"] == scheme]
                if rows:
                    axes.plot(
                        [row["work"] for row in rows], [row["error"] for row in rows], color=COLOURS[k],
                        marker=MARKERS[k], label=scheme if name == "exchange" else None,
                    )  # fmt: skip
            if name == "bath":
                floor = max(row["statistical"] for row in found[name])
                axes.axhspan(axes.get_ylim()[0] / 10, floor, color="0.9", lw=0)
                axes.set_ylim(bottom=floor / 5)
            axes.set(xscale="log", yscale="log", title=title, xlabel=r"evaluations per $\hbar / t$")
            axes.set_ylabel(r"error of $\langle S_i \cdot S_{i+1} \rangle$" if name == "bath" else "error of a spin")
        drawn.legend(loc="outside upper center", ncols=5)
        with atomic_path(path) as temporary:
            drawn.savefig(temporary)


def tables(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print every number."""
    for name, rows in found.items():
        table = Table(title=name, title_justify="left")
        for column in rows[0]:
            table.add_column(column, justify="left" if column == "scheme" else "right")
        for row in rows:
            table.add_row(*(value if isinstance(value, str) else f"{value:.3g}" for value in row.values()))
        Console(width=110).print(table)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", default="triangular-tetrahedral", help="network: folder, file or shipped name")
    parser.add_argument("--quench", type=Path, help="double_exchange_prl2021.npz: the quench of electrons alone")
    given = parser.parse_args()
    threads = torch.get_num_threads()
    Console(width=110).print(f"{platform.machine()}, torch {torch.__version__}, {threads} thread(s)")
    if given.quench is not None:
        tables({"quench": quench(given.quench)})
        return

    square = sdgnn.Lattice.square(12, 12)
    classical = Heisenberg(square, [1.0]) + DMI(square, 0.3) + Zeeman(square, (0, 0, 0.2))
    network = sdgnn.load(given.model).on(sdgnn.Lattice.triangular(12, 12), dtype=torch.float64)
    tolerances = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
    problems: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "temperature": temperature,
        "free spins": free_spins,
        "energy without damping": lambda: drift(classical, 100.0, [1000, 2000]),
        "bath": lambda: bath([2, 3, 5, 10]),
        "exchange": lambda: quiet(classical, 10.0, [40, 80, 160, 320], tolerances),
        "network": lambda: quiet(network, 20.0, [20, 40, 80, 160], tolerances[:6]),
    }
    found = {}
    for name, solve in problems.items():
        found[name] = solve()
        tables({name: found[name]})
    if given.json is not None:
        with atomic_path(given.json) as temporary:
            temporary.write_text(json.dumps(found, indent=2) + "\n")
    if given.figure is not None:
        figure(found, given.figure)


if __name__ == "__main__":
    main()
