"""Training networks on labels, and judging any field by its torque error."""

from typing import TYPE_CHECKING

from sdgnn.lazily import lazily

if TYPE_CHECKING:
    from sdgnn.train.baselines import (
        Comparison,
        Floor,
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

__getattr__ = lazily(
    __name__,
    {
        "Comparison": "sdgnn.train.baselines",
        "Floor": "sdgnn.train.baselines",
        "Metrics": "sdgnn.train.metrics",
        "TrainSettings": "sdgnn.train.settings",
        "baselines_on": "sdgnn.train.baselines",
        "compare": "sdgnn.train.baselines",
        "compare_all": "sdgnn.train.baselines",
        "fit": "sdgnn.train.loop",
        "fit_distance_heisenberg": "sdgnn.train.baselines",
        "fit_heisenberg": "sdgnn.train.baselines",
        "judge": "sdgnn.train.metrics",
        "judge_all": "sdgnn.train.metrics",
        "torque_part": "sdgnn.train.metrics",
    },
)
