"""The part of reports that says what was simulated: lattice, field, integrator and bath."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.statistics.replicas import replica_groups
from sdgnn.cli.report.page import Section
from sdgnn.cli.report.table import Table
from sdgnn.common.files import read_json
from sdgnn.lattice import Lattice

if TYPE_CHECKING:
    import xarray

UNKNOWN = "not recorded"


def run_section(trajectory: xarray.Dataset, lattice: Lattice, folder: Path | None = None) -> Section:
    """A table of the physics of a trajectory, and of how it was integrated; ``folder`` is that of its run."""
    known = _described(trajectory, folder)
    integrator, field = known.get("integrator", {}), known.get("field", UNKNOWN)
    terms = field.replace(f" on {lattice!r}", "").split(" + ")
    rows = [["lattice", repr(lattice)]]
    rows += [["field" if k == 0 else "and", term] for k, term in enumerate(terms)]
    rows += [
        ["integrator", str(integrator.get("scheme", UNKNOWN))],
        ["time step dt", _number(integrator.get("dt"), "ħ / t")],
        ["damping", _number(integrator.get("damping"))],
        ["form", str(integrator.get("form", UNKNOWN))],
        ["kT of the spins' bath", _number(integrator.get("kT"), "t")],
        ["replicas", str(trajectory.sizes.get("replica", 0))],
    ]
    rows += (
        [["seed", str(known["seed"])], ["precision", known["dtype"].removeprefix("torch.")]] if "seed" in known else []
    )
    found = replica_groups(trajectory)
    if len(found) > 1:
        rows.append(["settings", "; ".join(f"{s.label} ({len(s.places)} replica(s))" for s in found)])
    for name, values in trajectory.data_vars.items():
        time = trajectory[values.dims[0]]
        if len(time):
            rows.append([f"{name} recorded", f"{len(time)} times, {float(time[0]):g} to {float(time[-1]):.6g}"])
    return Section("The run", [], [Table(["", ""], rows, words=("",))])


def _described(trajectory: xarray.Dataset, folder: Path | None) -> dict[str, Any]:
    """Field, integrator, seed and precision, from the trajectory and the settings beside it."""
    known: dict[str, Any] = {}
    if folder is not None and (folder / "run.json").is_file():
        known = read_json(folder / "run.json")["settings"]
    if "integrator" in trajectory.attrs:
        known = {**known, "field": trajectory.attrs["field"], "integrator": json.loads(trajectory.attrs["integrator"])}
    return known


def _number(value: Any, units: str = "") -> str:
    """A setting: one number, one per replica, or a schedule."""
    if value is None:
        return UNKNOWN
    if isinstance(value, dict):
        told = ", ".join(f"{key} {_number(entry)}" for key, entry in value.items() if key != "kind")
        return f"{value.get('kind', 'schedule')}: {told}"
    if isinstance(value, list):
        return ", ".join(_number(entry) for entry in value) + (f" {units}" if units else "") + ", by replica"
    text = f"{value:.6g}" if isinstance(value, int | float) else str(value)
    return f"{text} {units}".strip()
