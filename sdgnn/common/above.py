"""What a room offers though a room above defines it: the package hands its exports down when it is imported.

Imports point down, so that :class:`sdgnn.dynamics.run.Run` cannot import what measures and draws it. The package, above
all rooms, gives them the function by which its exports are found, and a method asks for one by name when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_found: list[Callable[[str], Any]] = []


def hand_down(exports: Callable[[str], Any]) -> None:
    """Lets :func:`exported` find names by ``exports``; the package calls it once."""
    _found[:] = [exports]


def exported(name: str) -> Any:
    """The package's export ``name``, imported now."""
    return _found[0](name)
