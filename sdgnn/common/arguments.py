"""Arguments of public functions and classes: wrong ones are answered with what is allowed, before they do harm.

What is allowed stands in the signature. Numbers, text, paths, lists and objects of this package are checked as its
annotations say. Arrays are left to the functions, which take them in many forms, and are looked at only where one of
these fails. A name that a signature does not have is answered with the nearest one that it has.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_origin

from sdgnn.common.errors import UserError
from sdgnn.common.names import did_you_mean

PACKAGE = __name__.partition(".")[0]
LONGEST = 80
"""Characters of an argument that a refusal shows."""
HOW = {
    "Lattice": "make one, for example sdgnn.Lattice.triangular(12, 12)",
    "SDModel": "make one, for example sdgnn.SDModel(lattice, hopping=[1.0], exchange=3.0)",
    "Field": "make one, for example sdgnn.ExactField(model, kT=0.1, filling=0.25), or sdgnn.load(...).on(...)",
    "LabelSet": "read one: sdgnn.data.read(path)",
    "Integrator": "make one, for example sdgnn.Heun(dt=0.1, damping=0.1)",
    "Model": "load one: sdgnn.load(name or path)",
    "Run": "make one: sdgnn.simulate(field, spins, integrator, steps)",
    "Dataset": "take run.trajectory, or read one: sdgnn.open_trajectory(folder)",
}
"""How users come by what is asked for."""
MISSING = object()
"""In place of an argument that is not given."""
_asked: dict[Any, Any] = {}
"""Classes that ask already, and functions with those that ask in their place."""


@dataclass(frozen=True)
class Kind:
    """What one argument may be."""

    allowed: str
    """In words."""
    fits: Callable[[Any], bool]
    """Whether a value is of this kind."""
    name: str = ""
    """Name of the class, where it is one of this package."""
    late: bool = False
    """Whether it is looked at only where the function fails."""
    fix: str = ""
    """What to do about another one."""
    each: bool = False
    """Whether it is that of all further arguments in a row."""


def asked(thing: Any) -> Any:
    """A function that asks whether its arguments are allowed; constructor and public methods of a class do from now on.

    So do those of classes that a function says to return. Classes stay what they are, other objects too.
    """
    if isinstance(thing, type):
        _ask_class(thing)
        return thing
    if not isinstance(thing, types.FunctionType | functools._lru_cache_wrapper) or not _ours(thing):
        return thing
    if thing not in _asked:
        asking = _asking(thing, thing.__qualname__)
        _asked[thing] = _asked[asking] = asking
        home, name = sys.modules.get(thing.__module__), thing.__name__
        if getattr(home, name, None) is thing:  # where other processes look a function up
            setattr(home, name, asking)
    return _asked[thing]


def ask(module: str) -> None:
    """Public functions of a ``module``, to be called at its end, ask whether their arguments are allowed."""
    names = vars(sys.modules[module])
    for name, thing in list(names.items()):
        if not name.startswith("_") and isinstance(thing, types.FunctionType) and thing.__module__ == module:
            names[name] = _asking(thing, f"{module.rpartition('.')[2]}.{name}")


def _ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] == PACKAGE


def _ask_class(cls: type) -> None:
    """Constructors and public methods of a class, of those that it is made of and of those made of it so far."""
    if not _ours(cls) or cls in _asked or issubclass(cls, BaseException):
        return
    _asked[cls] = cls
    for name, entry in list(vars(cls).items()):
        function = entry.__func__ if isinstance(entry, classmethod | staticmethod) else entry
        shown = not name.startswith("_") or name in ("__init__", "__call__")
        if not shown or not isinstance(function, types.FunctionType) or hasattr(function, "__pydantic_base_init__"):
            continue
        if getattr(function, "__isabstractmethod__", False) or getattr(cls, "_is_protocol", False):
            continue
        whole = cls.__name__ if name in ("__init__", "__call__") else f"{cls.__name__}.{name}"
        asking = _asking(function, whole, bound=not isinstance(entry, staticmethod))
        setattr(cls, name, type(entry)(asking) if function is not entry else asking)
    for other in (*cls.__mro__[1:], *cls.__subclasses__()):
        _ask_class(other)


def _asking(function: Callable[..., Any], name: str, bound: bool = False) -> Callable[..., Any]:
    """``function``, which looks at its arguments first; the first one of a method is not looked at."""
    early: list[tuple[int, str, Kind]] | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal early
        if early is None:
            early = list(_kinds(function, bound, late=False))
        _check(name, early, args, kwargs)
        try:
            return function(*args, **kwargs)
        except UserError:
            raise
        except (TypeError, AttributeError, RuntimeError, ValueError, IndexError) as error:
            _explain(function, name, bound, args, kwargs, error)
            raise

    for returned in _returned(function):
        _ask_class(returned)
    return call


def _check(
    function: str, kinds: Iterable[tuple[int, str, Kind]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Raises UserError on an argument of the wrong kind."""
    given = len(args)
    for place, key, kind in kinds:
        if kind.each:
            _check(function, [(k, key, replace(kind, each=False)) for k in range(place, given)], args, {})
            continue
        value = args[place] if place < given else kwargs.get(key, MISSING)
        if value is not MISSING and not kind.fits(value):
            raise _wrong(function, key, value, kind)


