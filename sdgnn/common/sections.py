"""Sections of settings: the keys of each, and the alternatives that a key tells apart."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel

TAGS = ("kind", "solver", "scheme", "protocol")
"""Keys that tell the alternatives of a section apart."""

Section = type[BaseModel]


def is_section(annotation: Any) -> typing.TypeGuard[Section]:
    """Whether a type is a section of settings."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def fields_of(section: Section) -> dict[str, Any]:
    """Names and types of the keys of a section, first the one that tells it from its alternatives."""
    names = sorted(section.model_fields, key=lambda name: name not in TAGS)
    return {name: section.model_fields[name].annotation for name in names}


def sections_in(annotation: Any) -> list[Section]:
    """Section classes that appear in a type annotation (``X | None``, ``list[X]``, ...)."""
    if is_section(annotation):
        return [annotation]
    return [section for part in typing.get_args(annotation) for section in sections_in(part)]


def kinds_of(annotation: Any) -> Iterator[Any]:
    """The types that a union allows; of any other type, that type."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from kinds_of(parts[0])
    elif origin in (typing.Union, types.UnionType):
        for part in parts:
            yield from kinds_of(part)
    else:
        yield annotation


def kinds_below(kinds: Iterable[Any], key: str | int) -> list[Any]:
    """Types of what may stand under ``key`` of values of these types: a name of a mapping, or a number of a list."""
    found: list[Any] = []
    for kind in kinds:
        origin, parts = typing.get_origin(kind), typing.get_args(kind)
        if is_section(kind) and key in fields_of(kind):
            found += kinds_of(fields_of(kind)[str(key)])
        elif origin is dict and isinstance(key, str):
            found += kinds_of(parts[1])
        elif origin in (list, tuple) and isinstance(key, int):
            found += [entry for part in parts if part is not Ellipsis for entry in kinds_of(part)]
    return found


def tag(section: Section) -> str | None:
    """The key by which a section is told from its alternatives; None where it has none."""
    return next((key for key in TAGS if key in fields_of(section)), None)


def alternatives(section: Section) -> tuple[str, ...]:
    """What a section may have under that key."""
    key = tag(section)
    return () if key is None else typing.get_args(fields_of(section)[key])


def chosen(sections: Sequence[Section], data: Any) -> Section | None:
    """The alternative that ``data`` names; the first one where it names none."""
    for section in sections:
        if isinstance(data, dict) and data.get(tag(section)) in (values := alternatives(section)) and values:
            return section
    return sections[0] if sections else None
