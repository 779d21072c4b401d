"""The published exact quench of a 30 x 30 double-exchange lattice, run again by other fields from its own first state.

    python benchmarks/published_quench.py run DATA.npz --field fast
    python benchmarks/published_quench.py run DATA.npz --field accurate
    python benchmarks/published_quench.py run DATA.npz --field square-double-exchange
    python benchmarks/published_quench.py run DATA.npz --field old.safetensors --replicas 4 --dt 0.5
    python benchmarks/published_quench.py run DATA.npz --field fast --bath 0.01 --replicas 4 --dt 0.5 --time 500
    python benchmarks/published_quench.py run DATA.npz --field fast --kT 0.02 --replicas 4 --dt 0.5 --time 500
    python benchmarks/published_quench.py collect DATA.npz    results/published -> notebooks/stored
    python benchmarks/published_quench.py report              notebooks/stored -> tables and figures of docs/arrested.md

DATA.npz holds the snapshots of that quench (spins, density, step, protocol; Zhang and Chern, Phys. Rev. Lett. 127,
146401, doi:10.1103/PhysRevLett.127.146401; zhangpuhan/ML_double_exchange). The parameters are those recovered from the
snapshots (benchmarks/quench_parameters.py): J = 6, 873 electrons at kT = 0.003, damping 0.055, bath kT = 0.001. A field
is a level of the truncated electrons, without training, or a model. The package's former network of messages:

    git show b0662f9:sdgnn/nn/models/square-double-exchange.safetensors > old.safetensors

Each run has several replicas, which differ in the noise alone; it can be interrupted, and goes on where it was. Regions
are clusters of neighbouring sites with a parallel bond (S_i . S_j > 1/2) each, see sdgnn.analysis.parallel_sites.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import xarray
from matplotlib.figure import Figure
from stored_results import ROOT, opened, table, write
from torch import Tensor

import sdgnn
from sdgnn.analysis import (
    cluster_areas,
    local_correlation,
    observer,
    parallel_bonds,
    parallel_sites,
    plots,
    site_graph,
    spin_correlation,
    structure_factor_at,
)
from sdgnn.dynamics import open_trajectory
from sdgnn.fields import Field

ELECTRONS, HOLES, EXCHANGE, KT = 873, 27, 6.0, 0.003
DAMPING, BATH, DT = 0.055, 0.001, 0.025
LEVELS = ("fast", "accurate")
LATTICE = sdgnn.Lattice.square(30, 30)
BONDS, SAVED = 2 * LATTICE.n_sites, 25.0
LARGEST = 48
"""Regions of a state that are stored, more than there ever are; the rest is 0."""
SETTLED = 200.0
"""Time from which states are shown beside the last of the snapshots."""
TIMES = (25, 50, 100, 150, 200, 300, 500, 1000)


def published(path: Path) -> tuple[Tensor, Tensor, np.ndarray]:
    """Spins (time, site, 3), density (time, site) and times of the snapshots."""
    with np.load(path, allow_pickle=False) as data:
        quench = data["protocol"] == "quench"
        return (
            torch.from_numpy(data["spins"][quench]),
            torch.from_numpy(data["density"][quench]),
            data["step"][quench] * DT,
        )


def field_of(name: str, kT: float = KT) -> Field:
    """The field of a level of truncated electrons at ``kT``, of a shipped model, or of a model's file."""
    if name in LEVELS:
        model = sdgnn.SDModel(LATTICE, exchange=EXCHANGE)
        return sdgnn.TruncatedField(model, kT=kT, filling=ELECTRONS / BONDS, level=name)
    return sdgnn.load(name).on(LATTICE)


def run(given: argparse.Namespace) -> None:
    """Run, or go on."""
    changed = [f"{word} {value:g}" for word, value, usual in
               (("electrons", given.kT, KT), ("bath", given.bath, BATH)) if value != usual]  # fmt: skip
    folder = given.results / ", ".join([Path(given.field).stem, *changed])
    every = round(SAVED / given.dt)
    sdgnn.simulate(
        field_of(given.field, given.kT),
        published(given.data)[0][:1].expand(given.replicas, -1, -1).contiguous(),
        sdgnn.DepondtMertens(dt=given.dt, damping=DAMPING, kT=given.bath),
        round(given.time / given.dt),
        seed=0,
        observers=[observer("spins", LATTICE, every)],
        folder=folder,
        resume=folder.exists(),
        progress=True,
        checkpoint_every=every,
    )


