"""The reference of a configuration's keys, made from the docstrings that also explain its errors."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from sdgnn.common.sections import alternatives, fields_of, sections_in, tag


def describe(cls: type[BaseModel]) -> str:
    """Every key of ``cls``, one below the other: path, type, default and meaning."""
    return "".join(f"{path}: {kind}{default}\n    {text}\n" for path, kind, default, text in keys(cls))


def keys(cls: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """(path, type, default, meaning) of every key, sections in the order they are declared."""
    for name in fields_of(cls):
        info = cls.model_fields[name]
        text = " ".join((info.description or "").split())
        inner = sections_in(info.annotation)
        several = typing.get_origin(info.annotation) in (list, tuple)
        named = typing.get_origin(info.annotation) is dict
        path = f"{prefix}{name}" + ((".0" if several else ".NAME" if named else "") if inner else "")
        plain = not inner and info.default is not PydanticUndefined
        required = ", required" if info.is_required() else ""
        default = f", default {_plain(info.default)}" if plain and info.default is not None else required
        yield path, _section(info.annotation) if inner else _name(info.annotation), default, text
        yield from _together(inner, f"{path}.")


def _together(sections: Sequence[type[BaseModel]], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    """Keys of alternative sections: what all have once, what some have with those that have it."""
    if len(sections) < 2:
        for section in sections:
            yield from keys(section, prefix)
        return
    holders: dict[tuple[str, str, str, str], list[str]] = {}
    for section in sections:
        for row in keys(section, prefix):
            path, kind, _, text = row
            if path == f"{prefix}{tag(section)}":
                row = (path, kind, "", text)
            holders.setdefault(row, []).extend(alternatives(section))
    key, every = tag(sections[0]), [name for section in sections for name in alternatives(section)]
    for (path, kind, default, text), names in holders.items():
        some = len(names) < len(every) and path != f"{prefix}{key}"
        yield path, kind, default, f"{text} ({key} {' or '.join(names)})" if some else text


def _section(annotation: Any) -> str:
    """A section, and what else may stand in its place."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return "section"
    plain = [a for a in typing.get_args(annotation) if a is not types.NoneType and not sections_in(a)]
    return " or ".join([*map(_name, plain), "section"])


def _name(annotation: Any) -> str:
    """A type as a reader of YAML would say it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_name(a) for a in arguments if a is not types.NoneType)
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if origin in (list, tuple):
        inner = [_name(a) for a in arguments if a is not Ellipsis]
        return f"[{', '.join(inner)}]" if len(inner) > 1 else f"list of {inner[0]}"
    if origin is dict:
        return "mapping"
    words = {"str": "text", "float": "number", "int": "whole number", "bool": "true | false", "Path": "path"}
    return words.get(getattr(annotation, "__name__", str(annotation)), str(annotation))


def _plain(value: Any) -> str:
    return (
        str(list(value)) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else str(value)
    )
