"""Sentences of the demo's report say what its table says."""

from __future__ import annotations

import re

from sdgnn.cli.report.demo import gain, headline
from sdgnn.cli.report.fields import ACCURATE, CALIBRATED, EXACT, FAST, HEAD, TRAINED, Row

NONE = (float("nan"), float("nan"))
"""No standard errors."""
ROWS = (
    Row(EXACT, 0, 0.0, (1.0, 1.0), (0.0, 0.0), NONE, 9000.0),
    Row(FAST, 0, 0.0, (0.9011, 0.8922), (0.02, 0.04), NONE, 30.0),
    Row(ACCURATE, 0, 0.0, (0.9933, 0.9844), (0.01, 0.01), NONE, 90.0),
    Row(CALIBRATED, 24, 3.0, (0.9555, 0.9466), (0.014, 0.02), NONE, 33.0),
    Row(TRAINED, 130, 60.0, (0.9777, 0.9688), (0.008, 0.03), NONE, 36.0),
    Row("Heisenberg, 1 shell", 130, float("nan"), (0.5101, 0.8910), (0.05, 0.05), NONE, 1.0),
    Row("Heisenberg, 5 shells", 130, float("nan"), (0.5630, 0.5102), (0.05, 0.05), NONE, 2.0),
)


def test_every_number_of_the_headline_is_one_of_its_row() -> None:
    """The best Heisenberg model is the best on held-out states, and both its numbers are its own."""
    text = headline(ROWS)
    r2 = HEAD.index("held out R²"), HEAD.index("larger R²")
    cells = {row.field: row.cells() for row in ROWS}
    for name in (FAST, ACCURATE, CALIBRATED, TRAINED, "Heisenberg, 5 shells"):
        assert " and ".join(cells[name][k] for k in r2) in text, name
    assert "0.8910" not in text and "0.5101" not in text and "Heisenberg, 5 shells" in text
    assert len(re.findall(r"\d\.\d{4}", text)) == 10
    assert "Calibrated on 24 exact states" in text and "trained on 130" in text


def test_gains_are_ratios_of_the_rows() -> None:
    text = gain(ROWS)
    assert f"{CALIBRATED} leaves 49 % and 25 % of it at 1.1 times the cost" in text  # (0.014 / 0.02)^2, (0.02 / 0.04)^2
    assert f"{TRAINED} leaves 16 % and 56 % of it at 1.2 times the cost" in text
    assert f"{ACCURATE} leaves 25 % and 6 % of it at 3.0 times the cost" in text
    assert "takes 300 times as long" in text
