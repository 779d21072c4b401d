"""YAML text: scalars of YAML 1.2 and fractions, no key twice, nothing but plain values."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from sdgnn.cli.config.examples import example_with
from sdgnn.common.errors import UserError
from sdgnn.common.files import where_else

LEVELS = 32
"""Levels of lists and mappings in a text, at most."""

EXACT = 2**53
"""Whole numbers written with an exponent are whole numbers up to this size, all of which float64 holds."""

NUMBERS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    r"|[-+]?[0-9]+/[0-9]+",
}
"""The core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), and fractions of whole numbers."""


class Plain(str):
    """A scalar that was written without quotes: :func:`meaning` says what it is where no text is wanted."""


def meaning(text: str) -> Any:
    """The null, boolean or number that ``text`` is, else ``text``: 010 is 10, 1e6 is whole, 1/3 a fraction, off a word.

    Numbers that Python cannot hold stay text.
    """
    kind = next((name for name, words in NUMBERS.items() if re.fullmatch(words, text)), None)
    if kind is None:
        return str(text)
    if kind in ("null", "bool"):
        return None if kind == "null" else text.lower() == "true"
    try:
        if kind == "int":
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        if "/" in text:
            above, below = text.split("/")
            return int(above) / int(below)
        number = float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        whole = "." not in text and number.is_integer() and abs(number) <= EXACT
        return int(number) if whole else number
    except (ValueError, ArithmeticError):
        return str(text)


class _Loader(yaml.SafeLoader):
    """Reads scalars without quotes as :class:`Plain`; refuses keys that are given twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (str(key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key} twice", node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_text(self, node: Any) -> str:
        text = self.construct_scalar(node)
        return Plain(text) if node.style is None else text


_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_text)


class _Dumper(yaml.SafeDumper):
    """Puts text that would be read as something else into quotes."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _kind, _words in NUMBERS.items():
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_words})$"), None)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^~"), None)  # a home folder without quotes


def dump(data: Any) -> str:
    """YAML text of plain values, from which :func:`parse` reads the same values."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def parse(text: str, source: str) -> Any:
    """The values in YAML text, scalars without quotes as :class:`Plain`; ``source`` names it in errors.

    Raises UserError when it is no YAML, gives a key twice, is nested deeply, or repeats itself by aliases (a few lines
    of them can stand for more than any memory).
    """
    try:
        _check_tokens(text, source)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise UserError(f"{source} is no YAML{where}: {getattr(error, 'problem', error)}") from None


def value(text: str, source: str) -> Any:
    """What stands after ``key=`` on the command line: a list, a mapping or quoted text in YAML, else a scalar as it is.

    A # in it is no comment. Raises UserError as :func:`parse` does.
    """
    text = text.strip()
    return parse(text, source) if text[:1] in ("[", "{", '"', "'") else Plain(text)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError when it is missing, holds none, or as :func:`parse` does."""
    path = Path(path)
    try:
        data = parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        name = example_with(path)
        fix = where_else(path, "*.yaml", "*.yml") if name is None else f"`sdgnn init {name}` writes it into this folder"
        raise UserError(f"no file {path}", fix=fix) from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text ({error})", allowed="a YAML file") from None
    if isinstance(data, Plain):
        data = meaning(data)
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise UserError(f"{path} holds {type(data).__name__}", allowed="a YAML mapping of keys to values")
    return data


def _check_tokens(text: str, source: str) -> None:
    """Refuse aliases and many levels before anything is built from the text."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.AliasToken):
            raise UserError(f"{source} with the alias *{token.value} at line {line}", allowed="values written out")
        depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
        if depth > LEVELS:
            raise UserError(f"{source} with more than {LEVELS} levels at line {line}", allowed=f"{LEVELS} levels")


_OPENING = (
    yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken, yaml.BlockSequenceStartToken, yaml.BlockMappingStartToken
)  # fmt: skip
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)
