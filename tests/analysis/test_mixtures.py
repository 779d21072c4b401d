"""Maxwell's construction against a double well with a known tangent and against all pairs of fillings; its map."""

from __future__ import annotations

import numpy as np
import pytest

from sdgnn import UserError
from sdgnn.analysis import phase_mixture
from sdgnn.analysis.plots import phase_diagram

FILLINGS = np.linspace(0, 1, 41)


@pytest.mark.parametrize("slope", [0.0, -3.0])
def test_a_double_well_separates_between_its_minima(slope: float) -> None:
    """(n - 0.3)^2 (n - 0.7)^2 + slope n has the common tangent slope n at 0.3 and 0.7, whatever the slope."""
    energy = (FILLINGS - 0.3) ** 2 * (FILLINGS - 0.7) ** 2 + slope * FILLINGS
    mixture = phase_mixture(FILLINGS, energy)
    between = (FILLINGS > 0.3 + 1e-9) & (FILLINGS < 0.7 - 1e-9)
    np.testing.assert_allclose(mixture.energy[between], slope * FILLINGS[between], atol=1e-12)
    np.testing.assert_allclose(mixture.low[between], 0.3)
    np.testing.assert_allclose(mixture.high[between], 0.7)
    np.testing.assert_array_equal(mixture.energy[~between], energy[~between])
    np.testing.assert_array_equal(mixture.low[~between], mixture.high[~between])


def test_mixtures_are_the_best_of_all_pairs() -> None:
    x = np.sort(np.random.default_rng(0).uniform(size=30))
    y = np.random.default_rng(1).normal(size=30)
    mixture = phase_mixture(x, y)
    for k, n in enumerate(x):
        pairs = [
            (y[a] * (x[b] - n) + y[b] * (n - x[a])) / (x[b] - x[a]) for a in range(k + 1) for b in range(k, 30) if a < b
        ]
        assert mixture.energy[k] == pytest.approx(min(pairs), abs=1e-12)
    assert (mixture.low <= x).all() and (mixture.high >= x).all()


def test_refused_mixtures() -> None:
    with pytest.raises(UserError, match="do not rise"):
        phase_mixture(FILLINGS[::-1], FILLINGS)
    with pytest.raises(UserError, match="shape"):
        phase_mixture(FILLINGS[:1], FILLINGS[:1])


def test_map_of_orders() -> None:
    """Cells take the colour of their name, and the hatch lies on the cells that separate alone."""
    apart = np.array([[True, False, False], [False, False, False]])
    figure = phase_diagram(
        [["a", "b", "b"], ["b", "b", "c"]], np.array([0.1, 0.2, 0.4]), np.array([1.0, 6.0]), list("abcd"), apart
    )
    (axes,) = figure.axes
    (shown,), (hatched,) = axes.collections, axes.patches
    assert np.asarray(shown.get_array()).tolist() == [[0, 1, 1], [1, 1, 2]]
    (left, low), (right, high) = hatched.get_bbox().get_points()
    np.testing.assert_allclose((left, right, low, high), (0.05, 0.15, -0.5, 0.5))
    assert [label.get_text() for label in figure.legends[0].get_texts()] == ["a", "b", "c", "separates"]
    with pytest.raises(UserError, match="orders e not"):
        phase_diagram([["a", "e"]], np.array([0.1, 0.2]), np.array([1.0]), list("abcd"))
