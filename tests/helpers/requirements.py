"""What pyproject.toml asks for, and all that comes with it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]


def requirements(*extras: str) -> list[Requirement]:
    """Those of the base installation and of the extras, without the package itself."""
    optional = PROJECT["optional-dependencies"]
    found = [Requirement(text) for text in PROJECT["dependencies"]]
    for extra in extras:
        for requirement in map(Requirement, optional[extra]):
            inner = requirement.name == PROJECT["name"]
            found += requirements(*requirement.extras) if inner else [requirement]
    return found


def with_all_they_need(wanted: Iterable[Requirement]) -> set[str]:
    """Names of packages that are installed with ``wanted`` on this machine, by the metadata of those that are there."""
    todo = [(requirement, "") for requirement in wanted]
    done: set[tuple[str, str]] = set()
    while todo:
        requirement, asked = todo.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": asked}):
            continue
        for extra in {"", *requirement.extras}:
            if (canonicalize_name(requirement.name), extra) not in done:
                done.add((canonicalize_name(requirement.name), extra))
                todo += [(Requirement(text), extra) for text in metadata.requires(requirement.name) or []]
    return {name for name, _ in done}
