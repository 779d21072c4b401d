"""What the command analyze says about transitions of temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sdgnn.analysis.transitions.temperatures import transition_temperatures
from sdgnn.analysis.transitions.tempering import exchanges
from sdgnn.analysis.transitions.thermodynamics import parameters_of
from sdgnn.cli.commands.console import say
from sdgnn.cli.report.page import Section
from sdgnn.cli.report.transitions import transition_answer, transition_section
from sdgnn.cli.results import Results

if TYPE_CHECKING:
    import xarray

SLOW = 0.1
"""Exchange rate below which a ladder falls into two."""


def transitions(
    families: Mapping[str, Sequence[xarray.Dataset]], results: Results
) -> tuple[dict[str, Any], list[Section], str]:
    """Says transition temperatures, writes every curve to thermodynamics-SITES.nc; numbers, sections and an answer.

    Runs of several sizes and temperatures belong to one family, told by the other keys of a sweep.
    """
    content: dict[str, Any] = {}
    sections, answers = [], []
    for number, (label, found) in enumerate(families.items()):
        shared = [name for name in parameters_of(found[0]) if all(name in parameters_of(one) for one in found)]
        by_parameter = {name: transition_temperatures(found, name) for name in shared}
        for name, several in by_parameter.items():
            for where in several:
                say(f"  {label}{': ' if label else ''}{name}, {where}")
        for one in found:
            stem = f"thermodynamics-{one.attrs['sites']}" + (f"-{number}" if len(families) > 1 else "")
            reliable = {n: v.astype("int8") for n, v in one.data_vars.items() if v.dtype == bool}
            results.write_netcdf(f"{stem}.nc", one.assign(reliable).assign_attrs(setting=label))
        content[label] = {name: [asdict(where) for where in several] for name, several in by_parameter.items()}
        sections.append(transition_section(found, by_parameter, label))
        if answer := transition_answer(by_parameter):
            answers.append(f"{label}{': ' if label else ''}{answer}")
    return (content[""] if list(content) == [""] else content), sections, " ".join(answers)


def exchange_rates(trajectory: xarray.Dataset, discard: float) -> dict[str, Any]:
    """Exchange rates and round trips of parallel tempering in numbers; says where the ladder has a gap."""
    found = exchanges(trajectory, discard)
    for low, high, rate in zip(found["low"].values, found["high"].values, found["rate"].values, strict=True):
        if rate < SLOW:
            say(f"  kT = {low:g} and {high:g} exchange {100 * rate:.1f} % of times: suggest_temperatures closes gaps")
    numbers = {name: found[name].values for name in ("low", "high", "rate")}
    if "round_trips" in found:
        numbers["round_trips"] = found["round_trips"].values
        say(f"  {int(found['round_trips'].sum())} round trips of {found.sizes['walker']} states")
    return numbers
