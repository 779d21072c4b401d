"""Names: which one a word may be a misspelling of."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name that ``word`` may be a misspelling of, upper and lower case being alike; None if none is near.

    ``likeness`` is the least ratio of common letters, 0 to 1 (:class:`difflib.SequenceMatcher`).
    """
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, names: Iterable[str], likeness: float = 0.6) -> str:
    """A question after the nearest name, or nothing."""
    near = nearest(word, names, likeness)
    return f"did you mean {near!r}?" if near is not None else ""
