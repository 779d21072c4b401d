"""Mistakes in settings, explained: where, what was given, what is allowed, the nearest right key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from pydantic import ValidationError

from sdgnn.common.names import did_you_mean, nearest
from sdgnn.common.sections import (
    Section,
    alternatives,
    chosen,
    fields_of,
    is_section,
    kinds_below,
    kinds_of,
    sections_in,
    tag,
)

WORDS = {
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid dictionary": "a mapping of keys to values",
    " or object to extract fields from": "",
}
"""What pydantic calls by Python's names, in those of YAML."""

UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Errors of a key that is not there."""


class _Place(NamedTuple):
    """Where in the settings something is wrong."""

    keys: tuple[str, ...]
    """The way to it."""
    section: Section | None
    """The section that holds the last key."""
    name: str
    """The alternative that it is, where it has others."""
    rivals: list[Section]
    """That section with its alternatives."""
    inside: list[Section]
    """Sections that the last key may hold."""


def explain(cls: Any, data: Any, error: ValidationError, whole: str = "(whole file)") -> list[str]:
    """One line for each mistake in ``data`` for ``cls``, a section or alternatives of one.

    ``whole`` names the section itself. What the types of one key refuse is joined.
    What a section refuses because of its entries is not told beside what is wrong with these.
    """
    places = [(_place(cls, data, item["loc"]), item) for item in error.errors(include_url=False)]
    lines: list[str] = []
    refused: dict[str, tuple[list[str], str]] = {}
    for place, item in places:
        depth = len(place.keys)
        deeper = any(other.keys[:depth] == place.keys != other.keys for other, _ in places)
        if item["type"] in UNKNOWN:
            lines.append(f"unknown key {'.'.join(place.keys)}{_suggestion(cls, place)}")
        elif not deeper or item["type"] == "value_error":
            what, reason = _reason(".".join(place.keys) or whole, place, dict(item))
            refused.setdefault(what, ([], _documentation(place)))[0].append(reason)
    return lines + [
        f"{what} {' or: '.join(dict.fromkeys(why))}".rstrip() + text for what, (why, text) in refused.items()
    ]


def _place(cls: Any, data: Any, loc: Sequence[int | str]) -> _Place:
    """Follows pydantic's place of an error; parts of it that name a type are no keys, and are left out."""
    keys: list[str] = []
    kinds: list[Any] = list(kinds_of(cls))
    section: Section | None = None
    name: Any = None
    rivals: list[Section] = []
    for part in loc:
        here = [kind for kind in kinds if is_section(kind)]
        holder = chosen(here, data)
        given = isinstance(data, dict) and part in data
        if isinstance(part, str):
            if not given and (holder is None or part not in fields_of(holder)):
                continue
            section, rivals = holder, here
            name = data.get(tag(holder)) if isinstance(data, dict) and holder is not None else None
        keys.append(str(part))
        kinds = kinds_below([kind for kind in kinds if kind not in here or kind is holder], part)
        inside = isinstance(part, int) and isinstance(data, list | tuple) and part < len(data)
        data = data[part] if given or inside else None
    name = name or next(iter(alternatives(section) if section is not None else ()), "")
    return _Place(tuple(keys), section, str(name), rivals, [kind for kind in kinds if is_section(kind)])


def _reason(path: str, place: _Place, item: dict[str, Any]) -> tuple[str, str]:
    """What is refused and why."""
    if item["type"].startswith("missing"):
        return f"{path} is missing", ""
    if item["type"] == "union_tag_invalid":
        told = item["ctx"]
        near = did_you_mean(told["tag"], [name for section in place.inside for name in alternatives(section)])
        reason = f"allowed: {told['expected_tags']}{'; ' if near else ''}{near}"
        return f"{'.'.join((*place.keys, str(tag(place.inside[0]))))} = {told['tag']!r}:", reason
    given = f"{path}:" if isinstance(item["input"], dict) else f"{path} = {item['input']!r}:"
    if item["type"] == "union_tag_not_found":
        named = f" with the key {tag(place.inside[0])}" if isinstance(item["input"], dict) else ""
        return given, f"Input should be a mapping of keys to values{named}"
    if item["type"] == "int_parsing_size":
        return given, f"Input should be a whole number of size up to 2^53 = {2**53}"
    reason = item["msg"].removeprefix("Value error, ")
    if (
        item["type"] == "literal_error"
        and isinstance(item["input"], str)
        and (near := did_you_mean(item["input"], _quoted(item["ctx"]["expected"])))
    ):
        reason += f"; {near}"
    for python, words in WORDS.items():
        reason = reason.replace(python, words)
    return given, reason


def _quoted(text: str) -> list[str]:
    """The words in quotes."""
    return text.split("'")[1::2]


def _suggestion(cls: Any, place: _Place) -> str:
    """What an unknown key may have been meant to be, and what is allowed."""
    section, key, way = place.section, place.keys[-1], place.keys[:-1]
    own = list(fields_of(section)) if section is not None else []
    others = [(rival, fields_of(rival)) for rival in place.rivals if rival is not section and alternatives(rival)]
    takers = [name for rival, fields in others if key in fields for name in alternatives(rival)]
    if section is not None and takers:
        named = tag(section)
        return (
            f" of {named} {place.name}; {named} {' and '.join(takers)} "
            f"{'take' if takers[1:] else 'takes'} it; allowed: {', '.join(own)}"
        )
    if (near := nearest(key, own)) is not None:
        return f"; did you mean {'.'.join([*way, near])}?"
    for rival, fields in others:
        if (near := nearest(key, fields)) is not None:
            return f"; did you mean {'.'.join([*way, near])} of {tag(rival)} {' or '.join(alternatives(rival))}?"
    below = (".".join([*way, path]) for path in _paths(section)) if section is not None else ()
    anywhere = chain(below, (path for part in sections_in(cls) for path in _paths(part)))
    elsewhere = (path for path in anywhere if path.rpartition(".")[2] == key and path != ".".join(place.keys))
    hint = f"; did you mean {path}?" if (path := next(elsewhere, None)) else ""
    return f"{hint}; allowed: {', '.join(own)}" if own else hint


def _paths(cls: Section, prefix: str = "") -> Iterator[str]:
    for name, annotation in fields_of(cls).items():
        yield prefix + name
        for section in sections_in(annotation):
            yield from _paths(section, f"{prefix}{name}.")


def _documentation(place: _Place) -> str:
    key = place.keys[-1] if place.keys else ""
    text = place.section.model_fields[key].description if place.section and key in fields_of(place.section) else None
    return f" ({key}: {' '.join(text.split())})" if text else ""
