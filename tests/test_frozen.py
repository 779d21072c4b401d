"""Nothing that is cached or shared and handed out can be changed by those who get it; caches are found by search."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdgnn
from sdgnn import Lattice, SDModel, data
from sdgnn.analysis.domains.clusters import site_graph, triangle_graph
from sdgnn.analysis.orders.correlations import displacements
from sdgnn.analysis.spectra.static import structure_factor, wave_vectors
from sdgnn.electrons.truncated.pair_tail import PairTail
from sdgnn.lattice import Bonds

TRIANGLES = Lattice.triangular(4, 3)
UP = torch.tensor([0.0, 0.0, 1.0]).expand(2, TRIANGLES.n_sites, 3)
LATTICES = (TRIANGLES, Lattice.chain(5), Lattice.kagome(2, 2), Lattice.cubic(2, 2, 2), Lattice.amorphous(12, seed=1))
RASHBA = {"kind": "rashba", "strength": 0.2}

FUNCTIONS: dict[str, Callable[[], Any]] = {
    "sdgnn.analysis.spectra.static.wave_vectors": lambda: wave_vectors(TRIANGLES),
    "sdgnn.analysis.orders.correlations.displacements": lambda: displacements(TRIANGLES),
    "sdgnn.analysis.domains.clusters.site_graph": lambda: site_graph(TRIANGLES),
    "sdgnn.analysis.domains.clusters.triangle_graph": lambda: triangle_graph(TRIANGLES),
}
"""Public functions that remember what they returned."""
PROPERTIES: dict[str, Callable[[], Any]] = {
    "Bonds.reversed": lambda: TRIANGLES.bonds(1).reversed,
    "Lattice.triangles": lambda: TRIANGLES.triangles,
    "Lattice.triangle_corners": lambda: TRIANGLES.triangle_corners,
    "Lattice.point_group": lambda: TRIANGLES.point_group,
    "LabelSet.samples": lambda: data.LabelSet(TRIANGLES, UP, UP).samples,
    "SDModel.bonds": lambda: SDModel(TRIANGLES).bonds,
    "SDModel.amplitudes": lambda: SDModel(TRIANGLES, disorder={"distribution": "uniform", "width": 0.5}).amplitudes,
    "SDModel.spin_orbit_vectors": lambda: SDModel(TRIANGLES, spin_orbit=RASHBA).spin_orbit_vectors,
    "SDModel.norms": lambda: SDModel(TRIANGLES, spin_orbit=RASHBA).norms,
}
"""Public properties that are kept once they were asked for."""
NUMBERS = {"SiteField.bytes_per_site", "LabelSet.content_hash", "Figure.source"}
"""Properties that are no arrays."""


def remembered() -> Iterator[tuple[str, str]]:
    """Public functions and properties of the package that remember what they returned, with their decorators."""
    folder = Path(sdgnn.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        module = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        owners = [(f"{module}.", tree), *((f"{n.name}.", n) for n in ast.walk(tree) if isinstance(n, ast.ClassDef))]
        for owner, node in owners:
            for entry in node.body:
                if isinstance(entry, ast.FunctionDef) and not entry.name.startswith("_"):
                    for decorator in entry.decorator_list:
                        name = ast.unparse(decorator).split("(")[0].split(".")[-1]
                        if name in ("lru_cache", "cache", "cached_property"):
                            yield owner + entry.name, name


def test_every_cache_stands_here() -> None:
    found = dict(remembered())
    assert {name for name, how in found.items() if how != "cached_property"} == FUNCTIONS.keys()
    assert {name for name, how in found.items() if how == "cached_property"} == PROPERTIES.keys() | NUMBERS


def arrays(value: Any) -> Iterator[np.ndarray]:
    """All arrays in a record or a tuple of them."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from arrays(entry)
    elif dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield from arrays(getattr(value, entry.name))
    else:
        assert not isinstance(value, torch.Tensor), "a tensor cannot be made read-only"


@pytest.mark.parametrize("name", [*FUNCTIONS, *PROPERTIES])
def test_what_is_remembered_is_read_only(name: str) -> None:
    found = [*arrays((FUNCTIONS | PROPERTIES)[name]())]
    assert found
    for array in found:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_lattices_and_their_bonds_are_read_only(lattice: Lattice) -> None:
    assert not any(array.flags.writeable for array in arrays(lattice))
    assert not any(array.flags.writeable for array in arrays(lattice.bonds_within(1.5)))
    assert not any(array.flags.writeable for array in arrays(lattice.point_group))


def test_arrays_that_are_given_stay_the_givers() -> None:
    """They can still be written to, and what was made of them does not notice."""
    positions, cell = np.array([[0.0, 0.0], [1.0, 0.0]]), 3 * np.eye(2)
    lattice, direct = Lattice.free(positions, cell), Lattice("free", positions, cell)
    source, target, vector = np.array([0, 1]), np.array([1, 0]), np.array([[1.0, 0.0], [-1.0, 0.0]])
    bonds = Bonds(source, target, vector, np.zeros(2, dtype=int))
    couplings = np.ones((1, 1, 1, 1))
    tail = PairTail(TRIANGLES, couplings)
    for given in (positions, cell, source, vector, couplings):
        given += 5
    assert lattice.positions.max() == direct.positions.max() == 1 and lattice.cell.max() == direct.cell.max() == 3
    assert bonds.source.tolist() == [0, 1] and bonds.vector.max() == 1 and tail.couplings.max() == 1


def test_graphs_are_the_callers_own() -> None:
    """Tensors of a graph share nothing with the lattice, nor with the next graph."""
    before = TRIANGLES.graph(1.1)
    kept = before.pos.clone(), before.edge_vector.clone()
    before.pos.zero_(), before.edge_vector.zero_(), before.edge_index.zero_()
    again = TRIANGLES.graph(1.1)
    assert torch.equal(again.pos, kept[0]) and torch.equal(again.edge_vector, kept[1])


def test_wave_vectors_in_other_units_leave_structure_factors_alone() -> None:
    """q / 2 pi is a new array, and the Bragg peak of a ferromagnet stays at q = 0 with S = N."""
    q = wave_vectors(TRIANGLES)
    with pytest.raises(ValueError, match="read-only"):
        q /= 2 * np.pi
    reduced = wave_vectors(TRIANGLES) / (2 * np.pi)
    assert np.array_equal(wave_vectors(TRIANGLES), 2 * np.pi * reduced)
    up = torch.zeros(1, 12, 3, dtype=torch.float64)
    up[..., 2] = 1
    peak = structure_factor(up, TRIANGLES)[0]
    assert float(peak.max()) == pytest.approx(12) and not wave_vectors(TRIANGLES)[int(peak.argmax())].any()
