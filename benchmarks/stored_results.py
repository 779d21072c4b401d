"""What the studies coarsening.py and arrested.py share: their small files in notebooks/stored, and tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import xarray
from rich.console import Console
from rich.table import Table

from sdgnn.common.files import atomic_path

ROOT = Path(__file__).parents[1]
console = Console(width=120)


def write(name: str, data: xarray.Dataset, stored: Path) -> None:
    """Store ``data`` as ``name``.nc."""
    with atomic_path(stored / f"{name}.nc") as temporary:
        data.to_netcdf(temporary, engine="scipy")


def copied(names: dict[str, str], results: Path, stored: Path) -> None:
    """Store the files ``names`` (stored name: path in ``results``), maps in single precision."""
    for name, path in names.items():
        data = xarray.open_dataset(results / path, engine="scipy").load()
        write(name, data.assign({n: v.astype("float32") for n, v in data.items() if v.ndim > 2}), stored)


def opened(name: str, stored: Path) -> xarray.Dataset:
    """A stored result."""
    return xarray.open_dataset(stored / f"{name}.nc", engine="scipy").load()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    made = Table(*columns, title=title)
    for row in rows:
        made.add_row(*row)
    console.print(made)


def agreement(name: str, quantities: Sequence[str], stored: Path) -> None:
    """How far network and exact electrons agree, quantity by quantity."""
    found = opened(name, stored)
    rows = []
    for quantity in quantities:
        within, rms, paired = (found.attrs[f"{quantity}_{key}"] for key in ("within", "rms", "paired_rms"))
        ends = (f"{float(found[f'{quantity}_{which}'][-1]):.4g}" for which in ("first", "second", "error"))
        rows.append((quantity, f"{100 * within:.0f} %", f"{rms:.2f}", f"{paired:.2f}", *ends))
    columns = ("quantity", "within two errors", "rms / error", "rms / paired error", "exact, end", "network", "error")
    table(name, columns, rows)


def commands(
    description: str | None,
    collect: Callable[[Path, Path], None],
    report: Callable[[Path, Path], None],
    others: Mapping[str, Callable[[], None]] = MappingProxyType({}),
) -> None:
    """Command line of a study: ``collect`` takes (results, stored), ``report`` takes (stored, images), ``others``
    nothing."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", default=ROOT / "notebooks" / "stored", type=Path)
    kinds = parser.add_subparsers(required=True)
    collecting = kinds.add_parser("collect", help="results of the runs, stored small")
    collecting.add_argument("--results", default=ROOT / "results", type=Path)
    collecting.set_defaults(run=lambda given: collect(given.results, given.stored))
    reporting = kinds.add_parser("report", help="tables and figures")
    reporting.add_argument("--images", default=ROOT / "docs" / "images", type=Path)
    reporting.set_defaults(run=lambda given: report(given.stored, given.images))
    for name, run in others.items():
        kinds.add_parser(name, help=run.__doc__).set_defaults(run=lambda given, run=run: run())
    given = parser.parse_args()
    given.run(given)
