"""Strict, typed configurations: read from YAML with overrides, refused with the path of the key that is wrong."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from sdgnn.cli.config import yaml_text
from sdgnn.cli.config.wanted import wanted
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path
from sdgnn.common.refusals import explain
from sdgnn.common.settings import Settings

Kind = TypeVar("Kind", bound="Config")


class Config(Settings):
    """A section of a configuration, which can be read from YAML and written."""

    @classmethod
    def read(cls: type[Kind], path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Kind:
        """The configuration in the YAML file ``path``, with ``key.subkey=value`` overrides, values read as YAML.

        Raises UserError when the file is missing or no YAML mapping, or as :meth:`parse` does.
        """
        return cls.parse(yaml_text.read(path), overrides, source=str(path))

    @classmethod
    def from_yaml(cls: type[Kind], given: str) -> Kind:
        """The configuration that :meth:`to_yaml` wrote."""
        return cls.parse(yaml_text.parse(given, "configuration"))

    @classmethod
    def parse(
        cls: type[Kind], data: dict[str, Any], overrides: Sequence[str] = (), source: str = "configuration"
    ) -> Kind:
        """The configuration in plain ``data``, with overrides as in :meth:`read`.

        Raises UserError that lists every wrong key: its path, what was given, what is allowed, the nearest right key.
        """
        data = copy.deepcopy(data)
        for override in overrides:
            apply_override(data, override)
        data = wanted(data, cls)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise UserError("\n  ".join([f"{source}:", *explain(cls, data, error)])) from None

    def to_yaml(self) -> str:
        """YAML text from which the same configuration is read again."""
        return yaml_text.dump(self.model_dump(mode="json"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`to_yaml` to ``path``."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.to_yaml(), encoding="utf-8")


def apply_override(data: dict[str, Any], override: str) -> None:
    """Set ``key.subkey=value`` in nested ``data``; a number as key counts list entries from 0."""
    path, equals, given = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UserError(f"override {override!r}", allowed="key=value or section.key=value, for example train.epochs=3")
    set_key(data, path.strip(), yaml_text.value(given, f"override {override!r}"))


def set_key(data: dict[str, Any], path: str, value: Any) -> None:
    """Set ``key.subkey`` in nested ``data``; sections that are absent are made."""
    keys = path.split(".")
    place: Any = data
    for depth, key in enumerate(keys[:-1]):
        place = _enter(place, key, ".".join(keys[: depth + 1]))
    if isinstance(place, list):
        _entry(place, keys[-1], path)
        place[int(keys[-1])] = value
    else:
        place[keys[-1]] = value


def _enter(place: Any, key: str, path: str) -> Any:
    """The section or list under ``key``, made when it is absent."""
    if isinstance(place, list):
        inside = _entry(place, key, path)
    else:
        if _is_null(place.get(key)):
            place[key] = {}
        inside = place[key]
    if not isinstance(inside, dict | list):
        raise UserError(f"override of {path}.*, but {path} is {inside!r}", allowed="keys of sections and lists")
    return inside


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, yaml_text.Plain) and yaml_text.meaning(value) is None)


def _entry(place: list[Any], key: str, path: str) -> Any:
    if not (key.isdigit() and int(key) < len(place)):
        raise UserError(f"override of {path}", allowed=f"entries 0 to {len(place) - 1} of that list")
    return place[int(key)]