def sizes(spins: Tensor) -> Tensor:
    """Sites of the regions of states (state, site, 3), largest first, zeros behind; (state, LARGEST)."""
    found = torch.zeros(len(spins), LARGEST)
    clusters = cluster_areas(parallel_sites(spins, LATTICE).long(), site_graph(LATTICE), phase=1)
    for row, areas in zip(found, clusters, strict=True):
        row[: min(len(areas), LARGEST)] = areas[:LARGEST].round()
    return found


def neel_weight(spins: Tensor) -> Tensor:
    """S(pi, pi) over the number of sites of states (state, site, 3): 1 in Neel order."""
    return structure_factor_at(spins, LATTICE, np.array([[np.pi, np.pi]]))[:, 0] / LATTICE.n_sites


def described(spins: Tensor, halfway: Tensor, density: Tensor) -> xarray.Dataset:
    """Numbers of runs: spins (time, replica, site, 3), density half way and at the end (replica, site)."""
    marked = parallel_sites(spins[-1], LATTICE)
    holes = 1 - density
    inside = (holes * marked).sum(1) / holes.sum(1)
    memory = torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(halfway, density, strict=True)])
    return xarray.Dataset(
        {
            "parallel_bonds": (("time", "replica"), torch.stack([parallel_bonds(s, LATTICE) * BONDS for s in spins])),
            "correlation": (("time", "replica"), torch.stack([spin_correlation(s, LATTICE)[:, 0] for s in spins])),
            "neel": (("time", "replica"), torch.stack([neel_weight(s) for s in spins])),
            "regions": (("time", "replica", "region"), torch.stack([sizes(s) for s in spins]).to(torch.int16)),
            "holes_inside": ("replica", inside),
            "memory": ("replica", memory),
            "map": ("site", local_correlation(spins[-1], LATTICE)[0]),
        },
        {"replica": range(spins.shape[1])},
    )


def collect(given: argparse.Namespace) -> None:
    """Numbers of the snapshots and of all runs, by field, in one small file."""
    spins, density, times = published(given.data)
    half = len(times) // 2
    parts = {"published": described(spins[:, None], density[None, half], density[None, -1]).assign_coords(time=times)}
    electrons = field_of("accurate")
    for folder in sorted(given.results.iterdir()):
        found = open_trajectory(folder)["spins"]
        when = found[found.dims[0]].values
        if len(when) < 2:
            continue
        states = torch.from_numpy(found.values)
        half = int(np.abs(when - when[-1] / 2).argmin())
        halfway, end = (electrons(states[k]).density for k in (half, -1))
        assert halfway is not None and end is not None
        parts[folder.name] = described(states, halfway, end).assign_coords(time=when)
    joined = xarray.concat(list(parts.values()), xarray.Variable("field", list(parts)), join="outer")
    write("arrested-published", joined, given.stored)


def spread(values: np.ndarray) -> str:
    """Mean and standard error over replicas that ran; the number alone where there is one."""
    values = values[np.isfinite(values)]
    largest = np.abs(values).max(initial=0)
    digits = 4 if largest < 0.3 else 3 if largest < 2 else 1
    if len(values) < 2:
        return "".join(f"{v:.{digits}f}" for v in values) or "-"
    return f"{values.mean():.{digits}f} ± {values.std(ddof=1) / len(values) ** 0.5:.{digits}f}"


def last(found: xarray.Dataset) -> xarray.Dataset:
    """The last recorded state of a field's runs."""
    return found.isel(time=int(np.flatnonzero(np.isfinite(found["correlation"].values).any(1))[-1]))


