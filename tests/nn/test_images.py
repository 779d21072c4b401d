"""The smallest crystals on which no energy meets a spin twice, against balls counted bond by bond."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from sdgnn import Lattice, SDModel, TruncatedField, load
from sdgnn.cli.config.commands import GenerateConfig
from sdgnn.electrons import ExactField
from sdgnn.fields import Zeeman
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, NetworkSettings, create
from sdgnn.nn.committee import Committee
from sdgnn.nn.images import cells_needed, model_of, too_small
from sdgnn.nn.settings import BehlerParrinelloSettings

ROOT = Path(__file__).resolve().parents[2]
HOPPINGS = [[1.0], [1.0, -0.3]]
LATTICES = [
    Lattice.chain(3), Lattice.square(3, 3), Lattice.triangular(3, 3), Lattice.honeycomb(3, 3), Lattice.kagome(3, 3),
    Lattice.cubic(3, 3, 3),
]  # fmt: skip


def sites_within(model: SDModel, bonds: int) -> int:
    """Sites of the largest ball of so many bonds, walked on the lattice itself."""
    step = (abs(model.hopping_matrix()) > 0).toarray()
    reached = np.eye(len(step), dtype=bool)
    for _ in range(bonds):
        reached = reached | (reached.astype(int) @ step.astype(int) > 0)
    return int(reached.sum(1).max())


@pytest.mark.parametrize("hopping", HOPPINGS, ids=str)
@pytest.mark.parametrize("lattice", LATTICES, ids=lambda lattice: lattice.name)
def test_balls_fit_on_what_is_asked_for(lattice: Lattice, hopping: list[float]) -> None:
    """As many sites in a ball as on a much larger crystal; one cell less along the first axis is too few where the
    estimate is exact: lattices of one site a cell, bonds between nearest neighbours."""
    cutoff = 1 if lattice.dim == 3 else 2
    field = TruncatedField(SDModel(lattice, hopping), kT=0.3, filling=0.25, cutoff=cutoff, moments=5)
    needed = cells_needed(field)
    assert needed is not None

    def count(*shape: int) -> int:
        return sites_within(SDModel(lattice.resized(*shape), hopping), cutoff)

    whole = count(*(needed + 4))
    assert count(*needed) == whole
    if lattice.n_basis == 1 and len(hopping) == 1:
        less = needed.copy()
        less[0] -= 1
        assert count(*less) < whole


def test_every_kind_of_field_says_what_it_needs() -> None:
    """Energies of two layers see three bonds: seven cells. Sums and committees need what their largest part does."""
    lattice = Lattice.square(6, 8)
    members = [EquivariantNetwork(EquivariantSettings(layers=n, channels=2), lattice) for n in (1, 2)]
    field = members[1].on(lattice)
    assert cells_needed(field).tolist() == [7, 7]
    assert cells_needed(Committee(members).on(lattice)).tolist() == [7, 7]
    assert cells_needed(members[0].on(lattice) + Zeeman(lattice, field=(0, 0, 1.0))).tolist() == [5, 5]
    shells = create(BehlerParrinelloSettings(shells=2, pair_shells=1, chirality_shells=0, hidden=(4,)), lattice)
    assert cells_needed(shells.on(lattice)).tolist() == [1 + int(np.ceil(2 * shells.cutoff))] * 2
    exact = ExactField(SDModel(lattice), kT=0.3, filling=0.25)
    assert cells_needed(exact) is None and too_small(exact, "a run") == []
    assert cells_needed(model_of(EquivariantSettings(layers=2, channels=2), exact)).tolist() == [7, 7]
    assert too_small(members[0].on(lattice), "a run") == []
    (text,) = too_small(field, "a run")
    assert text.startswith("a run on 6 x 8 cells") and "at least 7 x 7 cells" in text


def keys_of(path: Path) -> set[str]:
    return set(yaml.safe_load(path.read_text()))


LABELLING = [
    path
    for path in sorted((ROOT / "configs").rglob("*.yaml"))
    if {"lattice", "protocols"} <= keys_of(path) and not keys_of(path) & {"learning", "quench"}
]


@pytest.mark.parametrize("path", LABELLING, ids=lambda path: str(path.relative_to(ROOT)))
def test_labels_of_the_configurations_are_large_enough(path: Path) -> None:
    """For networks of the default size, which the trainings in configs/ have or stay below."""
    config = GenerateConfig.read(path)
    exact = config.electrons.build(config.hamiltonian.build(config.lattice.build()))
    assert too_small(model_of(NetworkSettings(), exact), "labels") == []


@pytest.mark.parametrize("name", ["02_training_and_judging", "03_transfer_and_quench", "07_train_your_own_model"])
def test_labels_of_the_notebooks_are_large_enough(name: str) -> None:
    """Bonds of their lattices lead one cell along each axis at most."""
    cells = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())["cells"]
    (parameters,) = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    values: dict[str, Any] = {}
    exec("".join(parameters["source"]), values)
    assert values["size"] > 2 * values["cutoff"]


def test_shipped_models_say_which_electrons_they_are_of() -> None:
    model = load("square-double-exchange")
    assert model.electrons is not None and model.electrons.hamiltonian["exchange"] == 6.0
    assert "exchange 6.0, kT 0.02, filling 0.485 on square lattices" in repr(model)
