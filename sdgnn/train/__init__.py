"""Training networks on labels, and judging any field by its torque error."""

from sdgnn.train.baselines import (
    Comparison,
    Floor,
    baselines,
    baselines_on,
    compare,
    compare_all,
    fit_distance_heisenberg,
    fit_heisenberg,
)
from sdgnn.train.loop import fit
from sdgnn.train.metrics import Metrics, judge, judge_all, torque_part
from sdgnn.train.settings import TrainSettings

__all__ = [
    "Comparison",
    "Floor",
    "Metrics",
    "TrainSettings",
    "baselines",
    "baselines_on",
    "compare",
    "compare_all",
    "fit",
    "fit_distance_heisenberg",
    "fit_heisenberg",
    "judge",
    "judge_all",
    "torque_part",
]
