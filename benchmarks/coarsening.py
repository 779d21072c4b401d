"""The study of docs/coarsening.md: its stored results, tables and figures.

    python benchmarks/coarsening.py collect    results/coarsening -> notebooks/stored
    python benchmarks/coarsening.py report     notebooks/stored -> tables of Markdown, and figures in docs/images
    python benchmarks/coarsening.py steps      lengths at dt = 1, 2 and 2.5 on 64 x 64 sites; two minutes of a core
    python benchmarks/coarsening.py levels     torques of fast and accurate in states of results/coarsening/levels-fast

The runs behind ``collect`` are named in configs/coarsening. Runs that are not there are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray
from stored_results import commands, console, copied, opened

import sdgnn
from sdgnn import analysis
from sdgnn.analysis import plots
from sdgnn.dynamics import open_trajectory

CHECKS = {
    "coarsening-check": ("coarsening/check/agreement.nc", "exact and fast, 12 x 12"),
    "coarsening-levels": ("coarsening/levels/agreement.nc", "accurate and fast, 128 x 128"),
}
RUNS = {
    "coarsening": ("coarsening/analysis/domains.nc", "kT = 0.003", (60, 100, 150, 200, 300)),
    "coarsening-warm": ("coarsening/analysis-warm/domains.nc", "kT = 0.01", (60, 100, 150, 200, 300)),
    "coarsening-control": ("coarsening/control-analysis/domains.nc", "control", (16, 32, 64)),
}
"""Path of the results, title, and where windows begin that last to the end."""
SHOWN = (10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 600, 800, 1200)
QUANTITIES = ("energy", "absolute_chirality", "bragg_weight", "nearest_neighbour_correlation", "domain_length",
              "domain_length_walls", "domain_length_clusters", "spin_domain_length")  # fmt: skip
FIGURES = {
    "coarsening": ("lengths", "local_exponent", "collapse", "walls"),
    "coarsening-control": ("local_exponent",),
}
DRAWS = 60
"""Resampled sets of replicas."""


def collect(results: Path, stored: Path) -> None:
    """Results of the runs in small files."""
    paths = {name: path for name, (path, *_) in (CHECKS | RUNS).items() if (results / path).exists()}
    copied(paths, results, stored)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of Markdown."""
    lines = [columns, ("---",) * len(columns), *rows]
    console.print(f"\n{title}\n", *("| " + " | ".join(line) + " |" for line in lines), sep="\n", markup=False,
                  soft_wrap=True)  # fmt: skip


def agreement(found: xarray.Dataset, title: str) -> None:
    """How far two runs agree that share first spins and noise."""
    rows = []
    for name in QUANTITIES:
        if f"{name}_within" not in found.attrs:
            continue
        within, rms, paired = (found.attrs[f"{name}_{key}"] for key in ("within", "rms", "paired_rms"))
        ends = (f"{float(found[f'{name}_{which}'][-1]):.4g}" for which in ("first", "second", "error"))
        rows.append((name, f"{100 * within:.0f} %", f"{rms:.2f}", f"{paired:.2f}", *ends))
    time = found[found["energy_difference"].dims[0]].values[-1]
    columns = ("quantity", "within two errors", "rms / error", "rms / paired error", "first", "second", "error")
    table(f"{title}, to t = {time:g}", columns, rows)


def bootstrap(time: np.ndarray, lengths: torch.Tensor, window: tuple[float, float]) -> float:
    """Standard deviation of the exponent with a delay over resampled replicas, times sqrt(R / (R - 1))."""
    draw, replicas = np.random.default_rng(0), len(lengths)
    sets = [torch.from_numpy(draw.integers(replicas, size=replicas)) for _ in range(DRAWS)]
    values = [analysis.law_exponent(time, lengths[chosen], window).value for chosen in sets]
    return float(np.nanstd(values) * (replicas / (replicas - 1)) ** 0.5)


