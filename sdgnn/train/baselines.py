"""What any physicist tries first: Heisenberg models fitted to the labels, and the table that compares with them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sdgnn.data import LabelSet
from sdgnn.errors import UserError
from sdgnn.fields import Field, Heisenberg
from sdgnn.lattice import Lattice
from sdgnn.train.metrics import Metrics, by_protocol, judge, not_empty, torque_part

if TYPE_CHECKING:
    from rich.table import Table

BASELINE_SHELLS = (1, 5)
"""Neighbour shells of the two Heisenberg models that every report compares with."""


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
    normal, right = np.zeros((shells, shells)), np.zeros(shells)
    for one in sets:
        not_empty(one)
        if not one.lattice.same_family(sets[0].lattice):
            raise UserError(f"one fit to {sets[0].lattice!r} and {one.lattice!r}", allowed="crystals of one family")
        basis = [Heisenberg(one.lattice, np.eye(shells)[n].tolist()) for n in range(shells)]
        for start in range(0, len(one), batch):
            part = one[start : start + batch]
            columns = torch.stack([torque_part(b(part.spins).field, part.spins).flatten() for b in basis], dim=1)
            normal += (columns.T @ columns).numpy()
            right += (columns.T @ torque_part(part.field, part.spins).flatten()).numpy()
    couplings = np.linalg.lstsq(normal, right, rcond=1e-12)[0]
    return Heisenberg(sets[0].lattice, couplings.tolist())


@dataclass(frozen=True)
class Floor:
    """The smallest torque error of any model that sees as far as a field does (see ``sdgnn.analysis.locality``)."""

    reach: float
    """How far the field sees, in nearest-neighbour distances."""
    rmse: float
    """Torque RMSE per component, in units of t."""
    error: float
    """Its standard error; NaN if not known."""
    rms: float
    """Root mean square of the torque of the same states."""

    @property
    def r2(self) -> float:
        """Highest torque R^2; NaN without torque."""
        return 1 - (self.rmse / self.rms) ** 2 if self.rms else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; NaN becomes None."""
        content = {
            "reach": self.reach, "floor_torque_rmse": self.rmse, "floor_torque_rmse_error": self.error,
            "floor_torque_r2": self.r2,
        }  # fmt: skip
        return {key: None if math.isnan(value) else value for key, value in content.items()}

    def cells(self) -> tuple[str, str]:
        """R^2, and RMSE with its error, for tables."""
        error = "" if math.isnan(self.error) else f" ± {self.error:.1g}"
        return f"{self.r2:.4f}", f"{self.rmse:.5f}{error}"


@dataclass(frozen=True)
class Comparison:
    """Metrics of several fields on the same labels, over all states and for each protocol apart."""

    rows: tuple[tuple[str, str, Metrics], ...]
    """(field's name, protocol or "all", metrics)."""
    floors: Mapping[tuple[str, str], Floor] = dataclasses.field(default_factory=dict)
    """Floors at the reach of each field, where they were measured."""

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
        """A rich table: torque R^2 and RMSE, angle errors and the energy RMSE per site after a constant shift.

        Where floors are known, beside them the best that the reach of each field allows.
        """
        from rich.table import Table

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
                f"{m.torque_r2:.4f}",
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
    rows = []
    parts = list(by_protocol(labels))
    for name, field in fields.items():
        rows.append((name, "all", judge(field, labels, batch)))
        if len(parts) > 1:
            rows += [(name, protocol, judge(field, part, batch)) for protocol, part in parts]
    return Comparison(tuple(rows))


def baselines(training: Sequence[LabelSet], lattice: Lattice) -> dict[str, Field]:
    """The best-fit Heisenberg models of 1 and 5 shells, fitted to ``training`` on crystals and placed on ``lattice``.

    Empty for free lattices, which have no shells, and without labels on crystals.
    """
    training = [labels for labels in training if labels.lattice.is_crystal]
    if not lattice.is_crystal or not training:
        return {}
    return {
        f"Heisenberg, {shells} shell{'s' if shells > 1 else ''}": Heisenberg(
            lattice, fit_heisenberg(training, shells).couplings
        )
        for shells in BASELINE_SHELLS
    }