def _explain(
    function: Callable[..., Any], name: str, bound: bool, args: tuple[Any, ...], kwargs: dict[str, Any],
    error: Exception,
) -> None:  # fmt: skip
    """Raises UserError where a function failed on what it was given: names that it lacks, what are no arrays."""
    if (refusal := _unbound(function, name, bound, args, kwargs)) is not None:
        raise refusal from None
    try:
        _check(name, _kinds(function, bound, late=True), args, kwargs)
    except UserError as wrong:
        raise wrong from error


def _wrong(function: str, key: str, value: Any, kind: Kind) -> UserError:
    """What to say of an argument of the wrong kind."""
    fix = kind.fix or HOW.get(kind.name, "")
    for part in ("lattice", "model", "trajectory"):
        if type(getattr(value, part, None)).__name__ == kind.name:
            fix = f"give its .{part}"
    if kind.name == "Field" and callable(getattr(value, "on", None)):
        fix = "bind it to a lattice or a model first: .on(...)"
    return UserError(f"{function} with {key}={_shown(value)}", allowed=kind.allowed, fix=fix)


def _unbound(
    function: Callable[..., Any], name: str, bound: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> UserError | None:
    """What to say of arguments that do not fit the signature; None where they do."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        reason = str(error)
    else:
        return None
    parameters = list(signature.parameters.values())[bound:]
    allowed = ", ".join(str(p.replace(annotation=p.empty)) for p in parameters) or "no argument"
    known = [p.name for p in parameters]
    for key in kwargs:
        if key not in known:
            return UserError(f"{name} with an unknown argument {key}", allowed=allowed, fix=did_you_mean(key, known))
    lacking = [p.name for p in parameters[max(len(args) - bound, 0) :] if p.default is p.empty and p.name not in kwargs]
    if "missing" in reason and lacking:
        return UserError(f"{name} without {', '.join(lacking)}", allowed=allowed)
    if "too many" in reason:
        return UserError(f"{name} with {len(args) - bound} arguments in a row", allowed=allowed, fix="name them")
    return UserError(f"{name}: {reason}", allowed=allowed)


def _shown(value: Any) -> str:
    """An argument in a few words."""
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{_a(type(value).__name__)} of shape {tuple(value.shape)}"
    try:
        text = repr(value)
    except Exception:
        text = ""
    return text if text and len(text) <= LONGEST and "\n" not in text else _a(type(value).__name__)


def _a(name: str) -> str:
    """A name with its article."""
    return f"an {name}" if name[0] in "AEIO" or name.startswith("SD") else f"a {name}"


# -- what a signature allows ------------------------------------------------------------------------------------------


def _kinds(function: Callable[..., Any], bound: bool, late: bool) -> Iterator[tuple[int, str, Kind]]:
    """Place, name and kind of the arguments whose annotation says what they may be: those looked at late, or not."""
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for number, place in enumerate(inspect.signature(function).parameters.values()):
        if place.kind is place.VAR_KEYWORD or not isinstance(place.annotation, str) or number < bound:
            continue
        kinds = list(_alternatives(ast.parse(place.annotation, mode="eval").body, names))
        known = [kind for kind in kinds if kind is not None]
        if known and len(known) == len(kinds) and (kind := _either(known)).late is late:
            row = sys.maxsize if place.kind is place.KEYWORD_ONLY else number  # by its name alone
            yield row, place.name, replace(kind, each=place.kind is place.VAR_POSITIONAL)


def _either(kinds: list[Kind]) -> Kind:
    """Any one of several kinds."""
    if len(kinds) == 1:
        return kinds[0]
    fits = [kind.fits for kind in kinds]
    names = [kind.name for kind in kinds if kind.name]
    allowed = " or ".join(dict.fromkeys(kind.allowed for kind in kinds))
    late = any(kind.late for kind in kinds)
    return Kind(allowed, lambda value: any(fit(value) for fit in fits), names[0] if names else "", late, kinds[0].fix)


def _alternatives(node: ast.expr, names: Mapping[str, Any]) -> Iterator[Kind | None]:
    """Kinds in a union; None for what is not looked at."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _alternatives(node.left, names)
        yield from _alternatives(node.right, names)
    elif isinstance(node, ast.Constant) and node.value is None:
        yield NOTHING
    elif isinstance(node, ast.Name | ast.Attribute):
        # matplotlib.figure.Figure is not the Figure of the module that names it
        yield _named(node.id, names) if isinstance(node, ast.Name) else _named(node.attr, {})
    elif isinstance(node, ast.Subscript):
        yield _subscripted(node, names)
    else:
        yield None


def _subscripted(node: ast.Subscript, names: Mapping[str, Any]) -> Kind | None:
    """Lists of something, one of several words, functions."""
    name = ast.unparse(node.value).rpartition(".")[2]
    if name == "Literal":
        values = ast.literal_eval(node.slice)
        return _one_of(values if isinstance(values, tuple) else (values,))
    if name == "PathLike":
        return PATH
    if name == "Callable":
        return FUNCTION
    if name in ARRAYS:
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        return TENSOR if ast.unparse(first).rpartition(".")[2] == "Tensor" and "|" not in ast.unparse(first) else ARRAY
    if name in ("Mapping", "dict"):
        return MAPPING
    if name in ("Sequence", "Iterable", "list", "tuple"):
        first = node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice
        inside = [kind for kind in _alternatives(first, names) if kind is not None and kind.name]
        return _several(inside[0] if inside else None)
    return None


def _one_of(values: tuple[Any, ...]) -> Kind:
    return Kind(" or ".join(map(repr, values)), lambda value: any(value is one or value == one for one in values))


def _several(inside: Kind | None) -> Kind:
    """A list, array or other collection in order, but no single entry."""

    def fits(value: Any) -> bool:
        if isinstance(value, str | bytes | Mapping) or (inside is not None and inside.fits(value)):
            return False
        return hasattr(value, "__iter__") or hasattr(value, "__getitem__")

    if inside is None:
        return Kind("a list", fits)
    return Kind(f"a list of {inside.name} objects", fits, fix="a single one stands in brackets, too: [...]")


def _named(name: str, names: Mapping[str, Any]) -> Kind | None:
    """The kind of a name in an annotation: Python's own, or a class of this package, imported or not."""
    if name in PLAIN:
        return PLAIN[name]
    thing = names.get(name)
    if isinstance(thing, TypeVar):
        thing = thing.__bound__
    if get_origin(thing) in (tuple, list):
        return _several(None)
    if isinstance(thing, type):
        if not _ours(thing) or getattr(thing, "_is_protocol", False):
            return None
        return Kind(_a(thing.__name__), lambda value: isinstance(value, thing), thing.__name__)
    if thing is None and name in HOW:  # named for checkers of types alone
        return Kind(_a(name), lambda value: any(cls.__name__ == name for cls in type(value).__mro__), name)
    return None


def _returned(function: Callable[..., Any]) -> Iterator[type]:
    """Classes of this package that a function says to return."""
    said = getattr(function, "__annotations__", {}).get("return")
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for node in ast.walk(ast.parse(said, mode="eval")) if isinstance(said, str) else ():
        if isinstance(node, ast.Name) and isinstance(names.get(node.id), type):
            yield names[node.id]


def _is_number(value: Any) -> bool:
    """Python's and numpy's numbers, and arrays that hold one."""
    return isinstance(value, float | int) or (hasattr(value, "__float__") and getattr(value, "ndim", 0) == 0)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) or (hasattr(value, "__index__") and getattr(value, "ndim", 0) == 0)


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") or isinstance(value, list | tuple | float | int)