def growth(found: xarray.Dataset, title: str, starts: Sequence[float]) -> None:
    """Lengths, exponents, walls and memory of one run."""
    time, length = found["time"].values, found["length"].values
    shown = sorted({int(np.abs(time - t).argmin()) for t in SHOWN if t <= time[-1]} | {len(time) - 1})
    at = [f"t = {time[k]:g}" for k in shown]
    rows = []
    for n, route in enumerate(found.route.values):
        mean, error = analysis.mean_and_error(torch.tensor(length[n].T))
        rows.append((str(route), *(f"{mean[k]:.2f} ± {error[k]:.2f}" for k in shown)))
    table(f"{title}: L", ("route", *at), rows)
    rows = [
        (str(route), *(f"{float(found['local_exponent'][n, k]):.2f} ± "
                       f"{float(found['local_exponent_error'][n, k]):.2f}" for k in shown))
        for n, route in enumerate(found.route.values)
    ]  # fmt: skip
    table(f"{title}: d ln L / d ln t", ("route", *at), rows)
    rows = []
    for n, route in enumerate(found.route.values):
        by_replica = torch.tensor(length[n].T)
        for start in starts:
            if start > time[-1] / 2:
                continue
            window = (start, float(time[-1]))
            fit = analysis.growth_exponent(time, by_replica, window)
            law = analysis.law_exponent(time, by_replica, window)
            beside = analysis.law_exponent(time, by_replica, window, "offset")
            begin = analysis.delayed_exponent(time, by_replica, window).delay
            rows.append((
                str(route), f"{start:g} to {time[-1]:g}", f"{fit.value:.3f} ± {fit.error:.3f}",
                f"{fit.drift:+.2f} ± {fit.drift_error:.2f}" + (" *" if fit.drifts else ""),
                f"{law.value:.2f} ± {law.error:.2f}", f"{bootstrap(time, by_replica, window):.2f}", f"{begin:.0f}",
                f"{(law.value - 0.5) / law.error:+.1f}", f"{(law.value - 1) / law.error:+.1f}",
                f"{beside.value:.2f} ± {beside.error:.2f}",
            ))  # fmt: skip
    columns = ("route", "times", "n", "drift", "n with a delay", "bootstrap error", "t_0", "from 1/2, errors",
               "from 1, errors", "n with an offset")  # fmt: skip
    table(f"{title}: exponents (* more than chance)", columns, rows)
    fold = 4 if "square" in found.attrs["lattice"] else 6
    harmonic = (found["orientation"] * np.cos(fold * found["angle"])).mean("angle")
    ratio = found["orientation"].mean("replica")
    rows = [(
        f"cos {fold} a", *(f"{float(h.mean()):+.3f} ± {float(h.std(ddof=1)) / len(h) ** 0.5:.3f}"
                           for h in (harmonic.values[k] for k in shown)),
    ), ("most / least", *(f"{float(ratio[k].max() / ratio[k].min()):.1f}" for k in shown)), (
        "share of +", *(f"{float(found['phase_fraction'][k].mean()):.2f}" for k in shown),
    ), ("wrapping", *(f"{float(found['wrapping_fraction'][k].mean()):.2f}" for k in shown)), (
        "Porod's exponent", *(f"{float(found['porod_exponent'][k]):.2f}" for k in shown),
    )]  # fmt: skip
    table(f"{title}: walls", ("", *at), rows)
    rows = [
        (name, *(f"{float(found[name].mean('replica').sel(later=time[k])):.2f}" for k in shown
                 if time[k] >= found["later"].values[0]))
        for name in ("frozen", "autocorrelation")
    ]  # fmt: skip
    later = [f"t = {time[k]:g}" for k in shown if time[k] >= found["later"].values[0]]
    table(f"{title}: since t = {found['later'].values[0]:g}", ("", *later), rows)
    console.print(f"\n{title}: collapse of C(r / L) to {found.attrs['collapse_quality']:.1f} errors, spread "
                  f"{found.attrs['collapse_spread']:.3f}; routes differ by {found.attrs['exponent_spread']:.2f} ± "
                  f"{found.attrs['exponent_spread_error']:.2f}", soft_wrap=True)  # fmt: skip


def report(stored: Path, images: Path) -> None:
    """Tables of checks and runs, and figures."""
    for name, (_, title) in CHECKS.items():
        if (stored / f"{name}.nc").exists():
            agreement(opened(name, stored), title)
    for name, (_, title, starts) in RUNS.items():
        if not (stored / f"{name}.nc").exists():
            continue
        found = opened(name, stored)
        growth(found, title, starts)
        figures = plots.coarsening_figures(found)
        for part in FIGURES.get(name, ()):
            figures[part].savefig(images / f"{name}-{part.replace('_', '-')}.png", dpi=130, bbox_inches="tight")


def steps(size: int = 64, replicas: int = 3, until: float = 200.0) -> None:
    """The quench of quench.yaml on a small lattice with three steps of time."""
    lattice = sdgnn.Lattice.triangular(size, size)
    field = sdgnn.TruncatedField(sdgnn.SDModel(lattice, exchange=3.0), kT=0.05, filling=0.25, level="fast")
    names, rows = ("energy", "absolute_chirality", "domain_length", "domain_length_walls"), []
    for dt in (1.0, 2.0, 2.5):
        spins = sdgnn.spins.random(lattice, replicas, seed=0, dtype=torch.float32)
        watch = [analysis.observer(name, lattice, round(20 / dt)) for name in names]
        bath = sdgnn.DepondtMertens(dt=dt, damping=0.5, kT=0.003)
        found = sdgnn.simulate(field, spins, bath, round(until / dt), seed=1, observers=watch).trajectory
        for name in names:
            values = found[name].values / (lattice.n_sites if name == "energy" else 1)
            mean, error = values.mean(-1), values.std(-1, ddof=1) / replicas**0.5
            rows.append((name, f"{dt:g}", *(f"{m:.5g} ± {e:.2g}" for m, e in zip(mean[1:], error[1:], strict=True))))
    columns = ("quantity", "dt", *(f"t = {20 * k}" for k in range(1, round(until / 20) + 1)))
    table(f"{replicas} replicas of {size} x {size} sites", columns, sorted(rows, key=lambda row: names.index(row[0])))


def levels(folder: Path = Path("results/coarsening/levels-fast")) -> None:
    """Torques of level fast against accurate in the states of a quench."""
    trajectory, rows = open_trajectory(folder), []
    spins = trajectory["spins"]
    lattice = analysis.lattice_of_run(folder)
    model = sdgnn.SDModel(lattice, exchange=3.0)
    fields = [sdgnn.TruncatedField(model, kT=0.05, filling=0.25, level=level) for level in ("accurate", "fast")]
    for time, state in zip(spins[spins.dims[0]].values, spins, strict=True):
        first = torch.from_numpy(state.values[:1])
        accurate, fast = (torch.linalg.cross(first, field(first).field.to(first)) for field in fields)
        rms, error = (float(values.square().mean().sqrt()) for values in (accurate, fast - accurate))
        rows.append((f"{time:g}", f"{rms:.5f}", f"{error:.5f}", f"{1 - (error / rms) ** 2:.4f}"))
    table(f"{lattice!r}, first replica", ("t", "torque", "rms error of fast", "R^2"), rows)


if __name__ == "__main__":
    commands(__doc__, collect, report, {"steps": steps, "levels": levels})
