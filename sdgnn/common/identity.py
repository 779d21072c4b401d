"""What an object is, in plain values: two of equal content do the same, wherever they were made and loaded from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from sdgnn.common.files import content_hash

DERIVED = frozenset({"lattice", "linear", "halo", "family"})
"""Public attributes that follow from the others, or are told of apart."""


def content(thing: Any) -> Any:
    """Plain values, equal for objects that do the same: settings as they are, arrays and weights by their SHA-256.

    Objects are described by their class and public attributes (those without a leading underscore, which are what they
    were made from), networks by settings and weights, lattices and Hamiltonians by what ``to_dict`` says. Places of
    files, dates and devices do not enter.

        content(Heisenberg(lattice, [1.0]))    # {"class": "Heisenberg", "couplings": [1.0]}
    """
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if isinstance(thing, np.generic):
        return thing.item()
    if isinstance(thing, np.ndarray):
        return content_hash(thing)
    if isinstance(thing, Tensor):
        return content_hash(thing.detach().cpu().numpy())
    if isinstance(thing, Mapping):
        return {str(key): content(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [content(value) for value in thing]
    if isinstance(thing, slice | torch.dtype):
        return str(thing)
    return {"class": type(thing).__name__, **_parts(thing)}


def _parts(thing: Any) -> dict[str, Any]:
    """Content of what an object is made of."""
    if isinstance(thing, nn.Module):
        settings = {"settings": content(thing.settings)} if hasattr(thing, "settings") else {}
        return {**settings, "weights": content(thing.state_dict())}
    if isinstance(thing, BaseModel):
        return {name: content(getattr(thing, name)) for name in type(thing).model_fields}
    if hasattr(thing, "to_dict"):
        return dict(content(thing.to_dict()))
    if isinstance(thing, Callable) and hasattr(thing, "__qualname__"):  # type: ignore[arg-type]
        return {"name": thing.__qualname__}
    if dataclasses.is_dataclass(thing):
        given = {item.name: getattr(thing, item.name) for item in dataclasses.fields(thing)}
    else:
        given = vars(thing) if hasattr(thing, "__dict__") else {}
    return {
        name: content(value)
        for name, value in given.items()
        if not name.startswith("_") and name not in DERIVED
        and not isinstance(getattr(type(thing), name, None), cached_property)
        and not isinstance(value, torch.device)
    }  # fmt: skip
