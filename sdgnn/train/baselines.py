"""Heisenberg models fitted to labels, and the table that compares the errors of several fields."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.table import Table

from sdgnn.common.errors import UserError
from sdgnn.common.files import plain
from sdgnn.common.one_line import one_line
from sdgnn.common.rounding import with_error
from sdgnn.data import LabelSet
from sdgnn.fields import DistanceHeisenberg, Field, Heisenberg
from sdgnn.fields.protocol import on_lattice
from sdgnn.lattice import Lattice
from sdgnn.train.metrics import Metrics, by_protocol, judge_all, not_empty, torque_part

BASELINE_SHELLS = (1, 5)
"""Neighbour shells of the two Heisenberg models that every report compares with."""
BASELINE_CUTOFFS = (1.5, 3.0)
"""Cutoffs of the two where there are no shells; on the triangular lattice the same bonds."""
FIRST_KNOT, KNOT_SPACING = 0.8, 0.1
"""Distances at which couplings that depend on distance are fitted start here and lie this far apart."""


def fit_heisenberg(labels: LabelSet | Sequence[LabelSet], shells: int, batch: int = 64) -> Heisenberg:
    """The Heisenberg model whose torque is closest to that of all labels, as a field on the first set's lattice.

    Minimises sum |T_i - sum_n J_n P_i sum_(j in shell n of i) S_j|^2 over the couplings J_n, where P_i projects onto
    the plane perpendicular to S_i: linear least squares in ``shells`` unknowns. The couplings hold on any lattice of
    the family: ``Heisenberg(larger, fit.couplings)``. Shells that small lattices cannot tell apart share the coupling
    (least norm). Raises UserError on empty labels, lattices of several families and shells < 1.
    """
    sets = [labels] if isinstance(labels, LabelSet) else list(labels)
    if not sets or shells < 1:
        raise UserError(f"a fit of {shells} shells to {len(sets)} label sets", allowed="at least one of each")
    for one in sets:
        if not one.lattice.same_family(sets[0].lattice):
            raise UserError(f"one fit to {sets[0].lattice!r} and {one.lattice!r}", allowed="crystals of one family")
    each = np.eye(shells).tolist()
    couplings = _least_squares(sets, lambda lattice: [Heisenberg(lattice, one) for one in each], batch)
    return Heisenberg(sets[0].lattice, couplings)


def fit_distance_heisenberg(
    labels: LabelSet | Sequence[LabelSet], cutoff: float, batch: int = 64
) -> DistanceHeisenberg:
    """Heisenberg couplings J(r) fitted as functions of distance, linear between knots, to label sets of any lattices.

    The knots lie ``KNOT_SPACING`` apart from ``FIRST_KNOT`` to the ``cutoff``; the field is on the first set's lattice.
    Raises UserError without labels and for a cutoff below the second knot.
    """
    sets = [labels] if isinstance(labels, LabelSet) else list(labels)
    count = round((cutoff - FIRST_KNOT) / KNOT_SPACING)
    if not sets or count < 1:
        raise UserError(
            f"a fit to a distance of {cutoff:g} to {len(sets)} label sets",
            allowed=f"at least one set, a cutoff of at least {FIRST_KNOT + KNOT_SPACING:g}",
        )
    knots = np.linspace(FIRST_KNOT, cutoff, count + 1)[:-1].tolist()
    each = np.eye(count).tolist()
    couplings = _least_squares(
        sets, lambda lattice: [DistanceHeisenberg(lattice, knots, one, cutoff) for one in each], batch
    )
    return DistanceHeisenberg(sets[0].lattice, knots, couplings, cutoff)


def _least_squares(sets: Sequence[LabelSet], fields: Callable[[Lattice], Sequence[Field]], batch: int) -> list[float]:
    """Coefficients of the fields whose sum has the torques closest to the labels'."""
    normal, right = np.zeros(()), np.zeros(())
    for one in sets:
        basis = fields(not_empty(one).lattice)
        for part in one.batches(batch):
            columns = torch.stack([torque_part(b(part.spins).field, part.spins).flatten() for b in basis], dim=1)
            normal = normal + (columns.T @ columns).numpy()
            right = right + (columns.T @ torque_part(part.field, part.spins).flatten()).numpy()
    return list(map(float, np.linalg.lstsq(normal, right, rcond=1e-12)[0]))


