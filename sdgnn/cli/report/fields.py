"""The fields of one Hamiltonian that the demo compares: what they take, and how good they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sdgnn.cli.report.table import Table
from sdgnn.common.rounding import with_error
from sdgnn.data import LabelSet
from sdgnn.dynamics import Run
from sdgnn.fields import Field
from sdgnn.nn import Model
from sdgnn.train.baselines import Comparison, baselines
from sdgnn.train.binding import bind
from sdgnn.train.factors import CalibrationReport

if TYPE_CHECKING:
    import xarray

EXACT, FAST, ACCURATE = "exact diagonalisation", "universal, fast", "universal, accurate"
CALIBRATED, TRAINED = "calibrated", "trained"
"""Names of the fields in tables; those of the Heisenberg models are their own."""


@dataclass(frozen=True)
class Row:
    """What a field takes, and how good it is."""

    field: str
    """Name of the field."""
    labels: int
    """Exact states that it was fitted to."""
    seconds: float
    """Wall time of the fit, without that of the labels; NaN where it was not measured."""
    torque_r2: tuple[float, float]
    """On held-out states and on the larger lattice."""
    torque_rmse: tuple[float, float]
    """Torque RMSE per component on held-out states and on the larger lattice, in units of t."""
    torque_r2_error: tuple[float, float]
    """Standard errors of R^2 over the states; NaN where not known."""
    microseconds: float
    """Processor time of one evaluation on the larger lattice, per site."""

    @property
    def r2(self) -> tuple[str, str]:
        """Both R^2 with their standard errors."""
        first, second = map(partial(with_error, alone=".4f"), self.torque_r2, self.torque_r2_error)
        return first, second

    def cells(self) -> list[str]:
        """Cells of a table with the columns :data:`HEAD`."""
        errors = [cell for one, rmse in zip(self.r2, self.torque_rmse, strict=True) for cell in (one, f"{rmse:.5f}")]
        if self.field == EXACT:
            errors = ["1", "0", "1", "0"]
        fit = "-" if math.isnan(self.seconds) or not self.labels else f"{self.seconds:.0f}"
        return [self.field, str(self.labels) if self.labels else "-", fit, *errors, f"{self.microseconds:.3g}"]


HEAD = (
    "field", "labels", "fit (s)", "held out R²", "RMSE (t)", "larger R²", "RMSE (t)", "CPU µs / site",
)  # fmt: skip
"""Columns of the table of all fields."""


def table_of_fields(rows: Sequence[Row]) -> Table:
    """All fields, on held-out states and on the larger lattice."""
    cells = [row.cells() for row in rows]
    return Table(HEAD, cells, "exact states that nothing was fitted to", words=("field",), unbroken="field")


@dataclass(frozen=True)
class Fitted:
    """A model, and what it took."""

    model: Model
    """The model."""
    labels: int = 0
    """Exact states that it was fitted to."""
    seconds: float = 0.0
    """Wall time of the fit; NaN where it was not measured."""


@dataclass(frozen=True)
class Outcome:
    """Everything the report shows."""

    training: LabelSet
    """Labels that the network was trained on."""
    test: LabelSet
    """Held-out labels of the same lattice."""
    larger: LabelSet
    """Labels of the larger lattice."""
    models: dict[str, Fitted]
    """Fields without labels, calibrated and trained, by name."""
    calibration: CalibrationReport
    """What calibration found."""
    rows: tuple[Row, ...]
    """All fields, the exact one first."""
    errors: Comparison
    """Errors on ``test``, by kind of state."""
    errors_larger: Comparison
    """Errors on ``larger``, by kind of state."""
    quench: Run
    """The quench."""
    analysis: xarray.Dataset
    """Analysis of the quench over its replicas."""
    beside: dict[str, Run]
    """Exact electrons and the trained network on one lattice, from the same spins, with the same noise; or nothing."""
    seconds: dict[str, float]
    """Wall time of each step."""

    def fields(self, labels: LabelSet) -> dict[str, Field]:
        """All fields but the exact one on the labels' lattice."""
        return fields_on(self.models, self.training, labels)


def fields_on(models: dict[str, Fitted], training: LabelSet, labels: LabelSet) -> dict[str, Field]:
    """All fields but the exact one on the labels' lattice: the models, and Heisenberg models fitted to ``training``."""
    own = {name: bind(fitted.model, labels) for name, fitted in models.items()}
    return {**own, **baselines([training], labels.lattice)}
