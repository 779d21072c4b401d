"""Numbers with their standard errors as text, rounded alike everywhere."""

from __future__ import annotations

import math

LARGEST, SMALLEST = 1e5, 1e-3
"""Numbers from the first on, and those below the second, are written with a power of ten."""


def with_error(value: float | None, error: float | None, alone: str = ".4g") -> str:
    """``value`` and its standard error, rounded to the digits that the error leaves.

    The error has one digit, or two where it begins with 1; the value ends where the error does::

        with_error(0.4231, 0.0312)    # 0.42 ± 0.03
        with_error(0.4231, 0.0132)    # 0.423 ± 0.013
        with_error(12345.6, 210.0)    # 12300 ± 200
        with_error(3.21e-7, 4e-9)     # (3.21 ± 0.04)e-07

    Without an error (None, not finite or zero) the value stands alone, in the format ``alone``; a value that is not
    finite is a dash.
    """
    if value is None or not math.isfinite(value):
        return "-"
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:{alone}}"
    largest = max(abs(value), error)
    if not SMALLEST <= largest < LARGEST:
        power = math.floor(math.log10(largest))
        return f"({_plain(value / 10.0**power, error / 10.0**power)})e{power:+03d}"
    return _plain(value, error)


def _plain(value: float, error: float) -> str:
    mantissa, power = f"{error:.1e}".split("e")
    digits = 2 if mantissa.startswith("1") else 1
    if digits == 1:
        power = f"{error:.0e}".split("e")[1]  # 9.6 becomes 10
    decimals = digits - 1 - int(power)
    if decimals >= 0:
        return f"{value:.{decimals}f} ± {error:.{decimals}f}"
    return f"{round(value, decimals):.0f} ± {round(error, decimals):.0f}"
