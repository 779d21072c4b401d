"""What differs between two records is named."""

from sdgnn.common.differences import LONGEST, differences


def test_differences_name_the_entry() -> None:
    assert differences({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == "a.b[1] 2 and 3"
    assert differences({"a": 1}, {"a": 1, "c": 2}) == "c None and 2"
    assert differences({"a": (1, 2)}, {"a": [1, 2]}) == ""


def test_long_values_are_shortened() -> None:
    told = differences({"a": "x" * 500}, {"a": "y"})
    assert told.startswith("a xxx") and told.endswith("... and y") and len(told) < LONGEST + 20
