"""Calibration of a committee: its predicted torque errors beside the true ones on labels that it was not trained on."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import nnls
from scipy.stats import spearmanr

from sdgnn.common.errors import UserError
from sdgnn.data import LabelSet
from sdgnn.nn.committee import Calibration, Committee, Reliability
from sdgnn.train.metrics import not_empty, torque_part

BINS = 10
"""Bins of the reliability curve."""
QUANTILE = 0.99
"""Part of the held-out sites whose predicted error lies below the limit."""
ROUNDS = 20
"""Repetitions of the weighted least squares, which settle within a few."""
SMALL = 1e-3
"""Share of the mean square error below which deviations say nothing of it."""


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


def reliability(committee: Committee, labels: LabelSet, batch: int = 16) -> Reliability:
    """The committee's predicted beside true errors on labels that it was not calibrated with."""
    return compare_errors(*errors(committee, labels, batch))


def errors(
    committee: Committee, labels: LabelSet, batch: int = 16
) -> tuple[Float[np.ndarray, "state site"], Float[np.ndarray, "state site"]]:
    """Predicted and true torque error of every site of labelled states, per Cartesian component, in t."""
    field = committee.on(not_empty(labels).lattice)
    predicted, true = [], []
    for part in labels.batches(batch):
        result = field(part.spins)
        assert result.torque_error is not None
        difference = torque_part(result.field.double(), part.spins) - torque_part(part.field, part.spins)
        predicted.append(result.torque_error.double())
        true.append(difference.square().mean(-1).sqrt())
    return torch.cat(predicted).numpy(), torch.cat(true).numpy()


def measure(deviation: Float[np.ndarray, "state site"], true: Float[np.ndarray, "state site"]) -> Calibration:
    """The calibration that turns the members' deviations into errors of the true size.

    Minimises sum log v + e^2 / v over sites with v = factor^2 d^2 + common^2 (the likelihood of normal errors), by
    least squares with weights 1 / v^2, repeated; then scales both so that predicted and true root mean squares agree.
    Where deviations turn out to say nothing, common is 0. Raises UserError when all deviations are zero.
    """
    if not deviation.size or not np.any(deviation):
        raise UserError(
            "a committee whose members agree exactly",
            allowed="members that differ",
            fix="train them from different seeds; networks that no epoch makes better stay the walk: give more labels",
        )
    d2, e2 = np.square(deviation).ravel(), np.square(true).ravel()
    columns = np.stack([d2 / d2.mean(), np.ones_like(d2)], axis=1)
    parts = np.array([e2.mean() / 2, e2.mean() / 2])
    for _ in range(ROUNDS):
        v = columns @ parts
        parts = nnls(columns / v[:, None], e2 / v)[0]
        parts *= e2.mean() / (columns @ parts).mean()
        if parts[0] < SMALL * parts[1]:
            parts = np.array([e2.mean(), 0.0])
            break
        parts = np.maximum(parts, SMALL**2 * e2.mean())
    predicted = np.sqrt(columns @ parts).reshape(deviation.shape)
    return Calibration(
        factor=float(np.sqrt(parts[0] / d2.mean())),
        common=float(np.sqrt(parts[1])),
        limit=float(np.quantile(predicted, QUANTILE)),
        held_out=compare_errors(predicted, true),
    )


def compare_errors(predicted: Float[np.ndarray, "state site"], true: Float[np.ndarray, "state site"]) -> Reliability:
    """Predicted beside true errors: ratio, Spearman's correlations, and the curve in bins of equally many sites."""
    order = np.argsort(predicted, axis=None, kind="stable")
    bins = np.array_split(order, min(BINS, order.size))

    def rms(values: np.ndarray) -> tuple[float, ...]:
        return tuple(float(np.sqrt(np.square(values.ravel()[one]).mean())) for one in bins)

    per_state = [np.sqrt(np.square(values).mean(1)) for values in (predicted, true)]
    estimated = float(np.square(predicted).sum())
    return Reliability(
        ratio=float(np.sqrt(np.square(true).sum() / estimated)) if estimated else None,
        correlation=_rank_correlation(predicted.ravel(), true.ravel()),
        state_correlation=_rank_correlation(*per_state),
        states=len(predicted),
        predicted=rms(predicted),
        true=rms(true),
    )


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman's correlation; None where it is not defined."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(spearmanr(first, second).statistic)
