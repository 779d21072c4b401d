"""Values that were read, as the keys that they stand for want them."""

from __future__ import annotations

import os
import typing
from pathlib import Path
from typing import Any

from sdgnn.cli.config.yaml_text import Plain, meaning
from sdgnn.common.errors import UserError
from sdgnn.common.sections import kinds_below, kinds_of


def wanted(value: Any, *annotations: Any) -> Any:
    """What was read, as keys of these types want it; what does not fit is left for the check of types to refuse.

    Scalars without quotes are text where text alone is wanted, else what YAML 1.2 says (a fraction is a number);
    booleans are no numbers; without quotes a path may begin with the home folder's ~.
    """
    kinds = [kind for annotation in annotations for kind in kinds_of(annotation)]
    if isinstance(value, dict):
        return {str(key): wanted(inner, *kinds_below(kinds, str(key))) for key, inner in value.items()}
    if isinstance(value, list):
        return [wanted(inner, *kinds_below(kinds, n)) for n, inner in enumerate(value)]
    literals = [v for kind in kinds if typing.get_origin(kind) is typing.Literal for v in typing.get_args(kind)]
    return _scalar(value, {*kinds, *map(type, literals)})


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