def report(given: argparse.Namespace) -> None:
    """Tables of all fields beside the snapshots, and the figures."""
    found = opened("arrested-published", given.stored)
    names = [str(name) for name in found["field"].values]
    series = {n: found.sel(field=n) for n in names}
    ends = {n: last(one) for n, one in series.items()}
    rows = [(n, *(spread(one["parallel_bonds"].sel(time=t).values) for t in TIMES)) for n, one in series.items()]
    table("parallel bonds", ("field", *(f"t = {t}" for t in TIMES)), rows)
    rows = []
    for n, one in ends.items():
        alive = np.isfinite(one["correlation"].values)
        regions = one["regions"].values[alive]
        count = (regions > 0).sum(1)
        numbers = [one["correlation"].values, one["neel"].values, count * 1.0, regions[:, 0]]
        numbers += [(regions == 5).sum(1) * 1.0, HOLES / count, one["holes_inside"].values, one["memory"].values]
        rows.append((n, f"{alive.sum()}", f"{float(one['time']):g}", *(spread(v) for v in numbers)))
    columns = ("correlation", "S(pi, pi)", "regions", "largest", "of 5 sites", "holes each", "holes inside", "memory")
    table("last states", ("field", "noises", "time", *columns), rows)
    ranks = range(8)
    rows = [(n, *(spread(one["regions"].values[:, k]) for k in ranks)) for n, one in ends.items()]
    table("sites of the n-th largest region at the end", ("field", *(str(k + 1) for k in ranks)), rows)
    settled = {n: one for n, one in ends.items() if float(one["time"]) >= SETTLED}
    draw({n: series[n] for n in settled}, settled).savefig(given.images / "arrested-published.png", dpi=130)
    maps = {n: one["map"].values for n, one in settled.items()}
    words = r"mean $\mathbf{S}_i\cdot\mathbf{S}_j$ of the neighbours"
    plots.site_maps(maps, LATTICE, words, (-1, 1), "RdBu_r").savefig(given.images / "arrested-maps.png", dpi=130)


def draw(series: dict[str, xarray.Dataset], settled: dict[str, xarray.Dataset]) -> Figure:
    """Parallel bonds through time, and the sizes of regions at the end by their rank."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    bonds, ranks = figure.subplots(1, 2)
    for name, one in series.items():
        values = one["parallel_bonds"].values
        runs = np.isfinite(values).any(0)
        values = values[:, runs]
        style = {"color": "black", "linewidth": 2, "zorder": 3} if name == "published" else {}
        (line,) = bonds.plot(one["time"], values.mean(1), label=name, **style)
        regions = settled[name]["regions"].values[runs]
        kept = (regions > 0).any(0)
        shown = [(bonds, one["time"].values, values.T), (ranks, 1 + np.flatnonzero(kept), regions[:, kept])]
        ranks.plot(shown[-1][1], regions.mean(0)[kept], ".-", **{"color": line.get_color(), **style})
        if runs.sum() > 1:
            for panel, x, y in shown:
                error = y.std(0, ddof=1) / runs.sum() ** 0.5
                panel.fill_between(x, y.mean(0) - error, y.mean(0) + error, color=line.get_color(), alpha=0.3)
    bonds.set(xlabel="time", ylabel="parallel bonds of 1,800", ylim=(90, 250), xlim=(0, 1000))
    ranks.set(xlabel="rank of the region", ylabel="sites at the end", xlim=(0.5, 20.5), ylim=(0, 45))
    bonds.legend(frameon=False)
    return figure


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    running = kinds.add_parser("run", help="one field, or go on with it")
    running.add_argument("--field", default="accurate", help="fast, accurate, a shipped model or a model's file")
    running.add_argument("--replicas", type=int, default=8, help="noises")
    running.add_argument("--time", type=float, default=1000.0, help="in hbar / t")
    running.add_argument("--dt", type=float, default=0.2)
    running.add_argument("--kT", type=float, default=KT, help="of the electrons of a level")
    running.add_argument("--bath", type=float, default=BATH, help="kT of the bath")
    running.set_defaults(run=run)
    collecting = kinds.add_parser("collect", help="numbers of all runs, stored small")
    collecting.set_defaults(run=collect)
    for one in (running, collecting):
        one.add_argument("data", type=Path, help="double_exchange_prl2021.npz")
        one.add_argument("--results", type=Path, default=ROOT / "results" / "published")
    reporting = kinds.add_parser("report", help="tables and figures")
    reporting.add_argument("--images", type=Path, default=ROOT / "docs" / "images")
    reporting.set_defaults(run=report)
    for one in (collecting, reporting):
        one.add_argument("--stored", type=Path, default=ROOT / "notebooks" / "stored")
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
