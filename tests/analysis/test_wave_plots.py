"""Figures of exchange and spin waves: what is drawn, where, and how instabilities look."""

from __future__ import annotations

import io

import numpy as np
import pytest

from sdgnn import Lattice, exchange, spin_waves, spins
from sdgnn.analysis import plots, wave_vector_path
from sdgnn.common.errors import UserError
from sdgnn.fields import Heisenberg

SQUARE = Lattice.square(4, 4)
X, M = np.array([np.pi, 0]), np.array([np.pi, np.pi])
PATH = wave_vector_path(SQUARE, np.array([0 * X, X, M, 0 * X]), points=40)[0]


def saved(figure):
    """The figure's only panel, after it could be drawn as PDF and SVG."""
    for kind in ("pdf", "svg"):
        target = io.BytesIO()
        figure.savefig(target, format=kind)
        assert len(target.getvalue()) > 3000
    (axes,) = figure.axes
    return axes


def test_exchange_against_distance():
    found = exchange(Heisenberg(SQUARE, [1.0, -0.3]), spins.ferro(SQUARE))
    axes = saved(plots.exchange_by_distance({"both shells": found}))
    r, J = axes.lines[0].get_data()
    assert r == pytest.approx([1, 2**0.5]) and J.tolist() == pytest.approx([1.0, -0.3])
    assert "distance" in axes.get_xlabel() and "($t$)" in axes.get_ylabel()
    with pytest.raises(UserError, match="no couplings"):
        plots.exchange_by_distance({})


def test_exchange_along_a_path_marks_its_corners():
    found = exchange(Heisenberg(SQUARE, [-1.0]), spins.ferro(SQUARE))
    axes = saved(plots.exchange_along({"J": found}, PATH, {"G": (0, 0), "X": X, "M": M}))
    along, values = axes.lines[0].get_data()
    assert values == pytest.approx(-2 * np.cos(PATH).sum(1)) and values.max() == pytest.approx(4)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["G", "G", "X", "M"]
    assert sorted(axes.get_xticks()) == pytest.approx([0, np.pi, 2 * np.pi, along[-1]])


def test_bands_and_instabilities():
    """Every band is a line, one label for each field; a state that is no minimum is shaded, and growth drawn below."""
    stable = spin_waves(Heisenberg(SQUARE, [-1.0]), spins.neel(SQUARE), PATH)
    axes = saved(plots.spin_wave_bands({"J1": stable, "again": stable}, {"G": (0, 0)}))
    assert axes.get_legend_handles_labels()[1] == ["J1", "again"] and axes.get_ylim()[0] == 0
    assert [line.get_ydata().tolist() for line in axes.lines[:2]] == stable.omega.T.tolist()
    frustrated = spin_waves(Heisenberg(SQUARE, [-1.0, -0.8]), spins.neel(SQUARE), PATH)
    axes = saved(plots.spin_wave_bands(frustrated))
    assert {"unstable", "$-$growth"} <= set(axes.get_legend_handles_labels()[1])
    assert axes.get_ylim()[0] < -frustrated.growth.max() / 2 and "path" in axes.get_xlabel()
    with pytest.raises(UserError, match="2 paths"):
        plots.spin_wave_bands({"one": stable, "other": spin_waves(stable.couplings, q=PATH[:5])})
