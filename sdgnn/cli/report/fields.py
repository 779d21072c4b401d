"""The table of fields of one Hamiltonian: what they take, and how good they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sdgnn.train.metrics import value_and_error

EXACT, FAST, ACCURATE = "exact diagonalisation", "universal, fast", "universal, accurate"
CALIBRATED, TRAINED = "calibrated", "trained"
"""Names of the fields in tables; those of the Heisenberg models are their own."""


@dataclass(frozen=True)
class Row:
    """What a field takes, and how good it is."""

    field: str
    """Its name."""
    labels: int
    """Exact states that it was fitted to."""
    seconds: float
    """Wall time of the fit, without that of the labels; NaN where it was not measured."""
    torque_r2: tuple[float, float]
    """On held-out states and on the larger lattice."""
    torque_rmse: tuple[float, float]
    """The same per component, in units of t."""
    torque_r2_error: tuple[float, float]
    """Standard errors of R^2 over the states; NaN where not known."""
    microseconds: float
    """Processor time of one evaluation on the larger lattice, per site."""

    def cells(self) -> list[str]:
        """For tables; :data:`HEAD` names them."""
        r2 = map(value_and_error, self.torque_r2, self.torque_r2_error)
        errors = [cell for one, rmse in zip(r2, self.torque_rmse, strict=True) for cell in (one, f"{rmse:.5f}")]
        if self.field == EXACT:
            errors = ["1", "0", "1", "0"]
        fit = "-" if math.isnan(self.seconds) or not self.labels else f"{self.seconds:.0f}"
        return [self.field, str(self.labels) if self.labels else "-", fit, *errors, f"{self.microseconds:.3g}"]


HEAD = (
    "field", "labels", "fit (s)", "held out R²", "RMSE (t)", "larger R²", "RMSE (t)", "CPU µs / site",
)  # fmt: skip
"""Columns of the table of all fields."""
