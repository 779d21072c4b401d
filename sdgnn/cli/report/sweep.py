"""The part of reports that shows a sweep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sdgnn.analysis.plots.sweeps import CURVES, combinations, sweep_curves, swept
from sdgnn.cli.report.page import Figure, Section
from sdgnn.cli.report.table import Table
from sdgnn.common.rounding import with_error

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
        Figure(
            sweep_curves(found, name),
            f"{name.replace('_', ' ')} against {swept(found) or 'nothing'}; bars are standard errors that know of "
            "autocorrelation.",
            name,
        )
        for name in names
    )
    return Section(
        "Against the swept keys", text, [Table([*keys, *(n.replace("_", " ") for n in names)], rows)], figures
    )


def sweep_answer(found: xarray.Dataset) -> str:
    """From where to where the first quantity goes along the first swept key, with errors."""
    names, key = quantities(found), swept(found)
    if not names or key is None or key not in found.sizes:
        return "No number was measured at any point."
    first = {str(dim): 0 for dim in found.dims}
    last = {**first, key: -1}
    several = " (at the first of the other keys' values)" if len(found.dims) > 1 else ""
    told = [
        f"{name.replace('_', ' ')} goes from {_cell(found, name, first)} to {_cell(found, name, last)}"
        for name in names[:2]
    ]
    ends = found[key].values
    return f"From {key} = {ends[0]} to {ends[-1]}{several}, {' and '.join(told)}."


def _cell(found: xarray.Dataset, name: str, at: dict[str, int]) -> str:
    mean, error, reliable = (float(found[f"{name}_{key}"].isel(at)) for key in ("mean", "error", "reliable"))
    if math.isnan(mean):
        return "-"
    return f"{with_error(mean, error, '.5g')}{'' if reliable == 1 else ' *'}"
