"""Training networks on labels, and judging any field by its torque error."""

from sdgnn.train.baselines import Comparison, Floor, baselines, compare, fit_heisenberg
from sdgnn.train.loop import fit
from sdgnn.train.metrics import Metrics, judge, torque_part
from sdgnn.train.settings import TrainSettings

__all__ = [
    "Comparison",
    "Floor",
    "Metrics",
    "TrainSettings",
    "baselines",
    "compare",
    "fit",
    "fit_heisenberg",
    "judge",
    "torque_part",
]
