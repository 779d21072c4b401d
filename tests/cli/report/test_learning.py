"""The report of active learning shows its rounds, its calibration and the picked states."""

from __future__ import annotations

import numpy as np

from sdgnn.analysis.plots.learning import error_by_round, picked_states, reliability_curves


def lines(figure) -> dict[str, np.ndarray]:
    """Points of each named line."""
    return {line.get_gid(): line.get_xydata() for axes in figure.axes for line in axes.lines if line.get_gid()}


def test_errors_by_round_and_the_target_are_drawn() -> None:
    found = lines(error_by_round([10, 20], {"committee": [0.02, 0.01], "Heisenberg": [0.03, 0.03]}, target=0.015))
    assert found["committee"].tolist() == [[10, 0.02], [20, 0.01]]
    assert found["target"][:, 1].tolist() == [0.015, 0.015]
    assert "target" not in lines(error_by_round([10], {"committee": [0.02]}))


def test_reliability_is_true_against_predicted() -> None:
    found = lines(reliability_curves({"round 0": ((0.0, 0.1, 0.2), (0.01, 0.1, 0.3))}))
    assert found["round 0"].tolist() == [[0.0, 0.01], [0.1, 0.1], [0.2, 0.3]]
    assert (found["equality"][:, 0] == found["equality"][:, 1]).all()


def test_picked_states_lie_on_their_runs() -> None:
    predicted = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = lines(picked_states(np.array([0, 10, 20]), predicted, [(10, 1), (20, 0)]))
    assert found["picked"].tolist() == [[10, 4.0], [20, 5.0]]
    assert "picked" not in lines(picked_states(np.array([0, 10, 20]), predicted, []))
