"""Numbers with errors are rounded to the digits of the error, and read back to within them."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdgnn.common.rounding import with_error

PATTERN = re.compile(r"(\()?(-?\d+(?:\.\d+)?) ± (\d+(?:\.\d+)?)(?:\)e([+-]\d+))?")
POSITIVE = st.floats(1e-12, 1e12)


@given(st.floats(-1e9, 1e9), POSITIVE)
def test_what_is_written_is_the_number_to_the_digits_of_its_error(value: float, error: float) -> None:
    """The error keeps one digit, off by a quarter at most (2 for 2.5), or two from 1 on; the value has as many
    decimals, and is off by half of its last digit at most, which is half an error at most."""
    found = PATTERN.fullmatch(with_error(value, error))
    assert found is not None
    power = 10.0 ** int(found[4] or 0)
    decimals = [len(text.partition(".")[2]) for text in (found[2], found[3])]
    assert decimals[0] == decimals[1]
    assert float(found[3]) * power == pytest.approx(error, rel=0.26)
    assert abs(float(found[2]) * power - value) <= 0.51 * error + 1e-12 * abs(value)
    digits = found[3].replace(".", "").strip("0")
    assert len(digits) <= 2 and (len(digits) < 2 or digits[0] == "1")


@given(st.floats(-1e6, 1e6), POSITIVE, st.integers(-3, 3))
def test_units_shift_the_point_alone(value: float, error: float, power: int) -> None:
    """Digits do not depend on the unit, as long as both are written without a power of ten."""
    first, second = with_error(value, error), with_error(value * 10.0**power, error * 10.0**power)
    if "e" not in first + second and error >= 1e-5 and abs(value / error) > 2:
        strip = [text.split(" ± ")[1].replace(".", "").strip("0") for text in (first, second)]
        assert strip[0] == strip[1]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.4231, 0.0312, "0.42 ± 0.03"),
        (0.4231, 0.0132, "0.423 ± 0.013"),
        (0.9994, 3e-5, "0.99940 ± 0.00003"),
        (-0.2, 0.2, "-0.2 ± 0.2"),
        (0.99, 0.0098, "0.99 ± 0.01"),
        (12345.6, 210.0, "12300 ± 200"),
        (3.21e-7, 4e-9, "(3.21 ± 0.04)e-07"),
    ],
)
def test_examples(value: float, error: float, text: str) -> None:
    assert with_error(value, error) == text


@pytest.mark.parametrize("error", [None, math.nan, math.inf, 0.0])
def test_without_an_error_the_value_stands_alone(error: float | None) -> None:
    assert with_error(0.98765, error, ".3f") == "0.988"
    assert with_error(math.nan, error) == with_error(None, error) == "-"
