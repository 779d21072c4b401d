"""What a room offers though a room above defines it: found among the exports of the whole package.

Imports point down, so that :class:`sdgnn.dynamics.run.Run` cannot import what measures and draws it. A method asks for
an export of the package, which is above all rooms, by name when it is called.
"""

from __future__ import annotations

import sys
from typing import Any

PACKAGE = __name__.partition(".")[0]


def exported(name: str) -> Any:
    """The package's export ``name``, imported now."""
    return getattr(sys.modules[PACKAGE], name)
