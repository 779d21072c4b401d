"""The part of reports that shows a sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots.sweeps import CURVES, combinations, sweep_curves, swept
from sdgnn.cli.report.page import Figure, Section
from sdgnn.cli.report.table import Table

if TYPE_CHECKING:
    import xarray


def quantities(found: xarray.Dataset) -> list[str]:
    """What was measured at some point."""
    names = [str(n).removesuffix("_mean") for n in found.data_vars if str(n).endswith("_mean")]
    return [name for name in names if np.isfinite(found[f"{name}_mean"].values).any()]


def sweep_section(found: xarray.Dataset) -> Section:
    """A figure, and a column of the table, for every quantity of :func:`.sweep_means`."""
    names = quantities(found)
    keys = [str(d) for d in found.dims]
    late = f"the times after the first {100 * found.attrs['discard']:.0f} % of each run"
    text = [
        f"Means over replicas and over {late}, with standard errors that know of autocorrelation. Open markers, and * "
        "in the table: too few autocorrelation times, the error is a guess."
    ]
    if len(combinations(found)) > CURVES:
        text.append(f"Figures show the first {CURVES} of {len(combinations(found))} curves.")
    rows = []
    for place in np.ndindex(*found.sizes.values()):
        at = dict(zip(keys, place, strict=True))
        rows.append([str(found[key].values[k]) for key, k in at.items()] + [_cell(found, name, at) for name in names])
    figures = tuple(
        Figure.of(sweep_curves(found, name), f"{name.replace('_', ' ')} against {swept(found) or 'nothing'}.")
        for name in names
    )
    return Section(
        "Against the swept keys", text, [Table([*keys, *(n.replace("_", " ") for n in names)], rows)], figures
    )


def _cell(found: xarray.Dataset, name: str, at: dict[str, int]) -> str:
    mean, error, reliable = (float(found[f"{name}_{key}"].isel(at)) for key in ("mean", "error", "reliable"))
    if math.isnan(mean):
        return "-"
    bar = "" if math.isnan(error) else f" ± {error:.2g}"
    return f"{mean:.5g}{bar}{'' if reliable == 1 else ' *'}"