@dataclass(frozen=True)
class Floor:
    """The smallest torque error of any model that sees as far as a field does (see ``sdgnn.analysis.locality``)."""

    halo: float
    """Distance around a site from which spins act on the field, in nearest-neighbour distances."""
    rmse: float
    """Torque RMSE per component, in units of t."""
    error: float
    """Standard error of the RMSE; NaN where not estimated."""
    rms: float
    """Root mean square of the torque of the same states."""

    __repr__ = one_line

    @property
    def r2(self) -> float:
        """Highest torque R^2; NaN without torque."""
        return 1 - (self.rmse / self.rms) ** 2 if self.rms else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; NaN becomes None."""
        numbers = {
            "reach": self.halo, "floor_torque_rmse": self.rmse, "floor_torque_rmse_error": self.error,
            "floor_torque_r2": self.r2,
        }  # fmt: skip
        return plain(numbers)

    def cells(self) -> tuple[str, str]:
        """R^2, and RMSE with its error, for tables."""
        return f"{self.r2:.4f}", with_error(self.rmse, self.error, ".5f")


@dataclass(frozen=True)
class Comparison:
    """Metrics of several fields on the same labels, over all states and for each protocol apart."""

    rows: tuple[tuple[str, str, Metrics], ...]
    """(field's name, protocol or "all", metrics)."""
    floors: Mapping[tuple[str, str], Floor] = dataclasses.field(default_factory=dict)
    """Floors at the halo of each field, where they were measured."""

    def __repr__(self) -> str:
        found = (f"{name} {metrics.r2}" for name, protocol, metrics in self.rows if protocol == "all")
        return f"Comparison: torque R² of {', '.join(found)}"

    def __getitem__(self, key: tuple[str, str]) -> Metrics:
        name, protocol = key
        for row in self.rows:
            if row[:2] == (name, protocol):
                return row[2]
        raise UserError(f"no row {key}", allowed=", ".join(str(row[:2]) for row in self.rows))

    def to_dict(self) -> list[dict[str, Any]]:
        """Rows of plain numbers for JSON."""
        floors = {key: floor.to_dict() for key, floor in self.floors.items()}
        return [
            {"field": name, "protocol": protocol, **m.to_dict(), **floors.get((name, protocol), {})}
            for name, protocol, m in self.rows
        ]

    def table(self, title: str = "") -> Table:
        """A rich table: torque R^2 with its standard error, and RMSE; angle errors; the energy RMSE per site.

        Energies are compared after a constant shift. Where floors were measured, the smallest error that the halo of
        each field allows stands beside its own.
        """
        table = Table(title=title or None)
        table.add_column("field")
        table.add_column("states")
        numbers = ["torque\nR²", "torque\nRMSE", "angle\nmean / 95 %", "energy RMSE\nper site"]
        for column in [*numbers, *(["floor\nR²", "floor\nRMSE"] if self.floors else [])]:
            table.add_column(column, justify="right", no_wrap=True)
        for name, protocol, m in self.rows:
            floor = self.floors.get((name, protocol))
            beside = () if not self.floors else ("-", "-") if floor is None else floor.cells()
            table.add_row(
                name,
                f"{protocol} ({m.n_states})",
                m.r2,
                f"{m.torque_rmse:.5f}",
                f"{m.angle_mean:.1f}° / {m.angle_95:.1f}°",
                "-" if math.isnan(m.energy_rmse_shifted) else f"{m.energy_rmse_shifted:.2e}",
                *beside,
            )
        return table


def compare(fields: Mapping[str, Field], labels: LabelSet, batch: int = 16) -> Comparison:
    """Judge named fields on the same labels, all together and by protocol.

        compare({"network": network.on(labels.lattice), **baselines(training, labels.lattice)}, labels).table()

    Raises UserError as :func:`~sdgnn.train.metrics.judge` does.
    """
    return compare_all([(fields, labels)], batch)


def compare_all(sets: Sequence[tuple[Mapping[str, Field], LabelSet]], batch: int = 16) -> Comparison:
    """:func:`compare` over label sets of several lattices, each with fields of the same names on its own lattice."""
    protocols = dict.fromkeys(name for _, labels in sets for name in labels.counts)
    parts = [(fields, dict(by_protocol(labels))) for fields, labels in sets]
    rows = []
    for name in sets[0][0]:
        rows.append((name, "all", judge_all([(fields[name], labels) for fields, labels in sets], batch)))
        if len(protocols) > 1:
            for protocol in protocols:
                chosen = [(fields[name], by[protocol]) for fields, by in parts if protocol in by]
                rows.append((name, protocol, judge_all(chosen, batch)))
    return Comparison(tuple(rows))


def baselines(training: Sequence[LabelSet], lattice: Lattice) -> dict[str, Field]:
    """The best-fit Heisenberg models, fitted to ``training`` and placed on ``lattice``.

    On crystals with couplings of 1 and 5 neighbour shells, fitted to labels on crystals (empty without any); elsewhere
    with couplings J(r) to the distances 1.5 and 3, fitted to all labels.
    """
    return baselines_on(training, [lattice])[0]


def baselines_on(training: Sequence[LabelSet], lattices: Sequence[Lattice]) -> list[dict[str, Field]]:
    """:func:`baselines` on each of several lattices, fitted once."""
    crystals = [labels for labels in training if labels.lattice.is_crystal]

    def fitted(on_crystals: bool) -> dict[str, Field]:
        if not (crystals if on_crystals else training):
            return {}
        if not on_crystals:
            return {f"Heisenberg, J(r) to {r:g}": fit_distance_heisenberg(training, r) for r in BASELINE_CUTOFFS}
        return {f"Heisenberg, {n} shell{'s' if n > 1 else ''}": fit_heisenberg(crystals, n) for n in BASELINE_SHELLS}

    fits = {on_crystals: fitted(on_crystals) for on_crystals in {lattice.is_crystal for lattice in lattices}}
    return [
        {name: on_lattice(field, lattice) for name, field in fits[lattice.is_crystal].items()} for lattice in lattices
    ]
