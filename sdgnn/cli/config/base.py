"""Strict, typed configurations: read from YAML with overrides, refused with the path of the key that is wrong."""

from __future__ import annotations

import difflib
import os
import typing
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sdgnn.cli.config import yaml_text
from sdgnn.cli.config.sections import fields_of, sections_in, wanted
from sdgnn.common.errors import UserError
from sdgnn.common.files import atomic_path

Kind = TypeVar("Kind", bound="Config")


class Config(BaseModel):
    """A section of a configuration: typed keys, each with a docstring; unknown keys are refused.

    Instances are immutable. A subclass's fields are declared with defaults where a default makes sense, and the string
    below a field is its documentation (shown by ``--help``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def load(cls: type[Kind], path: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Kind:
        """The configuration in the YAML file ``path``, with ``key.subkey=value`` overrides, values read as YAML.

        Raises UserError when the file is missing or no YAML mapping, or as :meth:`parse` does.
        """
        return cls.parse(yaml_text.read(path), overrides, source=str(path))

    @classmethod
    def from_yaml(cls: type[Kind], given: str) -> Kind:
        """The configuration that :meth:`to_yaml` wrote."""
        return cls.parse(yaml_text.load(given, "configuration"))

    @classmethod
    def parse(
        cls: type[Kind], data: dict[str, Any], overrides: Sequence[str] = (), source: str = "configuration"
    ) -> Kind:
        """The configuration in plain ``data``, with overrides as in :meth:`load`.

        Raises UserError that lists every wrong key: its path, what was given, what is allowed, the nearest right key.
        """
        data = _copy(data)
        for override in overrides:
            apply_override(data, override)
        try:
            return cls.model_validate(wanted(data, cls))
        except ValidationError as error:
            raise UserError("\n".join([f"{source}:", *_explain(cls, error)])) from None

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


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` may be a misspelling of, upper and lower case being alike; None if none is near."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[near[0]] if near else None


def _copy(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    return [_copy(value) for value in data] if isinstance(data, list) else data


# -- errors -----------------------------------------------------------------------------------------------------


def _explain(cls: type[Config], error: ValidationError) -> list[str]:
    """One line for each mistake; what the alternatives of one key refuse is joined."""
    unknown: list[str] = []
    refused: dict[str, tuple[list[str], str]] = {}
    for item in error.errors(include_url=False):
        is_unknown = item["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        keys, section, inside = _follow(cls, item["loc"], is_unknown)
        path = ".".join(keys) or "(whole file)"
        if is_unknown:
            unknown.append(f"  unknown key {path}{_suggest(cls, section, keys, inside)}")
            continue
        if item["type"].startswith("missing"):
            given, reason = " is missing", ""
        else:
            given = ":" if isinstance(item["input"], dict) else f" = {item['input']!r}:"
            reason = item["msg"].removeprefix("Value error, ")
            if item["type"] == "union_tag_invalid":
                path, given = f"{path}.{tag(inside[0])}", f" = {item['ctx']['tag']!r}:"
                reason = f"allowed: {item['ctx']['expected_tags']}"
            elif item["type"] == "union_tag_not_found":
                reason = "Input should be a valid dictionary"
            for python, words in _WORDS.items():
                reason = reason.replace(python, words)
        reasons, _ = refused.setdefault(path + given, ([], _documentation(section, keys)))
        reasons.append(reason)
    known = [f"  {what} {' or: '.join(dict.fromkeys(r))}".rstrip() + text for what, (r, text) in refused.items()]
    return unknown + known


_WORDS = {"a valid tuple": "a list", "a valid list": "a list", "a valid dictionary": "a mapping of keys to values"}
"""What the library calls by Python's names, in those of YAML."""


TAGS = ("kind", "solver")
"""Keys that tell the alternatives of a section apart."""


def tag(section: type) -> str | None:
    """The key by which a section is told from its alternatives; None where it has none."""
    return next((key for key in TAGS if key in fields_of(section)), None)


def alternative(section: type) -> str | None:
    """What a section has under that key."""
    key = tag(section)
    values = typing.get_args(fields_of(section)[key]) if key is not None else ()
    return str(values[0]) if len(values) == 1 else None


def _follow(cls: type, loc: Sequence[int | str], last_is_unknown: bool) -> tuple[list[str], type | None, list[type]]:
    """Keys of an error's place, the section class that holds the last key, and the alternatives.

    Alternatives are those to the section where the last key is unknown, else the sections that the last key may hold.
    Of the library's place, parts that name an alternative of a type are left out: they are no key of any section there.
    """
    keys: list[str] = []
    section: type | None = cls
    inside: list[Any] = [cls]
    rivals: list[Any] = []
    for depth, part in enumerate(loc):
        candidates = [c for annotation in inside for c in sections_in(annotation)]
        last = depth == len(loc) - 1
        holders = [c for c in candidates if part in fields_of(c)]
        if holders and not (last and last_is_unknown):
            section, inside, rivals = holders[0], [fields_of(c)[str(part)] for c in holders], []
        elif not last and (tagged := [c for c in candidates if alternative(c) == part]):
            inside, rivals = list(tagged), candidates
            continue
        elif last and last_is_unknown:
            section, inside = (candidates[0] if candidates else None), rivals
        elif isinstance(part, str) and not any(_holds_mapping(annotation) for annotation in inside):
            continue
        keys.append(str(part))
    return keys, section, [c for annotation in inside for c in sections_in(annotation)]


def _holds_mapping(annotation: Any) -> bool:
    """Whether a mapping of any keys may stand there."""
    return typing.get_origin(annotation) is dict or any(map(_holds_mapping, typing.get_args(annotation)))


def _suggest(cls: type, section: type | None, keys: list[str], alternatives: Sequence[type]) -> str:
    known = list(fields_of(section)) if section else []
    others = {alternative(c): fields_of(c) for c in alternatives if c is not section and alternative(c) is not None}
    takers = [str(name) for name, fields in others.items() if keys[-1] in fields]
    if section is not None and takers:
        key = tag(section)
        return (
            f" of {key} {alternative(section)}; {key} {' and '.join(takers)} {'take' if takers[1:] else 'takes'} it"
            f"; allowed: {', '.join(known)}"
        )
    near = nearest(keys[-1], known)
    if near is not None:
        return f"; did you mean {'.'.join([*keys[:-1], near])}?"
    for name, fields in others.items():
        if section is not None and (near := nearest(keys[-1], fields)) is not None:
            return f"; did you mean {'.'.join([*keys[:-1], near])} of {tag(section)} {name}?"
    elsewhere = [path for path in _paths(cls) if path.rpartition(".")[2] == keys[-1] and path.split(".") != keys]
    hint = f"; did you mean {elsewhere[0]}?" if elsewhere else ""
    return f"{hint}; allowed: {', '.join(known)}" if known else hint


def _paths(cls: type, prefix: str = "") -> Iterable[str]:
    for name, annotation in fields_of(cls).items():
        yield prefix + name
        for section in sections_in(annotation):
            yield from _paths(section, f"{prefix}{name}.")


def _documentation(section: type | None, keys: list[str]) -> str:
    key = keys[-1] if keys else ""
    if section is not None and issubclass(section, BaseModel) and key in section.model_fields:
        text = section.model_fields[key].description
        return f" ({key}: {' '.join(text.split())})" if text else ""
    return ""
