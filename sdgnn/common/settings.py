"""Settings: typed, immutable, each with its meaning, limits and default stated once, for Python and for YAML alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from sdgnn.common.errors import UserError
from sdgnn.common.one_line import LONGEST
from sdgnn.common.refusals import explain
from sdgnn.common.sections import TAGS

if TYPE_CHECKING:
    import torch

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Precision = Literal["float32", "float64"]


def dtype_of(precision: Precision) -> torch.dtype:
    """A precision as torch names it."""
    import torch

    dtype: torch.dtype = getattr(torch, precision)
    return dtype


class Settings(BaseModel):
    """Settings by name, or in the order in which they are declared; unknown names are refused.

    The string below a field is its documentation: in Python, on the page of the configuration's keys and in refusals.
    Instances are immutable. Raises UserError on wrong settings, naming each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    def __init__(self, /, *given: Any, **settings: Any) -> None:
        names = [name for name in type(self).model_fields if name not in TAGS]
        if len(given) > len(names):
            raise UserError(f"{len(given)} settings of a {type(self).__name__}", allowed=", ".join(names))
        settings = dict(zip(names, given, strict=False)) | settings
        try:
            super().__init__(**settings)
        except ValidationError as error:
            wrong = explain(type(self), settings, error, whole="settings")
            raise UserError(f"{type(self).__name__} with {'; '.join(wrong)}") from None

    def __repr__(self) -> str:
        text = super().__repr__()
        return text if len(text) <= LONGEST else f"{type(self).__name__}({', '.join(self._changed())})"

    def _changed(self) -> Iterator[str]:
        """Settings that are not their defaults."""
        for name, value in self.__repr_args__():
            field = type(self).model_fields.get(str(name))
            if field is None or value != field.default:
                yield f"{name}={value!r}"

    def __str__(self) -> str:
        return repr(self)

    def replace(self, **settings: Any) -> Self:
        """The same settings but for these."""
        return type(self)(**{**dict(self), **settings})

    # sections inside others are made without a call of __init__, so that their mistakes keep their place
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def by_default(key: str, value: str) -> BeforeValidator:
    """Fills in the ``key`` that tells the alternatives of a section apart where a mapping has none."""
    return BeforeValidator(lambda given: {key: value, **given} if isinstance(given, dict) else given)
