"""Names that a package exports: imported when they are first used, and asked what users give them.

Whatever stands in a package's ``__init__.pyi`` answers wrong arguments with what is allowed (:mod:`.arguments`); the
package says so in one line::

    __getattr__, __dir__, __all__ = attach(__name__, __file__)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from sdgnn.common.arguments import asked


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of the ``package`` whose ``__init__.py`` is ``file``."""
    import lazy_loader  # not at the top: `python -m sdgnn` leaves the working folder first

    find, names, everything = lazy_loader.attach_stub(package, file)

    def found(name: str) -> Any:
        value = asked(find(name))
        sys.modules[package].__dict__[name] = value
        return value

    return found, names, everything
