"""The smallest crystals on which no energy meets a spin twice, against balls counted bond by bond."""

from __future__ import annotations

import numpy as np
import pytest

from sdgnn import Lattice, SDModel, TruncatedField, load
from sdgnn.electrons import ExactField
from sdgnn.fields import Zeeman
from sdgnn.nn import EquivariantNetwork, EquivariantSettings, create
from sdgnn.nn.committee import Committee
from sdgnn.nn.images import cells_needed, model_of, too_small
from sdgnn.nn.settings import BehlerParrinelloSettings

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
    assert cells_needed(shells.on(lattice)).tolist() == [1 + int(np.ceil(2 * shells.reach))] * 2
    exact = ExactField(SDModel(lattice), kT=0.3, filling=0.25)
    assert cells_needed(exact) is None and too_small(exact, "a run") == []
    assert cells_needed(model_of(EquivariantSettings(layers=2, channels=2), exact)).tolist() == [7, 7]
    assert too_small(members[0].on(lattice), "a run") == []
    (text,) = too_small(field, "a run")
    assert text.startswith("a run on 6 x 8 cells") and "at least 7 x 7 cells" in text


def test_shipped_models_say_which_electrons_they_are_of() -> None:
    model = load("square-double-exchange")
    assert model.electrons is not None and model.electrons.hamiltonian["exchange"] == 6.0
    assert "exchange 6.0, kT 0.02, filling 0.485 on square lattices" in repr(model)
