"""What an analysis has found, in numbers for analysis.json; those that are not finite are written as null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sdgnn.analysis.domains.coarsening import ROUTES
from sdgnn.analysis.orders.order_weights import order_weights
from sdgnn.analysis.statistics.equilibrium import equilibrium
from sdgnn.analysis.statistics.means import mean_and_error
from sdgnn.analysis.statistics.replicas import each_group
from sdgnn.cli.commands.console import say
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray


def series(found: xarray.Dataset) -> dict[str, Any]:
    """Every quantity that is one number per time, with its time, mean and error over replicas.

    Where replicas differ in their settings, ``settings`` names these, and mean and error hold an array for each. An
    error from one replica and a length beyond the cell are not finite.
    """
    parts = each_group(found)
    content: dict[str, Any] = {"settings": list(parts)} if len(parts) > 1 else {}
    for name in (str(n).removesuffix("_mean") for n in found.data_vars if str(n).endswith("_mean")):
        values = [part[f"{name}_mean"] for part in parts.values()]
        if values[0].ndim != 1:
            continue
        entry: dict[str, Any] = {"time": values[0][values[0].dims[0]].values}
        for key in ("mean", "error"):
            columns = [part[f"{name}_{key}"].values for part in parts.values()]
            entry[key] = columns if len(columns) > 1 else columns[0]
        content[name] = entry
    return content


def in_equilibrium(trajectory: xarray.Dataset, discard: float) -> dict[str, Any]:
    """Means over time by setting (:func:`sdgnn.analysis.equilibrium`); says which are not reliable."""
    found = equilibrium(trajectory, discard)
    for name in map(str, found.data_vars):
        if name.endswith("_reliable") and not found[name].all():
            say(f"{name.removesuffix('_reliable')}: too few autocorrelation times, its error is a guess")
    labels = found["label"].values.tolist()
    numbers = {str(n): v.values.astype(float) for n, v in found.variables.items() if n != "label"}
    return {**numbers, **({"settings": labels} if len(labels) > 1 else {})}


AGREEMENT = ("within", "rms", "paired_rms")
"""Judgements of :func:`~sdgnn.analysis.statistics.agreement.agreement`."""


def agreements(together: xarray.Dataset) -> dict[str, Any]:
    """By quantity: share of times within two errors and root mean square deviations; says them too."""
    content: dict[str, Any] = {}
    for name in together.attrs["quantities"].split():
        within, rms, paired = (together.attrs[f"{name}_{key}"] for key in AGREEMENT)
        share = f"within two errors at {100 * within:.0f} % of times"
        say(f"  {name}: {share}, rms deviation {rms:.2f} errors, {paired:.2f} paired")
        content[name] = dict(zip(AGREEMENT, (within, rms, paired), strict=True))
    return content


def laws(domains: xarray.Dataset) -> dict[str, Any]:
    """Exponents with their errors by route, how far the routes are apart, and how good the collapse is; NaN where
    there is none. Says which exponents are those of no law."""
    names = {
        "exponent": "exponent", "error": "exponent_error", "drift": "exponent_drift",
        "drift_error": "exponent_drift_error", "offset_exponent": "offset_exponent",
        "offset_exponent_error": "offset_exponent_error", "delayed_exponent": "delayed_exponent",
        "delayed_exponent_error": "delayed_exponent_error", "law_exponent": "law_exponent",
        "law_exponent_error": "law_exponent_error",
    }  # fmt: skip
    table = {key: domains[name].values for key, name in names.items()}
    content: dict[str, Any] = {route: {key: row[k] for key, row in table.items()} for k, route in enumerate(ROUTES)}
    for k, route in enumerate(ROUTES):
        content[route]["drifts"] = bool(domains["exponent_drifts"][k])
    if drifting := [route for route in ROUTES if content[route]["drifts"]]:
        say(f"the exponent changes within the window, which is no power law: {', '.join(drifting)}")
    found = domains.attrs
    disagree = bool(found["routes_disagree"])
    if disagree:
        say(f"exponents differ by {found['exponent_spread']:.2f} between routes: L is no single length")
    return {
        **content,
        "routes": {
            "spread": found["exponent_spread"], "error": found["exponent_spread_error"], "disagree": disagree,
        },
        "collapse": {"quality": found["collapse_quality"], "spread": found["collapse_spread"]},
        "map": found["map"],
    }  # fmt: skip


def last_orders(trajectory: xarray.Dataset, lattice: Lattice) -> dict[str, dict[str, float]]:
    """Weight of every named order that fits the lattice in the last recorded spins, mean and error over replicas."""
    weights = order_weights(np.array(trajectory["spins"][-1].values), lattice)
    pairs = {name: mean_and_error(weight) for name, weight in weights.items()}
    return {name: {"mean": float(mean), "error": float(error)} for name, (mean, error) in pairs.items()}