NOTHING = Kind("None", lambda value: value is None)
PATH = Kind("a path", lambda value: isinstance(value, str | os.PathLike))
MAPPING = Kind("a mapping of names to values", lambda value: hasattr(value, "keys"))
FUNCTION = Kind("a function", callable)
ARRAYS = ("Float", "Int", "Complex", "Bool", "Num", "Shaped", "Real", "Inexact", "Integer")
"""Kinds of numbers in arrays, by jaxtyping's names."""
TENSOR = Kind(
    "a tensor", lambda value: any(cls.__name__ == "Tensor" for cls in type(value).__mro__), late=True,
    fix="of an array or list make one with torch.as_tensor(...)",
)  # fmt: skip
ARRAY = Kind("a tensor, array or list of numbers", lambda value: _is_array(value), late=True)
PLAIN = {
    "Tensor": TENSOR,
    "ndarray": ARRAY,
    "ArrayLike": ARRAY,
    "Numbers": ARRAY,
    "dtype": Kind("torch.float32 or torch.float64", lambda value: str(value).startswith("torch.")),
    "float": Kind("a number", _is_number),
    "int": Kind("a whole number", _is_whole),
    "str": Kind("text", lambda value: isinstance(value, str)),
    "bool": Kind("True or False", lambda value: isinstance(value, bool) or type(value).__name__ == "bool_"),
    "Path": PATH,
    "PathLike": PATH,
}
"""Kinds of Python's own, of numpy and of torch."""
