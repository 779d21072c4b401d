"""Learned effective fields for metallic magnets: from the s-d Hamiltonian to spin dynamics on large lattices."""

from collections.abc import Callable
from functools import cache

from sdgnn.common.version import VERSION as __version__

__all__ = ["__version__"]


@cache
def _exports() -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    # not at the top: only after this file was read does ``python -m sdgnn`` take the working folder off the path
    from sdgnn.common.exports import attach

    return attach(__name__, __file__)


def __getattr__(name: str) -> object:
    return _exports()[0](name)


def __dir__() -> list[str]:
    return [*__all__, *_exports()[1]()]
