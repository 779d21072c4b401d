"""Errors name what was given, what is allowed and the fix."""

from __future__ import annotations

import pytest

from sdgnn.common.errors import UserError


def test_message_holds_all_parts() -> None:
    error = UserError("filling 2", allowed="[0, 1]", fix="divide by 2 N")
    assert str(error) == "filling 2; allowed: [0, 1]; divide by 2 N"
    assert (error.given, error.allowed, error.fix) == ("filling 2", "[0, 1]", "divide by 2 N")
    assert str(UserError("no file")) == "no file"


def test_it_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="no file"):
        raise UserError("no file")
