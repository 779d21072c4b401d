"""Sections of a configuration: the keys that each has, and values as these keys want them."""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sdgnn.cli.config.yaml_text import Plain, meaning
from sdgnn.common.errors import UserError


def fields_of(cls: type) -> dict[str, Any]:
    """Names and annotations of the keys of a section: a Config or a dataclass of settings."""
    if issubclass(cls, BaseModel):
        return {name: info.annotation for name, info in cls.model_fields.items()}
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}
    return {}


def sections_in(annotation: Any) -> list[type]:
    """Section classes that appear in a type annotation (``X | None``, ``list[X]``, ...)."""
    if _is_section(annotation):
        return [annotation]
    return [section for part in typing.get_args(annotation) for section in sections_in(part)]


def wanted(value: Any, *annotations: Any) -> Any:
    """What was read, as keys of these types want it; what does not fit is left for the check of types to refuse.

    Scalars without quotes are text where text alone is wanted, else what YAML 1.2 says (a fraction is a number);
    booleans are no numbers; without quotes a path may begin with the home folder's ~.
    """
    kinds = [kind for annotation in annotations for kind in _alternatives(annotation)]
    if isinstance(value, dict):
        return {str(key): wanted(inner, *_under(str(key), kinds)) for key, inner in value.items()}
    if isinstance(value, list):
        entries = [typing.get_args(kind) for kind in kinds if typing.get_origin(kind) in (list, tuple)]
        return [wanted(inner, *(a for some in entries for a in some if a is not Ellipsis)) for inner in value]
    return _scalar(value, set(_plain(kinds)))


def _scalar(value: Any, kinds: set[Any]) -> Any:
    text, number = bool(kinds & {str, Path}), bool(kinds & {int, float})
    if isinstance(value, Plain):
        said = meaning(value)
        if text and value[:1] == "~" != value:
            return _expanded(value)
        value = str(value) if text and not number and said is not None else said
    elif isinstance(value, str) and number and not text and "/" in value:
        value = meaning(value)
    if isinstance(value, bool) and kinds and not kinds & {bool, Any}:
        return str(value).lower()
    return value


def _expanded(path: str) -> str:
    """A path that begins with a home folder's ~, written out."""
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise UserError(f"{path}, but no such home folder is known", allowed="a path from / or from here")
    return expanded


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation))


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types that a union allows."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _under(key: str, kinds: list[Any]) -> Iterator[Any]:
    """Types of what may stand under ``key``."""
    for kind in kinds:
        if _is_section(kind) and key in fields_of(kind):
            yield fields_of(kind)[key]
        elif typing.get_origin(kind) is dict:
            yield typing.get_args(kind)[1]


def _plain(kinds: list[Any]) -> Iterator[Any]:
    """Types, those of its values for a literal."""
    for kind in kinds:
        yield from map(type, typing.get_args(kind)) if typing.get_origin(kind) is typing.Literal else [kind]
