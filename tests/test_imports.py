"""Imports point down the pipeline, from the command line to the lattice, and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sdgnn

ROOMS = (
    {"common"},
    {"lattice"},
    {"spins"},
    {"fields"},
    {"electrons"},
    {"nn", "dynamics"},
    {"data"},
    {"train"},
    {"analysis"},
    {"interchange"},
    {"cli.config"},
    {"cli.report", "cli.results"},
    {"cli.commands"},
    {"cli.app"},
)
"""Rooms of the package from the ground up: each imports those above it in this list, and its own modules."""
FOLDER = Path(sdgnn.__file__).parent


def modules() -> dict[str, str]:
    """Source of every module by its name without the package's."""
    found = {}
    for path in FOLDER.rglob("*.py"):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text()
    return found


def imported(source: str, known: set[str]) -> Iterator[str]:
    """Modules of the package that ``source`` imports anywhere: at the top, in functions, for the checker of types."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sdgnn":
            module = (node.module or "").removeprefix("sdgnn").removeprefix(".")
            for alias in node.names:
                name = f"{module}.{alias.name}".removeprefix(".")
                yield name if name in known else module
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "sdgnn"]
            yield from (name.removeprefix("sdgnn").removeprefix(".") for name in names)


@cache
def of_package() -> dict[str, set[str]]:
    """Imports of every module of the package."""
    sources = modules()
    return {name: set(imported(source, set(sources))) - {name} for name, source in sources.items()}


def graph(added: dict[str, str] | None = None) -> dict[str, set[str]]:
    """Imports of every module of the package, and of those in ``added`` by their source."""
    found = dict(of_package())
    for name, source in (added or {}).items():
        found[name] = set(imported(source, {*found, *(added or {})}))
    return found


def room(module: str) -> int | None:
    """Place of a module in :data:`ROOMS`; None for the package itself and for ``python -m sdgnn``."""
    parts = module.split(".")
    for k, names in enumerate(ROOMS):
        if parts[0] in names or ".".join(parts[:2]) in names:
            return k
    assert module in ("", "__main__", "cli"), f"{module} is in no room"
    return None


def upwards(imports: dict[str, set[str]]) -> list[str]:
    """Imports that point up, or into a room of the same height."""
    found = []
    for module, names in imports.items():
        for name in names:
            here, there = room(module), room(name)
            same = module.split(".")[0] == name.split(".")[0] != "cli" or module.split(".")[:2] == name.split(".")[:2]
            if here is not None and (there is None or there > here or (there == here and not same)):
                found.append(f"{module} imports {name or 'sdgnn'}")
    return sorted(found)


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_imports_point_down() -> None:
    assert upwards(graph()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(graph()) == []


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("lattice.new", "from sdgnn.nn import load", "lattice.new imports nn"),
        ("nn.new", "def f():\n    from sdgnn.dynamics import simulate", "nn.new imports dynamics"),
        ("fields.new", "import sdgnn", "fields.new imports sdgnn"),
        ("cli.report.new", "from sdgnn.cli.commands import simulate", "cli.report.new imports cli.commands.simulate"),
    ],
)
def test_what_points_up_is_found(module: str, line: str, said: str) -> None:
    assert set(upwards(graph({module: line}))) - set(upwards(graph())) == {said}


def test_a_circle_is_found() -> None:
    lines = {"fields.a": "from sdgnn.fields.b import x", "fields.b": "def f():\n    from sdgnn.fields import a"}
    assert set(circle({name: names for name, names in graph(lines).items() if name in lines})) == set(lines)


def test_what_a_room_takes_from_above_is_an_export_of_the_package() -> None:
    """``exported("name")``, which looks up where imports may not, is called for a run's measures and pictures alone."""
    found = {
        (module, node.args[0].value if isinstance(node.args[0], ast.Constant) else None)
        for module, source in modules().items()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "exported"
    }
    assert found == {("dynamics.run", "measure"), ("dynamics.run", "plot")}
    assert all(callable(getattr(sdgnn, str(name))) for _, name in found)
