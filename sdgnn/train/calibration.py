"""Calibration of a committee: its predicted torque errors beside the true ones on labels that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr

from sdgnn.data import LabelSet
from sdgnn.errors import UserError
from sdgnn.nn.committee import Calibration, Committee
from sdgnn.train.metrics import not_empty, torque_part

BINS = 10
"""Bins of the reliability curve."""
KNOWN = 0.99
"""Part of the held-out sites whose predicted error lies in the known region."""


def calibrate(committee: Committee, labels: LabelSet, batch: int = 16) -> Committee:
    """The committee with the calibration that ``labels`` give it; they must be none that its members were trained on.

    Raises UserError when there are no states, and when the members agree exactly on all of them.
    """
    plain = Committee(list(committee.models), Calibration())
    predicted, true = errors(plain, labels, batch)
    found = measure(predicted, true)
    calibrated = Committee(plain.models, found)
    calibrated.provenance = committee.provenance
    return calibrated


def reliability(committee: Committee, labels: LabelSet, batch: int = 16) -> Calibration:
    """What the committee's calibration is worth on other labels: ``factor`` is 1 where it holds exactly."""
    return measure(*errors(committee, labels, batch))


def errors(
    committee: Committee, labels: LabelSet, batch: int = 16
) -> tuple[Float[np.ndarray, "state site"], Float[np.ndarray, "state site"]]:
    """Predicted and true torque error of every site of labelled states, per Cartesian component, in t."""
    field = committee.on(not_empty(labels).lattice)
    predicted, true = [], []
    for start in range(0, len(labels), batch):
        part = labels[start : start + batch]
        result = field(part.spins)
        assert result.torque_error is not None
        difference = torque_part(result.field.double(), part.spins) - torque_part(part.field, part.spins)
        predicted.append(result.torque_error.double())
        true.append(difference.square().mean(-1).sqrt())
    return torch.cat(predicted).numpy(), torch.cat(true).numpy()


def measure(predicted: Float[np.ndarray, "state site"], true: Float[np.ndarray, "state site"]) -> Calibration:
    """The calibration that turns predicted deviations into errors of the true size, with its reliability curve.

    factor^2 = sum true^2 / sum predicted^2, so that the predicted and true root mean squares agree. Correlations
    are Spearman's. Raises UserError when all predicted values are zero.
    """
    if not predicted.size or not np.any(predicted):
        raise UserError(
            "a committee whose members agree exactly",
            allowed="members that differ",
            fix="train them from different seeds",
        )
    factor = float(np.sqrt(np.square(true).sum() / np.square(predicted).sum()))
    scaled = factor * predicted
    order = np.argsort(scaled, axis=None, kind="stable")
    bins = np.array_split(order, min(BINS, order.size))

    def rms(values: np.ndarray) -> tuple[float, ...]:
        return tuple(float(np.sqrt(np.square(values.ravel()[one]).mean())) for one in bins)

    per_state = [np.sqrt(np.square(values).mean(1)) for values in (predicted, true)]
    return Calibration(
        factor=factor,
        known=float(np.quantile(scaled, KNOWN)),
        correlation=_rank_correlation(predicted.ravel(), true.ravel()),
        state_correlation=_rank_correlation(*per_state),
        states=len(predicted),
        predicted=rms(scaled),
        true=rms(true),
    )


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's correlation; None where it is not defined."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
