"""Rows of the table of fields say what was measured, and nothing where nothing was."""

from __future__ import annotations

import math

from sdgnn.cli.report.fields import EXACT, HEAD, Row


def test_a_row_has_a_cell_for_every_column() -> None:
    cells = Row("trained", 98, 38.2, (0.99, 0.5), (0.001, 0.02), (0.002, math.nan), 24.13).cells()
    assert cells == ["trained", "98", "38", "0.990 ± 0.002", "0.00100", "0.5000", "0.02000", "24.1"]
    assert len(cells) == len(HEAD)


def test_what_was_not_fitted_has_no_time() -> None:
    assert Row("universal, fast", 0, 0.0, (0.9, 0.9), (0.1, 0.1), (math.nan, math.nan), 1.0).cells()[1:3] == ["-", "-"]
    assert Row("trained", 98, math.nan, (0.9, 0.9), (0.1, 0.1), (math.nan, math.nan), 1.0).cells()[1:3] == ["98", "-"]
    assert Row(EXACT, 0, 0.0, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), 5350.0).cells()[3:7] == ["1", "0", "1", "0"]
