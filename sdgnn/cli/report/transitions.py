"""The part of reports that shows transitions of temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sdgnn.analysis.plots.transitions import transition_curves
from sdgnn.analysis.transitions.temperatures import TransitionTemperature
from sdgnn.analysis.transitions.thermodynamics import BLOCKS
from sdgnn.cli.report.page import Figure, Section
from sdgnn.cli.report.table import Table
from sdgnn.common.rounding import with_error

if TYPE_CHECKING:
    import xarray

COLUMNS = ("mean", "susceptibility", "binder")
"""What the table has of an order parameter."""


def transition_section(
    found: Sequence[xarray.Dataset], transitions: Mapping[str, Sequence[TransitionTemperature]], label: str
) -> Section:
    """Transition temperatures, curves and their numbers, for every order parameter of runs of some sizes."""
    said = [f"{name.replace('_', ' ')}, {one}" for name, several in transitions.items() for one in several]
    text = [f"Transitions: {'; '.join(said)}."]
    text.append(
        "Moduli of order parameters per site, N (<m²> - <|m|>²) / kT, 1 - <m⁴> / (3 <m²>²) and, where energies were "
        f"recorded, the specific heat; standard errors by a jackknife over {BLOCKS} blocks. Open markers and *: blocks "
        "of fewer than two autocorrelation times, so that the error is a guess. Errors of transition temperatures are "
        "those of the samples; what sizes leave is seen by comparing them."
    )
    tables = [_table(one, name) for name in transitions for one in found]
    figures = [
        Figure(
            transition_curves(found, name, several),
            f"{name.replace('_', ' ')} against the temperature; bars and bands are standard errors.",
            f"transition-{name}",
        )
        for name, several in transitions.items()
    ]
    return Section(f"Temperatures{': ' if label else ''}{label}", text, tables, figures)


def transition_answer(transitions: Mapping[str, Sequence[TransitionTemperature]]) -> str:
    """A sentence for each order parameter whose transition was found: by the crossing of the largest sizes, if any."""
    said = []
    for name, several in transitions.items():
        found = [one for one in several if one.found]
        if found:
            best = max(found, key=lambda one: (len(one.sites), max(one.sites)))
            told = f"{name.replace('_', ' ').capitalize()} sets in at kT = {with_error(best.kT, best.error)}"
            said.append(f"{told} ({best.route}, {' and '.join(map(str, best.sites))} sites).")
    return " ".join(said)


def _table(found: xarray.Dataset, name: str) -> Table:
    columns = [f"{name}_{key}" for key in COLUMNS]
    columns += [key for key in ("energy_per_site", "specific_heat") if key in found]
    rows = []
    for k, kT in enumerate(found["kT"].values):
        mark = "" if bool(found[f"{name}_reliable"][k]) else " *"
        cells = [with_error(float(found[c][k]), float(found[f"{c}_error"][k])) + mark for c in columns]
        rows.append([f"{kT:.5g}", *cells])
    head = ["kT", *(column.replace("_", " ") for column in columns)]
    return Table(head, rows, f"{found.attrs['sites']} sites.")
